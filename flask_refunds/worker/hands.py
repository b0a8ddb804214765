"""The threads of a worker: each brings one transfer forward, and none does what another does."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from flask_refunds import logs
from flask_refunds.reconciling import guarded
from flask_refunds.runtime import Runtime

Step = Callable[[Runtime, int], object]

LOOK_UP = 0.2
"""Seconds after which a waiting thread looks whether the worker is asked to stop."""


class Hands:
    """*count* threads and the transfers that they have in hand, each at most once.

    *finished* is called after each one, from its thread; *stopping* says whether to take no more.
    """

    def __init__(
        self,
        app: Flask,
        runtime: Runtime,
        count: int,
        *,
        stopping: Callable[[], bool],
        finished: Callable[[], object],
    ) -> None:
        self._app, self._runtime, self._count = app, runtime, count
        self._stopping, self._finished = stopping, finished
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="refunds")
        self._in_hand: set[int] = set()
        self._changed = threading.Condition()

    @property
    def busy(self) -> bool:
        """Whether anything is in hand."""
        return bool(self._in_hand)

    def take(self, step: Step, transfer_id: int) -> bool:
        """Run *step* on the transfer in a thread, as soon as one is free.

        ``False``: it is in hand already, or the worker stops.
        """
        with self._changed:
            while not self._stopping():
                if transfer_id in self._in_hand:
                    return False
                if len(self._in_hand) < self._count:
                    self._in_hand.add(transfer_id)
                    self._threads.submit(self._run, step, transfer_id)
                    return True
                self._changed.wait(LOOK_UP)
        return False

    def wait_for_room(self) -> bool:
        """Return when a thread is free; ``False`` when the worker stops instead."""
        with self._changed:
            while not self._stopping():
                if len(self._in_hand) < self._count:
                    return True
                self._changed.wait(LOOK_UP)
        return False

    def finish(self) -> None:
        """Return when everything in hand is done; the threads are gone then."""
        with self._changed:  # nobody is in the middle of taking something
            pass
        self._threads.shutdown(wait=True)

    def _run(self, step: Step, transfer_id: int) -> None:
        try:
            with self._app.app_context():
                guarded(step, self._runtime, transfer_id)
        except Exception as error:  # what the host does at the end of an application context
            logs.exception("app_context_failed", error, transfer_id=transfer_id)
        finally:
            with self._changed:
                self._in_hand.discard(transfer_id)
                self._changed.notify_all()
            self._finished()
