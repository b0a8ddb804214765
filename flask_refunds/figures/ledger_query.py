"""The one query layer over the ledger: which postings a period has, and their sums.

Only what is completed is in the ledger. Amounts are minor units per currency, never summed across
currencies; every figure is one SQL aggregate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from flask_refunds.figures.filters import EVERYTHING, Filters
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.figures.ways import Way, way_of_posting
from flask_refunds.models import Posting, Refund

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
class Group:
    """What was given back in one currency for one reason, or by one operator, in minor units.

    ``value`` is the reason's code or the operator's label; ``refunds`` counts documents.
    """

    currency: str
    value: str
    refunds: int
    refunded: int
    reversed: int
    net: int


@dataclass(frozen=True, kw_only=True)
class Posted:
    """One row of the ledger, with its refund's customer; ``tax`` and ``paid`` in minor units."""

    id: int
    posted_at: datetime
    entry: str
    refund_id: int
    order_number: str
    order_placed_at: datetime
    customer_name: str
    kind: str
    line_ref: str
    sku: str
    description: str
    quantity: int
    way: str
    method: str
    operation: str
    gateway_refund_id: str | None
    reason: str
    actor_label: str
    currency: str
    tax: int
    paid: int


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


def totals(
    session: Session, period: Period, basis: Basis, filters: Filters = EVERYTHING
) -> list[Totals]:
    """Return what was given back in *period*, one row for each currency."""
    paid, way = Posting.paid, way_of_posting()
    sums: dict[str, Any] = {
        "postings": func.count(Posting.id),
        "refunded": func.sum(case((Posting.entry == "refund", paid), else_=0)),
        "reversed": func.sum(case((Posting.entry == "reversal", -paid), else_=0)),
        "net": func.sum(paid),
        "tax": func.sum(Posting.tax),
        **{
            each.value: func.sum(case((way == each.value, paid), else_=0))
            for each in (Way.CARD, Way.VOID, Way.OTHER)
        },
    }
    rows = session.execute(
        select(Posting.currency, *(value.label(name) for name, value in sums.items()))
        .where(*posted(period, basis), *filters.of_postings())
        .group_by(Posting.currency)
        .order_by(Posting.currency)
    ).mappings()
    return [Totals(currency=row["currency"], **{n: int(row[n]) for n in sums}) for row in rows]


def groups(
    session: Session,
    period: Period,
    basis: Basis,
    filters: Filters,
    by: Literal["reason", "operator"],
) -> list[Group]:
    """Return what was given back in *period* by reason or by operator, the most first."""
    value = Posting.reason if by == "reason" else Posting.actor_label
    paid = Posting.paid
    net = func.sum(paid)
    rows = session.execute(
        select(
            Posting.currency,
            value,
            func.count(Posting.refund_id.distinct()),
            func.sum(case((Posting.entry == "refund", paid), else_=0)),
            func.sum(case((Posting.entry == "reversal", -paid), else_=0)),
            net,
        )
        .where(*posted(period, basis), *filters.of_postings())
        .group_by(Posting.currency, value)
        .order_by(Posting.currency, net.desc(), value)
    )
    return [
        Group(
            currency=currency,
            value=name,
            refunds=int(refunds),
            refunded=int(refunded),
            reversed=int(undone),
            net=int(amount),
        )
        for currency, name, refunds, refunded, undone, amount in rows
    ]


def posting_page(
    session: Session,
    period: Period,
    basis: Basis,
    filters: Filters = EVERYTHING,
    *,
    limit: int,
    after: tuple[datetime, int] | None = None,
) -> list[Posted]:
    """Return up to *limit* postings of *period*, newest first, older than the cursor *after*."""
    columns = [
        Refund.customer_name.label(name)
        if name == "customer_name"
        else way_of_posting().label(name)
        if name == "way"
        else getattr(Posting, name).label(name)
        for name in (field.name for field in fields(Posted))
    ]
    statement = (
        select(*columns)
        .join(Refund, Refund.id == Posting.refund_id)
        .where(*posted(period, basis), *filters.of_postings())
    )
    statement = older(statement, Posting.posted_at, Posting.id, after)
    return [Posted(**row) for row in session.execute(statement.limit(limit)).mappings()]


def older(
    statement: Select[Any], at: Any, key: Any, after: tuple[datetime, int] | None
) -> Select[Any]:
    """Return *statement* in order of time, the newest first, behind the cursor *after*."""
    if after is not None:
        moment, number = after
        statement = statement.where(or_(at < moment, and_(at == moment, key < number)))
    return statement.order_by(at.desc(), key.desc())
