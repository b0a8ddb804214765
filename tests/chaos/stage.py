"""The processes of a chaos run: gateway, queue and workers. Each is ended by its own id."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flask_refunds.testing.simulator.client import SimulatorClient
from tests.chaos.schedule import LONGEST_LANDING
from tests.chaos.shop import Shop
from tests.processes import ROOT, FlaskProcess, Process, command, environment
from tests.servers import start_redis

APP = "tests.integration.crash_app:create_app"
HURRIED: dict[str, Any] = {
    "REFUNDS_GATEWAY_TIMEOUT": 2.0,
    "REFUNDS_LATE_WINDOW": LONGEST_LANDING + 1.0,
    "REFUNDS_LEASE": 5.0,
    "REFUNDS_SALE_PAUSE": 0.2,
    "REFUNDS_SWEEP_INTERVAL": 0.5,
    "REFUNDS_SETTLE_INTERVAL": 0.3,
    "REFUNDS_RETRY_INTERVAL": 0.1,
}
"""A day in a minute. What is sent lands within the late window, as at a real gateway."""
SIMULATOR = "flask_refunds.testing.simulator"


class Stage:
    """A shop on *database_url*, and all processes around it, in *folder*."""

    def __init__(self, folder: Path, database_url: str, *, workers: int = 2) -> None:
        self._folder, self._database_url, self._count = folder, database_url, workers
        self._stack = ExitStack()
        self._starts = 0
        self._sweeps: list[Process] = []
        self._workers: list[FlaskProcess] = []
        self._settings: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Start everything; end it all again when something does not start."""
        with ExitStack() as stack:
            self._queue, redis_url = start_redis(self._folder / "valkey")
            stack.callback(self._queue.stop)
            stack.callback(self._end_processes)
            self._simulator = self._start_simulator(0)
            self.url = self._simulator.output().split()[0]
            self.gateway = SimulatorClient(self.url)
            self._settings = {
                **HURRIED,
                "BRAINTREE_URL": self.url,
                "SQLALCHEMY_DATABASE_URI": self._database_url,
                "REFUNDS_REDIS_URL": redis_url + "/0",
                "SECRET_KEY": "chaos",
            }
            self.shop = Shop(self._settings)
            stack.callback(self.shop.dispose)
            self._workers = [self._start_worker(number) for number in range(self._count)]
            for worker in self._workers:
                worker.wait_for("Processing refunds")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every process."""
        self._stack.close()

    def end_worker(self, pick: float, how: signal.Signals, **settings: Any) -> None:
        """End one of the workers by *how*, and start another in its place."""
        number = int(pick * len(self._workers))
        self._workers[number].stop(how)
        self._workers[number] = self._start_worker(number, **settings)

    def renew_workers(self) -> list[int]:
        """End all workers and start new ones; return how those ended that nobody had asked to."""
        ended = [code for w in self._workers if (code := w.process.poll()) is not None]
        _end(self._workers)
        self._workers = [self._start_worker(number) for number in range(self._count)]
        return ended

    def sweep(self) -> None:
        """Start a sweep beside the workers."""
        output = self._folder / f"sweep{len(self._sweeps)}.log"
        self._sweeps.append(FlaskProcess(APP, "refunds", "sweep", output=output, env=self.env()))

    def restart_gateway(self) -> None:
        """Kill the gateway in the middle of its work, and start it again on the same file."""
        self._simulator.stop(signal.SIGKILL)
        self._simulator = self._start_simulator(int(self.url.rpartition(":")[2]))

    def restart_queue(self) -> None:
        """Start the queue anew; it forgets everything."""
        self._queue.restart()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``flask refunds`` with *arguments* to its end."""
        return subprocess.run(
            command(APP, "refunds", *arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment(self.env()),
            timeout=300,
        )

    def env(self, **changes: Any) -> dict[str, str]:
        """Return the environment of another process of the shop."""
        return {"SHOP_CONFIG": json.dumps({**self._settings, **changes}), "FLASK_APP": APP}

    def _start_simulator(self, port: int) -> Process:
        self._starts += 1
        output = self._folder / f"gateway{self._starts}.log"
        kept = ("--port", str(port), "--file", str(self._folder / "gateway.sqlite"))
        arguments = [sys.executable, "-m", SIMULATOR, *kept]
        simulator = Process("the simulator", arguments, output=output)
        try:
            simulator.wait_for("no money moves here")
        except BaseException:
            simulator.stop(signal.SIGKILL)
            raise
        return simulator

    def _start_worker(self, number: int, **settings: Any) -> FlaskProcess:
        return FlaskProcess(
            *(APP, "refunds", "worker", "--concurrency", "4"),
            output=self._folder / f"worker{number}.log",
            env=self.env(**settings),
        )

    def _end_processes(self) -> None:
        _end([*self._workers, *self._sweeps])
        if hasattr(self, "_simulator"):
            self._simulator.stop()


def _end(running: Sequence[Process]) -> None:
    """Ask all at once to end in order, and insist after a while."""
    for each in running:
        if each.process.poll() is None:
            each.process.terminate()
    for each in running:
        with suppress(subprocess.TimeoutExpired):
            each.process.wait(20)
        each.stop(signal.SIGKILL)
