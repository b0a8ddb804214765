"""The worker: one process, many threads, each bringing one transfer forward at a time.

It is an RQ worker (``rq info`` shows it, ``rq suspend`` stops it), but with a loop of its own:
RQ's ends when Redis does, and runs one job at a time. Here a job is a wake-up and nothing more.
It is taken off the queue the moment that it is heard, and from then on the claim in the database
says who works on the transfer; so a crash leaves nothing behind in RQ's registries, and a lost
job loses nothing. What nobody was woken for, the sweep finds.

Two threads decide what to do: the main one sweeps, another one listens to Redis. Both give
transfers to the same :class:`~flask_refunds.worker.hands.Hands`. Without Redis the sweep goes on
alone; without the database both wait for it. A signal stops the claiming, and what is in hand is
finished; a second signal ends the process at once, which the next worker makes good. A third
thread gives signs of life, in our tables and not in Redis, since a shop may have none.
"""

import signal
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

from flask import Flask
from redis.exceptions import RedisError

from flask_refunds import heartbeats, logs, reconciling, wired
from flask_refunds.errors import ConfigurationError
from flask_refunds.processing import process
from flask_refunds.worker.hands import Hands, Step
from flask_refunds.worker.listener import Listener
from flask_refunds.worker.pulse import Pulse

__all__ = ["Worker"]

LOOK_AT_MOST_EVERY = 1.0
"""Seconds between two looks at the database, however much happens."""
LONGEST_BACKOFF = 30.0
"""Most seconds to wait before trying a database or a Redis again that was not there."""


class Worker:
    """Processes the due transfers of *app* in *concurrency* threads. Needs the main thread."""

    def __init__(self, app: Flask, *, concurrency: int) -> None:
        self._app = app
        with app.app_context():
            self._runtime = wired.current().runtime
        config = self._runtime.config
        self._listener = Listener(config.redis_url, config.queue) if config.redis_url else None
        # Not an Event: a signal handler may call SimpleQueue.put() at any moment.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._stopping = False
        self._suspended = False
        self._hands = Hands(
            app,
            self._runtime,
            concurrency,
            stopping=lambda: self._stopping,
            finished=self._ring,
        )
        self._pulse = Pulse(app, self._runtime, concurrency)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._build_gateways()
        self._pulse.start()
        ear = threading.Thread(target=self._listen, name="refunds-listener", daemon=True)
        if self._listener is not None:
            ear.start()
        failures = 0
        while not self._stopping:
            try:
                seconds = self._sweep()
                if failures:
                    logs.warning("sweep_works_again")
                failures = 0
            except Exception as error:  # most likely the database; the next round may succeed
                failures += 1
                seconds = min(2.0**failures, LONGEST_BACKOFF)
                if failures == 1:
                    logs.exception("sweep_failed", error)
                else:
                    logs.warning("sweep_fails_still", error=type(error).__name__)
            self._rest(seconds)
        logs.info("worker_stopping")
        self._hands.finish()
        self._pulse.stop()
        if ear.is_alive():
            ear.join(3)

    def run_burst(self) -> None:
        """Do what is due now, all of it, and return."""
        with self._app.app_context():
            heartbeats.beat(self._runtime, heartbeats.of_sweep(self._runtime))
        self._build_gateways()
        if self._listener is not None:
            with suppress(RedisError):
                while (transfer_id := self._listener.hear(None)) is not None:
                    self._hands.take(reconciling.forward, transfer_id)
                self._listener.close()
        tried: set[int] = set()
        while True:
            with self._app.app_context():
                found = reconciling.due(self._runtime)
            new: list[tuple[Step, int]] = [(process, i) for i in found.process if i not in tried]
            new += [(reconciling.poll, i) for i in found.poll if i not in tried]
            if not new:
                break
            for step, transfer_id in new:
                tried.add(transfer_id)
                self._hands.take(step, transfer_id)
        self._hands.finish()

    def _sweep(self) -> float:
        """Take what is due in hand; return for how many seconds there will be nothing more."""
        if self._suspended:
            return LOOK_AT_MOST_EVERY
        with self._app.app_context():
            found = reconciling.due(self._runtime)
            soonest = reconciling.soonest(self._runtime)
        for transfer_id in found.process:
            self._hands.take(process, transfer_id)
        for transfer_id in found.poll:
            self._hands.take(reconciling.poll, transfer_id)
        seconds = self._runtime.config.sweep_interval
        if soonest is not None:
            seconds = min(seconds, (soonest - self._runtime.now()).total_seconds())
        return max(seconds, 0.0)

    def _rest(self, seconds: float) -> None:
        """Wait; something that is finished may bring the next due time forward."""
        until = time.monotonic() + seconds
        pause = time.monotonic() + LOOK_AT_MOST_EVERY
        rung = False
        while not self._stopping:
            left = (pause if rung else max(until, pause)) - time.monotonic()
            if left <= 0:
                return
            with suppress(Empty):
                self._bell.get(timeout=left)
                rung = True

    def _listen(self) -> None:
        """Take in hand what others wake us up for, for as long as there is a Redis."""
        assert self._listener is not None
        failures = 0
        while self._hands.wait_for_room():
            try:
                self._hear(self._listener)
                if failures:
                    logs.warning("queue_up")
                failures = 0
                continue
            except RedisError as error:
                self._listener.forget()
                self._suspended = False
                failures += 1
                if failures == 1:
                    logs.warning("queue_down", error=type(error).__name__)
            except Exception as error:
                logs.exception("job_not_read", error)
            self._pause(min(2.0**failures, LONGEST_BACKOFF))
        with suppress(RedisError):
            self._listener.close()

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.2)

    def _hear(self, listener: Listener) -> None:
        suspended = listener.suspended()
        if suspended != self._suspended:
            logs.warning("worker_suspended" if suspended else "worker_resumed")
            self._suspended = suspended
        listener.show(busy=self._hands.busy)
        if suspended:
            self._pause(1)
            return
        transfer_id = listener.hear()
        if transfer_id is not None:
            self._hands.take(reconciling.forward, transfer_id)

    def _build_gateways(self) -> None:
        """Build the one gateway object of each name before there are threads."""
        for name in self._runtime.gateways:
            try:
                self._runtime.gateways.get(name)
            except ConfigurationError as error:
                logs.error("gateway_unusable", gateway=name, reason=error)

    def _ring(self) -> None:
        self._bell.put(None)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        signal.signal(number, signal.SIG_DFL)
        self._ring()
