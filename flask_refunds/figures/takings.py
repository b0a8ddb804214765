"""What was taken and what was given back, by currency and span: the headline of every report."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from flask_refunds.figures.given import GivenBack
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.sold import SoldOrders
from flask_refunds.figures.spreading import ZERO
from flask_refunds.figures.ways import Way
from flask_refunds.sharing import divide_half_up

Key = tuple[str, int]
"""A currency, and the number of a span."""


@dataclass(frozen=True, kw_only=True)
class Takings:
    """What ``orders`` sold for, and what was given back, in minor units of one currency.

    ``sales`` is what customers paid for the orders that were placed. Given back, all positive,
    reversals taken off: to a ``card``, by cancelling its sale (``void``), by ``other`` means, and
    by the ``shop`` itself without us. ``tax_refunded`` is the tax in the first three.
    """

    currency: str
    orders: int = 0
    sales: int = 0
    card: int = 0
    void: int = 0
    other: int = 0
    shop: int = 0
    tax_refunded: int = 0

    @property
    def refunds(self) -> int:
        """All that was given back."""
        return self.card + self.void + self.other + self.shop

    @property
    def net(self) -> int:
        """Sales less what was given back."""
        return self.sales - self.refunds

    @property
    def average(self) -> int | None:
        """What an order sold for on average; ``None`` without orders."""
        return divide_half_up(self.sales, self.orders) if self.orders else None

    @property
    def rate(self) -> Decimal | None:
        """What was given back as a fraction of the sales; ``None`` without sales."""
        return fraction(self.refunds, self.sales)

    def __add__(self, more: Self) -> Self:
        added = {
            field.name: getattr(self, field.name) + getattr(more, field.name)
            for field in fields(self)
            if field.name != "currency"
        }
        return type(self)(currency=self.currency, **added)


def fraction(part: int, whole: int) -> Decimal | None:
    """Return *part* of *whole* to four decimals, 0.25 for a quarter; ``None`` of nothing."""
    if whole <= 0:
        return None
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def read_takings(session: Session, scope: Scope) -> Mapping[Key, Takings]:
    """Return the takings of each currency and span of *scope* that has any: two queries."""
    figures: dict[Key, dict[str, int]] = {}
    for found in (sales_of(session, scope), given_of(session, scope)):
        for key, values in found.items():
            figures.setdefault(key, {}).update(values)
    return {key: Takings(currency=key[0], **values) for key, values in sorted(figures.items())}


def sales_of(session: Session, scope: Scope) -> Mapping[Key, dict[str, int]]:
    """Return ``orders`` and ``sales`` of each currency and span: one query."""
    s = SoldOrders(scope).rows.c
    figures = (func.count().label("orders"), func.sum(s.captured).label("sales"))
    return by_span(session, select(s.currency, s.span, *figures).group_by(s.currency, s.span))


def given_of(session: Session, scope: Scope) -> Mapping[Key, dict[str, int]]:
    """Return what was given back each way, and its tax, of each currency and span: one query."""
    g = GivenBack(scope).rows.c
    ways = [func.sum(case((g.way == way, g.paid), else_=ZERO)).label(way) for way in Way]
    return by_span(
        session,
        select(g.currency, g.span, *ways, func.sum(g.tax).label("tax_refunded")).group_by(
            g.currency, g.span
        ),
    )


def by_span(session: Session, statement: Any) -> Mapping[Key, dict[str, int]]:
    """Return the rows of *statement*, which begin with currency and span, as whole numbers."""
    found = {}
    for row in session.execute(statement).mappings():
        values = dict(row)
        key = (str(values.pop("currency")), int(values.pop("span")))
        found[key] = {name: int(value or 0) for name, value in values.items()}
    return found
