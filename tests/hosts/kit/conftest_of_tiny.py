"""How the tiny shop's tests begin: an app on a database and simulator of each test's own."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from flask_refunds.testing import Charging, Simulator
from tests.hosts.tiny import Item, Order, Payment, create_app, db

Sell = Callable[..., int]


@pytest.fixture
def app(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refunds_simulator: Simulator
) -> Iterator[Flask]:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'shop.sqlite'}")
    monkeypatch.setenv("BRAINTREE_URL", refunds_simulator.url)
    app = create_app()
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def sell(app: Flask, refunds_charge: Charging) -> Sell:
    """Sell an order that was paid by card payments of so many cents; return its key."""
    numbers = itertools.count(1)

    def make(*cents: int, settled: bool = True) -> int:
        key = next(numbers)
        with app.app_context():
            db.session.add(Order(id=key, user_id=1, cents=sum(cents)))
            db.session.add_all(
                [
                    Item(order_id=key, name="Mug", cents=sum(cents) - 100),
                    Item(order_id=key, name="Tea", cents=100),
                ]
            )
            for each in cents:
                sale = refunds_charge(each, settled=settled, order=str(key))
                db.session.add(Payment(order_id=key, sale=sale, cents=each))
            db.session.commit()
        return key

    return make
