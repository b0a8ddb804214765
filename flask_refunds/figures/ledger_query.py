"""The one query layer over the ledger: which postings a period has, and their sums.

Only what is completed is in the ledger. Amounts are minor units per currency, never summed across
currencies; every figure is one SQL aggregate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, selectinload

from flask_refunds.figures.periods import Basis, Period
from flask_refunds.lifecycle import current_transfers
from flask_refunds.models import Posting, Refund, Transfer
from flask_refunds.states import (
    IN_FLIGHT,
    CardStatus,
    Method,
    RefundState,
    TransferState,
    card_status,
)

COMPONENTS: Mapping[str, InstrumentedAttribute[int]] = {
    "quantity": Posting.quantity,
    "list": Posting.list_price,
    "discount": Posting.discount,
    "tax": Posting.tax,
    "paid": Posting.paid,
}
"""What a posting counts, by the names that reports use: pieces, and minor units."""

DATED: Mapping[Basis, InstrumentedAttribute[datetime]] = {
    "refund": Posting.posted_at,
    "order": Posting.order_placed_at,
}
"""The time that a basis goes by."""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What was given back in one currency, in minor units.

    ``refunded`` is what was posted, ``reversed`` what was undone (positive), ``net`` the first
    less the second. ``tax`` and the three ways ``card``, ``void`` and ``other`` are net too.
    """

    currency: str
    postings: int = 0
    refunded: int = 0
    reversed: int = 0
    net: int = 0
    tax: int = 0
    card: int = 0
    void: int = 0
    other: int = 0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The transfers of one currency that stand in ``state`` now: how many, and minor units."""

    currency: str
    state: TransferState
    transfers: int
    amount: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """One refund as it was asked for, ``amount`` in minor units, with where it stands now."""

    id: int
    created_at: datetime
    order_number: str
    customer_name: str
    currency: str
    amount: int
    reason: str
    actor_label: str
    status: CardStatus | None
    state: RefundState


def within(column: Any, period: Period) -> list[ColumnElement[bool]]:
    """Return the conditions that the time *column* is in *period*."""
    bounds: list[ColumnElement[bool]] = []
    if period.start is not None:
        bounds.append(column >= period.start)
    if period.end is not None:
        bounds.append(column < period.end)
    return bounds


def posted(period: Period, basis: Basis) -> list[ColumnElement[bool]]:
    """Return the conditions that a posting belongs to *period* by *basis*."""
    return within(DATED[basis], period)


def totals(session: Session, period: Period, basis: Basis) -> list[Totals]:
    """Return what was given back in *period*, one row for each currency."""
    paid = Posting.paid
    is_void = and_(Posting.method == Method.CARD, Posting.operation == "void")
    is_card = and_(Posting.method == Method.CARD, Posting.operation != "void")
    sums: dict[str, Any] = {
        "postings": func.count(Posting.id),
        "refunded": func.sum(case((Posting.entry == "refund", paid), else_=0)),
        "reversed": func.sum(case((Posting.entry == "reversal", -paid), else_=0)),
        "net": func.sum(paid),
        "tax": func.sum(Posting.tax),
        "card": func.sum(case((is_card, paid), else_=0)),
        "void": func.sum(case((is_void, paid), else_=0)),
        "other": func.sum(case((Posting.method == Method.OTHER, paid), else_=0)),
    }
    rows = session.execute(
        select(Posting.currency, *(value.label(name) for name, value in sums.items()))
        .where(*posted(period, basis))
        .group_by(Posting.currency)
        .order_by(Posting.currency)
    ).mappings()
    return [Totals(currency=row["currency"], **{n: int(row[n]) for n in sums}) for row in rows]


def standings(session: Session, period: Period, basis: Basis) -> list[Standing]:
    """Return where the money stands now of the refunds that were issued in *period*.

    By basis ``order``: of those whose orders were placed in it. A failed transfer that another
    one replaces does not count.
    """
    newer = aliased(Transfer)
    rows = session.execute(
        select(
            Transfer.currency, Transfer.state, func.count(Transfer.id), func.sum(Transfer.amount)
        )
        .join(Refund, Refund.id == Transfer.refund_id)
        .where(
            *within(_requested(basis), period),
            ~exists().where(newer.replaces_id == Transfer.id),
        )
        .group_by(Transfer.currency, Transfer.state)
        .order_by(Transfer.currency)
    )
    return [
        Standing(
            currency=currency,
            state=TransferState(state),
            transfers=int(count),
            amount=int(amount),
        )
        for currency, state, count, amount in rows
    ]


def in_flight(session: Session, period: Period) -> dict[str, int]:
    """Return what is on its way of refunds issued in *period*: minor units by currency.

    It is in no posting yet, and never netted.
    """
    rows = session.execute(
        select(Transfer.currency, func.sum(Transfer.amount))
        .join(Refund, Refund.id == Transfer.refund_id)
        .where(*within(Refund.created_at, period), Transfer.state.in_(IN_FLIGHT))
        .group_by(Transfer.currency)
    )
    return {currency: int(amount) for currency, amount in rows}


def posting_page(
    session: Session,
    period: Period,
    basis: Basis,
    *,
    limit: int,
    after: tuple[datetime, int] | None = None,
) -> Sequence[Posting]:
    """Return up to *limit* postings of *period*, newest first, older than the cursor *after*."""
    statement = select(Posting).where(*posted(period, basis))
    statement = _older(statement, Posting.posted_at, Posting.id, after)
    return session.scalars(statement.limit(limit)).all()


def request_page(
    session: Session,
    period: Period,
    basis: Basis,
    *,
    limit: int,
    after: tuple[datetime, int] | None = None,
) -> list[Request]:
    """Return up to *limit* refunds issued in *period*, newest first, older than *after*.

    Two queries, however many refunds there are.
    """
    statement = select(Refund).where(*within(_requested(basis), period))
    statement = _older(statement, Refund.created_at, Refund.id, after)
    refunds = session.scalars(statement.limit(limit).options(selectinload(Refund.transfers)))
    return [
        Request(
            id=refund.id,
            created_at=refund.created_at,
            order_number=refund.order_number,
            customer_name=refund.customer_name,
            currency=refund.currency,
            amount=refund.amount,
            reason=refund.reason,
            actor_label=refund.actor_label,
            status=card_status(
                [(Method(t.method), TransferState(t.state)) for t in current_transfers(refund)]
            ),
            state=RefundState(refund.state),
        )
        for refund in refunds
    ]


def _requested(basis: Basis) -> InstrumentedAttribute[datetime]:
    return Refund.created_at if basis == "refund" else Refund.order_placed_at


def _older(
    statement: Select[Any], at: Any, key: Any, after: tuple[datetime, int] | None
) -> Select[Any]:
    if after is not None:
        moment, number = after
        statement = statement.where(or_(at < moment, and_(at == moment, key < number)))
    return statement.order_by(at.desc(), key.desc())
