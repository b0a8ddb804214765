"""What was given back outside: in a gateway's own panel, or by another program. Pure values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from flask_refunds.gateways.base import ReceiptState, RefundReceipt, VoidReceipt
from flask_refunds.outcomes import REFUND, VOID
from flask_refunds.storefront.facts import PaymentFacts, PriorFacts


@dataclass(frozen=True, kw_only=True)
class Given:
    """A refund or void as a gateway lists it; ``id`` of a void is that of its sale.

    ``took_money`` is false for what failed, and for the void of a mere authorization.
    """

    gateway: str
    id: str
    charge_id: str
    operation: str
    amount: int
    currency: str
    reference: str | None
    raw_status: str
    at: datetime | None
    settled: bool
    took_money: bool

    @classmethod
    def of(cls, gateway: str, receipt: RefundReceipt | VoidReceipt) -> Self:
        """Return what *receipt* of *gateway* says."""
        shared = {
            name: getattr(receipt, name)
            for name in ("charge_id", "amount", "currency", "raw_status", "at")
        }
        if isinstance(receipt, VoidReceipt):
            return cls(
                gateway=gateway,
                id=receipt.charge_id,
                operation=VOID,
                reference=None,
                settled=True,
                took_money=receipt.captured,
                **shared,
            )
        return cls(
            gateway=gateway,
            id=receipt.id,
            operation=REFUND,
            reference=receipt.reference,
            settled=receipt.state is ReceiptState.SUCCEEDED,
            took_money=receipt.state is not ReceiptState.FAILED,
            **shared,
        )


class Outcome(StrEnum):
    """What became of a refund or void that our books do not have.

    ``FAILED_HERE`` is of a transfer of ours that counts as failed, and ``REOPENED`` too: its
    worker looks again. ``TWICE`` is of one that has another refund of the gateway already.
    ``IN_SHOP``: the shop's own books have it, by the gateway's id; ``MATCHED``: they have one of
    this amount, without an id. ``NEVER_CAPTURED``: a void of what was only authorized, and the
    shop counts it as paid.
    """

    ADOPTED = "adopted"
    FAILED_HERE = "failed_here"
    REOPENED = "reopened"
    TWICE = "twice"
    IN_SHOP = "in_shop"
    MATCHED = "matched_by_amount"
    OTHER_CURRENCY = "other_currency"
    NEVER_CAPTURED = "never_captured"
    UNKNOWN_SALE = "unknown_sale"
    SEVERAL_ORDERS = "several_orders"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Something that was given back outside, and what became of it."""

    given: Given
    outcome: Outcome
    order_refs: tuple[str, ...] = ()
    refund_id: int | None = None
    transfer_id: int | None = None


def match_by_amount(
    prior: Sequence[PriorFacts], given: Sequence[Given], payments: Sequence[PaymentFacts]
) -> frozenset[str]:
    """Return the ids of those *given* that the shop's *prior* refunds without an id stand for.

    One for each, of the same amount: of the same payment if there is one, else the first.
    """
    charges = {payment.ref: payment.charge_id for payment in payments}
    matched: set[str] = set()
    nameless = [each for each in prior if is_nameless(each)]
    for each in sorted(nameless, key=lambda p: (p.payment_ref is None, p.at, p.ref)):
        fits = [g for g in given if g.amount == each.amount and g.id not in matched]
        charge = charges.get(each.payment_ref or "")
        same = [g for g in fits if charge is not None and g.charge_id == charge]
        matched |= {g.id for g in (same or fits)[:1]}
    return frozenset(matched)


def is_nameless(prior: PriorFacts) -> bool:
    """Return whether a refund of the shop's own counts and has no id of the gateway."""
    return prior.succeeded and prior.gateway_id is None


def age(given: Given) -> tuple[datetime, str]:
    """Return what sorts refunds, the oldest first."""
    return given.at or datetime.max.replace(tzinfo=UTC), given.id
