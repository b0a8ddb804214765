"""What the desk lists: refunds by status and by words, page by page.

Reads only, in one fresh session, four queries a page however many refunds there are.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, false, func, or_, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from flask_refunds.attention import needy_refunds
from flask_refunds.config import Config
from flask_refunds.history_facts import Failure
from flask_refunds.models import LARGEST_ID, Refund, Transfer
from flask_refunds.runtime import Runtime
from flask_refunds.states import (
    IN_FLIGHT,
    CardStatus,
    Detail,
    Method,
    RefundState,
    TransferState,
    card_status,
)

COUNTED = 999
"""Counts stop here, so that they cost the same however many refunds there are."""

_NUMBER = re.compile(r"(R-)?0*(\d{1,15})", re.IGNORECASE)


class Shown(StrEnum):
    """Which refunds the desk shows."""

    ALL = "all"
    NEEDS_PERSON = "needs_person"
    IN_FLIGHT = "in_flight"
    COMPLETED = "completed"
    FAILED = "failed"
    REVERSED = "reversed"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One transfer of a listed refund; ``amount`` in minor units."""

    method: Method
    state: TransferState
    detail: Detail
    amount: int
    card_label: str
    other_kind: str | None
    replaced: bool
    failure: Failure


@dataclass(frozen=True, kw_only=True)
class Row:
    """One refund on the list; ``amount`` in minor units, ``created_at`` UTC."""

    id: int
    created_at: datetime
    order_ref: str
    order_number: str
    customer_ref: str | None
    customer_name: str
    customer_email: str
    currency: str
    amount: int
    reason: str
    actor_label: str
    state: RefundState
    parts: tuple[Part, ...]

    @property
    def status(self) -> CardStatus | None:
        """The card status that Account History shows; ``None`` when nothing stands any more."""
        return card_status([(p.method, p.state) for p in self.parts if not p.replaced])

    @property
    def detail(self) -> Detail:
        """What the part that gives the status waits for, or what is known beyond it."""
        wanted = {Method.OTHER} if self.status is CardStatus.NOT_REQUESTED else {Method.CARD}
        for part in self.parts:
            label = card_status([(part.method, part.state)])
            if not part.replaced and part.method in wanted and label is self.status:
                return part.detail
        return Detail.NONE

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Why what still stands of it failed, each reason once."""
        failed = [p for p in self.parts if p.state is TransferState.FAILED and not p.replaced]
        return tuple(dict.fromkeys(part.failure for part in failed))


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One page of refunds, newest first. ``next`` is the cursor of the following page.

    ``counts`` has every status when nothing was searched for; a count above :data:`COUNTED`
    means "more than that".
    """

    rows: tuple[Row, ...]
    next: int | None
    counts: Mapping[Shown, int] = field(default_factory=dict)


def find(
    runtime: Runtime, *, text: str = "", shown: Shown = Shown.ALL, after: int | None = None
) -> Listing:
    """Return the refunds that fit *text* and *shown*, older than the refund *after*.

    *text* is an order number or its beginning, a part of the customer's name, the beginning of
    an e-mail address, a refund's number, or one of its references at the gateway. Raises
    :exc:`~flask_refunds.errors.NotMigrated`.
    """
    return runtime.sessions.read(
        lambda session: _find(session, runtime, text.strip(), shown, after)
    )


def refund_number(refund_id: int) -> str:
    """Return the number by which people call a refund: ``R-000123``."""
    return f"R-{refund_id:06d}"


def _find(
    session: Session, runtime: Runtime, text: str, shown: Shown, after: int | None
) -> Listing:
    config, now = runtime.config, runtime.now()
    limit = config.page_size
    refunds = session.scalars(
        select(Refund)
        .where(_status(shown, config, now), _matches(session, text), _older(session, after))
        .order_by(Refund.created_at.desc(), Refund.id.desc())
        .limit(limit + 1)
    ).all()
    page = refunds[:limit]
    parts = _parts(session, [refund.id for refund in page])
    return Listing(
        rows=tuple(_row(refund, parts[refund.id]) for refund in page),
        next=page[-1].id if len(refunds) > limit else None,
        counts={} if text else counts(session, config, now),
    )


def _status(shown: Shown, config: Config, now: datetime) -> ColumnElement[bool]:
    if shown is Shown.NEEDS_PERSON:
        return Refund.id.in_(needy_refunds(config, now))
    if shown is Shown.IN_FLIGHT:
        return Refund.id.in_(select(Transfer.refund_id).where(Transfer.state.in_(IN_FLIGHT)))
    if shown is Shown.COMPLETED:
        return Refund.state == RefundState.COMPLETED
    if shown is Shown.FAILED:
        return Refund.state.in_([RefundState.FAILED, RefundState.PARTLY_FAILED])
    if shown is Shown.REVERSED:
        return Refund.state == RefundState.REVERSED
    return true()


def _matches(session: Session, text: str) -> ColumnElement[bool]:
    """Return the condition for *text*: a reference by its index first, words only without one."""
    if not text:
        return true()
    number = _NUMBER.fullmatch(text)
    if number and number[1]:
        return Refund.id == int(number[2])
    named = session.scalars(
        select(Transfer.refund_id)
        .where(
            or_(
                Transfer.reference == text.upper(),
                Transfer.gateway_refund_id == text,
                Transfer.charge_id == text,
            )
        )
        .limit(200)
    ).all()
    if named:
        return Refund.id.in_(set(named))
    return or_(
        Refund.order_number.istartswith(text, autoescape=True),
        Refund.customer_name.icontains(text, autoescape=True),
        Refund.customer_email.istartswith(text, autoescape=True),
        Refund.id == int(number[2]) if number else false(),
    )


def _older(session: Session, after: int | None) -> ColumnElement[bool]:
    """Return the keyset condition: listed behind the refund *after*."""
    if after is None:
        return true()
    if not 0 < after <= LARGEST_ID:
        return false()
    at = session.scalar(select(Refund.created_at).where(Refund.id == after))
    if at is None:
        return false()
    return or_(Refund.created_at < at, and_(Refund.created_at == at, Refund.id < after))


def _parts(session: Session, refund_ids: Sequence[int]) -> Mapping[int, list[Part]]:
    """Return the transfers of all listed refunds: one query."""
    found: dict[int, list[Part]] = defaultdict(list)
    if not refund_ids:
        return found
    transfers = session.scalars(
        select(Transfer)
        .where(Transfer.refund_id.in_(refund_ids))
        .order_by(Transfer.refund_id, Transfer.position)
    ).all()
    replaced = {transfer.replaces_id for transfer in transfers}
    for transfer in transfers:
        found[transfer.refund_id].append(
            Part(
                method=Method(transfer.method),
                state=TransferState(transfer.state),
                detail=Detail(transfer.detail),
                amount=transfer.amount,
                card_label=transfer.card_label,
                other_kind=transfer.other_kind,
                replaced=transfer.id in replaced,
                failure=Failure(code=transfer.failure_code, message=transfer.failure_message),
            )
        )
    return found


def _row(refund: Refund, parts: Sequence[Part]) -> Row:
    copied = {f.name: getattr(refund, f.name) for f in fields(Row) if f.name not in _MADE}
    return Row(state=RefundState(refund.state), parts=tuple(parts), **copied)


_MADE = {"state", "parts"}


def counts(session: Session, config: Config, now: datetime) -> Mapping[Shown, int]:
    """Return how many refunds each status has, one above :data:`COUNTED` at most: one query."""
    capped = [
        select(func.count())
        .select_from(
            select(Refund.id).where(_status(shown, config, now)).limit(COUNTED + 1).subquery()
        )
        .scalar_subquery()
        for shown in Shown
    ]
    return dict(zip(Shown, session.execute(select(*capped)).one(), strict=True))
