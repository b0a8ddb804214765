"""Processes that the demo starts, watches and ends."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class AlreadyRunning(Exception):
    """Another demo uses the same directory."""


class Child:
    """A Python module that runs in a process of its own, its output in a file.

    It is the leader of a session of its own, so that Ctrl-C in a terminal reaches the demo only,
    which then ends its children in the right order.
    """

    def __init__(self, name: str, arguments: Sequence[str], directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def ended(self) -> str:
        """Return nothing while the process runs, else how it ended and what it said last."""
        code = self._process.poll()
        if code is None:
            return ""
        said = self.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"The {self.name} ended with status {code}.", *said])

    def stop(self, seconds: float = 20) -> None:
        """Ask the process to end, and insist after ``seconds``."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


class Register:
    """The ids of the demo's processes in a file, so that the next start can end what was left.

    A demo that is killed outright cannot end its children itself.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "processes"

    def add(self, pid: int) -> None:
        """Remember a process by its id and its command line, which a new one gets in a moment."""
        until = time.monotonic() + 1
        while not command_line(pid) and time.monotonic() < until:
            time.sleep(0.01)
        with self._file.open("a") as file:
            file.write(f"{pid} {command_line(pid)}\n")

    def clear(self) -> None:
        """Forget all processes."""
        self._file.unlink(missing_ok=True)

    def end_left_over(self) -> None:
        """End the processes that still run, unless their ids belong to something else by now."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        for pid, command in (line.split(" ", 1) for line in lines):
            if command and command_line(int(pid)) == command:
                print(f"Ending process {pid}, left over from an earlier run.", flush=True)
                end(int(pid))
        self.clear()


def command_line(pid: int) -> str:
    """Return the command line of a process, empty when there is none."""
    if Path("/proc/self").exists():
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
            return " ".join(words.split())
        return ""
    listing = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return " ".join(listing.stdout.split())


def end(pid: int, seconds: float = 10) -> None:
    """End a process that is not our child: politely first."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


@contextmanager
def sole_user(directory: Path) -> Iterator[None]:
    """Hold the directory; raise :class:`AlreadyRunning` when another demo does."""
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"A demo runs already in {directory}.") from None
        yield
