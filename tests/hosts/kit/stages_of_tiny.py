"""A refund of the tiny shop in each state."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_refunds.states import CardStatus, RefundState
from flask_refunds.testing import Issuing, Processing, RefundIn, Simulator, Stage
from flask_refunds.testing.stages import NotReached
from tests.hosts.tiny import Order, Payment, db

Sell = Callable[..., int]

ALONE = {
    "started": ("started", "", CardStatus.STARTED, 0),
    "processing": ("processing", "", CardStatus.PROCESSING, 3000),
    "waiting": ("started", "waiting_for_settlement", CardStatus.STARTED, 0),
    "gateway_down": ("started", "gateway_unavailable", CardStatus.STARTED, 0),
    "unknown": ("processing", "outcome_unknown", CardStatus.PROCESSING, 3000),
    "undecided": ("processing", "undecided", CardStatus.PROCESSING, 2999),
    "completed": ("completed", "accepted", CardStatus.COMPLETED, 3000),
    "settled": ("completed", "settled", CardStatus.COMPLETED, 3000),
    "voided": ("completed", "settled", CardStatus.COMPLETED, 3000),
    "failed": ("failed", "", CardStatus.FAILED, 0),
    "failed_late": ("failed", "", CardStatus.FAILED, 0),
    "other_means": ("completed", "", CardStatus.NOT_REQUESTED, 0),
    "reversed": ("reversed", "", None, 0),
}
"""State, detail, card status, and what the gateway truly gave back, by stage."""
SEVERAL = {
    "partly_completed": ("partly_completed", CardStatus.STARTED, 2000),
    "partly_failed": ("partly_failed", CardStatus.FAILED, 2000),
}


def given_back(app: Flask, simulator: Simulator) -> int:
    with app.app_context():
        sales = db.session.scalars(db.select(Payment.sale)).all()
    return sum(int(simulator.client.sale(sale)["total_given_back"]) for sale in sales)


@pytest.mark.parametrize("stage", ALONE)
def test_one_payment(
    stage: str, app: Flask, sell: Sell, refund_in: RefundIn, refunds_simulator: Simulator
) -> None:
    refund = refund_in(stage, sell(3000))
    (movement,) = refund.movements
    state, detail, status, money = ALONE[stage]
    assert (refund.state, movement.detail, refund.status) == (state, detail, status)
    assert given_back(app, refunds_simulator) == money
    assert (movement.operation == "void") == (stage == "voided")


@pytest.mark.parametrize("stage", SEVERAL)
def test_two_payments(
    stage: str, app: Flask, sell: Sell, refund_in: RefundIn, refunds_simulator: Simulator
) -> None:
    refund = refund_in(stage, sell(2000, 1000))
    state, status, money = SEVERAL[stage]
    assert (refund.state, refund.status) == (state, status)
    assert given_back(app, refunds_simulator) == money


def test_no_state_is_forgotten() -> None:
    assert {*ALONE, *SEVERAL} == set(Stage)
    assert {state for state, *_ in [*ALONE.values(), *SEVERAL.values()]} == set(RefundState)


def test_a_call_that_stands_still_goes_on(
    app: Flask, sell: Sell, refund_in: RefundIn, refunds_read: Any
) -> None:
    refund = refund_in("processing", sell(3000))
    refund_in.finish()
    assert refunds_read(refund.id).state is RefundState.COMPLETED


def test_a_call_ends_with_the_simulator(
    sell: Sell, refund_in: RefundIn, refunds_read: Any, refunds_simulator: Simulator
) -> None:
    refund = refund_in("processing", sell(3000))
    refunds_simulator.stop()
    refund_in.finish()
    assert refunds_read(refund.id).movements[0].detail == "outcome_unknown"


def test_an_answer_that_was_lost_is_found(
    app: Flask,
    sell: Sell,
    refund_in: RefundIn,
    refunds_process: Processing,
    refunds_read: Any,
    refunds_simulator: Simulator,
) -> None:
    refund = refund_in("unknown", sell(3000))
    refunds_process(later=60)
    assert refunds_read(refund.id).state is RefundState.COMPLETED
    assert given_back(app, refunds_simulator) == 3000


def test_parts_of_one_order_in_different_states(
    sell: Sell, refund_in: RefundIn, refunds_issue: Issuing
) -> None:
    order = sell(3000)
    assert refund_in("failed", order, amount=500).amount == 500
    assert refund_in("completed", order, amount=700, reason="goodwill").reason == "goodwill"
    assert refunds_issue(order).amount == 2300


def test_what_cannot_be_is_said(app: Flask, sell: Sell, refund_in: RefundIn) -> None:
    with pytest.raises(NotReached, match="give the order two payments"):
        refund_in("partly_completed", sell(3000))
    with pytest.raises(NotReached, match=r"voided and is started \(card started waiting_for_settl"):
        refund_in("voided", sell(3000), amount=100)
    with pytest.raises(ValueError, match="'lost' is not a valid Stage"):
        refund_in("lost", 1)
    with app.app_context():
        db.session.add(Order(id=50, cents=100))
        db.session.add(Payment(order_id=50, sale="nosuch", cents=100))
        db.session.commit()
    with pytest.raises(NotReached, match=r"no transaction nosuch.*refunds_charge"):
        refund_in("completed", 50)
