"""What Stripe's answers mean: its statuses, and which of a sale's two ids is meant.

Readers of the SDK's objects; the SDK itself is imported in :mod:`flask_refunds.gateways.stripe`
only. A sale is a PaymentIntent (``pi_…``) with the charge that succeeded, or a charge (``ch_…``)
of its own. Source: Stripe's API reference (Refund, Charge, PaymentIntent, Dispute).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask_refunds.gateways.answering import Unreadable
from flask_refunds.gateways.base import (
    ChargeReceipt,
    ReceiptState,
    RefundReceipt,
    VoidReceipt,
)
from flask_refunds.gateways.stripe_amounts import from_stripe

REFUND_STATES = {
    "pending": ReceiptState.PENDING,
    "requires_action": ReceiptState.PENDING,
    "succeeded": ReceiptState.SUCCEEDED,
    "failed": ReceiptState.FAILED,
    "canceled": ReceiptState.FAILED,
}
"""Every status of a refund. A failed or cancelled one gave its money back to the shop."""

INTENT_STATES = frozenset(
    "requires_payment_method requires_confirmation requires_action processing requires_capture"
    " canceled succeeded".split()
)
CHARGE_STATES = frozenset({"succeeded", "pending", "failed"})
HARMLESS_DISPUTES = frozenset({"won", "warning_closed"})
"""Disputes and inquiries that leave the money with the shop. In all others the bank has taken it
or may."""

REFERENCE, SALE = "reference", "sale"
"""What a refund of ours carries as metadata: our reference, and the id that the shop knows."""


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A sale as Stripe has it: the PaymentIntent, the charge, or both."""

    id: str
    intent: Any
    charge: Any

    def receipt(self, refunds: Sequence[Any], disputes: Sequence[Any]) -> ChargeReceipt:
        """Return the sale with its *refunds* and *disputes*. Raises :exc:`Unreadable`."""
        found, charge = self.intent or self.charge, self.charge
        status = self._status()
        captured = bool(charge is not None and charge.captured)
        currency = str(found.currency).upper()
        return ChargeReceipt(
            id=self.id,
            amount=from_stripe(charge.amount_captured if captured else found.amount, currency),
            currency=currency,
            raw_status=status,
            voidable=status == "requires_capture",
            refundable=status == "succeeded",
            voided=status == "canceled",
            settling_soon=status in {"processing", "pending", "requires_capture"},
            refund_ids=tuple(each.id for each in refunds if not is_release(each, charge)),
            disputed=any(each.status not in HARMLESS_DISPUTES for each in disputes),
        )

    def _status(self) -> str:
        """Return the sale's status in a PaymentIntent's words, also when it has none."""
        if self.intent is not None:
            return _known(self.intent.status, INTENT_STATES)
        status = _known(self.charge.status, CHARGE_STATES)
        if status != "succeeded" or self.charge.captured:
            return status
        if self.charge.refunded:
            return "canceled"
        return "requires_capture" if id_of(self.charge.payment_intent) else "succeeded"


def id_of(value: Any) -> str | None:
    """Return the id of what an answer names, whether it stands there in full or by its id."""
    found = value if value is None or isinstance(value, str) else getattr(value, "id", None)
    return found or None


def is_release(refund: Any, charge: Any) -> bool:
    """Return whether *refund* only set free what of *charge* was authorized and never captured.

    Stripe keeps a cancelled authorization, and what a partial capture leaves, as a refund; no
    money moves, so that nothing stands on the balance.
    """
    if charge is None or _metadata(refund, REFERENCE):
        return False
    if not charge.captured:
        return True
    partly = charge.amount_captured < charge.amount
    return bool(partly and refund.status == "succeeded" and not refund.balance_transaction)


def refund(found: Any, *, known_as: str | None = None, by_charge: bool = False) -> RefundReceipt:
    """Return the refund *found*. Raises :exc:`Unreadable`.

    Its sale is called *known_as* if that is one of its ids, else as the shop called it when the
    refund was ours, else by the PaymentIntent, or by the charge if *by_charge*.
    """
    if getattr(found, "object", None) != "refund":
        raise Unreadable("the answer is no refund")
    status = _known(found.status, frozenset(REFUND_STATES))
    charge_id = sale_of(found, known_as=known_as, by_charge=by_charge)
    if charge_id is None:
        raise Unreadable("the refund does not name the sale that it refunds")
    currency = str(found.currency).upper()
    reason = getattr(found, "failure_reason", None)
    return RefundReceipt(
        id=found.id,
        charge_id=charge_id,
        amount=from_stripe(found.amount, currency),
        currency=currency,
        reference=_metadata(found, REFERENCE),
        state=REFUND_STATES[status],
        raw_status=status,
        code=reason,
        message=f"Stripe says that the refund failed: {reason.replace('_', ' ')}."
        if reason
        else None,
        at=moment(found.created),
    )


def sale_of(found: Any, *, known_as: str | None = None, by_charge: bool = False) -> str | None:
    """Return the id of the sale that the refund *found* is about; ``None`` if of none."""
    intent, charge = id_of(found.payment_intent), id_of(found.charge)
    ids = {intent, charge} - {None}
    for name in (known_as, _metadata(found, SALE)):
        if name in ids:
            return name
    return (charge or intent) if by_charge else (intent or charge)


def release(found: Any, *, by_charge: bool = False) -> VoidReceipt:
    """Return the cancelled authorization that the refund *found* stands for."""
    charge_id = sale_of(found, by_charge=by_charge)
    if charge_id is None:
        raise Unreadable("the cancelled authorization does not name its sale")
    currency = str(found.currency).upper()
    return VoidReceipt(
        charge_id=charge_id,
        amount=from_stripe(found.charge.amount, currency),
        currency=currency,
        raw_status="canceled",
        at=moment(found.created),
        captured=False,
    )


def void(intent: Any, charge_id: str) -> VoidReceipt:
    """Return the void of the PaymentIntent *intent*, which the shop knows as *charge_id*."""
    currency = str(intent.currency).upper()
    return VoidReceipt(
        charge_id=charge_id,
        amount=from_stripe(intent.amount, currency),
        currency=currency,
        raw_status=_known(intent.status, INTENT_STATES),
        at=moment(intent.canceled_at),
        captured=False,
    )


def moment(seconds: Any) -> datetime | None:
    """Return a time of Stripe's (seconds since 1970, UTC) as an aware one."""
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None


def _metadata(found: Any, name: str) -> str | None:
    return getattr(getattr(found, "metadata", None), name, None) or None


def _known(status: Any, known: frozenset[str]) -> str:
    if status not in known:
        raise Unreadable(f"the status {status!r} is not known to this version")
    return str(status)
