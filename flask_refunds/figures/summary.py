"""The Summary Report: what was sold and given back in each day, week or month."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from flask_refunds.figures.buckets import Bucket
from flask_refunds.figures.entitled import SoldItems
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.sold import SoldOrders
from flask_refunds.figures.spreading import ZERO
from flask_refunds.figures.takings import Key, Takings, by_span, given_of, sales_of


@dataclass(frozen=True, kw_only=True)
class Summary(Takings):
    """:class:`Takings` with what the sales are made of, in minor units.

    ``sales = gross - discounts + charges + added + adjustments``: lines at list price, what was
    taken off, shipping and fees, tax that came on top of the prices, and what lines and charges
    do not explain of what was paid. ``tax_sold`` is all tax in the sales.
    """

    gross: int = 0
    discounts: int = 0
    charges: int = 0
    added: int = 0
    adjustments: int = 0
    tax_sold: int = 0

    @property
    def tax(self) -> int:
        """The tax in the net sales."""
        return self.tax_sold - self.tax_refunded


@dataclass(frozen=True, kw_only=True)
class Block:
    """One currency: a row for each bucket, in order, and their total."""

    currency: str
    rows: tuple[tuple[Bucket, Summary], ...]
    total: Summary


def read_summary(session: Session, scope: Scope) -> Mapping[Key, Summary]:
    """Return the summary of each currency and span of *scope* that has any: three queries."""
    figures: dict[Key, dict[str, int]] = {}
    for found in (sales_of(session, scope), _parts(session, scope), given_of(session, scope)):
        for key, values in found.items():
            figures.setdefault(key, {}).update(values)
    made = {}
    for key, values in sorted(figures.items()):
        explained = values.pop("paid", 0)
        adjustments = values.get("sales", 0) - explained
        made[key] = Summary(currency=key[0], adjustments=adjustments, **values)
    return made


def read_blocks(session: Session, scope: Scope) -> list[Block]:
    """Return the summary of *scope*, which has buckets, by currency."""
    found = read_summary(session, scope)
    blocks = []
    for currency in sorted({currency for currency, _ in found}):
        nothing = Summary(currency=currency)
        rows = [
            (bucket, found.get((currency, n), nothing)) for n, bucket in enumerate(scope.buckets)
        ]
        total = sum((row for _, row in rows), nothing)
        blocks.append(Block(currency=currency, rows=tuple(rows), total=total))
    return blocks


def _parts(session: Session, scope: Scope) -> Mapping[Key, dict[str, int]]:
    i = SoldItems(SoldOrders(scope)).rows.c
    is_line = i.kind == "line"
    sums = {
        "gross": case((is_line, i.list), else_=ZERO),
        "charges": case((is_line, ZERO), else_=i.list),
        "discounts": i.discount,
        "added": i.paid - i.list + i.discount,
        "tax_sold": i.tax,
        "paid": i.paid,
    }
    labelled = [func.sum(value).label(name) for name, value in sums.items()]
    return by_span(session, select(i.currency, i.span, *labelled).group_by(i.currency, i.span))
