"""The simulator's own account of the money: what a test compares the shop's books with."""

from typing import Any

from flask_refunds.testing.simulator import currencies
from flask_refunds.testing.simulator.records import Record
from flask_refunds.testing.simulator.store import Store

_NEVER_CHARGED = frozenset({"processor_declined", "gateway_rejected", "failed"})


def audit(store: Store) -> dict[str, Any]:
    """Return every sale that was charged, with what was truly given back on it."""
    with store.transaction():
        records = store.all()
        counts = store.request_counts()
    refunds: dict[str, list[Record]] = {}
    for record in records:
        if record.refunded_transaction_id:
            refunds.setdefault(record.refunded_transaction_id, []).append(record)
    sales = [
        _sale(record, refunds.get(record.id, []))
        for record in records
        if record.type == "sale" and record.status not in _NEVER_CHARGED
    ]
    return {"sales": sales, "requests": {"total": sum(counts.values()), **counts}}


def _sale(sale: Record, refunds: list[Record]) -> dict[str, Any]:
    taken = [refund for refund in refunds if refund.effective]
    voided = sale.status == "voided"
    refunded = sum(refund.amount for refund in taken)
    given_back = refunded + (sale.amount if voided else 0)
    return {
        **_money("amount", sale.amount, sale.currency),
        **_money("total_refunded", refunded, sale.currency),
        **_money("total_given_back", given_back, sale.currency),
        "id": sale.id,
        "order_id": sale.order_id,
        "currency": sale.currency,
        "status": sale.status,
        "voided": voided,
        "over_refunded": given_back > sale.amount,
        "created_at": sale.created_at,
        "refunds": [_refund(refund) for refund in taken],
        "refused_refunds": [_refund(refund) for refund in refunds if not refund.effective],
    }


def _refund(refund: Record) -> dict[str, Any]:
    return {
        **_money("amount", refund.amount, refund.currency),
        "id": refund.id,
        "order_id": refund.order_id,
        "status": refund.status,
        "created_at": refund.created_at,
        "api_request_key": refund.api_request_key,
    }


def _money(name: str, minor: int, currency: str) -> dict[str, Any]:
    return {name: minor, f"{name}_text": currencies.to_text(minor, currency)}
