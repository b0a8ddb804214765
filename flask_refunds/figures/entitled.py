"""What each line and charge row of the sold orders cost, in SQL.

The rules of :func:`flask_refunds.entitlement.entitle`, for any number of orders at once; the tests
compare the two row by row. Orders with nothing to spread, the most of them, take a short way.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.types import TypeEngine

from flask_refunds.figures.host_sql import (
    columns_called,
    matching,
    minor_units,
    short_text,
)
from flask_refunds.figures.sold import SoldOrders
from flask_refunds.figures.spreading import ZERO, scaled_half_up, spread
from flask_refunds.models import DESCRIPTION_LENGTH, REF_LENGTH
from flask_refunds.storefront.mapping import Charge
from flask_refunds.storefront.texts import exact_text
from flask_refunds.storefront.values import Key

FIGURES = ("quantity", "list", "discount", "tax", "paid")


class SoldItems:
    """The items of *sold* orders: lines, and charges that are rows of their own.

    ``rows`` has for each its order's key, span and currency, ``kind`` (``line`` or ``row``),
    ``name`` (of a charge), ``position`` and key, ``sku``, ``description``, dimensions
    (``dim_NAME``), and its components in pieces and minor units: ``quantity``, ``list``,
    ``discount``, ``tax``, ``paid``.
    """

    def __init__(self, sold: SoldOrders) -> None:
        self.sold = sold
        self.storefront = sold.storefront
        self._orders = sold.rows
        line_key = Key(self.storefront.lines.key, "Lines.key")
        self._line_types = [column.type for column in line_key.columns]
        self._order = [f"order_{key}" for key in sold.keys]
        self._by = ["position", *(f"item{n}" for n in range(len(self._line_types)))]
        self._charges = list(enumerate(self.storefront.orders.charges))
        names = list(self.storefront.lines.dimensions)
        self.facts = ["kind", "name", "sku", "description", *(f"dim_{name}" for name in names)]
        self._kept = [*self._order, "span", "currency", *self._by, *self.facts, *FIGURES]
        self._has_rows = any(charge.kind == "row" for _, charge in self._charges)
        ways = (self._plain(), self._spread())
        self.rows: CTE = union_all(*(select(*_columns(w, self._kept)) for w in ways)).cte(
            "refunds_items"
        )

    def _plain(self) -> CTE:
        return self._items("plain", spread=0)

    def _spread(self) -> CTE:
        items = self._items("spread", spread=1)
        items = self._take("coupons", items, "coupons", over="lines")
        if self._has_rows:
            items = self._take("rebates", items, "rebates", over="lines+rows")
        for n, charge in self._charges:
            label = f"charge{n}"
            if charge.kind == "spread" and charge.effect == "discount":
                items = self._take(label, items, label, over=charge.over)
            elif charge.kind == "spread":
                items = self._add(label, items, charge)
        return items

    def _items(self, name: str, *, spread: int) -> CTE:
        """Return the items of the orders of which something is, or is not, to be spread."""
        rows = [(n, charge) for n, charge in self._charges if charge.kind == "row"]
        parts = [self._lines(spread), *(self._rows(n, charge, spread) for n, charge in rows)]
        return union_all(*parts).cte(f"refunds_{name}_items")

    def _lines(self, spread: int) -> "Select[*tuple[Any, ...]]":
        mapped, orders = self.storefront.lines, self._orders
        table = self.storefront.lines_statement().subquery("host_lines")
        t, currency = table.c, orders.c.currency
        theirs = columns_called(table, "order")
        ours = self.sold.pointer(orders, "line_of")
        total = minor_units(t.total, mapped.total, currency)
        listed = minor_units(t.list, mapped.list, currency) if mapped.list is not None else total
        tax = minor_units(t.tax, mapped.tax, currency) if mapped.tax is not None else ZERO
        columns: dict[str, ColumnElement[Any]] = {
            "position": literal_column("0", Integer),
            **{f"item{n}": t[f"key{n}"] for n in range(len(self._line_types))},
            "kind": exact_text(literal("line")),
            "name": exact_text(literal("")),
            "sku": short_text(t.sku, REF_LENGTH),
            "description": short_text(t.description, DESCRIPTION_LENGTH),
            **{f"dim_{name}": t[f"dim_{name}"] for name in mapped.dimensions},
            "quantity": func.coalesce(cast(t.quantity, BigInteger), ZERO),
            "list": listed,
            "discount": case((listed > total, listed - total), else_=ZERO),
            "tax": _clamped(tax, total),
            "paid": total,
        }
        return (
            self._select(columns, spread)
            .select_from(orders.join(table, and_(*matching(theirs, ours))))
            .where(total >= 0)
        )

    def _rows(self, n: int, charge: Charge, spread: int) -> "Select[*tuple[Any, ...]]":
        amount = self._orders.c[f"charge{n}"]
        tax = self._orders.c[f"charge_tax{n}"] if charge.tax is not None else ZERO
        dimensions = self.storefront.lines.dimensions
        columns: dict[str, ColumnElement[Any]] = {
            "position": literal_column(str(n + 1), Integer),
            **{f"item{i}": self._nothing(kind) for i, kind in enumerate(self._line_types)},
            "kind": exact_text(literal("row")),
            "name": exact_text(literal(charge.name)),
            "sku": exact_text(literal("")),
            "description": exact_text(literal(charge.title)),
            **{f"dim_{name}": exact_text(null()) for name in dimensions},
            "quantity": ZERO,
            "list": amount,
            "discount": ZERO,
            "tax": _clamped(tax, amount),
            "paid": amount,
        }
        return self._select(columns, spread).where(amount > 0)

    def _nothing(self, kind: TypeEngine[Any]) -> ColumnElement[Any]:
        """Return NULL, which PostgreSQL wants of a type and MariaDB cannot cast to every one."""
        return cast(null(), kind) if self.sold.scope.dialect == "postgresql" else null()

    def _select(
        self, columns: dict[str, ColumnElement[Any]], spread: int
    ) -> "Select[*tuple[Any, ...]]":
        """Select *columns* beside those of the order, and of the amounts that may be spread."""
        o = self._orders.c
        carried: list[Any] = [o[key].label(f"order_{key}") for key in self.sold.keys]
        carried += [o.span, o.currency]
        if spread:
            carried += [o.coupons, self._rebates().label("rebates")]
            carried += [o[f"charge{n}"] for n, c in self._charges if c.kind == "spread"]
        labelled = [column.label(label) for label, column in columns.items()]
        return select(*carried, *labelled).where(o.spread == spread)

    def _rebates(self) -> ColumnElement[int]:
        found: ColumnElement[int] = ZERO
        for n, charge in self._charges:
            if charge.kind == "row":
                amount = self._orders.c[f"charge{n}"]
                found = found + case((amount < 0, -amount), else_=ZERO)
        return found

    def _take(self, name: str, items: CTE, label: str, *, over: str) -> CTE:
        """Take a discount off the items; what the lines cannot bear spills to the rows."""
        c, labels = items.c, [column.key for column in items.c]
        bear_all = over == "lines+rows"
        weight = c.paid if bear_all else case((c.kind == "line", c.paid), else_=ZERO)
        shared = self._share(name, items, c[label], weight)
        if self._has_rows and not bear_all:
            s = shared.c
            spilt = case((s.rest > 0, s.rest), else_=ZERO)
            kept = _columns(shared, labels)
            first = select(*kept, s.share.label("first"), spilt.label("spilt")).cte(
                f"refunds_{name}_first"
            )
            weight = case((first.c.kind == "row", first.c.paid), else_=ZERO)
            again = self._share(f"{name}_spilt", first, first.c.spilt, weight)
            both = again.c.first + again.c.share
            shared = select(*_columns(again, labels), both.label("share")).cte(
                f"refunds_{name}_both"
            )
        return self._discounted(name, shared, labels)

    def _share(self, name: str, items: CTE, amount: Any, weight: Any) -> CTE:
        return spread(name, items, amount, weight, order=self._order, by=self._by, capped=True)

    def _discounted(self, name: str, items: CTE, labels: Sequence[str]) -> CTE:
        c = items.c
        paid = c.paid - c.share
        tax: ColumnElement[int] = c.tax
        if self.storefront.line_tax == "before_discount":
            tax = func.coalesce(scaled_half_up(c.tax, paid, c.paid), c.tax)
        changed = {
            "discount": c.discount + c.share,
            "tax": case((tax > paid, paid), else_=tax),
            "paid": paid,
        }
        return _with(name, items, labels, changed)

    def _add(self, name: str, items: CTE, charge: Charge) -> CTE:
        """Add an order-level tax or price to the items."""
        c, labels = items.c, [column.key for column in items.c]
        bear_all = charge.over == "lines+rows"
        weight = c.paid if bear_all else case((c.kind == "line", c.paid), else_=ZERO)
        shared = spread(name, items, c[name], weight, order=self._order, by=self._by)
        s = shared.c
        changed = {"paid": s.paid + s.share}
        bears = "tax" if charge.effect == "tax" else "list"
        changed[bears] = s[bears] + s.share
        return _with(name, shared, labels, changed)


def _columns(items: CTE, labels: Sequence[str]) -> list[ColumnElement[Any]]:
    return [items.c[label] for label in labels]


def _with(
    name: str, items: CTE, labels: Sequence[str], changed: dict[str, ColumnElement[Any]]
) -> CTE:
    columns = [changed.get(label, items.c[label]).label(label) for label in labels]
    return select(*columns).cte(f"refunds_{name}_done")


def _clamped(tax: ColumnElement[int], most: ColumnElement[int]) -> ColumnElement[int]:
    return case((tax < 0, ZERO), (tax > most, most), else_=tax)
