"""What Braintree's webhook notifications say about refunds.

Cards have no notification of a refund that settled, only ``refund_failed``;
``transaction_settled`` and ``transaction_settlement_declined`` come for ACH and SEPA
(``docs/reference/general/webhooks/transaction``).
"""

from typing import Any

from flask_refunds.gateways.base import GatewayEvent, ReceiptState
from flask_refunds.gateways.braintree_answers import moment

_EVENT_STATES = {
    "refund_failed": ReceiptState.FAILED,
    "transaction_settled": ReceiptState.SUCCEEDED,
    "transaction_settlement_declined": ReceiptState.FAILED,
}


def webhook_event(notification: Any) -> GatewayEvent:
    """Return what a notification whose signature was right says."""
    transaction = getattr(notification, "transaction", None)
    dispute = getattr(notification, "dispute", None)
    refund_id = charge_id = state = None
    if transaction is not None:
        of = getattr(transaction, "refunded_transaction_id", None)
        if notification.kind == "refund_failed" or of or _is_credit(transaction):
            refund_id, charge_id = transaction.id, of
            state = _EVENT_STATES.get(notification.kind)
        else:
            charge_id = transaction.id
    elif dispute is not None:
        charge_id = getattr(getattr(dispute, "transaction", None), "id", None)
    return GatewayEvent(
        kind=str(notification.kind),
        refund_id=refund_id,
        charge_id=charge_id,
        state=state,
        at=moment(notification.timestamp),
    )


def _is_credit(transaction: Any) -> bool:
    return getattr(transaction, "type", None) == "credit"
