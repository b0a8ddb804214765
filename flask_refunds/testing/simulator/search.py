"""Transaction search: the criteria of the SDK's ``TransactionSearch``, those that refunds need."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask_refunds.testing.simulator import currencies
from flask_refunds.testing.simulator.records import Record
from flask_refunds.testing.simulator.rules import Answer, Rules
from flask_refunds.testing.simulator.store import Store

MOST_RESULTS = 50_000
PAGE_SIZE = 50

_TEXTS: dict[str, Callable[[Record], str]] = {
    "id": lambda record: record.id,
    "order_id": lambda record: record.order_id or "",
    "currency": lambda record: record.currency,
    "customer_email": lambda record: str(record.customer.get("email", "")),
    "customer_id": lambda record: str(record.customer.get("id", "")),
}
_LISTS: dict[str, Callable[[Record], str]] = {
    "ids": lambda record: record.id,
    "type": lambda record: record.type,
    "status": lambda record: record.status,
    "merchant_account_id": lambda record: record.merchant_account_id,
    "payment_instrument_type": lambda record: record.instrument,
    "source": lambda _: "api",
}
_STATUS_TIMES = {
    "authorized_at": "authorized",
    "failed_at": "failed",
    "gateway_rejected_at": "gateway_rejected",
    "processor_declined_at": "processor_declined",
    "settled_at": "settled",
    "submitted_for_settlement_at": "submitted_for_settlement",
    "voided_at": "voided",
}
_FIELDS = {*_TEXTS, *_LISTS, *_STATUS_TIMES, "refund", "amount", "created_at"}


class Unsupported(ValueError):
    """A search by a field that the simulator does not know."""


class Search:
    """The two calls of a search: first all ids, then their transactions page by page."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store, self._rules = store, rules

    def ids(self, criteria: dict[str, Any]) -> Answer:
        """Return the ids of what matches, newest first."""
        found = [record.id for record in self._matching(criteria)]
        return Answer(200, "search_results", {"page_size": PAGE_SIZE, "ids": found})

    def page(self, criteria: dict[str, Any]) -> Answer:
        """Return the transactions of what matches, newest first."""
        found = self._matching(criteria)
        body: dict[str, Any] = {
            "current_page_number": 1, "page_size": PAGE_SIZE, "total_items": len(found)
        }  # fmt: skip
        return Answer(200, "credit_card_transactions", body | {
            "transaction": [self._rules.wire(record) for record in found]
        })  # fmt: skip

    def _matching(self, criteria: dict[str, Any]) -> list[Record]:
        if unknown := criteria.keys() - _FIELDS:
            raise Unsupported(", ".join(sorted(unknown)))
        exact = criteria.get("order_id") or {}
        known = self._store.with_order_id(exact["is"]) if "is" in exact else self._store.all()
        found = [record for record in known if matches(record, criteria)]
        return found[::-1][:MOST_RESULTS]


def matches(record: Record, criteria: dict[str, Any]) -> bool:
    """Return whether *record* meets all *criteria*, which name known fields only."""
    return all(_meets(record, name, wanted) for name, wanted in criteria.items())


def _meets(record: Record, name: str, wanted: Any) -> bool:
    if name in _TEXTS:
        return _text(_TEXTS[name](record), wanted)
    if name in _LISTS:
        return _LISTS[name](record) in wanted
    if name == "refund":
        return (record.refunded_transaction_id is not None) == (wanted in (True, "true"))
    if name == "amount":
        bounds = {key: currencies.from_text(str(value), record.currency) or 0
                  for key, value in wanted.items()}  # fmt: skip
        return _within(record.amount, bounds)
    if name == "created_at":
        return _within(_second(record.created_at), _times(wanted))
    times = [event["at"] for event in record.history if event["status"] == _STATUS_TIMES[name]]
    return any(_within(_second(at), _times(wanted)) for at in times)


def _text(value: str, wanted: dict[str, str]) -> bool:
    checks: dict[str, Callable[[str], bool]] = {
        "is": lambda text: value == text,
        "is_not": lambda text: value != text,
        "starts_with": value.startswith,
        "ends_with": value.endswith,
        "contains": lambda text: text in value,
    }
    return all(checks[operator](text) for operator, text in wanted.items())


def _within(value: Any, bounds: dict[str, Any]) -> bool:
    return (
        ("min" not in bounds or value >= bounds["min"])
        and ("max" not in bounds or value <= bounds["max"])
        and ("is" not in bounds or value == bounds["is"])
    )


def _times(bounds: dict[str, Any]) -> dict[str, datetime]:
    """Return the bounds as times; the SDK sends a datetime typed, and a string as it is."""
    return {key: _second(str(value)) for key, value in bounds.items()}


def _second(text: str) -> datetime:
    """Return an ISO 8601 time in UTC, which is what one without an offset means."""
    moment = datetime.fromisoformat(text)
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(microsecond=0)
