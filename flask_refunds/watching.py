"""Whether the work is being done: what monitors ask, and what the desk says on top of its list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from flask_refunds import breaker, heartbeats
from flask_refunds.attention import Need, conditions
from flask_refunds.breaker import Down
from flask_refunds.config import Config
from flask_refunds.models import Transfer, Worker
from flask_refunds.queueing import RqWakeUp
from flask_refunds.reconciling import to_poll, to_process
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, Method, TransferState

LISTED = 10
"""So many transfers of each need are named."""

UNFINISHED = (*IN_FLIGHT, TransferState.FAILED)
"""The states of which the oldest one matters."""


class Severity(IntEnum):
    """Exit statuses, as monitors of the Nagios kind read them."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many transfers are in one state, and for how many seconds the oldest has existed.

    ``oldest`` is told of those in flight and failed only.
    """

    state: str
    transfers: int
    oldest: float | None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How many transfers need a person for one reason, since when (UTC), and the first of them."""

    need: Need
    transfers: int
    since: datetime
    transfer_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class GatewayStanding:
    """One gateway: what is the matter with its settings, and how it is down, if it is."""

    name: str
    problem: str
    down: Down | None


@dataclass(frozen=True, kw_only=True)
class WorkerStanding:
    """One worker process, or the sweeps of one machine."""

    id: str
    host: str
    pid: int
    concurrency: int
    started_at: datetime
    seen_at: datetime
    alive: bool
    is_sweep: bool


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the work stands at ``now`` (UTC).

    ``stuck``: transfers that nobody brings forward, in flight and overdue, or of an unknown
    outcome for long. ``due``: there is something to do. ``queue`` is its depth, ``"down"`` or
    ``"none"``.
    """

    now: datetime
    counts: tuple[Count, ...]
    attention: tuple[Waiting, ...]
    stuck: int
    stuck_ids: tuple[int, ...]
    due: bool
    queue: int | str
    gateways: tuple[GatewayStanding, ...]
    workers: tuple[WorkerStanding, ...]

    @property
    def idle(self) -> bool:
        """Whether something is due and nobody is there to do it."""
        return self.due and not any(worker.alive for worker in self.workers)

    @property
    def severity(self) -> Severity:
        """The worst of all that is wrong."""
        if self.stuck or self.idle:
            return Severity.CRITICAL
        if self.attention or self.queue == "down":
            return Severity.WARNING
        if any(gateway.problem or gateway.down for gateway in self.gateways):
            return Severity.WARNING
        return Severity.OK


@dataclass(frozen=True, kw_only=True)
class Notices:
    """What the desk says on top: gateways that are down, and whether nobody does the work."""

    down: tuple[Down, ...]
    idle: bool


def read_standing(runtime: Runtime) -> Standing:
    """Return how the work stands. Raises :exc:`~flask_refunds.errors.NotMigrated`."""
    now = runtime.now()
    problems = runtime.gateways.problems()
    stuck = _stuck(runtime.config, now)

    def read(session: Session) -> Standing:
        down = {known.name: known for known in breaker.all_down(session)}
        return Standing(
            now=now,
            counts=_counts(session, now),
            attention=_attention(session, runtime.config, now),
            stuck=session.scalar(select(func.count(Transfer.id)).where(stuck)) or 0,
            stuck_ids=_first(session, stuck),
            due=bool(session.scalar(select(_due(now)))),
            queue=_depth(runtime),
            gateways=tuple(
                GatewayStanding(name=name, problem=problems.get(name, ""), down=down.get(name))
                for name in sorted({*runtime.gateways, *down})
            ),
            workers=_workers(session, runtime.config, now),
        )

    return runtime.sessions.read(read)


def notices(runtime: Runtime) -> Notices:
    """Return what the desk has to say on top: two small queries."""
    now = runtime.now()
    working = select(Worker.id).where(heartbeats.alive(runtime.config, now)).exists()

    def read(session: Session) -> Notices:
        idle = session.scalar(select(and_(_due(now), ~working)))
        return Notices(down=breaker.all_down(session), idle=bool(idle))

    return runtime.sessions.read(read)


def _due(now: datetime) -> ColumnElement[bool]:
    return select(Transfer.id).where(or_(to_process(now), to_poll(now))).exists()


def _counts(session: Session, now: datetime) -> tuple[Count, ...]:
    numbers = session.execute(
        select(Transfer.state, func.count()).group_by(Transfer.state).order_by(Transfer.state)
    ).all()
    rows = session.execute(
        select(Transfer.state, func.min(Transfer.created_at))
        .where(Transfer.state.in_(UNFINISHED))
        .group_by(Transfer.state)
    )
    oldest = {row[0]: row[1] for row in rows}
    return tuple(
        Count(
            state=state,
            transfers=transfers,
            oldest=round((now - oldest[state]).total_seconds(), 1) if state in oldest else None,
        )
        for state, transfers in numbers
    )


def _attention(session: Session, config: Config, now: datetime) -> tuple[Waiting, ...]:
    """Return what needs a person: one query, and a short one for each need that there is."""
    needs = conditions(config, now)
    since = func.coalesce(Transfer.waiting_since, Transfer.failed_at, Transfer.created_at)
    row: Sequence[Any] = session.execute(
        select(
            *(func.count(case((condition, Transfer.id))) for condition in needs.values()),
            *(func.min(case((condition, since))) for condition in needs.values()),
        ).where(or_(*needs.values()))
    ).one()
    numbers, moments = row[: len(needs)], row[len(needs) :]
    return tuple(
        Waiting(
            need=need, transfers=transfers, since=first, transfer_ids=_first(session, condition)
        )
        for (need, condition), transfers, first in zip(needs.items(), numbers, moments, strict=True)
        if transfers
    )


def _stuck(config: Config, now: datetime) -> ColumnElement[bool]:
    overdue = now - timedelta(seconds=2 * config.sweep_interval + config.lease)
    return and_(
        Transfer.method == Method.CARD,
        or_(
            and_(Transfer.state.in_(IN_FLIGHT), Transfer.next_attempt_at <= overdue),
            and_(Transfer.state == TransferState.PROCESSING, Transfer.lease_until <= overdue),
            conditions(config, now)[Need.UNKNOWN],
        ),
    )


def _first(session: Session, condition: ColumnElement[bool]) -> tuple[int, ...]:
    ids: Sequence[int] = session.scalars(
        select(Transfer.id).where(condition).order_by(Transfer.id).limit(LISTED)
    ).all()
    return tuple(ids)


def _workers(session: Session, config: Config, now: datetime) -> tuple[WorkerStanding, ...]:
    rows = session.execute(
        select(Worker, heartbeats.alive(config, now)).order_by(Worker.host, Worker.started_at)
    )
    return tuple(
        WorkerStanding(
            id=row.id,
            host=row.host,
            pid=row.pid,
            concurrency=row.concurrency,
            started_at=row.started_at,
            seen_at=row.seen_at,
            alive=bool(alive),
            is_sweep=row.id.startswith(heartbeats.SWEEP),
        )
        for row, alive in rows
    )


def _depth(runtime: Runtime) -> int | str:
    if not isinstance(runtime.queue, RqWakeUp):
        return "none"
    try:
        return runtime.queue.queue.count
    except RedisError:
        return "down"
