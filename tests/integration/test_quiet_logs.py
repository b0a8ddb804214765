"""What no log line may hold, through whole lives of refunds: keys, cards, names and addresses."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, inspect, select, update

from example_app import db
from example_app.models import Order, User
from flask_refunds import correcting
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.models import Attempt, Refund, Transfer
from flask_refunds.processing import process
from flask_refunds.reconciling import guarded, sweep
from flask_refunds.runtime import GatewayRegistry
from flask_refunds.states import Detail, TransferState
from tests.integration.conftest import StartWorker
from tests.integration.workshop import AGENT, Clock, Ticket, Workshop, until

NAME, EMAIL = "Wilhelmina Quux", "wilhelmina@quux.example"
LABEL = "Visa •••• 1111"
WRONG = {"REFUNDS_BRAINTREE_PRIVATE_KEY": "not-the-private-key"}
DEBUG = {"SHOP_LOG": "DEBUG"}


class Secrets:
    """All that a shop knows and no log line may say."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    @property
    def words(self) -> set[str]:
        """The secrets of the settings, of the customers, and of all transfers and attempts."""
        settings = self._shop.settings
        words = {
            settings["REFUNDS_BRAINTREE_PUBLIC_KEY"],
            settings["REFUNDS_BRAINTREE_PRIVATE_KEY"],
            NAME, "Wilhelmina", EMAIL, LABEL, "•••• 1111", "411111", "12/2030", "bt_signature",
            "REFUND NOTE OF AN AGENT",
        }  # fmt: skip
        for row in self._shop.rows(select(Transfer)):
            words |= {row.request_key, row.claim_token, row.card_label}
        for row in self._shop.rows(select(Attempt)):
            words |= {row.request_key, row.claim_token}
        for row in self._shop.rows(select(Refund)):
            words |= {row.token, row.fingerprint, row.customer_name, row.customer_email}
        return {word for word in words if word}

    def not_in(self, text: str) -> None:
        """Assert that none of them is in *text*, which does say something."""
        assert "refunds: " in text
        found = {word for word in self.words if word in text}
        assert found == set()


@pytest.fixture
def shop(quiet_shop: Workshop) -> Workshop:
    """A shop with a customer, whose orders are all theirs."""
    with quiet_shop.app.app_context():
        db.session.add(User(id=1, name=NAME, email=EMAIL))
        db.session.commit()
    return quiet_shop


def bought(shop: Workshop, *cents: int, **options: Any) -> Ticket:
    """Sell to the customer, issue a refund, and return what came of it."""
    order_ref, sales = shop.sell(*cents, **options)
    with shop.app.app_context():
        db.session.execute(update(Order).values(user_id=1))
        db.session.commit()
    return Ticket(shop, order_ref, sales[0], shop.issue(order_ref))


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All lines at DEBUG, ours and those of the libraries."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="flask_refunds"):
        yield caplog


def said(caplog: pytest.LogCaptureFixture) -> str:
    """Return every line and traceback, and every field that a formatter may find."""
    fields = [
        f"{name}: {value}"
        for record in caplog.records
        for name, value in vars(record).items()
        if name.startswith("refunds_")
    ]
    return "\n".join([caplog.text, *fields])


def live(shop: Workshop, clock: Clock) -> None:
    """Decline, retry, lose the outcome, complete; and a worker whose keys are wrong."""
    runtime = replace(shop.runtime, clock=clock)

    def go_on() -> None:
        clock.advance(4000)
        with shop.app.app_context():
            sweep(runtime)

    shop.gateway.fault("decline", "refund", code="2004")
    ticket = bought(shop, 3000)
    go_on()
    assert ticket.now.state == TransferState.FAILED
    shop.gateway.fault("drop_after", "refund")
    shop.do(correcting.retry, ticket.id, AGENT, why="REFUND NOTE OF AN AGENT")
    go_on()
    assert ticket.now.detail == Detail.OUTCOME_UNKNOWN
    go_on()
    assert ticket.now.state == TransferState.COMPLETED
    wrong = {**shop.app.config, **WRONG}
    others = GatewayRegistry({"braintree": lambda: BraintreeGateway.from_config(wrong)})
    misconfigured = [bought(shop, 1000) for _ in range(4)]
    for each in misconfigured:
        with shop.app.app_context():
            process(replace(runtime, gateways=others), each.id)
    go_on()
    go_on()
    assert {each.now.state for each in misconfigured} == {TransferState.COMPLETED}


def test_no_line_of_a_whole_life_holds_a_secret(
    shop: Workshop, everything: pytest.LogCaptureFixture
) -> None:
    live(shop, Clock())

    text = said(everything)
    Secrets(shop).not_in(text)
    assert "not-the-private-key" not in text
    for event in ("issued", "declined", "retried", "outcome_unknown", "refunded", "gateway_down"):
        assert f"refunds: {event} " in text


def test_no_traceback_holds_a_secret(shop: Workshop, everything: pytest.LogCaptureFixture) -> None:
    """A database error quotes the statement's parameters: the whole refund, for one."""
    ticket = bought(shop, 3000)

    def broken(_runtime: object, transfer_id: int) -> None:
        def work(session: Any) -> None:
            known = session.get_one(Refund, ticket.issued.refund_id)
            names = [column.key for column in inspect(Refund).columns]
            session.execute(insert(Refund).values({name: getattr(known, name) for name in names}))

        shop.runtime.sessions.transact(work)

    shop.do(lambda runtime: guarded(broken, runtime, ticket.id))

    text = said(everything)
    assert "refunds: not_brought_forward" in text
    assert "Traceback" in text
    assert "IntegrityError" in text
    Secrets(shop).not_in(text)


def test_a_workers_own_output_holds_no_secret(shop: Workshop, start_worker: StartWorker) -> None:
    shop.gateway.fault("decline", "refund", code="2004")
    declined = bought(shop, 3000)
    worker = start_worker(shop, env=DEBUG)
    declined.wait(TransferState.FAILED)
    shop.gateway.fault("html", "refund", where="after")
    shop.do(correcting.retry, declined.id, AGENT)
    declined.wait()
    order_ref, (sale,) = shop.sell(2000)
    shop.simulator.stop()
    waiting = Ticket(shop, order_ref, sale, shop.issue(order_ref))
    waiting.wait_detail(Detail.GATEWAY_UNAVAILABLE)
    shop.simulator.start()
    waiting.wait()
    assert worker.stop() == 0

    output = worker.output()
    Secrets(shop).not_in(output)
    assert f"refunds: outcome_unknown refund_id=1 transfer_id={declined.id}" in output


def test_a_worker_with_wrong_keys_says_none(shop: Workshop, start_worker: StartWorker) -> None:
    ticket = bought(shop, 3000)
    worker = start_worker(
        shop, env={**shop.env(REFUNDS_BRAINTREE_PRIVATE_KEY="not-the-private-key"), **DEBUG}
    )
    ticket.wait_detail(Detail.GATEWAY_UNAVAILABLE)
    until(lambda: "refunds: gateway_unavailable" in worker.output())
    worker.stop()

    Secrets(shop).not_in(worker.output())
    assert "not-the-private-key" not in worker.output()
