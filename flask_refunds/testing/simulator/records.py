"""A transaction of the simulator: a sale, or a credit that refunds one."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask_refunds.testing.simulator import currencies

MOVES_NOTHING = frozenset(
    {
        "processor_declined",
        "gateway_rejected",
        "failed",
        "voided",
        "settlement_declined",
        "settlement_failed",
        "authorization_expired",
    }
)
"""Statuses in which a refund gives nothing back."""


@dataclass
class Record:
    """One transaction. ``amount`` in minor units of ``currency``; times are ISO 8601, UTC.

    ``hidden_settling`` is the state in which Braintree refuses a void and allows a refund
    although the status still reads submitted_for_settlement (solidus_paypal_braintree #139).
    """

    id: str
    type: str
    amount: int
    currency: str
    status: str
    created_at: str
    updated_at: str
    order_id: str | None = None
    merchant_account_id: str = "default"
    refunded_transaction_id: str | None = None
    instrument: str = "credit_card"
    instrument_details: dict[str, Any] = field(default_factory=dict)
    customer: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    response_code: str = "1000"
    response_text: str = "Approved"
    response_type: str = "approved"
    additional_response: str | None = None
    rejection_reason: str | None = None
    api_request_key: str | None = None
    disputes: list[dict[str, Any]] = field(default_factory=list)
    hidden_settling: bool = False

    @property
    def effective(self) -> bool:
        """Whether this refund takes the money back, as far as the gateway knows now."""
        return self.type == "credit" and self.status not in MOVES_NOTHING

    def move_to(self, status: str, now: datetime) -> None:
        """Change the status at *now* and note it in the history."""
        self.status, self.updated_at, self.hidden_settling = status, now.isoformat(), False
        self.history.append({"status": status, "at": now.isoformat(), "amount": self.amount})

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain data."""
        return asdict(self)

    def to_wire(self, refund_ids: list[str]) -> dict[str, Any]:
        """Return the ``transaction`` element, with the *refund_ids* that the sale lists."""
        instrument = {"paypal_account": "paypal"}.get(self.instrument, self.instrument)
        empty = dict.fromkeys(("id", "first_name", "last_name", "company", "email", "phone"))
        return {
            "id": self.id,
            "global_id": f"simulator_{self.id}",
            "graphql_id": f"simulator_{self.id}",
            "type": self.type,
            "status": self.status,
            "amount": currencies.to_text(self.amount, self.currency),
            "currency_iso_code": self.currency,
            "order_id": self.order_id,
            "merchant_account_id": self.merchant_account_id,
            "created_at": _moment(self.created_at),
            "updated_at": _moment(self.updated_at),
            "refund_id": refund_ids[-1] if refund_ids else None,
            "refund_ids": refund_ids,
            "refunded_transaction_id": self.refunded_transaction_id,
            "payment_instrument_type": self.instrument,
            instrument: dict(self.instrument_details),
            "customer": empty | self.customer,
            "billing": dict.fromkeys(("id", "first_name", "last_name", "postal_code")),
            "shipping": dict.fromkeys(("id", "first_name", "last_name", "postal_code")),
            "status_history": [
                {
                    "timestamp": _moment(event["at"]),
                    "status": event["status"],
                    "amount": currencies.to_text(event["amount"], self.currency),
                    "user": None,
                    "transaction_source": "api",
                }
                for event in self.history
            ],
            "processor_response_code": self.response_code,
            "processor_response_text": self.response_text,
            "processor_response_type": self.response_type,
            "additional_processor_response": self.additional_response,
            "processor_authorization_code": "SIMULA" if self.response_code == "1000" else None,
            "processor_settlement_response_code": "",
            "processor_settlement_response_text": "",
            "gateway_rejection_reason": self.rejection_reason,
            "disputes": [_dispute_to_wire(dispute, self.currency) for dispute in self.disputes],
            "avs_error_response_code": None,
            "avs_postal_code_response_code": "I",
            "avs_street_address_response_code": "I",
            "cvv_response_code": "I",
            "custom_fields": "",
            "channel": None,
            "voice_referral_number": None,
            "purchase_order_number": None,
            "recurring": False,
            "tax_amount": None,
            "tax_exempt": False,
            "discount_amount": None,
            "shipping_amount": None,
            "escrow_status": None,
            "sub_merchant_account_id": None,
            "service_fee_amount": None,
            "settlement_batch_id": f"simulator_{self.id}" if self.status == "settled" else None,
            "subscription_id": None,
            "plan_id": None,
            "subscription": {"billing_period_end_date": None, "billing_period_start_date": None},
            "descriptor": {"name": None, "phone": None, "url": None},
            "disbursement_details": {"disbursement_date": None, "settlement_amount": None,
                                     "settlement_currency_exchange_rate": None,
                                     "settlement_currency_iso_code": None,
                                     "funds_held": None, "success": None},
            "add_ons": [],
            "discounts": [],
            "retry_ids": [],
            "retried_transaction_id": None,
            "retried": False,
            "partial_settlement_transaction_ids": [],
            "authorized_transaction_id": None,
            "authorization_adjustments": [],
            "network_transaction_id": "020000000000000",
            "acquirer_reference_number": None,
        }  # fmt: skip


def _dispute_to_wire(dispute: dict[str, Any], currency: str) -> dict[str, Any]:
    """Return a dispute as the sale lists it; ``amount`` is what is disputed."""
    amount, won = currencies.to_text(dispute["amount"], currency), dispute.get("amount_won")
    return {
        **dispute,
        "amount": amount,
        "amount_disputed": amount,
        "amount_won": None if won is None else currencies.to_text(won, currency),
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
