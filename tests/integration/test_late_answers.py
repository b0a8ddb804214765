"""Answers that come after their worker's lease: kept, never repeated, never lost."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from example_app import db
from example_app.models import Order
from flask_refunds.gateways.base import NotThere, RefundGateway, RefundReceipt
from flask_refunds.processing import process
from flask_refunds.reconciling import sweep
from flask_refunds.runtime import GatewayRegistry, Runtime
from flask_refunds.states import Detail, TransferState
from tests.integration.workshop import QUICK, Clock, Workshop

KEYS = pytest.mark.parametrize("keys", ["on", "ignored"])


class Interrupted:
    """The real gateway; something happens in the middle of its first call of *name*."""

    def __init__(self, gateway: RefundGateway, name: str, happens: Callable[[], object]) -> None:
        self._gateway, self._name, self._happens = gateway, name, happens

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._gateway, name)
        if name != self._name:
            return value
        self._name = ""

        def calling(*args: Any, **options: Any) -> Any:
            receipt = value(*args, **options)
            self._happens()
            return receipt

        return calling


def interrupted(shop: Workshop, clock: Clock, name: str, happens: Callable[[], object]) -> Runtime:
    """Return the runtime of a worker in whose first call of *name* something happens."""
    gateway = Interrupted(shop.runtime.gateways.get("braintree"), name, happens)
    return with_gateway(shop, clock, gateway)


def with_gateway(shop: Workshop, clock: Clock, gateway: Any) -> Runtime:
    """Return the runtime of a worker that sees this gateway and this time."""
    gateways = GatewayRegistry({"braintree": lambda: gateway})
    return replace(shop.runtime, clock=clock, gateways=gateways)


def sweep_on(shop: Workshop, clock: Clock, *, rounds: int = 6) -> None:
    """Sweep again and again, a lease later each time."""
    later = replace(shop.runtime, clock=clock)
    for _ in range(rounds):
        clock.advance(QUICK["REFUNDS_LEASE"] + 1)
        with shop.app.app_context():
            sweep(later)


@KEYS
@pytest.mark.parametrize("operation", ["refund", "void"])
def test_a_late_success_is_found_and_not_repeated(
    quiet_shop: Workshop, keys: str, operation: str
) -> None:
    shop, clock = quiet_shop, Clock()
    shop.gateway.keys(keys)
    settled = operation == "refund"
    ticket = shop.refund_of(3000, settled=settled, part=1000 if settled else None)

    def another_worker_cannot_look() -> None:
        clock.advance(QUICK["REFUNDS_LEASE"] + 1)
        shop.gateway.fault("status", "find", status=503)
        shop.do(lambda runtime: process(replace(runtime, clock=clock), ticket.id))

    slow = interrupted(shop, clock, operation, another_worker_cannot_look)
    with shop.app.app_context():
        process(slow, ticket.id)

    assert ticket.now.state == TransferState.PROCESSING
    assert [attempt.outcome for attempt in ticket.attempts] == ["accepted", "unknown"]
    sweep_on(shop, clock)
    ticket.given_back_once()


def test_a_late_success_of_what_failed_meanwhile_becomes_completed(quiet_shop: Workshop) -> None:
    shop, clock = quiet_shop, Clock()
    shop.gateway.keys("ignored")
    ticket = shop.refund_of(3000, part=1000)

    def another_worker_is_refused() -> None:
        clock.advance(QUICK["REFUNDS_LEASE"] + 10)
        shop.gateway.fault("decline", "refund")
        blind = with_gateway(shop, clock, Blind(shop.runtime.gateways.get("braintree")))
        with shop.app.app_context():
            process(blind, ticket.id)
        assert ticket.now.state == TransferState.FAILED

    slow = interrupted(shop, clock, "refund", another_worker_is_refused)
    with shop.app.app_context():
        process(slow, ticket.id)

    sweep_on(shop, clock)
    ticket.given_back_once()


class Blind:
    """A gateway whose books do not show the refund yet."""

    def __init__(self, gateway: RefundGateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def find(self, *_args: Any, **_options: Any) -> Any:
        return NotThere()


def test_a_refund_that_lands_while_we_look_is_not_repeated(quiet_shop: Workshop) -> None:
    shop, clock = quiet_shop, Clock()
    shop.gateway.keys("ignored")
    ticket = shop.refund_of(3000, part=1000)
    shop.gateway.fault("drop_before", "refund")
    with shop.app.app_context():
        process(replace(shop.runtime, clock=clock), ticket.id)
    assert ticket.now.detail == Detail.OUTCOME_UNKNOWN
    window = 1.25 * QUICK["REFUNDS_GATEWAY_TIMEOUT"] + QUICK["REFUNDS_LATE_WINDOW"]
    receipts: list[RefundReceipt] = []

    def lands_at_the_last_moment() -> None:
        transfer = ticket.now
        real = shop.runtime.gateways.get("braintree")
        receipts.append(
            real.refund(ticket.sale, 1000, "USD", key="late", reference=str(transfer.reference))
        )
        clock.advance(window)

    slow = interrupted(shop, clock, "find", lands_at_the_last_moment)
    clock.advance(window - 1)
    with shop.app.app_context():
        process(slow, ticket.id)
    sweep_on(shop, clock)

    ticket.given_back_once()
    assert ticket.now.gateway_refund_id == receipts[0].id


def test_a_commit_that_takes_for_ever_is_not_followed_by_a_call(quiet_shop: Workshop) -> None:
    shop, clock = quiet_shop, Clock()
    shop.gateway.keys("ignored")
    ticket = shop.refund_of(3000, part=1000)
    commits = []

    def stalls(_connection: Connection) -> None:
        commits.append(1)
        if len(commits) == 2:  # the claim, then the announcement of the call
            clock.advance(QUICK["REFUNDS_LEASE"] + 1)

    with shop.app.app_context():
        event.listen(db.engine, "commit", stalls)
        process(replace(shop.runtime, clock=clock), ticket.id)
        event.remove(db.engine, "commit", stalls)

    assert "refund" not in {call["operation"] for call in shop.gateway.requests()}
    assert ticket.now.detail == Detail.OUTCOME_UNKNOWN
    sweep_on(shop, clock)
    ticket.given_back_once()


def test_what_waited_is_refunded_although_the_shop_deleted_the_order(quiet_shop: Workshop) -> None:
    shop = quiet_shop
    ticket = shop.refund_of(3000, part=1000, settled=False)
    shop.do(process, ticket.id)
    assert ticket.now.detail == Detail.WAITING_FOR_SETTLEMENT
    with shop.app.app_context():
        db.session.delete(db.session.get_one(Order, int(ticket.order_ref)))
        db.session.commit()
    shop.gateway.settle(ticket.sale)

    sweep_on(shop, Clock())
    ticket.given_back_once()
