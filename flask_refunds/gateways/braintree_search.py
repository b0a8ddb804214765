"""Braintree's transaction search: what was refunded and voided between two moments.

A search gives at most 50,000 transactions and may leave some out without a word (Braintree's
``searching/search-results``): a window that is full is halved, and one whose transactions are not
those that it listed is no answer. The SDK writes times as they stand and calls them UTC.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_refunds.gateways.answering import Unreadable
from flask_refunds.gateways.base import RefundReceipt, VoidReceipt
from flask_refunds.gateways.braintree_answers import refund, void

MOST_RESULTS = 50_000
"""Braintree's limit; a search with so many results may have had more."""


def receipts(
    sdk: Any, fields: Any, since: datetime, until: datetime
) -> Iterator[RefundReceipt | VoidReceipt]:
    """Yield what was refunded or voided from *since* to *until*.

    *sdk* is the SDK's gateway object and *fields* its ``TransactionSearch``. Raises whatever the
    SDK raises, and :exc:`Unreadable`.
    """
    refunds = (fields.type == "credit", fields.refund == True)  # noqa: E712 - the SDK's language
    for found in _search(sdk, refunds, fields.created_at, since, until):
        yield refund(found)
    for found in _search(sdk, (fields.type == "sale",), fields.voided_at, since, until):
        yield void(found)


def _search(
    sdk: Any, criteria: tuple[Any, ...], dated: Any, since: datetime, until: datetime
) -> Iterator[Any]:
    """Yield what meets the *criteria* and is *dated* so, to the second, both ends included."""
    windows = [(_second(since), _second(until))]
    while windows:
        start, end = windows.pop()
        found = _window(sdk, (*criteria, dated.between(start, end)))
        if found is not None:
            yield from found
        elif start == end:
            raise Unreadable("one second has more transactions than a search can give")
        else:
            middle = _second(start + (end - start) / 2)
            windows += [(middle + timedelta(seconds=1), end), (start, middle)]


def _window(sdk: Any, criteria: tuple[Any, ...]) -> list[Any] | None:
    """Return all transactions that meet *criteria*; ``None`` if there may be more than come."""
    collection = sdk.transaction.search(*criteria)
    if len(collection.ids) >= MOST_RESULTS:
        return None
    found = list(collection.items)
    if {transaction.id for transaction in found} != set(collection.ids):
        raise Unreadable("the search left out transactions that it had listed")
    return found


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
