"""What the tiny shop tests of its refunds."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import inspect

from flask_refunds import Actor, errors, wired
from flask_refunds.states import CardStatus, RefundState
from flask_refunds.testing import Charging, Issuing, Processing, RealWorker, RefundIn, Simulator
from flask_refunds.testing.charging import ChargeRefused
from flask_refunds.testing.working import WorkerFailed
from tests.hosts.tiny import Item, Order, Payment, create_app, db

Sell = Callable[..., int]


def given_back(app: Flask, simulator: Simulator, order: int) -> int:
    with app.app_context():
        sales = db.session.scalars(db.select(Payment.sale).filter_by(order_id=order)).all()
    return sum(int(simulator.client.sale(sale)["total_given_back"]) for sale in sales)


def test_the_whole_order_is_refunded(
    app: Flask,
    sell: Sell,
    refunds_issue: Issuing,
    refunds_process: Processing,
    refunds_read: Any,
    refunds_simulator: Simulator,
) -> None:
    order = sell(3000)
    refund = refunds_issue(order)
    assert (refund.state, refund.amount) == (RefundState.STARTED, 3000)
    assert refund.actor_label == "Refunds tester"
    assert given_back(app, refunds_simulator, order) == 0
    assert refunds_process() == 1
    assert refunds_read(refund.id).status is CardStatus.COMPLETED
    assert given_back(app, refunds_simulator, order) == 3000
    assert refunds_process() == 0


def test_lines_and_an_amount(
    app: Flask, sell: Sell, refunds_issue: Issuing, refunds_process: Processing
) -> None:
    order = sell(3000)
    with app.app_context():
        row = db.session.get(Order, order)
        tea = db.session.scalars(db.select(Item.id).filter_by(order_id=order, name="Tea")).one()
        by_line = refunds_issue(row, lines={tea: 1})
    assert [(line.description, line.paid) for line in by_line.lines] == [("Tea", 100)]
    by_amount = refunds_issue(
        order, amount=250, reason="goodwill", note="sorry", actor=Actor(id="7", label="Ada")
    )
    assert [(line.description, line.paid) for line in by_amount.lines] == [("Mug", 250)]
    assert (by_amount.reason, by_amount.note, by_amount.actor_label) == ("goodwill", "sorry", "Ada")
    assert refunds_issue(str(order)).amount == 2650
    with pytest.raises(errors.AboveBalance):
        refunds_issue(order)


def test_what_cannot_be_asked_for(sell: Sell, refunds_issue: Issuing) -> None:
    order = sell(3000)
    with pytest.raises(ValueError, match="no line 'x'; it has 1, 2"):
        refunds_issue(order, lines={"x": 1})
    with pytest.raises(ValueError, match="not both"):
        refunds_issue(order, lines={1: 1}, amount=5)
    for amount in (0, 3001):
        with pytest.raises(ValueError, match="not to be had"):
            refunds_issue(order, amount=amount)
    with pytest.raises(errors.UnknownOrder):
        refunds_issue(99)


def test_two_refunds_of_a_sale_are_processed(
    app: Flask,
    sell: Sell,
    refunds_issue: Issuing,
    refunds_process: Processing,
    refunds_simulator: Simulator,
) -> None:
    order = sell(3000)
    refunds_issue(order, amount=1000)
    refunds_issue(order, amount=500)
    assert refunds_process() == 2
    assert given_back(app, refunds_simulator, order) == 1500


def test_what_waits_goes_on_later(
    app: Flask,
    sell: Sell,
    refunds_issue: Issuing,
    refunds_process: Processing,
    refunds_read: Any,
    refunds_simulator: Simulator,
) -> None:
    order = sell(3000, settled=False)
    refund = refunds_issue(order, amount=1000)
    refunds_process()
    assert refunds_read(refund.id).current[0].detail == "waiting_for_settlement"
    refunds_simulator.client.settle_all()
    assert refunds_process() == 0
    assert refunds_process(later=3600) == 1
    assert refunds_read(refund.id).state is RefundState.COMPLETED


def test_a_real_worker_does_it(
    sell: Sell, refunds_issue: Issuing, refunds_worker: RealWorker, refunds_read: Any
) -> None:
    refund = refunds_issue(sell(3000))
    assert "Processing refunds with 4 threads (no queue)." in refunds_worker()
    assert refunds_read(refund.id).state is RefundState.COMPLETED


class TestAnotherDatabase:
    @pytest.fixture
    def refunds_worker_env(self, refunds_worker_env: dict[str, str]) -> dict[str, str]:
        return {**refunds_worker_env, "DATABASE_URL": "sqlite:////nowhere/other.sqlite"}

    def test_a_worker_on_it_is_refused(
        self, sell: Sell, refunds_issue: Issuing, refunds_worker: RealWorker, refunds_read: Any
    ) -> None:
        refund = refunds_issue(sell(3000))
        with pytest.raises(WorkerFailed, match="another value of the database"):
            refunds_worker()
        assert refunds_read(refund.id).state is RefundState.STARTED


class TestAnotherGateway:
    @pytest.fixture
    def refunds_worker_env(self, refunds_worker_env: dict[str, str]) -> dict[str, str]:
        return {**refunds_worker_env, "BRAINTREE_URL": "http://127.0.0.1:9"}

    def test_a_worker_on_it_is_refused(
        self, sell: Sell, refunds_issue: Issuing, refunds_worker: RealWorker
    ) -> None:
        refunds_issue(sell(3000))
        with pytest.raises(WorkerFailed, match="another value of REFUNDS_BRAINTREE_URL"):
            refunds_worker()


class TestInMemory:
    @pytest.fixture
    def app(self, monkeypatch: pytest.MonkeyPatch, refunds_simulator: Simulator) -> Flask:
        monkeypatch.setenv("DATABASE_URL", "sqlite://")
        monkeypatch.setenv("BRAINTREE_URL", refunds_simulator.url)
        app = create_app()
        with app.app_context():
            db.create_all()
        return app

    def test_all_but_a_real_worker_works(
        self, sell: Sell, refund_in: RefundIn, refunds_worker: RealWorker, refunds_read: Any
    ) -> None:
        refund = refund_in("processing", sell(3000))
        with pytest.raises(WorkerFailed, match="database is in memory"):
            refunds_worker()
        refund_in.finish()
        assert refunds_read(refund.id).state is RefundState.COMPLETED


def test_what_a_bank_declines_is_not_charged(refunds_charge: Charging) -> None:
    with pytest.raises(ChargeRefused, match=r"2000\.00 USD: "):
        refunds_charge(200000)


def test_charges_in_other_currencies(
    refunds_charge: Charging, refunds_simulator: Simulator
) -> None:
    for amount, currency in ((1050, "EUR"), (1050, "JPY"), (1050, "KWD")):
        sale = refunds_simulator.client.sale(refunds_charge(amount, currency, settled=False))
        assert (sale["amount"], sale["currency"], sale["status"]) == (
            amount,
            currency,
            "submitted_for_settlement",
        )


@pytest.mark.parametrize("migrated", [False, True])
def test_the_tables_are_as_before_when_it_ends(app: Flask, migrated: bool) -> None:
    from flask_refunds import migrating
    from flask_refunds.models import Account
    from flask_refunds.testing import tables

    with app.app_context():
        runtime = wired.current().runtime
        engine = runtime.sessions.engine
        if migrated:
            migrating.upgrade(engine)
        before = set(inspect(engine).get_table_names())
        with tables.made(app):
            assert migrating.is_current(engine)
            runtime.sessions.transact(lambda session: session.add(Account(order_ref="1")))
        assert set(inspect(engine).get_table_names()) == before
        if migrated:
            assert migrating.is_current(engine)
            assert runtime.sessions.read(lambda session: session.query(Account).count()) == 0
