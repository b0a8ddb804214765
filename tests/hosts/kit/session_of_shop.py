"""A shop whose tests share one app: none finds the refunds or the trouble of another."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from flask_refunds import wired
from flask_refunds.models import Account, Refund
from flask_refunds.states import RefundState
from flask_refunds.testing import Charging, RefundIn, Simulator
from tests.hosts.kit.shop import Item, Order, Payment, create_app, db


@pytest.fixture(scope="session")
def app(
    tmp_path_factory: pytest.TempPathFactory, refunds_gateway_config: dict[str, Any]
) -> Iterator[Flask]:
    file = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    app = create_app(SQLALCHEMY_DATABASE_URI=f"sqlite:///{file}", **refunds_gateway_config)
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def order(app: Flask, refunds_charge: Charging) -> int:
    with app.app_context():
        order = Order(cents=1000)
        db.session.add(order)
        db.session.flush()
        db.session.add(Item(order_id=order.id, name="Mug", cents=1000))
        sale = refunds_charge(1000, "EUR")
        db.session.add(Payment(order_id=order.id, transaction_id=sale, cents=1000))
        db.session.commit()
        key: int = order.id
        return key


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_each(turn: int, order: int, refund_in: RefundIn, refunds_simulator: Simulator) -> None:
    with wired.current().runtime.sessions.open() as session:
        for model in (Account, Refund):
            assert session.scalar(select(func.count()).select_from(model)) == 0
    control = refunds_simulator.client
    assert abs(control.now() - datetime.now(UTC)) < timedelta(minutes=5)
    assert control.faults() == []
    assert control.held() == []

    assert refund_in("completed", order, amount=400).state is RefundState.COMPLETED
    assert refund_in("processing", order).state is RefundState.PROCESSING
    control.fault("decline", "refund", times=None)
    control.keys("refused")
    control.advance(86400)
    if turn == 2:
        refund_in.finish()
        refunds_simulator.stop()
