"""A refund of a disputed sale, over HTTP: refused without a person's word, and nothing is sent."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from flask_refunds import RefundRequest, correcting, errors, hinting, issuing, jobs, reconciling
from flask_refunds.gateways.base import GatewayEvent
from flask_refunds.models import Event
from flask_refunds.processing import process
from flask_refunds.states import Detail, TransferState
from tests.integration.workshop import AGENT, PATIENT, Ticket, Workshop, opened


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Workshop]:
    with opened(database_url, **PATIENT) as shop:
        yield shop


@pytest.fixture
def shop(sqlite_url: str) -> Iterator[Workshop]:
    with opened(sqlite_url, **PATIENT) as shop:
        yield shop


def calls(shop: Workshop) -> list[str]:
    """Return what was asked of the gateway to move money."""
    moving = {"refund", "void"}
    return [r["operation"] for r in shop.gateway.requests() if r["operation"] in moving]


def disputed(shop: Workshop, part: int | None = None, *, settled: bool = True) -> Ticket:
    """Return a refund that failed since the sale is disputed."""
    order_ref, (sale,) = shop.sell(3000, settled=settled)
    shop.gateway.dispute(sale)
    ticket = Ticket(shop, order_ref, sale, shop.issue(order_ref, part))
    shop.do(process, ticket.id)
    assert (ticket.now.state, ticket.now.failure_code) == (TransferState.FAILED, "disputed")
    return ticket


@pytest.mark.parametrize("settled", [True, False])
def test_a_disputed_sale_is_not_refunded_nor_voided(any_shop: Workshop, settled: bool) -> None:
    ticket = disputed(any_shop, settled=settled)

    assert calls(any_shop) == []
    assert ticket.audit["total_given_back"] == 0
    (attempt,) = ticket.attempts
    assert (attempt.outcome, attempt.code, attempt.called_at) == ("rejected", "disputed", None)


def test_a_retry_with_a_persons_word_refunds_and_remembers_it(any_shop: Workshop) -> None:
    ticket = disputed(any_shop)
    before = ticket.events
    with pytest.raises(errors.DisputeNotAccepted):
        any_shop.do(correcting.retry, ticket.id, AGENT)
    assert (ticket.now.state, ticket.events) == (TransferState.FAILED, before)

    any_shop.do(correcting.retry, ticket.id, AGENT, despite_dispute=True)
    any_shop.do(process, ticket.id)

    ticket.given_back_once()
    assert ticket.now.dispute_accepted_at is not None
    (told,) = any_shop.rows(select(Event.data).where(Event.action == "retried"))
    assert told == {"despite_dispute": True}


def test_the_word_is_for_one_retry(any_shop: Workshop) -> None:
    ticket = disputed(any_shop)
    any_shop.do(correcting.retry, ticket.id, AGENT, despite_dispute=True)
    any_shop.gateway.fault("decline", "refund")
    any_shop.do(process, ticket.id)
    assert ticket.now.failure_code != "disputed"

    any_shop.do(correcting.retry, ticket.id, AGENT)
    any_shop.do(process, ticket.id)

    assert (ticket.now.state, ticket.now.failure_code) == (TransferState.FAILED, "disputed")
    assert ticket.now.dispute_accepted_at is None
    assert ticket.audit["total_given_back"] == 0


def test_paying_otherwise_needs_a_persons_word_too(any_shop: Workshop) -> None:
    ticket = disputed(any_shop)
    with pytest.raises(errors.DisputeNotAccepted):
        any_shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")
    assert "paid_otherwise" not in any_shop.rows(select(Event.action))

    any_shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash", despite_dispute=True)

    (told,) = any_shop.rows(select(Event.data).where(Event.action == "paid_otherwise"))
    assert told == {"despite_dispute": True}


def test_a_word_given_at_issue_counts(shop: Workshop) -> None:
    order_ref, (sale,) = shop.sell(3000)
    shop.gateway.dispute(sale)
    request = RefundRequest(
        order_ref=order_ref,
        token="once",
        reason="returned",
        everything=True,
        to_card=True,
        despite_dispute=True,
    )
    ticket = Ticket(shop, order_ref, sale, shop.do(issuing.issue, request, AGENT))
    shop.do(process, ticket.id)

    ticket.given_back_once()
    (told,) = shop.rows(select(Event.data).where(Event.action == "started"))
    assert told == {"despite_dispute": True}


def test_the_word_is_part_of_what_a_token_stands_for(shop: Workshop) -> None:
    order_ref, _ = shop.sell(3000)
    shop.issue(order_ref, token="once")
    request = RefundRequest(
        order_ref=order_ref,
        token="once",
        reason="returned",
        everything=True,
        to_card=True,
        despite_dispute=True,
    )
    with pytest.raises(errors.TokenReused):
        shop.do(issuing.issue, request, AGENT)


def test_a_dispute_that_was_won_refunds_at_once(shop: Workshop) -> None:
    order_ref, (sale,) = shop.sell(3000)
    shop.gateway.dispute(sale)
    shop.gateway.decide_dispute(sale, "won")
    ticket = Ticket(shop, order_ref, sale, shop.issue(order_ref))
    shop.do(process, ticket.id)

    ticket.given_back_once()
    assert ticket.now.dispute_accepted_at is None


def test_a_dispute_that_opens_while_a_refund_waits_stops_it(shop: Workshop) -> None:
    ticket = shop.refund_of(3000, part=1000, settled=False)
    shop.do(process, ticket.id)
    assert ticket.now.detail == Detail.WAITING_FOR_SETTLEMENT
    shop.gateway.settle(ticket.sale)
    shop.gateway.dispute(ticket.sale)
    opened_ = GatewayEvent(kind="dispute_opened", refund_id=None, charge_id=ticket.sale, state=None)

    assert shop.do(hinting.hint, "braintree", [opened_]) == (ticket.id,)
    shop.do(reconciling.sweep)

    assert ticket.now.failure_code == "disputed"
    assert calls(shop) == []


def test_the_job_polls_what_a_hint_has_made_due(shop: Workshop) -> None:
    ticket = shop.refund_of(3000)
    shop.do(process, ticket.id)
    made = ticket.now.gateway_refund_id
    assert made is not None
    shop.gateway.decline_settlement(made)
    told = GatewayEvent(kind="refund_failed", refund_id=made, charge_id=None, state=None)
    shop.do(hinting.hint, "braintree", [told])

    with shop.app.app_context():
        assert [jobs.process(ticket.id) for _ in range(2)] == ["done", "not_due"]

    assert ticket.now.state == TransferState.FAILED
