"""The Items Report: what of each item was sold and given back.

Beside the items stand the charges, the adjustments and what the shop gave back without naming an
item, each a row of its own, so that the report adds up to the sales and refunds of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, TypedDict, TypeVar

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from flask_refunds.entitlement import ADJUSTMENT
from flask_refunds.figures.entitled import FIGURES, SoldItems
from flask_refunds.figures.given import UNALLOCATED, GivenBack
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.sold import SoldOrders
from flask_refunds.figures.spreading import ZERO
from flask_refunds.figures.takings import fraction
from flask_refunds.storefront.texts import exact_text

ITEM = "item"
"""The grouping by SKU, or by description where there is none; others are the dimensions' names."""

KINDS = ("line", "row", ADJUSTMENT, UNALLOCATED)
Kind = Literal["line", "row", "adjustment", "unallocated"]

SORTS = ("net", "sold", "refunded", "rate", "units_sold", "units_refunded", "name")
ORDERS = tuple(dict.fromkeys(["-net", *(sign + name for name in SORTS for sign in ("", "-"))]))
"""The orders that a report offers, the default first; a ``-`` begins with the largest."""


T = TypeVar("T", bound="Figures")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was sold and given back of something, in pieces and minor units of ``currency``.

    ``sold`` and ``refunded`` are what customers paid and got back, tax included; ``list_sold``,
    ``discount_sold`` and ``tax_sold`` its list price, what was taken off and the tax in it, and
    the same of what was ``refunded``.
    """

    currency: str
    units_sold: int = 0
    list_sold: int = 0
    discount_sold: int = 0
    tax_sold: int = 0
    sold: int = 0
    units_refunded: int = 0
    list_refunded: int = 0
    discount_refunded: int = 0
    tax_refunded: int = 0
    refunded: int = 0

    @property
    def units(self) -> int:
        """Pieces that customers kept."""
        return self.units_sold - self.units_refunded

    @property
    def net(self) -> int:
        """What was sold less what was given back."""
        return self.sold - self.refunded

    @property
    def tax(self) -> int:
        """The tax in ``net``."""
        return self.tax_sold - self.tax_refunded

    @property
    def rate(self) -> Decimal | None:
        """What was given back as a fraction of what was sold; ``None`` if nothing was."""
        return fraction(self.refunded, self.sold)


@dataclass(frozen=True, kw_only=True)
class ItemRow(Figures):
    """One row: an item (``line``), a charge (``row``), the adjustments, or the unallocated."""

    kind: Kind
    key: str
    sku: str
    name: str


@dataclass(frozen=True, kw_only=True)
class ItemBlock:
    """One currency: a page of its rows, how many there are in all, and the total of all.

    A currency that has no rows on the page has no block. In a scope that is cut into buckets,
    there is one block for each of them, ``span``, that has any.
    """

    currency: str
    span: int
    rows: tuple[ItemRow, ...]
    count: int
    total: Figures


class Ordering(TypedDict):
    """How :meth:`ItemFigures.read` orders the rows."""

    sort: str
    descending: bool


def ordering(order: str) -> Ordering:
    """Return what *order*, one of :data:`ORDERS`, means."""
    return Ordering(sort=order.removeprefix("-"), descending=order.startswith("-"))


class ItemFigures:
    """The items of *scope*, grouped by *by*: :data:`ITEM` or the name of a mapped dimension.

    *text* narrows to items whose SKU begins with it or whose name contains it; charges and
    adjustments are left out then.
    """

    def __init__(self, scope: Scope, *, by: str = ITEM, text: str = "") -> None:
        self.scope = scope
        self._by = by
        sold = SoldOrders(scope)
        self._items, self._given = SoldItems(sold).rows, GivenBack(scope).rows
        both = union_all(self._sold(), self._paid(sold), self._refunded()).cte(
            "refunds_sold_and_given"
        )
        b = both.c
        grouped = (
            select(
                b.currency,
                b.span,
                b.kind,
                b.key,
                func.max(b.sku).label("sku"),
                func.max(b.name).label("name"),
                *(func.sum(b[name]).label(name) for name in _SUMS),
            )
            .group_by(b.currency, b.span, b.kind, b.key)
            .cte("refunds_by_item")
        )
        g = self._adjusted(grouped).c
        counts = or_(g.kind.in_(["line", "row"]), g.sold != 0, g.refunded != 0)
        if text:
            named = g.sku.istartswith(text, autoescape=True) | g.name.icontains(
                text, autoescape=True
            )
            counts = and_(g.kind == "line", named)
        self.rows: CTE = select(*g).where(counts).cte("refunds_item_rows")

    def read(
        self,
        session: Session,
        *,
        sort: str = "net",
        descending: bool = True,
        page: int = 0,
        limit: int | None = None,
    ) -> list[ItemBlock]:
        """Return the blocks, by currency: their rows in order, *limit* on each *page* from 0 on.

        *sort* is one of :data:`SORTS`; charges, adjustments and the unallocated come last. One
        query.
        """
        statement = self._page(self._ordered(sort, descending), page, limit)
        found: dict[tuple[str, int], ItemBlock] = {}
        for row in session.execute(statement).mappings():
            block_of = row["currency"], int(row["span"])
            facts = {name: row[name] for name in ("kind", "key", "sku", "name")}
            item = _figures(ItemRow, row, **facts)
            block = found.get(block_of) or ItemBlock(
                currency=block_of[0],
                span=block_of[1],
                rows=(),
                count=int(row["count"]),
                total=_figures(Figures, row, prefix="total_"),
            )
            found[block_of] = replace(block, rows=(*block.rows, item))
        return list(found.values())

    def _page(
        self, order: Sequence[Any], page: int, limit: int | None
    ) -> "Select[*tuple[Any, ...]]":
        """Select a page of the rows, each with the number and the sums of all of its currency."""
        r = self.rows.c
        block = (r.currency, r.span)
        numbered = select(
            *r,
            func.row_number().over(partition_by=block, order_by=order).label("place"),
            func.count().over(partition_by=block).label("count"),
            *(func.sum(r[name]).over(partition_by=block).label(f"total_{name}") for name in _SUMS),
        ).subquery("placed_rows")
        n = numbered.c
        statement = select(*n).order_by(n.currency, n.span, n.place)
        if limit is None:
            return statement
        first = page * limit
        return statement.where(numbered.c.place > first, numbered.c.place <= first + limit)

    def _ordered(self, sort: str, descending: bool) -> list[ColumnElement[Any]]:
        r = self.rows.c
        values: dict[str, ColumnElement[Any]] = {
            "net": r.sold - r.refunded,
            "sold": r.sold,
            "refunded": r.refunded,
            "rate": func.coalesce(r.refunded * 1.0 / func.nullif(r.sold, 0), -1),
            "units_sold": r.units_sold,
            "units_refunded": r.units_refunded,
            "name": r.name,
        }
        ranks = [(r.kind == kind, n) for n, kind in enumerate(KINDS)]
        value = values[sort]
        return [case(*ranks, else_=len(KINDS)), value.desc() if descending else value, r.key]

    @staticmethod
    def _adjusted(grouped: CTE) -> CTE:
        """Return the rows with what the items explain taken off the adjustments."""
        g = grouped.c
        explains = case((g.kind.in_(["line", "row"]), g.sold), else_=0)
        explained = func.sum(explains).over(partition_by=(g.currency, g.span))
        changed = {
            name: case((g.kind == ADJUSTMENT, g[name] - explained), else_=g[name])
            for name in ("sold", "list_sold")
        }
        columns = [changed.get(c.key, c).label(c.key) for c in g]
        return select(*columns).cte("refunds_adjusted")

    def _sold(self) -> "Select[*tuple[Any, ...]]":
        i = self._items.c
        return self._part(self._items, sold={name: i[name] for name in FIGURES})

    def _paid(self, sold: SoldOrders) -> "Select[*tuple[Any, ...]]":
        """Select what orders were paid; what the items explain of it is no adjustment."""
        o = sold.rows.c
        return self._row(
            currency=o.currency,
            span=o.span,
            kind=exact_text(literal(ADJUSTMENT)),
            sold={"list": o.captured, "paid": o.captured},
        )

    def _refunded(self) -> "Select[*tuple[Any, ...]]":
        g = self._given.c
        return self._part(self._given, refunded={name: g[name] for name in FIGURES})

    def _part(self, table: CTE, **figures: Any) -> "Select[*tuple[Any, ...]]":
        c = table.c
        by_item = self._by == ITEM
        own = case((c.sku != "", c.sku), else_=c.description) if by_item else c[f"dim_{self._by}"]
        is_line = c.kind == "line"
        is_row = c.kind == "row"
        return self._row(
            currency=c.currency,
            span=c.span,
            kind=c.kind,
            key=case((is_line, func.coalesce(own, "")), (is_row, c.name), else_=""),
            sku=case((is_line, c.sku), else_="") if by_item else None,
            name=c.description if by_item else case((is_line, own), else_=c.description),
            **figures,
        )

    @staticmethod
    def _row(
        *,
        currency: ColumnElement[str],
        span: ColumnElement[int],
        kind: ColumnElement[str],
        key: ColumnElement[str] | None = None,
        sku: ColumnElement[str] | None = None,
        name: ColumnElement[str] | None = None,
        sold: Mapping[str, Any] = MappingProxyType({}),
        refunded: Mapping[str, Any] = MappingProxyType({}),
    ) -> "Select[*tuple[Any, ...]]":
        """Return a part of the union, all of whose columns are there and in one order."""
        facts = {"currency": currency, "kind": kind, "key": key, "sku": sku, "name": name}
        columns: list[Any] = [
            (exact_text(literal("")) if value is None else value).label(label)
            for label, value in facts.items()
        ]
        columns.append(span.label("span"))
        for figures, labels in ((sold, _SOLD), (refunded, _REFUNDED)):
            columns += [figures.get(figure, ZERO).label(label) for figure, label in labels.items()]
        return select(*columns)


_SOLD = {
    "quantity": "units_sold",
    "list": "list_sold",
    "discount": "discount_sold",
    "tax": "tax_sold",
    "paid": "sold",
}
_REFUNDED = {
    "quantity": "units_refunded",
    "list": "list_refunded",
    "discount": "discount_refunded",
    "tax": "tax_refunded",
    "paid": "refunded",
}
_SUMS = (*_SOLD.values(), *_REFUNDED.values())


def _figures(made: type[T], row: Any, *, prefix: str = "", **facts: Any) -> T:
    sums = {name: int(row[prefix + name] or 0) for name in _SUMS}
    return made(currency=row["currency"], **sums, **facts)
