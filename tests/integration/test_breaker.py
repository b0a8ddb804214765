"""A gateway that is down: one alert, one transfer that tries, and all go on when it is back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from flask_refunds import breaker, signals
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.models import Gateway
from flask_refunds.processing import process
from flask_refunds.reconciling import sweep
from flask_refunds.runtime import GatewayRegistry, Runtime
from flask_refunds.states import Detail, TransferState
from tests.integration.workshop import PRODUCTION, Clock, Ticket, Workshop, opened

MANY = 6


class Hall:
    """A shop in production's settings, and our clock."""

    def __init__(self, shop: Workshop) -> None:
        self.shop, self.clock = shop, Clock()
        self.runtime: Runtime = replace(shop.runtime, clock=self.clock)

    def with_keys(self, private_key: str) -> Runtime:
        """Return the runtime of a worker that has this private key."""
        config = {**self.shop.app.config, "REFUNDS_BRAINTREE_PRIVATE_KEY": private_key}
        gateways = GatewayRegistry({"braintree": lambda: BraintreeGateway.from_config(config)})
        return replace(self.runtime, gateways=gateways)

    def process(self, ticket: Ticket, runtime: Runtime | None = None) -> None:
        with self.shop.app.app_context():
            process(runtime or self.runtime, ticket.id)

    def sweep(self, runtime: Runtime | None = None) -> None:
        with self.shop.app.app_context():
            sweep(runtime or self.runtime)

    @property
    def down(self) -> breaker.Down | None:
        found: breaker.Down | None = self.shop.do(
            lambda runtime: runtime.sessions.read(lambda s: breaker.down(s, "braintree"))
        )
        return found

    @property
    def gateway(self) -> Gateway:
        (row,) = self.shop.rows(select(Gateway))
        assert isinstance(row, Gateway)
        return row


@pytest.fixture
def hall(sqlite_url: str) -> Iterator[Hall]:
    with opened(sqlite_url, **PRODUCTION) as shop:
        yield Hall(shop)


@pytest.fixture
def hall_anywhere(database_url: str) -> Iterator[Hall]:
    with opened(database_url, **PRODUCTION) as shop:
        yield Hall(shop)


@contextmanager
def heard() -> Iterator[list[tuple[str, Any]]]:
    """Yield a list of the gateways' signals that are sent."""
    seen: list[tuple[str, Any]] = []

    def down(_sender: object, **what: Any) -> None:
        seen.append(("down", what))

    def up(_sender: object, **what: Any) -> None:
        seen.append(("up", what))

    with signals.gateway_down.connected_to(down), signals.gateway_up.connected_to(up):
        yield seen


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if getattr(record, "refunds_event", "") == event]


def test_one_alert_and_no_more_attempts_while_a_gateway_is_down(
    hall_anywhere: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    hall = hall_anywhere
    tickets = [hall.shop.refund_of(3000) for _ in range(MANY)]
    hall.shop.simulator.stop()

    with heard() as told, caplog.at_level(logging.INFO, logger="flask_refunds"):
        for _ in range(3):
            hall.sweep()

        (alert,) = lines(caplog, "gateway_down")
        assert alert.levelno == logging.ERROR
        assert told == [("down", {"gateway": "braintree", "reason": hall.gateway.reason})]
        assert "ConnectionError" in hall.gateway.reason
    assert [len(ticket.attempts) for ticket in tickets] == [1, 1, 1, 0, 0, 0]
    for ticket in tickets:
        assert (ticket.now.state, ticket.now.detail) == ("started", Detail.GATEWAY_UNAVAILABLE)
        assert ticket.now.next_attempt_at > hall.clock()  # type: ignore[operator]
        assert ticket.now.waiting_since is not None


def test_one_transfer_at_a_time_tries_it_after_longer_and_longer_pauses(hall: Hall) -> None:
    tickets = [hall.shop.refund_of(3000) for _ in range(MANY)]
    hall.shop.simulator.stop()
    hall.sweep()
    pauses = []

    for _ in range(8):
        assert hall.down is not None
        pauses.append((hall.down.probe_at - hall.clock()).total_seconds())
        tried = sum(len(ticket.attempts) for ticket in tickets)
        hall.clock.ahead += hall.down.probe_at - hall.clock() + timedelta(minutes=20)
        hall.sweep()
        assert sum(len(ticket.attempts) for ticket in tickets) == tried + 1

    assert pauses[0] <= 30
    assert all(240 <= pause <= 300 for pause in pauses[4:])
    assert all(later > sooner for sooner, later in pairwise(pauses[:4]))


def test_all_go_on_when_it_is_back(hall_anywhere: Hall, caplog: pytest.LogCaptureFixture) -> None:
    hall = hall_anywhere
    tickets = [hall.shop.refund_of(3000) for _ in range(MANY)]
    keys = [ticket.now.request_key for ticket in tickets]
    hall.shop.simulator.stop()
    hall.sweep()
    hall.shop.simulator.start()

    with heard() as told, caplog.at_level(logging.INFO, logger="flask_refunds"):
        for _ in range(3):
            hall.clock.advance(120)
            hall.sweep()

    assert told == [("up", {"gateway": "braintree"})]
    assert len(lines(caplog, "gateway_up")) == 1
    assert hall.down is None
    assert [ticket.now.request_key for ticket in tickets] == keys
    for ticket in tickets:
        ticket.given_back_once()


def test_wrong_keys_fail_nothing_and_all_go_on_with_the_right_ones(hall: Hall) -> None:
    tickets = [hall.shop.refund_of(3000) for _ in range(MANY)]
    wrong = hall.with_keys("of another shop")
    for _ in range(5):
        hall.sweep(wrong)
        hall.clock.advance(400)

    assert hall.down is not None
    assert "keys" in hall.down.reason
    for ticket in tickets:
        assert (ticket.now.state, ticket.now.detail) == ("started", Detail.GATEWAY_UNAVAILABLE)

    for _ in range(4):
        hall.clock.advance(4000)
        hall.sweep()
    for ticket in tickets:
        ticket.given_back_once()


def test_no_such_sale_waits_while_the_gateway_is_suspect(hall: Hall) -> None:
    """A proxy in between says 404 as well."""
    tickets = [hall.shop.refund_of(3000) for _ in range(MANY)]
    hall.shop.gateway.fault("status", "find", status=503, times=2)
    hall.shop.gateway.fault("status", "find", status=404, times=2)
    hall.sweep()
    hall.clock.advance(400)
    hall.sweep()

    assert hall.down is not None
    assert {ticket.now.state for ticket in tickets} == {TransferState.STARTED}
    answers = [attempt.outcome for ticket in tickets for attempt in ticket.attempts]
    assert answers == ["gateway_unavailable"] * 4

    for _ in range(4):
        hall.clock.advance(4000)
        hall.sweep()
    for ticket in tickets:
        ticket.given_back_once()


def test_no_such_sale_fails_alone_when_the_gateway_answers_others(hall: Hall) -> None:
    good, lost = hall.shop.refund_of(3000), hall.shop.refund_of(3000)
    hall.shop.gateway.fault("status", "find", transaction_id=lost.sale, status=404, times=None)

    hall.process(lost)
    hall.process(good)

    assert (lost.now.state, hall.down) == (TransferState.FAILED, None)
    good.given_back_once()


def test_an_answer_between_failures_is_no_series(hall: Hall) -> None:
    for _ in range(3):
        failing = [hall.shop.refund_of(3000) for _ in range(2)]
        for ticket in failing:
            hall.shop.gateway.fault("status", "find", transaction_id=ticket.sale, status=503)
            hall.process(ticket)
        good = hall.shop.refund_of(3000)
        hall.process(good)
        good.given_back_once()

    assert hall.down is None


def test_an_unknown_outcome_is_looked_for_before_anything_is_sent_when_it_is_back(
    hall: Hall,
) -> None:
    hall.shop.gateway.keys("ignored")
    landed = hall.shop.refund_of(3000, part=1000)
    hall.shop.gateway.fault("drop_after", "refund")
    hall.process(landed)
    hall.shop.simulator.stop()
    hall.clock.advance(60)
    for _ in range(4):
        hall.process(landed)
        hall.clock.advance(400)
    assert hall.down is not None
    assert landed.now.state == TransferState.PROCESSING

    hall.shop.simulator.start()
    hall.clock.advance(4000)
    hall.process(landed)

    landed.given_back_once()


def test_a_refund_that_is_refused_ends_it_too(hall: Hall) -> None:
    """Any answer shows that the gateway is there."""
    tickets = [hall.shop.refund_of(3000) for _ in range(MANY)]
    hall.shop.simulator.stop()
    hall.sweep()
    hall.shop.simulator.start()
    hall.shop.gateway.fault("decline", "refund", code="2005")

    hall.clock.advance(120)
    hall.sweep()

    assert hall.down is None
    assert [ticket.now.state for ticket in tickets].count(TransferState.FAILED) == 1
    for _ in range(3):
        hall.clock.advance(120)
        hall.sweep()
    assert [ticket.now.state for ticket in tickets].count(TransferState.COMPLETED) == MANY - 1
