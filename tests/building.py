"""The package as users get it: ``python -m tests.building FOLDER`` builds sdist and wheel."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.processes import ROOT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".nox", "build", "_build", "dist", "var", "*.egg-info", "__pycache__",
    ".*_cache", ".hypothesis",
)  # fmt: skip


def build(folder: Path, *what: str) -> Path:
    """Build *what* (``--wheel``; nothing: the sdist, and the wheel from it) into *folder*.

    Returns the wheel. Nothing is downloaded: setuptools and wheel are of the development
    environment. A copy of the repository is built, so that nothing of an earlier build gets in.
    """
    with tempfile.TemporaryDirectory() as beside:
        source = Path(beside) / "source"
        shutil.copytree(ROOT, source, ignore=LEFT_OUT)
        arguments = ["build", "--no-isolation", *what, "--outdir", str(folder), str(source)]
        ran = subprocess.run(
            [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


if __name__ == "__main__":
    build(Path(sys.argv[1]))
