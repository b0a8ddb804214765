"""What people do in the gateway's own panel, and what the shop's own books have of it."""

from dataclasses import replace
from typing import Any

import pytest

from example_app import db, wiring
from example_app.models import Payment
from flask_refunds import PriorRefunds, minor
from tests.integration.simulator.sdk import sdk_for
from tests.integration.workshop import Workshop


def outside(shop: Workshop, sale: str, amount: str | None = None, **fields: Any) -> str:
    """Refund or void (without *amount*) a sale as another program does; return the id."""
    transactions = sdk_for(shop.simulator, timeout=30).transaction
    result = (
        transactions.refund(sale, {"amount": amount, **fields})
        if amount
        else transactions.void(sale)
    )
    assert result.is_success, result.message
    return str(result.transaction.id)


def map_prior_refunds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the shops that are opened next keep refunds of their own: payments of that kind."""
    mapped = PriorRefunds(
        key=Payment.id,
        order=Payment.order_id,
        amount=minor(Payment.amount_cents),
        at=Payment.created_at,
        gateway_id=Payment.transaction_id,
        where=Payment.kind == "refund",
    )
    assert wiring.STOREFRONT.payments is not None
    payments = replace(wiring.STOREFRONT.payments, where=Payment.kind != "refund")
    storefront = replace(wiring.STOREFRONT, payments=payments, prior_refunds=mapped)
    monkeypatch.setattr(wiring, "STOREFRONT", storefront)


def note(shop: Workshop, order_ref: str, cents: int, gateway_id: str | None = None) -> None:
    """Write a refund of *cents* into the shop's own books."""
    with shop.app.app_context():
        db.session.add(
            Payment(
                order_id=int(order_ref),
                kind="refund",
                transaction_id=gateway_id,
                amount_cents=cents,
                currency="USD",
            )
        )
        db.session.commit()
