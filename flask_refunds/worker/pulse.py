"""A worker's signs of life, from a thread of its own: one that waits for a gateway is alive too."""

import threading

from flask import Flask

from flask_refunds import heartbeats
from flask_refunds.runtime import Runtime

PATIENCE = 5.0
"""Most seconds that the end of a worker waits for its last sign."""


class Pulse:
    """Beats from :meth:`start` to :meth:`stop`; what goes wrong with it stops no work."""

    def __init__(self, app: Flask, runtime: Runtime, concurrency: int) -> None:
        self._app, self._runtime = app, runtime
        self._sign = heartbeats.of_worker(runtime, concurrency)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="refunds-pulse", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Say farewell, if the database is there to hear it."""
        self._stopped.set()
        self._thread.join(PATIENCE)

    def _beat(self) -> None:
        with self._app.app_context():
            while not self._stopped.is_set():
                heartbeats.beat(self._runtime, self._sign)
                self._stopped.wait(heartbeats.interval(self._runtime.config))
            heartbeats.leave(self._runtime, self._sign)
