"""What we read of the host's rows: frozen, in minor units, UTC and canonical text keys."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

LineTax = Literal["before_discount", "after_discount"]
ChargeKind = Literal["row", "spread"]
ChargeEffect = Literal["price", "discount", "tax"]
ChargeOver = Literal["lines", "lines+rows"]


@dataclass(frozen=True, kw_only=True)
class ChargeFacts:
    """One charge of one order: ``amount`` as its effect says, always positive when it applies."""

    name: str
    label: str
    kind: ChargeKind
    effect: ChargeEffect
    over: ChargeOver
    amount: int
    tax: int = 0


@dataclass(frozen=True, kw_only=True)
class OrderFacts:
    """One order of the host."""

    ref: str
    number: str
    customer_ref: str | None
    customer_name: str
    customer_email: str
    placed_at: datetime
    currency: str
    total: int
    is_paid: bool
    charges: tuple[ChargeFacts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LineFacts:
    """One line of an order. ``total`` includes ``tax``; ``list_price`` is before the discount."""

    ref: str
    order_ref: str
    sku: str
    description: str
    quantity: int
    list_price: int
    total: int
    tax: int
    dimensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PaymentFacts:
    """One payment of an order. ``charge_id`` is the gateway's transaction id."""

    ref: str
    order_ref: str
    gateway: str | None
    charge_id: str | None
    amount: int
    currency: str
    captured: bool
    label: str


@dataclass(frozen=True, kw_only=True)
class PriorFacts:
    """One refund that the host itself made; it counts only when ``succeeded``."""

    ref: str
    order_ref: str
    amount: int
    at: datetime
    succeeded: bool
    gateway_id: str | None = None
    line_ref: str | None = None
    payment_ref: str | None = None


@dataclass(frozen=True, kw_only=True)
class CustomerFacts:
    """One customer of the host."""

    ref: str
    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class OrderBundle:
    """An order with everything that a quote needs."""

    order: OrderFacts
    lines: tuple[LineFacts, ...]
    payments: tuple[PaymentFacts, ...]
    prior: tuple[PriorFacts, ...]
    has_payments: bool
    """Whether the order has any mapped payment, captured or not."""

    @property
    def captured(self) -> int:
        """What was paid: captured payments if any payment is mapped, else the paid total."""
        if self.has_payments:
            return sum(p.amount for p in self.payments if p.captured)
        return self.order.total if self.order.is_paid else 0

    def without_prior(self, gateway_ids: Collection[str]) -> Self:
        """Return the order without the host's records of refunds that are ours.

        Hosts may note what we did at the gateway; by the gateway's id none counts twice.
        """
        ours = frozenset(gateway_ids)
        return replace(self, prior=tuple(p for p in self.prior if p.gateway_id not in ours))

    @property
    def prior_total(self) -> int:
        """What the host itself gave back, in minor units."""
        return sum(p.amount for p in self.prior if p.succeeded)
