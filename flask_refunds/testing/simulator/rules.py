"""What Braintree allows: sale, void, refund and settlement, with its statuses and error codes.

Sources: the Control Panel article "refunds, voids, credits", the reference pages of
``transaction/refund`` and ``transaction/void``, the SDK's ``error_codes.py``, and the sandbox's
test amounts (``reference/general/testing``).
"""

import secrets
import string
from dataclasses import dataclass
from typing import Any

from flask_refunds.testing.simulator import currencies, instruments, wire
from flask_refunds.testing.simulator.records import Record
from flask_refunds.testing.simulator.store import Store

_ALPHABET = string.digits + string.ascii_lowercase
_LARGEST = 2**31 - 1
_MESSAGES = {
    "81501": ("amount", "Amount cannot be negative."),
    "81502": ("amount", "Amount is required."),
    "81503": ("amount", "Amount is an invalid format."),
    "81528": ("amount", "Amount is too large."),
    "81531": ("amount", "Amount must be greater than zero."),
    "81716": ("number", "Credit card number must be 12-19 digits."),
    "91501": ("order_id", "Order ID is too long."),
    "91504": ("base", "Transaction can only be voided if status is authorized or submitted."),
    "91505": ("base", "Cannot refund credit transactions."),
    "91506": ("base", "Cannot refund transaction unless it is settled."),
    "91507": ("base", "Cannot submit for settlement unless status is authorized."),
    "91508": ("base", "Cannot determine payment method."),
    "91512": ("base", "Transaction has already been fully refunded."),
    "91521": ("amount", "Refund amount is too large."),
    "91522": ("amount", "Settlement amount is too large."),
    "91564": ("payment_method_nonce", "Cannot use a payment_method_nonce more than once."),
    "91565": ("payment_method_nonce", "Unknown or expired payment_method_nonce."),
    "91575": ("base", "Cannot simulate settlement of this transaction."),
    "915230": ("api_request_key", "API request key is too long."),
    "915231": ("api_request_key", "API request key is not allowed."),
    "915232": ("api_request_key", "API request key can be reused only with the same request."),
    "915233": ("api_request_key", "API request key is in flight."),
    "915234": ("api_request_key", "API request key was used with a failed request."),
}  # fmt: skip
_DECLINES = {
    "2000": "Do Not Honor",
    "2001": "Insufficient Funds",
    "2004": "Expired Card",
    "2005": "Invalid Credit Card Number",
    "2014": "Processor Declined - Fraud Suspected",
    "2046": "Declined",
    "2047": "Call Issuer. Pick Up Card.",
    "3000": "Processor Network Unavailable - Try Again",
}


@dataclass(frozen=True)
class Answer:
    """What the gateway says: an HTTP status and an XML body; ``record`` is what it is about."""

    status: int
    root: str = ""
    body: Any = None
    record: Record | None = None


NOT_FOUND = Answer(404)


def refused(code: str, attribute: str = "base", message: str = "") -> Answer:
    """Return the answer for the validation error *code*: nothing was done."""
    attribute, message = _MESSAGES.get(code, (attribute, message or f"Validation error {code}."))
    return Answer(422, "api_error_response", wire.errors(code, attribute, message))


class Rules:
    """The gateway's decisions over a :class:`Store`. Call inside ``store.transaction()``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, record_id: str) -> Answer:
        """Return the transaction *record_id* as it is."""
        record = self._store.find(record_id)
        return self._shown(record) if record else NOT_FOUND

    def wire(self, record: Record) -> dict[str, Any]:
        """Return the ``transaction`` element of *record*."""
        return record.to_wire([refund.id for refund in self._store.refunds_of(record.id)])

    def sale(self, params: dict[str, Any]) -> Answer:
        """Charge; the sandbox's test amounts decide the outcome."""
        account = str(params.get("merchant_account_id") or "default")
        currency = currencies.of_merchant_account(account)
        amount = self._amount(params.get("amount") or "", currency)
        if isinstance(amount, str):
            return refused("81502" if not params.get("amount") else amount)
        order_id = params.get("order_id") or None
        if order_id and len(order_id) > 255:
            return refused("91501")
        instrument = instruments.choose(params)
        if isinstance(instrument, str):
            return refused(instrument)
        record = self._new("sale", amount, currency)
        record.order_id, record.merchant_account_id = order_id, account
        record.instrument, record.instrument_details = instrument.kind, instrument.details
        record.customer = {
            key: str(value) for key, value in (params.get("customer") or {}).items() if value
        }
        if params.get("type") == "credit":  # detached credits are off by default
            return refused("91546", "base", "Processor does not support credits.")
        major = amount // 10 ** currencies.exponent(currency)
        if instrument.declined or 2000 <= major <= 2999:
            return self._declined(record, instrument.declined or str(major))
        if major == 3000:
            return self._declined(record, "3000", "failed")
        if instrument.rejected or major == 5001:
            record.rejection_reason = instrument.rejected or "application_incomplete"
            return self._declined(record, "", "gateway_rejected")
        record.move_to("authorized", self._store.now())
        options = params.get("options") or {}
        if options.get("submit_for_settlement") is True:
            self._submit(record)
        self._store.save(record)
        return self._shown(record, 201)

    def submit_for_settlement(self, record_id: str, params: dict[str, Any]) -> Answer:
        """Capture an authorized sale, wholly or in part."""
        record = self._store.find(record_id)
        if record is None:
            return NOT_FOUND
        if record.type != "sale" or record.status != "authorized":
            return refused("91507")
        if params.get("amount"):
            amount = self._amount(params["amount"], record.currency)
            if isinstance(amount, str):
                return refused(amount)
            if amount > record.amount:
                return refused("91522")
            record.amount = amount
        record.order_id = params.get("order_id") or record.order_id
        self._submit(record)
        self._store.save(record)
        return self._shown(record)

    def void(self, record_id: str) -> Answer:
        """Cancel what has not begun to settle."""
        record = self._store.find(record_id)
        if record is None:
            return NOT_FOUND
        allowed = {"authorized", "submitted_for_settlement"}
        if record.instrument == "paypal_account":
            allowed.add("settlement_pending")
        if record.status not in allowed or record.hidden_settling:
            return refused("91504")
        record.move_to("voided", self._store.now())
        self._store.save(record)
        return self._shown(record)

    def refund(self, sale_id: str, params: dict[str, Any], decline: str | None = None) -> Answer:
        """Give money back on a settled or settling sale; *decline* forces a processor's code."""
        sale = self._store.find(sale_id)
        if sale is None:
            return NOT_FOUND
        if sale.type == "credit":
            return refused("91505")
        if sale.status not in {"settled", "settling"} and not sale.hidden_settling:
            return refused("91506")
        order_id = params.get("order_id") or sale.order_id
        if order_id and len(order_id) > 255:
            return refused("91501")
        left = sale.amount - sum(
            refund.amount for refund in self._store.refunds_of(sale_id) if refund.effective
        )
        amount: int | str = left
        if params.get("amount"):
            amount = self._amount(params["amount"], sale.currency)
            if isinstance(amount, str):
                return refused(amount)
        if left <= 0:
            return refused("91512")
        if isinstance(amount, str) or amount > left:
            return refused("91521")
        refund = self._new("credit", amount, sale.currency)
        refund.refunded_transaction_id, refund.order_id = sale.id, order_id
        refund.merchant_account_id, refund.instrument = sale.merchant_account_id, sale.instrument
        refund.instrument_details, refund.customer = sale.instrument_details, sale.customer
        refund.api_request_key = params.get("api_request_key") or None
        major = amount // 10 ** currencies.exponent(sale.currency)
        if decline is None and 2000 <= major <= 2999:
            decline = str(major)
        if decline and decline != "1005":
            return self._declined(refund, decline)
        if decline == "1005":  # a soft decline that is captured all the same
            refund.response_code = "1005"
            refund.response_text = "Auth Declined but Settlement Captured"
            refund.additional_response = "2046 : Declined"
        refund.move_to("submitted_for_settlement", self._store.now())
        self._store.save(refund)
        return self._shown(refund, 201)

    def settle(self, record_id: str, status: str) -> Answer:
        """Move *record_id* to the settlement *status*, as ``gateway.testing`` does."""
        record = self._store.find(record_id)
        if record is None:
            return NOT_FOUND
        settleable = {"submitted_for_settlement", "settling", "settlement_pending",
                      "settlement_confirmed"}  # fmt: skip
        if record.status not in settleable:
            return refused("91575")
        record.move_to(status, self._store.now())
        self._store.save(record)
        return self._shown(record)

    def _submit(self, record: Record) -> None:
        """Submit for settlement; a PayPal sale is settling at once."""
        record.move_to("submitted_for_settlement", self._store.now())
        if record.instrument == "paypal_account":
            record.move_to("settling", self._store.now())

    def _new(self, kind: str, amount: int, currency: str) -> Record:
        now = self._store.now().isoformat()
        record_id = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        return Record(record_id, kind, amount, currency, "authorizing", now, now)

    def _declined(self, record: Record, code: str, status: str = "processor_declined") -> Answer:
        """Keep the unsuccessful *record*; the answer has it, and no validation errors."""
        record.response_code, record.response_text = code, _DECLINES.get(code, "Processor Declined")
        record.response_type = "soft_declined" if code == "3000" else "hard_declined"
        if status == "gateway_rejected":
            record.response_text, record.response_type = "", ""
        record.move_to(status, self._store.now())
        self._store.save(record)
        message = record.response_text or f"Gateway Rejected: {record.rejection_reason}"
        body = wire.refusal(message, {"errors": []}, self.wire(record))
        return Answer(422, "api_error_response", body, record)

    def _amount(self, text: str, currency: str) -> int | str:
        amount = currencies.from_text(text, currency)
        if amount is None:
            return "81503"
        if amount < 0:
            return "81501"
        if amount == 0:
            return "81531"
        return "81528" if amount > _LARGEST else amount

    def _shown(self, record: Record, status: int = 200) -> Answer:
        return Answer(status, "transaction", self.wire(record), record)
