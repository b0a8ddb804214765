"""Webhooks over HTTP, signed as the official SDK wants it: a hint, in whatever order they come."""

import threading
from urllib.parse import urlencode

import pytest
from redis import Redis
from rq import Queue
from sqlalchemy import text

from example_app import db
from flask_refunds import breaker, correcting, hinting, reconciling
from flask_refunds.gateways.base import GatewayEvent
from flask_refunds.processing import process
from flask_refunds.states import Detail, TransferState
from tests.integration.conftest import StartWorker
from tests.integration.webhooks import (
    CALM,
    Served,
    columns,
    committed,
    completed,
    credit,
    posted,
    refund_id,
    serving,
    signed,
)
from tests.integration.workshop import AGENT, Ticket, opened

# ------------------------------------------------------------------ refunds that fail later


@pytest.mark.parametrize("settled", [False, True])
def test_refund_failed_after_completed_fails_it_and_reverses_the_ledger(
    any_served: Served, settled: bool
) -> None:
    shop = any_served.shop
    ticket = completed(shop, settled=settled)
    shop.gateway.decline_settlement(refund_id(ticket))
    any_served.work()
    assert ticket.now.state == TransferState.COMPLETED

    assert any_served.deliver("refund_failed", refund_id(ticket)) == 204
    assert ticket.now.state == TransferState.COMPLETED
    any_served.work()

    failed = ticket.now
    assert (failed.state, failed.poll_at) == (TransferState.FAILED, None)
    assert posted(shop) == [1000, -1000]
    assert committed(shop) == 0
    assert ticket.audit["total_given_back"] == 0


def test_a_replay_changes_nothing_and_posts_nothing(served: Served) -> None:
    ticket = completed(served.shop)
    shop, body = (
        served.shop,
        urlencode(served.shop.gateway.webhook("refund_failed", refund_id(ticket))).encode(),
    )
    shop.gateway.decline_settlement(refund_id(ticket))
    assert served.post(body) == 204
    served.work()
    before = ticket.events

    assert [served.post(body) for _ in range(3)] == [204, 204, 204]
    served.work()

    assert ticket.now.state == TransferState.FAILED
    assert (ticket.events, posted(shop)) == (before, [1000, -1000])


def test_a_replay_after_a_retry_does_not_touch_what_is_under_way(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop)
    body = urlencode(shop.gateway.webhook("refund_failed", refund_id(ticket))).encode()
    shop.gateway.decline_settlement(refund_id(ticket))
    served.post(body)
    served.work()
    shop.do(correcting.retry, ticket.id, AGENT)
    before = columns(ticket)
    assert before["state"] == TransferState.STARTED

    assert served.post(body) == 204

    assert columns(ticket) == before
    assert posted(shop) == [1000, -1000]


def test_an_older_settled_that_comes_after_the_failure_changes_nothing(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop)
    shop.gateway.decline_settlement(refund_id(ticket))
    served.deliver("refund_failed", refund_id(ticket))
    served.work()

    assert served.post(signed("transaction_settled", credit(ticket.now, "settled"))) == 204
    assert served.deliver("transaction_settled", ticket.sale) == 204
    served.work()

    assert ticket.now.state == TransferState.FAILED
    assert posted(shop) == [1000, -1000]


def test_a_failure_that_the_gateway_does_not_confirm_changes_nothing(served: Served) -> None:
    ticket = completed(served.shop, settled=True)
    before = (ticket.events, ticket.now.settled_at)

    for _ in range(2):
        assert served.deliver("refund_failed", refund_id(ticket)) == 204
        assert ticket.now.poll_at is not None
        served.work()

    assert ticket.now.poll_at is None
    assert (ticket.events, ticket.now.settled_at) == before
    ticket.given_back_once()


def test_a_hint_that_comes_while_the_gateway_answers_is_not_lost(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop)
    shop.gateway.settle(refund_id(ticket))
    shop.gateway.fault("hold", "find", where="after")
    asking = threading.Thread(target=shop.do, args=(reconciling.poll, ticket.id))
    asking.start()
    shop.gateway.wait_held(1)
    shop.gateway.decline_settlement(refund_id(ticket))
    assert served.deliver("refund_failed", refund_id(ticket)) == 204
    shop.gateway.release()
    asking.join()
    assert ticket.now.detail == Detail.SETTLED

    served.work()

    assert ticket.now.state == TransferState.FAILED


def test_a_hint_outlasts_a_gateway_that_is_down(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop, settled=True)
    for _ in range(shop.runtime.config.breaker_after):
        shop.do(
            lambda runtime: breaker.note(
                runtime, "braintree", answered=False, reason="test", began=runtime.now()
            )
        )
    shop.gateway.decline_settlement(refund_id(ticket))
    served.deliver("refund_failed", refund_id(ticket))
    calls = len(shop.gateway.requests())
    served.work()
    waiting = ticket.now
    assert len(shop.gateway.requests()) == calls
    assert waiting.poll_at is not None
    assert waiting.poll_at > shop.runtime.now()

    shop.do(
        lambda runtime: breaker.note(
            runtime, "braintree", answered=True, reason="", began=runtime.now()
        )
    )
    shop.do(reconciling.poll, ticket.id)

    assert ticket.now.state == TransferState.FAILED


# ------------------------------------------------------------------ what else it brings forward


def test_what_waits_for_the_sale_to_settle_runs_on_news_of_the_sale(served: Served) -> None:
    shop = served.shop
    ticket = shop.refund_of(3000, part=1000, settled=False)
    served.work()
    assert ticket.now.detail == Detail.WAITING_FOR_SETTLEMENT
    shop.gateway.settle(ticket.sale)
    served.work()
    assert ticket.now.state == TransferState.STARTED

    assert served.deliver("transaction_settled", ticket.sale) == 204
    served.work()

    ticket.given_back_once()


def test_an_unknown_outcome_is_looked_up_on_news_of_the_sale(served: Served) -> None:
    shop = served.shop
    shop.gateway.fault("drop_after", "refund")
    ticket = shop.refund_of(3000, part=1000)
    served.work()
    assert ticket.now.detail == Detail.OUTCOME_UNKNOWN
    made = ticket.audit["refunds"][0]["id"]
    told = f"<transaction><id>{made}</id><type>credit</type><amount>10.00</amount>"
    told += f"<refunded-transaction-id>{ticket.sale}</refunded-transaction-id></transaction>"

    assert served.post(signed("transaction_settled", told)) == 204
    served.work()

    ticket.given_back_once()


def test_an_event_of_a_sale_hints_at_all_of_its_refunds(served: Served) -> None:
    shop = served.shop
    order_ref, (sale,) = shop.sell(3000)
    tickets = [Ticket(shop, order_ref, sale, shop.issue(order_ref, 1000)) for _ in range(2)]
    other = completed(shop)
    shop.do(process, tickets[0].id)
    with shop.app.app_context():
        db.session.execute(text("UPDATE refunds_attempt SET called_at = '2026-01-01'"))
        db.session.commit()
    shop.do(process, tickets[1].id)
    before = [ticket.now.poll_at for ticket in tickets]

    assert served.deliver("dispute_opened", sale) == 204

    for ticket, poll_at in zip(tickets, before, strict=True):
        now = ticket.now.poll_at
        assert now is not None
        assert poll_at is not None
        assert now < poll_at
    assert (other.now.poll_at or shop.runtime.now()) > shop.runtime.now()


def test_a_void_is_final_and_not_asked_about(served: Served) -> None:
    ticket = served.shop.refund_of(3000, settled=False)
    served.work()
    assert ticket.now.operation == "void"

    assert served.deliver("transaction_settlement_declined", ticket.sale) == 204

    assert ticket.now.poll_at is None


def test_what_a_worker_has_in_hand_is_left_alone(served: Served) -> None:
    shop = served.shop
    ticket = shop.refund_of(3000, part=1000)
    shop.gateway.fault("hold", "refund", where="after")
    calling = threading.Thread(target=shop.do, args=(process, ticket.id))
    calling.start()
    shop.gateway.wait_held(1)
    before = columns(ticket)

    assert served.deliver("dispute_opened", ticket.sale) == 204

    assert columns(ticket) == before
    shop.gateway.release()
    calling.join()
    ticket.given_back_once()


def test_another_gateway_with_the_same_ids_is_not_meant(served: Served) -> None:
    ticket = completed(served.shop)
    before = ticket.now.poll_at

    assert served.shop.do(hinting.hint, "elsewhere", [about(ticket.sale)]) == ()

    assert ticket.now.poll_at == before


def about(charge_id: str) -> GatewayEvent:
    return GatewayEvent(kind="told", refund_id=None, charge_id=charge_id, state=None)


# ------------------------------------------------------------------ a real worker


def test_a_webhook_a_job_and_a_worker_make_it_failed(
    sqlite_url: str, redis_url: str, start_worker: StartWorker
) -> None:
    with (
        opened(sqlite_url, redis_url, **CALM) as shop,
        serving(shop.app) as port,
        Redis.from_url(redis_url) as redis,
    ):
        served, ticket, queue = Served(shop, port), completed(shop), Queue("refunds", redis)
        redis.flushdb()
        shop.gateway.decline_settlement(refund_id(ticket))

        assert served.deliver("refund_failed", refund_id(ticket)) == 204
        assert [job.args for job in queue.get_jobs()] == [(ticket.id,)]
        start_worker(shop)

        ticket.wait(TransferState.FAILED)
        assert posted(shop) == [1000, -1000]
        assert committed(shop) == 0
