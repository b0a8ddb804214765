"""Build sdist and wheel of this repository: ``python -m tests.building FOLDER``."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.processes import ROOT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".nox", "build", "dist", "var", "*.egg-info", "__pycache__", ".*_cache",
    ".hypothesis",
)  # fmt: skip


def build(folder: Path) -> Path:
    """Build the sdist and, from it, the wheel into *folder*; return the wheel.

    Nothing is downloaded: setuptools and wheel are of the development environment. A copy of the
    repository is built, so that nothing of an earlier build gets in and nothing is left.
    """
    with tempfile.TemporaryDirectory() as beside:
        source = Path(beside) / "source"
        shutil.copytree(ROOT, source, ignore=LEFT_OUT)
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
        ran = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


if __name__ == "__main__":
    build(Path(sys.argv[1]))
