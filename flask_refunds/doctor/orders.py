"""The newest orders as the mapping reads them: each row of them, of their lines and payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from flask_refunds import money
from flask_refunds.doctor.amounts import compare
from flask_refunds.doctor.findings import Tally, shown
from flask_refunds.doctor.keys import KeyCheck
from flask_refunds.doctor.payments import PaymentCheck
from flask_refunds.doctor.sampling import Belongings, batches, belongings
from flask_refunds.errors import MappingError
from flask_refunds.runtime import Runtime
from flask_refunds.storefront.facts import LineFacts, PaymentFacts
from flask_refunds.storefront.rows import OrderRow, as_utc, line_facts, order_row, payment_facts
from flask_refunds.storefront.values import Amount, Key

SKEW = timedelta(minutes=5)
"""By so much the clock of the machine that takes orders may be ahead."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part whose rows belong to orders, and the check of its keys."""

    name: str
    declared: Any
    order: Key
    keys: KeyCheck


class OrderCheck:
    """Looks at orders, batch by batch, and counts what is wrong in a tally."""

    def __init__(self, runtime: Runtime, tally: Tally) -> None:
        self._runtime, self._tally = runtime, tally
        self._storefront = storefront = runtime.storefront
        self._keys = KeyCheck(tally, "Orders", storefront.order_key)
        self._lines = self._part("Lines", storefront.lines)
        self._payments = self._part("Payments", storefront.payments)
        self.payments = PaymentCheck(tally, runtime.gateways)

    def look(self, session: Session, rows: Sequence[Any]) -> None:
        """Look at *rows* of the mapping's orders, and at what belongs to them."""
        for batch in batches(rows):
            usable = [order for row in batch if (order := self._order(row)) is not None]
            self._look_at_belongings(session, usable)

    def _part(self, name: str, declared: Any) -> _Part | None:
        if declared is None:
            return None
        keys = KeyCheck(self._tally, name, Key(declared.key, f"{name}.key"))
        return _Part(
            name=name, declared=declared, order=Key(declared.order, f"{name}.order"), keys=keys
        )

    def _order(self, row: Any) -> OrderRow | None:
        """Return one order, if everything in its row can be read."""
        self._tally.look("orders")
        ref = self._keys.ref(row)
        if ref is None or not self._currency(row, ref) or not self._time(row, ref):
            return None
        orders = self._storefront.orders
        self._amount("Orders.total", orders.total, row.total, ref)
        for i, charge in enumerate(orders.charges):
            name = f"Orders.charges[{charge.name!r}]"
            raw = getattr(row, f"charge{i}")
            self._amount(name, charge.amount, raw if raw is not None else 0, ref)
            if charge.kind == "spread" and charge.effect == "discount" and (raw or 0) < 0:
                self._tally.note("charge_negative", f"order {ref}", charge=charge.name)
        try:
            return order_row(self._storefront, row)
        except (MappingError, ValueError, TypeError, ArithmeticError) as error:
            self._tally.note("row_unreadable", f"order {ref}: {shown(error)}", part="Orders")
            return None

    def _currency(self, row: Any, ref: str) -> bool:
        currency = str(row.currency or "").strip().upper()
        try:
            money.exponent(currency)
        except ValueError:
            self._tally.note("currency_unknown", f"order {ref}: {shown(currency or 'NULL')}")
            return False
        return True

    def _time(self, row: Any, ref: str) -> bool:
        if not isinstance(row.placed_at, datetime):
            self._tally.note("time_missing", f"order {ref}")
            return False
        storefront, zone = self._storefront, self._runtime.config.timezone
        placed_at = as_utc(row.placed_at, storefront, "Orders.placed_at")
        if placed_at > self._runtime.now() + SKEW:
            self._tally.note("time_future", f"order {ref}: {placed_at:%Y-%m-%d %H:%M}Z")
        if row.placed_at.tzinfo is None and storefront.timezone == "UTC" and zone != "UTC":
            self._tally.note("zone_assumed", f"order {ref}", zone=zone)
        return True

    def _amount(self, name: str, amount: Amount, raw: Any, ref: str) -> None:
        """Look at one amount as the database gave it."""
        if raw is None:
            self._tally.note("amount_null", f"order {ref}", name=name)
        elif amount.unit == "minor" and isinstance(raw, float | Decimal) and raw != int(raw):
            self._tally.note("amount_fraction", f"order {ref}: {raw}", name=name)

    def _look_at_belongings(self, session: Session, orders: Sequence[OrderRow]) -> None:
        storefront = self._storefront
        lines = self._read(
            session, self._lines, storefront.lines_statement(), [o.line_of for o in orders]
        )
        payments = None
        if self._payments is not None:
            payments = self._read(
                session,
                self._payments,
                storefront.payments_statement(),
                [o.payment_of for o in orders],
            )
        for order in orders:
            found = self._line_facts(order, lines.by_order.get(order.line_of, ()))
            paid = None
            if payments is not None:
                paid = self._payment_facts(order, payments.by_order.get(order.payment_of, ()))
                self.payments.look(order.facts, paid, whole=payments.whole)
            if lines.whole and found is not None:
                compare(self._tally, storefront, order.facts, found)

    def _read(
        self, session: Session, part: _Part | None, statement: Any, values: list[tuple[Any, ...]]
    ) -> Belongings:
        assert part is not None
        found = belongings(session, statement, part.order, [value for value in values if value])
        if not found.whole:
            self._tally.note("sample_cut", "", part=part.name)
        return found

    def _line_facts(self, order: OrderRow, rows: Sequence[Any]) -> list[LineFacts] | None:
        """Return the lines of *order*; ``None`` if one of them cannot be read."""
        facts, lines, ref = [], self._storefront.lines, order.facts.ref
        assert self._lines is not None
        for row in rows:
            if self._lines.keys.ref(row) is None:
                return None
            self._amount("Lines.total", lines.total, row.total, ref)
            if lines.tax is not None:
                self._amount("Lines.tax", lines.tax, row.tax if row.tax is not None else 0, ref)
            try:
                facts.append(line_facts(self._storefront, row, order.facts))
            except (MappingError, ValueError, TypeError, ArithmeticError) as error:
                self._tally.note("row_unreadable", f"order {ref}: {shown(error)}", part="Lines")
                return None
        return facts

    def _payment_facts(self, order: OrderRow, rows: Sequence[Any]) -> list[PaymentFacts] | None:
        """Return the payments of *order*; ``None`` if one of them cannot be read."""
        facts, payments, ref = [], self._storefront.payments, order.facts.ref
        assert self._payments is not None
        assert payments is not None
        for row in rows:
            if self._payments.keys.ref(row) is None:
                return None
            if payments.currency is not None and not self._payment_currency(row, ref):
                return None
            self._amount("Payments.amount", payments.amount, row.amount, ref)
            try:
                facts.append(payment_facts(self._storefront, row, order.facts))
            except (MappingError, ValueError, TypeError, ArithmeticError) as error:
                self._tally.note("row_unreadable", f"order {ref}: {shown(error)}", part="Payments")
                return None
        return facts

    def _payment_currency(self, row: Any, ref: str) -> bool:
        currency = str(row.currency or "").strip().upper()
        try:
            money.exponent(currency)
        except ValueError:
            example = f"order {ref}: {shown(currency or 'NULL')}"
            self._tally.note("payment_currency_unknown", example)
            return False
        return True
