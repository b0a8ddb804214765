"""What Braintree's answers mean: its statuses, and whose answer it is.

Readers of the SDK's objects; the SDK itself is imported in
:mod:`flask_refunds.gateways.braintree` only. Sources: the SDK's ``Transaction.Status``,
``docs/reference/general/statuses``, and the Control Panel articles "refunds, voids, credits"
and "refund authorizations".
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask_refunds.gateways.answering import Asked, Unreadable
from flask_refunds.gateways.base import (
    ChargeReceipt,
    Declined,
    ReceiptState,
    RefundReceipt,
    Rejected,
    Unknown,
    VoidReceipt,
)
from flask_refunds.gateways.braintree_codes import refusal
from flask_refunds.money import from_decimal

REFUND_STATES = {
    "authorizing": ReceiptState.PENDING,
    "authorized": ReceiptState.PENDING,
    "submitted_for_settlement": ReceiptState.PENDING,
    "settling": ReceiptState.PENDING,
    "settlement_pending": ReceiptState.PENDING,
    "settlement_confirmed": ReceiptState.PENDING,
    "settled": ReceiptState.SUCCEEDED,
    "authorization_expired": ReceiptState.FAILED,
    "failed": ReceiptState.FAILED,
    "gateway_rejected": ReceiptState.FAILED,
    "processor_declined": ReceiptState.FAILED,
    "settlement_declined": ReceiptState.FAILED,
    "settlement_failed": ReceiptState.FAILED,
    "voided": ReceiptState.FAILED,
}
"""Every status of a refund. A failed one took no money, or gave it back."""

VOIDABLE = frozenset({"authorized", "submitted_for_settlement"})
REFUNDABLE = frozenset({"settling", "settled"})
SETTLING_SOON = frozenset(
    {
        "authorizing",
        "authorized",
        "submitted_for_settlement",
        "settlement_pending",
        "settlement_confirmed",
    }
)

_MERELY_AUTHORIZED = frozenset({"authorizing", "authorized", "authorization_expired", "voided"})
"""Statuses of a sale that never took money: a void of it gives nothing back."""

DISPUTE_WON = "won"
"""The one status in which a dispute leaves the money with the shop. In all others the bank has
taken it or may: an expired one was never answered, which is as good as lost."""


def charge(transaction: Any) -> ChargeReceipt:
    """Return the sale *transaction* of the SDK. Raises :exc:`Unreadable` or :exc:`Rejected`."""
    if transaction.type != "sale":
        raise Rejected(f"{transaction.id} is a {transaction.type}, not a sale", code="91505")
    status = _status(transaction)
    refund_ids = transaction.refund_ids
    if not isinstance(refund_ids, list):
        raise Unreadable("the sale does not list its refunds")
    return ChargeReceipt(
        id=transaction.id,
        amount=_amount(transaction),
        currency=transaction.currency_iso_code,
        raw_status=status,
        voidable=status in VOIDABLE,
        refundable=status in REFUNDABLE,
        voided=status == "voided",
        settling_soon=status in SETTLING_SOON,
        refund_ids=tuple(refund_ids),
        disputed=any(map(_may_take_money, transaction.disputes or ())),
    )


def _may_take_money(dispute: Any) -> bool:
    """Return whether *dispute* has given the customer money back, in part at least, or may."""
    if str(dispute.status).lower() != DISPUTE_WON:
        return True
    won, of = getattr(dispute, "amount_won", None), getattr(dispute, "amount_disputed", None)
    return won is not None and of is not None and won < of


def refund(transaction: Any) -> RefundReceipt:
    """Return the refund *transaction* of the SDK. Raises :exc:`Unreadable`."""
    if transaction.type != "credit":
        raise Unreadable(f"{transaction.id} is a {transaction.type}, not a refund")
    status = _status(transaction)
    if not transaction.refunded_transaction_id:
        raise Unreadable("the credit does not name the sale that it refunds")
    return RefundReceipt(
        id=transaction.id,
        charge_id=transaction.refunded_transaction_id,
        amount=_amount(transaction),
        currency=transaction.currency_iso_code,
        reference=transaction.order_id or None,
        state=REFUND_STATES[status],
        raw_status=status,
        code=transaction.processor_response_code or transaction.gateway_rejection_reason or None,
        message=transaction.processor_response_text or None,
        at=moment(transaction.created_at),
    )


def void(transaction: Any) -> VoidReceipt:
    """Return the void of the sale *transaction* of the SDK. Raises :exc:`Unreadable`.

    Its ``status_history`` tells whether it had been submitted for settlement before.
    """
    status = _status(transaction)
    if transaction.type != "sale" or status != "voided":
        raise Unreadable(f"{transaction.id} is a {status} {transaction.type}, not a voided sale")
    history = transaction.status_history or ()
    passed = {str(event.status) for event in history}
    voided = [event.timestamp for event in history if event.status == "voided"]
    return VoidReceipt(
        charge_id=transaction.id,
        amount=_amount(transaction),
        currency=transaction.currency_iso_code,
        raw_status=status,
        at=moment(voided[-1] if voided else transaction.updated_at),
        captured=not passed or bool(passed - _MERELY_AUTHORIZED),
    )


def moment(at: Any) -> datetime | None:
    """Return a time of the SDK, naive and UTC, as an aware one."""
    return at.replace(tzinfo=UTC) if isinstance(at, datetime) else None


def conclude_refund(result: Any, asked: Asked) -> RefundReceipt:
    """Return the refund that a call's *result* is about, if it is ours and took effect.

    ``is_success`` is not enough: a replay of a declined refund is "successful", and a decline
    has no validation errors.
    """
    transaction = getattr(result, "transaction", None)
    if transaction is None:
        raise refusal(result)
    found = refund(transaction)
    asked.check(found)
    if found.state is ReceiptState.FAILED:
        message = getattr(result, "message", None) or found.message
        raise Declined(
            message or f"the refund is {found.raw_status}",
            code=found.code,
            raw_status=found.raw_status,
            refund_id=found.id,
            hard=transaction.processor_response_type != "soft_declined",
        )
    if not result.is_success:
        raise Unknown(result.message, raw_status=found.raw_status, refund_id=found.id)
    return found


def conclude_void(result: Any, charge_id: str) -> VoidReceipt:
    """Return the void that a call's *result* is about, if it is of this sale and took effect."""
    transaction = getattr(result, "transaction", None)
    if transaction is None:
        raise refusal(result)
    status = _status(transaction)
    if transaction.id != charge_id or status != "voided" or not result.is_success:
        raise Unknown(
            f"asked to void {charge_id}, told that {transaction.id} is {status}",
            raw_status=status,
        )
    return VoidReceipt(
        charge_id=charge_id,
        amount=_amount(transaction),
        currency=transaction.currency_iso_code,
        raw_status=status,
        at=moment(transaction.updated_at),
    )


def _status(transaction: Any) -> str:
    status = transaction.status
    if status not in REFUND_STATES:
        raise Unreadable(f"the status {status!r} is not known to this version")
    return str(status)


def _amount(transaction: Any) -> int:
    if not isinstance(transaction.amount, Decimal) or not transaction.amount.is_finite():
        raise Unreadable("the amount is no number")
    return from_decimal(transaction.amount, transaction.currency_iso_code)
