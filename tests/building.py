"""The wheel as users get it, built from a copy of the repository."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "var", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)


def build(folder: Path, *what: str) -> None:
    """Build *what* (``--wheel``; nothing: the sdist, and the wheel from it) into *folder*.

    Nothing is downloaded: setuptools and wheel are of the development environment.
    """
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    arguments = ["build", "--no-isolation", *what, "--outdir", str(folder), str(source)]
    ran = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    shutil.rmtree(source)


def build_wheel(folder: Path) -> Path:
    """Build the wheel into *folder*; return it."""
    build(folder, "--wheel")
    (wheel,) = folder.glob("*.whl")
    return wheel
