"""Real ``flask ...`` processes: started, watched and ended by their process id."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def command(app: str, *args: str) -> list[str]:
    """Return the command line of ``flask --app APP ARGS``."""
    return [sys.executable, "-m", "flask", "--app", app, *args]


def environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Return this process's environment with *extra*, and with the repository importable."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(extra or {})}


class Process:
    """A running command, called *title*, its output kept in a file."""

    def __init__(
        self,
        title: str,
        arguments: Sequence[str],
        *,
        output: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.title = title
        self.output_path = output
        # Should pytest be killed, the kernel ends this process too (Linux).
        guard = shutil.which("setpriv")
        prefix = [guard, "--pdeathsig", "KILL"] if guard else []
        with output.open("ab") as stream:
            self.process = subprocess.Popen(
                [*prefix, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd=ROOT,
                env=environment(env),
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def output(self) -> str:
        """Return what it wrote so far."""
        return self.output_path.read_text(errors="replace")

    def wait_for(self, words: str, *, seconds: float = 30.0) -> None:
        """Return when it has written *words*; fail when it ends or *seconds* pass before."""
        deadline = time.monotonic() + seconds
        while words not in self.output():
            ended = self.process.poll()
            assert ended is None or words in self.output(), f"{self.title} ended with {ended}"
            assert time.monotonic() < deadline, f"{self.title} did not write {words!r}"
            time.sleep(0.05)

    def stop(self, signum: signal.Signals = signal.SIGTERM, *, seconds: float = 20.0) -> int:
        """Send *signum* and return the exit code; after *seconds* it is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class FlaskProcess(Process):
    """A running ``flask --app APP ARGS``."""

    def __init__(
        self, app: str, *args: str, output: Path, env: Mapping[str, str] | None = None
    ) -> None:
        title = f"flask --app {app} {' '.join(args)}"
        super().__init__(title, command(app, *args), output=output, env=env)
