"""A shop of one order, for tests that race or crash: the example host on any database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask

from example_app import create_app, db
from example_app.models import Order, OrderItem, Payment, User
from flask_refunds import Actor, RefundRequest, Selection, money
from flask_refunds.models import Account, Posting, Refund, Transfer
from flask_refunds.runtime import Runtime
from flask_refunds.testing import Charging, Simulator

POOL = {"pool_size": 50}
AGENT = Actor(id="1", label="agent@example.com")


@contextmanager
def shop(database_url: str, **settings: Any) -> Iterator[Flask]:
    """Yield the example shop on *database_url*, with all tables and one customer."""
    app = create_app(
        {
            "SQLALCHEMY_DATABASE_URI": database_url,
            "REFUNDS_REDIS_URL": None,
            "SQLALCHEMY_ENGINE_OPTIONS": POOL,
            "SECRET_KEY": "test",
            **settings,
        }
    )
    with app.app_context():
        db.create_all()
        app.extensions["refunds"].extension.create_all()
        db.session.add(User(name="Ada", email="ada@example.com"))
        db.session.commit()
    yield app
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def runtime_of(app: Flask) -> Runtime:
    """Return the runtime that the pages and the worker of *app* use."""
    runtime: Runtime = app.extensions["refunds"].runtime
    return runtime


def place_order(
    app: Flask, *lines: tuple[int, int], cards: Mapping[str, int] | None = None, number: str = "1"
) -> str:
    """Place a paid order of ``(cents, pieces)`` *lines* and return its ref.

    *cards* are transaction ids with cents; without them the order is paid in cash.
    """
    total = sum(cents for cents, _ in lines)
    with app.app_context():
        order = Order(number=number, user_id=1, currency="USD", status="paid", total_cents=total)
        order.items = [
            OrderItem(
                sku=f"SKU-{i}",
                name=f"Item {i}",
                quantity=pieces,
                unit_price_cents=cents // pieces,
                list_cents=cents,
                total_cents=cents,
                tax_cents=cents // 6,
            )
            for i, (cents, pieces) in enumerate(lines, start=1)
        ]
        order.payments = [
            Payment(
                kind="card",
                gateway="braintree",
                transaction_id=charge_id,
                amount_cents=cents,
                currency="USD",
                card_label="Visa •••• 1111",
            )
            for charge_id, cents in (cards or {}).items()
        ] or [Payment(kind="cash", amount_cents=total, currency="USD")]
        db.session.add(order)
        db.session.commit()
        return str(order.id)


def whole(order_ref: str, token: str, **wishes: Any) -> RefundRequest:
    """Return a request to give everything back by bank transfer, or as *wishes* say."""
    known = {"reason": "returned", "other_kind": "bank_transfer", "everything": True, **wishes}
    return RefundRequest(order_ref=order_ref, token=token, **known)


def some(line_ref: str, cents: int) -> tuple[Selection, ...]:
    """Return the selection of *cents* of one line."""
    return (Selection(kind="line", ref=line_ref, paid=cents),)


def tables(app: Flask) -> dict[str, Any]:
    """Return the account and the counts of our rows for the first order."""
    with app.app_context(), runtime_of(app).sessions.open() as session:
        account = session.query(Account).one_or_none()
        return {
            "committed": account.committed if account else None,
            "paid": account.paid if account else None,
            "refunds": session.query(Refund).count(),
            "transfers": session.query(Transfer).count(),
            "posted": sum(p.paid for p in session.query(Posting)),
        }


def sell(simulator: Simulator, decimals: str, *, settled: bool = True) -> str:
    """Make a sale of *decimals* in the simulator through the official SDK; return its id."""
    return Charging(simulator)(money.parse(decimals, "USD"), settled=settled)


def transfer_of(app: Flask, transfer_id: int = 1) -> Transfer:
    """Return the transfer *transfer_id* as it stands now, detached."""
    with app.app_context(), runtime_of(app).sessions.open() as session:
        return session.get_one(Transfer, transfer_id)
