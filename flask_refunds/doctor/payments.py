"""What the newest orders were paid with: how much, in which currency, by which sale where."""

from collections.abc import Iterable, Sequence

from flask_refunds.doctor.amounts import is_unit_mistaken
from flask_refunds.doctor.findings import Tally, shown
from flask_refunds.storefront.facts import OrderFacts, PaymentFacts

SALES = 3
"""So many of a gateway's newest sales are kept for asking the gateway."""


class PaymentCheck:
    """Looks at the payments of one order after the other, newest first."""

    def __init__(self, tally: Tally, gateways: Iterable[str]) -> None:
        self._tally = tally
        self._gateways = set(gateways)
        self._orders_of: dict[tuple[str, str], str] = {}
        self.sales: dict[str, list[PaymentFacts]] = {name: [] for name in self._gateways}
        """The newest captured sales by gateway."""

    def look(
        self, order: OrderFacts, payments: Sequence[PaymentFacts] | None, *, whole: bool
    ) -> None:
        """Look at the payments of *order*; ``None``: one of them cannot be read."""
        if payments is None:
            return
        for payment in payments:
            self._look_at(order, payment)
        if len({payment.currency for payment in payments}) > 1:
            self._tally.note("currencies_mixed", f"order {order.ref}")
        elif whole:
            self._sums(order, payments)

    def end(self) -> None:
        """Say what only all payments together tell."""
        if self._tally.seen("payments") and self._gateways and not self._orders_of:
            used = self._tally.count("charge_missing")
            if not used:
                names = ", ".join(sorted(self._gateways))
                self._tally.note("gateway_unused", f"configured: {names}")

    def _look_at(self, order: OrderFacts, payment: PaymentFacts) -> None:
        self._tally.look("payments")
        ref = f"order {order.ref}, payment {payment.ref}"
        if payment.currency != order.currency:
            self._tally.note("payment_currency", f"{ref}: {payment.currency}, {order.currency}")
        gateway = payment.gateway
        if gateway is None:
            return
        if gateway not in self._gateways:
            self._stranger(gateway, ref)
        elif payment.charge_id is None:
            if payment.captured:
                self._tally.note("charge_missing", ref, gateway=gateway)
        else:
            self._sale(order, payment, gateway, ref)

    def _stranger(self, gateway: str, ref: str) -> None:
        for name in sorted(self._gateways):
            if name.casefold() == str(gateway).strip().casefold():
                self._tally.note("gateway_spelling", ref, gateway=gateway, configured=name)
                return
        self._tally.note("gateway_unknown", ref, gateway=shown(gateway))

    def _sale(self, order: OrderFacts, payment: PaymentFacts, gateway: str, ref: str) -> None:
        self._tally.look("charges")
        sale = gateway, str(payment.charge_id)
        other = self._orders_of.setdefault(sale, order.ref)
        if other != order.ref:
            self._tally.note("charge_shared", f"orders {other} and {order.ref}")
        if payment.captured and len(self.sales[gateway]) < SALES:
            self.sales[gateway].append(payment)

    def _sums(self, order: OrderFacts, payments: Sequence[PaymentFacts]) -> None:
        captured = [payment for payment in payments if payment.captured]
        if order.is_paid and order.total > 0:
            self._tally.look("orders_paid")
            if not payments:
                self._tally.note("payment_missing", f"order {order.ref}")
        if len(captured) > 1:
            self._tally.note("payments_several", f"order {order.ref}")
            sales = [(p.gateway, p.charge_id) for p in captured if p.charge_id is not None]
            if len(set(sales)) < len(sales):
                self._tally.note("charge_twice", f"order {order.ref}")
        if not captured:
            return
        self._tally.look("orders_captured")
        amount = sum(payment.amount for payment in captured)
        if amount == order.total:
            return
        example = f"order {order.ref}: {amount} and {order.total} minor units of {order.currency}"
        self._tally.note("captured_differs", example)
        if is_unit_mistaken(amount, order.total, order.currency):
            self._tally.note("payment_unit", example)
