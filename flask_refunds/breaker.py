"""The breaker of each gateway: when it does not answer, one transfer tries and the others wait.

What is known about a gateway stands in ``refunds_gateway``, so that all workers see the same. A
gateway that gave no answer to ``REFUNDS_BREAKER_AFTER`` attempts in a row counts as down: one
alert is logged and one signal sent, nothing is claimed any more but one transfer from time to
time, and the first answer to an attempt to move money, even a refusal, ends it.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flask_refunds import logs, signals
from flask_refunds.backoff import backoff
from flask_refunds.models import Gateway
from flask_refunds.runtime import Runtime
from flask_refunds.sessions import after_commit

LONGEST_PAUSE = 300.0
"""Most seconds between two tries while a gateway is down."""
REASON_LENGTH = 255


@dataclass(frozen=True, kw_only=True)
class Down:
    """A gateway that does not answer: since when (UTC), the last reason, and when it is tried."""

    name: str
    since: datetime
    reason: str
    probe_at: datetime


def down(session: Session, name: str) -> Down | None:
    """Return how the gateway *name* is down, ``None`` when it is not."""
    row = session.get(Gateway, name, populate_existing=True)
    return None if row is None else _down(row)


def _down(row: Gateway) -> Down | None:
    if row.opened_at is None or row.probe_at is None:
        return None
    return Down(name=row.name, since=row.opened_at, reason=row.reason, probe_at=row.probe_at)


def all_down(session: Session) -> tuple[Down, ...]:
    """Return the gateways that are down, the longest first."""
    rows = session.scalars(
        select(Gateway).where(Gateway.opened_at.is_not(None)).order_by(Gateway.opened_at)
    )
    found = (_down(row) for row in rows)
    return tuple(known for known in found if known is not None)


def pause(session: Session, runtime: Runtime, name: str, now: datetime) -> datetime | None:
    """Return until when nothing may be sent to the gateway *name*; ``None``: go on.

    While it is down, the one caller that comes first after the pause may go on and try it. The
    others are told moments that are not all the same.
    """
    known = down(session, name)
    if known is None:
        return None
    spread = timedelta(seconds=random.uniform(0, runtime.config.retry_interval / 2))  # noqa: S311
    if known.probe_at > now:
        return known.probe_at + spread
    ends = now + timedelta(seconds=runtime.config.lease)
    taken: Any = session.execute(
        update(Gateway)
        .where(Gateway.name == name, Gateway.probe_at == known.probe_at)
        .values(probe_at=ends)
        .execution_options(synchronize_session=False)
    )
    return None if taken.rowcount == 1 else ends + spread


def is_suspect(runtime: Runtime, name: str) -> bool:
    """Return whether the gateway *name* is down, or will be if it does not answer once more."""

    def read(session: Session) -> bool:
        row = session.get(Gateway, name)
        failures = 0 if row is None else row.failures
        return failures + 1 >= runtime.config.breaker_after or down(session, name) is not None

    return runtime.sessions.read(read)


def note(
    runtime: Runtime, name: str, *, answered: bool | None, reason: str, began: datetime
) -> None:
    """Remember whether the gateway *name* *answered* an attempt that *began* then (UTC).

    ``None`` does not tell: it only looked, which can work when paying does not, or was not asked.
    *reason* says what came instead of an answer.
    """
    if answered is False:
        work = partial(_failed, runtime=runtime, name=name, reason=reason, began=began)
        try:
            runtime.sessions.transact(work)
        except IntegrityError:  # two first failures at once: the row is there now
            runtime.sessions.transact(work)
    elif _is_marked(runtime, name):  # hardly ever: nothing to write when all is well
        runtime.sessions.transact(
            partial(_answered if answered else _let_others_try, runtime=runtime, name=name)
        )


def _is_marked(runtime: Runtime, name: str) -> bool:
    row = runtime.sessions.read(lambda session: session.get(Gateway, name))
    return row is not None and (row.failures > 0 or row.opened_at is not None)


def _answered(session: Session, *, runtime: Runtime, name: str) -> None:
    known = session.get_one(Gateway, name, with_for_update=True, populate_existing=True)
    was_down = known.opened_at is not None
    known.failures = known.probes = 0
    known.opened_at = known.probe_at = None
    if was_down:
        _tell(session, runtime, name, None)


def _let_others_try(session: Session, *, runtime: Runtime, name: str) -> None:
    known = session.get_one(Gateway, name, with_for_update=True, populate_existing=True)
    if known.opened_at is not None:
        known.probe_at = runtime.now()


def _failed(session: Session, *, runtime: Runtime, name: str, reason: str, began: datetime) -> None:
    row = session.get(Gateway, name, with_for_update=True, populate_existing=True)
    if row is None:
        row = Gateway(name=name, failures=0, probes=0, reason="")
        session.add(row)
    row.failures += 1
    row.reason = reason[:REASON_LENGTH]
    now, wait = runtime.now(), runtime.config.retry_interval
    if row.opened_at is None:
        if row.failures >= runtime.config.breaker_after:
            row.opened_at, row.probes = now, 1
            row.probe_at = now + backoff(wait, 1, longest=LONGEST_PAUSE)
            _tell(session, runtime, name, row.reason)
    elif began >= row.opened_at:  # the one that tried it, and not one that was under way
        row.probes += 1
        row.probe_at = now + backoff(wait, row.probes, longest=LONGEST_PAUSE)


def _tell(session: Session, runtime: Runtime, name: str, reason: str | None) -> None:
    """Tell everybody, once and after the commit, that a gateway is down (*reason*) or back."""

    def tell() -> None:
        if reason is None:
            logs.warning("gateway_up", gateway=name)
            signals.tell(signals.gateway_up, runtime, gateway=name)
        else:
            logs.error("gateway_down", gateway=name, reason=reason)
            signals.tell(signals.gateway_down, runtime, gateway=name, reason=reason)

    after_commit(session, tell)
