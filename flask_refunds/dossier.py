"""Everything about one refund: its lines, its transfers with their attempts, and its history.

Reads only: six queries in one fresh session.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds.attention import UNKNOWN_FOR
from flask_refunds.errors import UnknownRefund
from flask_refunds.models import (
    AT_GATEWAY,
    LARGEST_ID,
    Account,
    Attempt,
    Event,
    Line,
    Refund,
    Transfer,
)
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

EVENTS = 300
"""How many entries of the history are read, the newest; a long wait adds two an hour."""
ATTEMPTS = 100
"""How many attempts are read, the newest of all transfers."""


@dataclass(frozen=True, kw_only=True)
class RefundedLine:
    """One line, charge row or adjustment of a refund; amounts in minor units."""

    kind: str
    sku: str
    description: str
    quantity: int
    list_price: int
    discount: int
    tax: int
    paid: int


@dataclass(frozen=True, kw_only=True)
class TriedCall:
    """One attempt at the gateway; ``outcome`` is ``None`` while it has none. Times are UTC."""

    number: int
    generation: int
    operation: str | None
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    code: str | None
    message: str | None


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One transfer of a refund; ``amount`` in minor units of ``currency``, times UTC.

    ``replaced_by`` is the transfer by other means that was made instead of this one.
    ``may_resolve``: nobody knows whether it was paid, and a person may say.
    """

    id: int
    refund_id: int
    method: Method
    state: TransferState
    detail: Detail
    currency: str
    amount: int
    replaces_id: int | None
    replaced_by: int | None
    gateway: str | None
    charge_id: str | None
    card_label: str
    generation: int
    reference: str | None
    operation: str | None
    other_kind: str | None
    other_reference: str
    next_attempt_at: datetime | None
    poll_at: datetime | None
    gateway_refund_id: str | None
    gateway_status: str | None
    gateway_at: datetime | None
    failure_code: str | None
    failure_message: str | None
    created_at: datetime
    completed_at: datetime | None
    failed_at: datetime | None
    settled_at: datetime | None
    waiting_since: datetime | None
    may_resolve: bool
    tried: tuple[TriedCall, ...]

    @property
    def status(self) -> CardStatus | None:
        """The card status of this transfer alone; ``None`` for a record that was taken back."""
        return card_status([(self.method, self.state)])

    @property
    def may_retry(self) -> bool:
        """Whether it failed and nothing took its place: it may be retried, or paid otherwise.

        Not while money may have moved beside the books.
        """
        return (
            self.method is Method.CARD
            and self.state is TransferState.FAILED
            and self.detail is not Detail.CONFLICT
            and self.replaced_by is None
        )

    @property
    def may_acknowledge(self) -> bool:
        """Whether money may have moved beside the books."""
        return self.detail is Detail.CONFLICT

    @property
    def may_confirm(self) -> bool:
        """Whether it was made outside and somebody has to say for which items."""
        return self.state is TransferState.PROCESSING and self.detail is Detail.OUTSIDE

    @property
    def may_reverse(self) -> bool:
        """Whether it is a standing record of other means."""
        return self.method is Method.OTHER and self.state is TransferState.COMPLETED


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the append-only history, UTC. ``data`` has the gateway's code or id."""

    at: datetime
    action: str
    transfer_id: int | None
    before: str | None
    after: str | None
    actor_id: str
    actor_label: str
    why: str
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """One refund with all that belongs to it; amounts in minor units, times UTC.

    ``history`` is newest first. ``over_committed``: more is given back on the order than the
    shop now says was captured.
    """

    id: int
    order_ref: str
    order_number: str
    order_placed_at: datetime
    customer_ref: str | None
    customer_name: str
    customer_email: str
    currency: str
    amount: int
    tax: int
    reason: str
    note: str
    actor_label: str
    state: RefundState
    source: str
    created_at: datetime
    completed_at: datetime | None
    lines: tuple[RefundedLine, ...]
    movements: tuple[Movement, ...]
    history: tuple[Entry, ...]
    over_committed: bool

    @property
    def status(self) -> CardStatus | None:
        """The card status that Account History shows."""
        return card_status([(m.method, m.state) for m in self.current])

    @property
    def made_outside(self) -> bool:
        """Whether it was made in the gateway's own panel and found there."""
        return self.source == AT_GATEWAY

    @property
    def unexplained(self) -> bool:
        """Whether nobody has said yet for which items it was: its lines are a guess."""
        return any(movement.may_confirm for movement in self.movements)

    @property
    def current(self) -> tuple[Movement, ...]:
        """The transfers that no other one replaces."""
        return tuple(m for m in self.movements if m.replaced_by is None)

    @property
    def in_flight(self) -> bool:
        """Whether anything may still change by itself soon."""
        return any(m.state in IN_FLIGHT for m in self.movements)


def read_refund(runtime: Runtime, refund_id: int) -> Dossier:
    """Return everything about the refund *refund_id*.

    Raises :exc:`~flask_refunds.errors.UnknownRefund` and
    :exc:`~flask_refunds.errors.NotMigrated`.
    """
    return runtime.sessions.read(lambda session: _read(session, refund_id, runtime.now()))


def read_movement(runtime: Runtime, transfer_id: int) -> tuple[Dossier, Movement]:
    """Return the transfer *transfer_id* with its refund. Raises like :func:`read_refund`."""

    def read(session: Session) -> Dossier:
        if transfer_id > LARGEST_ID:
            raise UnknownRefund(str(transfer_id))
        owner = session.scalar(select(Transfer.refund_id).where(Transfer.id == transfer_id))
        if owner is None:
            raise UnknownRefund(str(transfer_id))
        return _read(session, owner, runtime.now())

    dossier = runtime.sessions.read(read)
    return dossier, next(m for m in dossier.movements if m.id == transfer_id)


def _read(session: Session, refund_id: int, now: datetime) -> Dossier:
    refund = session.get(Refund, refund_id) if refund_id <= LARGEST_ID else None
    if refund is None:
        raise UnknownRefund(str(refund_id))
    account = session.get_one(Account, refund.order_ref)
    lines = session.scalars(select(Line).where(Line.refund_id == refund_id).order_by(Line.position))
    history = session.scalars(
        select(Event).where(Event.refund_id == refund_id).order_by(Event.id.desc()).limit(EVENTS)
    )
    return Dossier(
        **_copied(refund, Dossier, ("state", "lines", "movements", "history", "over_committed")),
        state=RefundState(refund.state),
        lines=tuple(RefundedLine(**_copied(line, RefundedLine)) for line in lines),
        movements=_movements(session, refund_id, now),
        history=tuple(Entry(**_copied(event, Entry)) for event in history),
        over_committed=account.over_committed,
    )


def _movements(session: Session, refund_id: int, now: datetime) -> tuple[Movement, ...]:
    transfers = session.scalars(
        select(Transfer).where(Transfer.refund_id == refund_id).order_by(Transfer.position)
    ).all()
    attempts = session.scalars(
        select(Attempt)
        .where(Attempt.transfer_id.in_([transfer.id for transfer in transfers]))
        .order_by(Attempt.id.desc())
        .limit(ATTEMPTS)
    )
    tried: dict[int, list[TriedCall]] = defaultdict(list)
    for attempt in attempts:
        tried[attempt.transfer_id].append(TriedCall(**_copied(attempt, TriedCall)))
    replaced_by = {t.replaces_id: t.id for t in transfers if t.replaces_id is not None}
    return tuple(
        Movement(
            **_copied(transfer, Movement, _MADE),
            method=Method(transfer.method),
            state=TransferState(transfer.state),
            detail=Detail(transfer.detail),
            replaced_by=replaced_by.get(transfer.id),
            may_resolve=_may_resolve(transfer, now),
            tried=tuple(tried[transfer.id]),
        )
        for transfer in transfers
    )


_MADE = ("method", "state", "detail", "replaced_by", "may_resolve", "tried")


def _may_resolve(transfer: Transfer, now: datetime) -> bool:
    """Return whether a person is asked: not before the gateway had its time to tell by itself."""
    if transfer.state != TransferState.PROCESSING:
        return False
    if transfer.detail == Detail.UNDECIDED:
        return True
    since = transfer.waiting_since
    unknown = transfer.detail == Detail.OUTCOME_UNKNOWN
    return unknown and since is not None and since <= now - UNKNOWN_FOR


def _copied(row: object, kind: type, made: Sequence[str] = ()) -> dict[str, Any]:
    """Return the values of *row* for the fields of the dataclass *kind* but those in *made*."""
    return {f.name: getattr(row, f.name) for f in fields(kind) if f.name not in made}
