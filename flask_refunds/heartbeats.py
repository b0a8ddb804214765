"""Signs of life: a row of ``refunds_worker`` for each worker, and one for each machine's sweep."""

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from flask_refunds import logs
from flask_refunds.config import Config
from flask_refunds.models import NAME_LENGTH, Worker
from flask_refunds.runtime import Runtime

SWEEP = "sweep@"
"""How the id of a row begins that ``flask refunds sweep`` leaves; one for each machine."""
SWEEP_GOOD_FOR = timedelta(minutes=15)
"""How long after a sweep another one is awaited, as a cron job's."""
FORGOTTEN_AFTER = timedelta(hours=1)
LONGEST_BEAT = 15.0
"""Most seconds between two signs of life of a worker."""


@dataclass(frozen=True, kw_only=True)
class Sign:
    """What a process says of itself."""

    id: str
    host: str
    pid: int
    concurrency: int
    started_at: datetime


def of_worker(runtime: Runtime, concurrency: int) -> Sign:
    """Return the sign of this process as a worker with so many threads."""
    return _sign(runtime, secrets.token_hex(8), concurrency)


def of_sweep(runtime: Runtime) -> Sign:
    """Return the sign of this machine's sweeps."""
    return _sign(runtime, f"{SWEEP}{socket.gethostname()}"[:NAME_LENGTH], 1)


def _sign(runtime: Runtime, id_: str, concurrency: int) -> Sign:
    return Sign(
        id=id_,
        host=socket.gethostname()[:255],
        pid=os.getpid(),
        concurrency=concurrency,
        started_at=runtime.now(),
    )


def interval(config: Config) -> float:
    """Return the seconds between two signs of life of a worker."""
    return min(LONGEST_BEAT, config.sweep_interval)


def beat(runtime: Runtime, sign: Sign) -> None:
    """Note that *sign* is alive now, and forget those not seen for an hour. Never raises."""

    def work(session: Session) -> None:
        now = runtime.now()
        session.execute(delete(Worker).where(Worker.seen_at < now - FORGOTTEN_AFTER))
        row = session.get(Worker, sign.id) or Worker(id=sign.id)
        row.host, row.pid, row.concurrency = sign.host, sign.pid, sign.concurrency
        row.started_at, row.seen_at = sign.started_at, now
        session.add(row)

    _quietly(runtime, work)


def leave(runtime: Runtime, sign: Sign) -> None:
    """Note that *sign* has ended as it should. Never raises."""

    def work(session: Session) -> None:
        session.execute(delete(Worker).where(Worker.id == sign.id))

    _quietly(runtime, work)


def alive(config: Config, now: datetime) -> ColumnElement[bool]:
    """Return the condition on :class:`~flask_refunds.models.Worker` for one that works."""
    beats = timedelta(seconds=3 * interval(config) + 5)
    sweeps = Worker.id.startswith(SWEEP, autoescape=True)
    return or_(
        Worker.seen_at >= now - beats,
        (Worker.seen_at >= now - SWEEP_GOOD_FOR) & sweeps,
    )


def _quietly(runtime: Runtime, work: Callable[[Session], None]) -> None:
    try:
        runtime.sessions.transact(work)
    except Exception as error:  # noqa: BLE001 - most likely the database; work goes on, or waits
        logs.warning("heartbeat_failed", error=type(error).__name__)
