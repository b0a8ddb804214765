"""Waking a worker up, through RQ. The database is the truth; a lost wake-up loses nothing."""

from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from flask_refunds import logs

JOB = "flask_refunds.jobs.process"


class WakeUp(Protocol):
    """Something that makes a worker look at a transfer soon."""

    def wake(self, transfer_id: int) -> bool:
        """Ask for *transfer_id* to be processed; ``False``: not now, the sweep will."""


class RqWakeUp:
    """Enqueues the RQ job ``flask_refunds.jobs.process(transfer_id)``."""

    def __init__(self, url: str, queue: str) -> None:
        self.connection = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)
        self.queue = Queue(queue, connection=self.connection)

    def wake(self, transfer_id: int) -> bool:
        try:
            self.queue.enqueue(
                JOB, transfer_id, result_ttl=0, failure_ttl=86400, job_timeout=-1, description=""
            )
        except RedisError as error:
            logs.warning("queue_down", transfer_id=transfer_id, error=type(error).__name__)
            return False
        return True


class NoQueue:
    """For shops without Redis: ``flask refunds sweep`` finds everything by itself."""

    def wake(self, transfer_id: int) -> bool:
        return False
