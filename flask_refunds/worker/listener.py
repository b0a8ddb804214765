"""Hearing wake-ups on the RQ queue, as a registered RQ worker, whatever becomes of Redis."""

import time

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.suspension import is_suspended

from flask_refunds import logs
from flask_refunds.queueing import JOB

WORKER_TTL = 30
"""Seconds after the last sign of life in which RQ takes this worker for alive (and 60 more)."""
BEAT = 5.0
"""Seconds between two signs of life."""


class Listener:
    """The ear of one worker at *queue* on the server at *url*. Connects when first used.

    Every method may raise :exc:`redis.exceptions.RedisError`; after :meth:`forget` the next call
    connects and registers anew.
    """

    def __init__(self, url: str, queue: str) -> None:
        self._url, self._queue = url, queue
        self._worker: SimpleWorker | None = None
        self._next_beat = 0.0

    def hear(self, seconds: int | None = 1) -> int | None:
        """Return the next transfer that somebody asked for; ``None`` when nobody does.

        Waits up to *seconds*, or not at all for ``None``. The job is gone from the queue then.
        """
        worker = self._registered()
        try:
            found = Queue.dequeue_any(worker.queues, seconds, connection=worker.connection)
        except DequeueTimeout:
            return None
        if found is None:
            return None
        job, queue = found
        return self._taken(worker, job, queue)

    def suspended(self) -> bool:
        """Return whether somebody has said ``rq suspend``."""
        return bool(is_suspended(self._registered().connection))

    def show(self, *, busy: bool) -> None:
        """Tell ``rq info`` whether there is work in hand."""
        worker, state = self._registered(), "busy" if busy else "idle"
        if worker.get_state() != state:
            worker.set_state(state)

    def close(self) -> None:
        """Unregister and disconnect."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.register_death()  # type: ignore[no-untyped-call]
            worker.connection.close()

    def forget(self) -> None:
        """Drop a connection that failed."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.connection.close()

    def _registered(self) -> SimpleWorker:
        """Return our RQ worker, alive: wiped servers forget who is there."""
        if self._worker is None:
            connection = Redis.from_url(
                self._url, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
            )
            queue = Queue(self._queue, connection=connection)
            self._worker = SimpleWorker([queue], connection=connection, worker_ttl=WORKER_TTL)
            self._next_beat = 0.0
        worker = self._worker
        if time.monotonic() >= self._next_beat:
            if not worker.connection.sismember(worker.redis_workers_keys, worker.key):
                worker.connection.delete(worker.key)  # half of it may have been written again
                worker.register_birth()  # type: ignore[no-untyped-call]
            worker.heartbeat()
            if worker.should_run_maintenance_tasks:
                worker.clean_registries()  # type: ignore[no-untyped-call]
            self._next_beat = time.monotonic() + BEAT
        return worker

    @staticmethod
    def _taken(worker: SimpleWorker, job: Job, queue: Queue) -> int | None:
        """Take *job* off RQ's books and return its transfer; refuse a job that is not ours."""
        if job.func_name != JOB:
            logs.error("strange_job", job=job.id, remedy="Give REFUNDS_QUEUE a name of its own.")
            reason = f"The refunds worker runs {JOB} only."
            worker.handle_job_failure(job, queue, exc_string=reason)
            queue.intermediate_queue.remove(job.id)
            return None
        transfer_id = job.args[0]
        with worker.connection.pipeline() as pipeline:
            job.delete(pipeline=pipeline, remove_from_queue=False)
            worker.increment_successful_job_count(pipeline=pipeline)
            pipeline.execute()
        queue.intermediate_queue.remove(job.id)
        return int(transfer_id)
