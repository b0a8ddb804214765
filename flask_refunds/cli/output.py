"""Where a command writes a file: a path that gets it whole or not at all, or standard output."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

import click


@contextmanager
def written(path: Path | None) -> Iterator[IO[bytes]]:
    """Yield the binary file that becomes *path* when the block ends well; ``None``: stdout.

    Until then it has a name of its own beside it, which is removed when the block fails, by
    Ctrl-C and SIGTERM too. A device or a pipe is written to as it is. What the system says against
    *path* is a message of the command's.
    """
    if path is None:
        yield sys.stdout.buffer
        return
    target = Path(os.path.realpath(path))  # a link stays one
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
        else:
            with _renamed(target) as file:
                yield file
    except OSError as error:
        raise click.ClickException(
            f"--output {path} cannot be written: {error.strerror or error}. "
            "Give a file in a folder that is there, with room, and that you may write to."
        ) from error


@contextmanager
def _renamed(target: Path) -> Iterator[IO[bytes]]:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)
