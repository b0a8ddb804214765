"""What the shop sold, through the mapping, in SQL: the paid orders of a period, one row each.

An order counts as sold, and for how much, as :mod:`flask_refunds.storefront.facts` says: by its
captured payments if it has any, else by its total if it is paid. The account of a refunded order
remembers what was captured then, so that a host that marks it "refunded" afterwards takes nothing
from its sales, which our refunds are taken off already.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    select,
)

from flask_refunds.figures.host_sql import (
    columns_called,
    currency_code,
    matching,
    minor_units,
    truth,
)
from flask_refunds.figures.refs import as_key
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.spreading import ZERO
from flask_refunds.models import Account
from flask_refunds.storefront.values import amount_expression, expression


class SoldOrders:
    """The orders placed in the period of *scope* that were paid.

    ``rows`` has, for each: its key, the number of its ``span``, its currency,
    ``captured`` and its charges in minor units, ``coupons`` (lines below zero, as a positive
    discount), and whether anything is to be ``spread`` over its items.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.storefront = scope.storefront
        self.keys = [f"key{n}" for n in range(len(self.storefront.order_key.columns))]
        self.rows: CTE = self._sold(self._placed())

    def pointer(self, table: CTE | Subquery, prefix: str) -> list[ColumnElement[Any]]:
        """Return the columns of *table* that lines (``line_of``) or others of an order point to."""
        return columns_called(table, prefix) or [table.c[key] for key in self.keys]

    def _placed(self) -> CTE:
        """Return the orders placed in the period, amounts in minor units."""
        orders = self.storefront.orders
        placed_at = expression(orders.placed_at, "Orders.placed_at")
        statement = self.storefront.orders_statement().where(*self.scope.within_host(placed_at))
        host = statement.subquery("host_orders")
        h = host.c
        currency = currency_code(h.currency)
        columns: list[Any] = [h[key] for key in self.keys]
        columns += [*columns_called(host, "line_of"), *columns_called(host, "payment_of")]
        columns.append(self.scope.numbered_host(h.placed_at).label("span"))
        columns.append(currency.label("currency"))
        columns.append(truth(h.paid).label("is_paid"))
        columns.append(minor_units(h.total, orders.total, currency).label("total"))
        for n, charge in enumerate(orders.charges):
            amount = minor_units(h[f"charge{n}"], charge.amount, currency)
            columns.append(amount.label(f"charge{n}"))
            if charge.tax is not None:
                tax = minor_units(h[f"charge_tax{n}"], charge.tax, currency)
                columns.append(tax.label(f"charge_tax{n}"))
        return select(*columns).cte("refunds_placed")

    def _sold(self, placed: CTE) -> CTE:
        p = placed.c
        seen: ColumnElement[int] = case((p.is_paid, p.total), else_=ZERO)
        source: Any = placed
        payments = self._captured(placed)
        if payments is not None:
            source = source.outerjoin(payments, and_(*self._same(placed, payments)))
            seen = case((payments.c.captured.is_not(None), payments.c.captured), else_=seen)
        coupons = self._coupons(placed)
        source = source.outerjoin(coupons, and_(*self._same(placed, coupons)))
        account = select(
            *(c.label(k) for k, c in zip(self.keys, self._account_key(), strict=True)),
            Account.paid.label("remembered"),
        ).where(Account.committed > 0)
        accounts = account.subquery("accounts")
        source = source.outerjoin(accounts, and_(*self._same(placed, accounts)))
        remembered = func.coalesce(accounts.c.remembered, ZERO)
        captured = case((remembered > seen, remembered), else_=seen)
        taken = func.coalesce(coupons.c.coupons, ZERO)
        to_spread = case((self._anything_to_spread(placed, taken), 1), else_=0)
        dropped = {"is_paid", "total"}
        columns = [c for c in p if c.key not in dropped]
        found = (
            select(
                *columns,
                captured.label("captured"),
                taken.label("coupons"),
                to_spread.label("spread"),
            )
            .select_from(source)
            .subquery("found")
        )
        return select(*found.c).where(found.c.captured > 0).cte("refunds_sold")

    def _same(self, left: CTE | Subquery, right: CTE | Subquery) -> list[ColumnElement[bool]]:
        return matching([left.c[k] for k in self.keys], [right.c[k] for k in self.keys])

    def _account_key(self) -> list[ColumnElement[Any]]:
        return as_key(Account.__table__.c.order_ref, self.storefront.order_key)

    def _captured(self, placed: CTE) -> Subquery | None:
        """Return what the orders that have payments had captured, however little."""
        if self.storefront.payments is None:
            return None
        payments = self.storefront.payments
        table = self.storefront.payments_statement().subquery("host_payments")
        t = table.c
        currency = currency_code(t.currency) if payments.currency is not None else placed.c.currency
        amount = minor_units(t.amount, payments.amount, currency)
        captured = func.sum(case((truth(t.captured), amount), else_=ZERO))
        return self._by_order(
            placed, table, "payment_of", cast(captured, BigInteger).label("captured")
        ).subquery("captured")

    def _coupons(self, placed: CTE) -> Subquery:
        lines = self.storefront.lines
        below_zero = amount_expression(lines.total, "Lines.total") < 0
        table = self.storefront.lines_statement().where(below_zero).subquery("host_coupons")
        total = minor_units(table.c.total, lines.total, placed.c.currency)
        taken = cast(-func.sum(total), BigInteger).label("coupons")
        return self._by_order(placed, table, "line_of", taken).subquery("coupons")

    def _by_order(
        self, placed: CTE, table: Subquery, prefix: str, *figures: ColumnElement[Any]
    ) -> "Select[*tuple[Any, ...]]":
        """Select *figures* of the orders that have rows in *table*, grouped by order."""
        keys = [placed.c[key] for key in self.keys]
        same = matching(columns_called(table, "order"), self.pointer(placed, prefix))
        return select(*keys, *figures).select_from(placed.join(table, and_(*same))).group_by(*keys)

    def _anything_to_spread(self, placed: CTE, coupons: ColumnElement[int]) -> ColumnElement[bool]:
        found: ColumnElement[bool] = coupons != 0
        for n, charge in enumerate(self.storefront.orders.charges):
            amount = placed.c[f"charge{n}"]
            found = found | (amount != 0 if charge.kind == "spread" else amount < 0)
        return found
