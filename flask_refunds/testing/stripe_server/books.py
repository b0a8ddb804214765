"""What a Stripe account has: PaymentIntents, charges, refunds and disputes, as the API shows them.

Amounts are Stripe's own minor units. Whoever calls holds :attr:`Books.lock`.
"""

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]

UNPAID = "This PaymentIntent ({}) does not have a successful charge to refund."
LIVE_REFUNDS = frozenset({"pending", "requires_action", "succeeded"})
OPEN_DISPUTES = frozenset({"needs_response", "under_review", "lost"})
THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
WHOLE_IN_HUNDREDTHS = frozenset({"isk", "ugx"})


class Refused(Exception):
    """The API refuses a request: HTTP ``status`` and the ``error`` of its answer."""

    def __init__(self, status: int, message: str, **error: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": "invalid_request_error", "message": message, **error}


@dataclass
class Books:
    """One account. ``refund_status`` is how the next refunds begin."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    records: dict[str, Record] = field(default_factory=dict)
    refund_status: str = "succeeded"
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def get(self, record_id: str, kind: str) -> Record:
        """Return the *kind* of that id; raises :exc:`Refused` when there is none."""
        found = self.records.get(record_id)
        if found is None or found["object"] != kind:
            message = f"No such {kind}: '{record_id}'"
            raise Refused(404, message, code="resource_missing", param="id")
        return found

    def of_kind(self, kind: str) -> list[Record]:
        """Return all records of a *kind*, the newest first."""
        return [each for each in reversed(self.records.values()) if each["object"] == kind]

    def sell(self, amount: int, currency: str, *, capture: bool, intent: bool) -> Record:
        """Make a sale; return its charge."""
        charge = self._add("ch", "charge", amount, currency, status="succeeded", captured=capture)
        charge |= {
            "amount_captured": amount if capture else 0,
            "amount_refunded": 0,
            "refunded": False,
            "disputed": False,
            "payment_intent": None,
            "balance_transaction": "txn_1" if capture else None,
        }
        if intent:
            status = "succeeded" if capture else "requires_capture"
            made = self._add("pi", "payment_intent", amount, currency, status=status)
            made |= {
                "latest_charge": charge["id"],
                "amount_received": amount if capture else 0,
                "amount_capturable": 0 if capture else amount,
                "canceled_at": None,
            }
            charge["payment_intent"] = made["id"]
        return charge

    def charge_of(self, sale_id: str) -> Record:
        """Return the charge of a sale that is named by either of its ids."""
        if sale_id.startswith("pi_"):
            sale_id = self.get(sale_id, "payment_intent")["latest_charge"]
        return self.get(sale_id, "charge")

    def capture(self, sale_id: str, amount: int | None = None) -> None:
        """Take the money of an authorized sale, or a part; what is left is set free."""
        charge = self.charge_of(sale_id)
        taken = charge["amount"] if amount is None else amount
        charge |= {"captured": True, "amount_captured": taken}
        if charge["payment_intent"]:
            intent = self.records[charge["payment_intent"]]
            intent |= {"status": "succeeded", "amount_received": taken, "amount_capturable": 0}
        if taken < charge["amount"]:
            self._release(charge, charge["amount"] - taken)

    def cancel(self, intent_id: str) -> Record:
        """Cancel an uncaptured PaymentIntent: what it authorized is set free."""
        intent = self.get(intent_id, "payment_intent")
        if intent["status"] in {"succeeded", "canceled", "processing"}:
            raise Refused(
                400,
                f"You cannot cancel this PaymentIntent because it has a status of"
                f" {intent['status']}.",
                code="payment_intent_unexpected_state",
            )
        charge = self.get(intent["latest_charge"], "charge")
        self._release(charge, charge["amount"])
        return self._set(intent, status="canceled", canceled_at=int(time.time()))

    def refund(self, charge: Record, amount: int | None, metadata: dict[str, str]) -> Record:
        """Refund *amount*, or all that is left, of *charge*. Raises :exc:`Refused`."""
        left = charge["amount"] - charge["amount_refunded"]
        wanted = left if amount is None else amount
        intent = self.records.get(charge["payment_intent"] or "")
        if intent is not None and intent["status"] != "succeeded":
            raise Refused(400, UNPAID.format(intent["id"]))
        disputes = [each for each in self.of_kind("dispute") if each["charge"] == charge["id"]]
        if any(each["status"] in OPEN_DISPUTES for each in disputes):
            raise Refused(400, "The charge has been charged back.", code="charge_disputed")
        if charge["refunded"]:
            message = f"Charge {charge['id']} has already been refunded."
            raise Refused(400, message, code="charge_already_refunded")
        _require_writable(wanted, charge["currency"])
        if wanted > left:
            raise Refused(
                400,
                f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})",
                param="amount",
            )
        if not charge["captured"] and wanted < charge["amount"]:
            raise Refused(400, "You cannot partially refund an uncaptured charge.", param="amount")
        balance = "txn_1" if charge["captured"] and self.refund_status == "succeeded" else None
        return self._refund(
            charge, wanted, metadata, status=self.refund_status, balance_transaction=balance
        )

    def fail_refund(self, refund_id: str, reason: str, status: str) -> None:
        """Have a refund fail, or be cancelled, after all: its money is back with the shop."""
        refund = self.get(refund_id, "refund")
        charge = self.get(refund["charge"], "charge")
        self._set(refund, status=status, failure_reason=reason)
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False

    def dispute(self, sale_id: str, status: str) -> Record:
        """Have the customer dispute a sale; a second time changes the dispute's status."""
        charge = self.charge_of(sale_id)
        charge["disputed"] = True
        for known in self.of_kind("dispute"):
            if known["charge"] == charge["id"]:
                return self._set(known, status=status)
        made = self._add("du", "dispute", charge["amount"], charge["currency"], status=status)
        return self._set(made, charge=charge["id"], payment_intent=charge["payment_intent"])

    def given_back(self, sale_id: str) -> int:
        """Return how much truly went back on a sale, or never came, whoever did it."""
        charge = self.charge_of(sale_id)
        return sum(
            each["amount"]
            for each in self.of_kind("refund")
            if each["charge"] == charge["id"] and each["status"] in LIVE_REFUNDS
        )

    def _release(self, charge: Record, amount: int) -> None:
        self._refund(charge, amount, {}, status="succeeded", balance_transaction=None)

    def _refund(self, charge: Record, amount: int, metadata: dict[str, str], **more: Any) -> Record:
        made = self._add("re", "refund", amount, charge["currency"], **more)
        made |= {
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "metadata": metadata,
            "failure_reason": None,
        }
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
        return made

    def _add(self, prefix: str, kind: str, amount: int, currency: str, **more: Any) -> Record:
        record_id = f"{prefix}_{next(self._numbers):06}"
        made = {"id": record_id, "object": kind, "amount": amount, "created": int(time.time())}
        made |= {"currency": currency.lower(), "metadata": {}, "livemode": False, **more}
        self.records[record_id] = made
        return made

    @staticmethod
    def _set(record: Record, **changes: Any) -> Record:
        record.update(changes)
        return record


def _require_writable(amount: int, currency: str) -> None:
    """Refuse an amount that Stripe cannot express in *currency*."""
    step = 10 if currency in THREE_DECIMALS else 100 if currency in WHOLE_IN_HUNDREDTHS else 1
    if amount < 1 or amount % step:
        raise Refused(400, "Invalid amount.", code="parameter_invalid_integer", param="amount")
