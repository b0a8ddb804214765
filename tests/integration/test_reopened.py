"""What is opened again is looked for and not sent; and what the panel gave back makes no room."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from flask_refunds import RefundRequest, correcting, errors, issuing, recording, resolving
from flask_refunds.models import Gateway, Transfer
from flask_refunds.outcomes import Accepted, Claim, Look, Outcome
from flask_refunds.planning import Selection
from flask_refunds.processing import process
from flask_refunds.reconciling import poll, sweep
from flask_refunds.runtime import GatewayRegistry
from flask_refunds.states import Detail, TransferState
from flask_refunds.verify import verify
from tests.integration.panel import outside
from tests.integration.test_late_answers import interrupted
from tests.integration.test_once_only import claim_and_announce, found_outside
from tests.integration.test_resolving import ANNA, WINDOW, Bench, bench
from tests.integration.test_syncing import account, outcomes, synced
from tests.integration.workshop import AGENT, PATIENT, Ticket, Workshop, opened

__all__ = ["bench"]

NO_ANSWER = Look(code="timeout", message="read timeout")


def in_cash(shop: Workshop, order_ref: str, cents: int) -> None:
    """Record that *cents* of the order went back in cash."""
    request = RefundRequest(
        order_ref=order_ref,
        token=f"cash-{cents}",
        reason="returned",
        selections=(Selection(kind="line", ref=shop._line(order_ref), paid=cents),),
        other_kind="cash",
    )
    shop.do(issuing.issue, request, AGENT)


def record(bench: Bench, claim: Claim, outcome: Outcome) -> None:
    """Have the worker of *claim* record what it knows."""
    bench.do(
        lambda runtime: runtime.sessions.transact(
            lambda session: recording.record(session, runtime, claim, outcome)
        )
    )


def declined(bench: Bench, ticket: Ticket) -> Claim:
    """Have the bank decline the refund while an earlier worker still waits for its answer."""
    slow = claim_and_announce(bench, ticket)
    bench.clock.advance(30)
    bench.shop.gateway.fault("decline", "refund")
    assert bench.run(ticket).state == TransferState.FAILED
    return slow


def go_on(bench: Bench) -> None:
    """Sweep until nothing is left to look for."""
    for _ in range(3):
        bench.clock.advance(60)
        bench.do(sweep)


@contextmanager
def settling_bench(url: str) -> Iterator[Bench]:
    """Yield a shop in which a refund is completed when it settles."""
    settings = {**PATIENT, "REFUNDS_COMPLETE_ON": "settled", "REFUNDS_SALE_PAUSE": 0}
    with opened(url, **settings) as shop:
        yield Bench(shop)


# Opened again


@pytest.mark.parametrize("meanwhile", ["nothing", "cash"])
def test_what_was_declined_is_looked_for_and_not_sent_again(bench: Bench, meanwhile: str) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    slow = declined(bench, ticket)
    code = ticket.now.failure_code
    if meanwhile == "cash":
        in_cash(bench.shop, ticket.order_ref, 1000)
    record(bench, slow, NO_ANSWER)
    assert ticket.now.state == TransferState.STARTED
    go_on(bench)
    assert (ticket.now.state, ticket.now.failure_code) == (TransferState.FAILED, code)
    assert ticket.audit["total_given_back"] == 0


def test_what_had_landed_after_all_is_found(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    slow = declined(bench, ticket)
    bench.panel(ticket, 1000, slow.reference)
    record(bench, slow, NO_ANSWER)
    go_on(bench)
    ticket.given_back_once()
    assert ticket.now.failure_code is None


def test_a_persons_retry_sends_it_again(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    slow = declined(bench, ticket)
    record(bench, slow, NO_ANSWER)
    go_on(bench)
    bench.do(correcting.retry, ticket.id, AGENT)
    go_on(bench)
    ticket.given_back_once()


def test_a_consent_ends_when_it_is_opened_again(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    bench.shop.gateway.dispute(ticket.sale)
    bench.run(ticket)
    bench.do(correcting.retry, ticket.id, AGENT, despite_dispute=True)
    slow = declined(bench, ticket)
    record(bench, slow, NO_ANSWER)
    assert ticket.now.dispute_accepted_at is None


def test_a_refusal_beside_a_late_success_fails_nothing(bench: Bench) -> None:
    """The first worker's answer comes while the second one hears of a dispute."""
    ticket = bench.shop.refund_of(3000, part=1000)
    slow = claim_and_announce(bench, ticket)
    bench.clock.advance(30)
    bench.shop.gateway.dispute(ticket.sale)

    def lands() -> None:
        made = bench.panel(ticket, 1000, slow.reference)
        receipt = bench.shop.runtime.gateways.get("braintree").fetch(made)
        record(bench, slow, Accepted.by_refund(receipt))

    other = interrupted(bench.shop, bench.clock, "inspect", lands)
    with bench.shop.app.app_context():
        process(other, ticket.id)
    assert ticket.now.state == TransferState.PROCESSING
    go_on(bench)
    ticket.given_back_once()


# A conflict stays until somebody has settled it


def in_conflict(bench: Bench) -> tuple[Ticket, Claim]:
    """Return a failed refund of which the gateway has made something, and its slow worker."""
    ticket = bench.shop.refund_of(3000, part=1000)
    slow = declined(bench, ticket)
    bench.do(correcting.retry, ticket.id, AGENT)
    bench.clock.advance(30)
    bench.shop.gateway.fault("decline", "refund")
    bench.run(ticket)
    outside(bench.shop, ticket.sale, "5.00", order_id=ticket.now.reference)
    synced(bench.shop)
    assert ticket.now.detail == Detail.CONFLICT
    return ticket, slow


@pytest.mark.parametrize("then", ["nothing", "failed look", "outage"])
def test_a_late_answer_does_not_hide_a_conflict(bench: Bench, then: str) -> None:
    ticket, slow = in_conflict(bench)
    record(bench, slow, NO_ANSWER)
    if then == "failed look":
        bench.shop.gateway.fault("status", "find", status=503)
    elif then == "outage":
        now = bench.clock()
        down = {"failures": 3, "probes": 1, "reason": "x", "opened_at": now}
        row = Gateway(name="braintree", **down, probe_at=now + timedelta(days=1))
        bench.do(lambda runtime: runtime.sessions.transact(lambda session: session.merge(row)))
    go_on(bench)
    assert ticket.now.state == TransferState.FAILED
    assert bench.needs(ticket) == {"failed", "conflict"}


def test_what_is_acknowledged_while_it_settles_is_still_watched(sqlite_url: str) -> None:
    with settling_bench(sqlite_url) as bench:
        ticket = bench.shop.refund_of(2000, part=500)
        bench.run(ticket)
        conflict = {"detail": Detail.CONFLICT, "waiting_since": bench.clock()}
        bench.write(update(Transfer).where(Transfer.id == ticket.id).values(conflict))
        bench.do(resolving.acknowledge, ticket.id, AGENT, why="settled")
        assert ticket.now.detail == Detail.ACCEPTED
        bench.clock.advance(60 * 86400)
        assert bench.needs(ticket) == {"unsettled"}


def test_a_second_refund_is_told_of_before_the_first_has_settled(sqlite_url: str) -> None:
    with settling_bench(sqlite_url) as bench:
        ticket = bench.shop.refund_of(2000, part=500)
        bench.run(ticket)
        made = outside(bench.shop, ticket.sale, "5.00", order_id=ticket.now.reference)
        assert outcomes(synced(bench.shop)) == {made: "twice"}
        assert bench.needs(ticket) == {"conflict"}
        bench.shop.gateway.settle(str(ticket.now.gateway_refund_id))
        bench.clock.advance(1000)
        bench.do(poll, ticket.id)
        assert ticket.now.state == TransferState.COMPLETED
        assert bench.needs(ticket) == {"conflict"}


# What the panel gave back makes no room


def waiting_for_settlement(bench: Bench) -> Ticket:
    """Return a part that waits for its sale to settle."""
    ticket = bench.shop.refund_of(3000, part=1000, settled=False)
    assert bench.run(ticket).detail == Detail.WAITING_FOR_SETTLEMENT
    return ticket


def not_yet_claimed(bench: Bench) -> Ticket:
    """Return a part that no worker has taken up."""
    return bench.shop.refund_of(3000, part=1000)


@pytest.mark.parametrize("prepared", [waiting_for_settlement, not_yet_claimed])
def test_what_the_panel_gave_back_instead_is_not_sent(
    bench: Bench, prepared: Callable[[Bench], Ticket]
) -> None:
    ticket = prepared(bench)
    in_cash(bench.shop, ticket.order_ref, 2000)
    bench.shop.gateway.settle(ticket.sale)
    outside(bench.shop, ticket.sale, "10.00")
    synced(bench.shop)
    bench.clock.advance(100000)
    bench.run(ticket)
    assert (ticket.now.state, ticket.now.failure_code) == ("failed", "balance_changed")
    assert ticket.audit["total_given_back"] == 1000


def test_what_is_left_beside_the_panels_refund_is_sent(bench: Bench) -> None:
    ticket = waiting_for_settlement(bench)
    bench.shop.gateway.settle(ticket.sale)
    outside(bench.shop, ticket.sale, "10.00")
    synced(bench.shop)
    bench.clock.advance(100000)
    assert bench.run(ticket).state == TransferState.COMPLETED


def test_a_refund_that_found_its_owner_leaves_no_room(bench: Bench) -> None:
    """A third one, declined, is opened again: its money went back in cash meanwhile."""
    ticket = bench.shop.refund_of(3000, part=2000)
    third = Ticket(
        bench.shop, ticket.order_ref, ticket.sale, bench.shop.issue(ticket.order_ref, 1000)
    )
    slow = declined(bench, third)
    bench.clock.advance(60)
    bench.shop.gateway.fault("drop_before", "refund")
    bench.run(ticket)
    bench.clock.advance(WINDOW)
    in_cash(bench.shop, ticket.order_ref, 1000)
    made = outside(bench.shop, ticket.sale, "20.00")
    found_outside(bench.shop, made)
    bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=made)
    books = account(bench.shop, ticket.order_ref)
    assert (books.paid, books.committed) == (3000, 3000)
    record(bench, slow, NO_ANSWER)
    assert bench.needs(third) == {"failed", "conflict"}
    go_on(bench)
    assert third.audit["total_given_back"] == 2000
    assert bench.do(verify) == []


def test_nor_does_one_that_failed_late(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    slow = declined(bench, ticket)
    in_cash(bench.shop, ticket.order_ref, 3000)
    made = outside(bench.shop, ticket.sale, "10.00")
    found = found_outside(bench.shop, made)
    bench.shop.gateway.decline_settlement(made)
    bench.clock.advance(5)
    bench.do(poll, found.id)
    record(bench, slow, NO_ANSWER)
    assert bench.needs(ticket) == {"failed", "conflict"}


# Other means, after all


def test_a_void_that_the_panel_made_stands_in_nobodys_way(bench: Bench) -> None:
    order_ref, sales = bench.shop.sell(1000, 1000, settled=False)
    ticket = Ticket(bench.shop, order_ref, sales[0], bench.shop.issue(order_ref, 1000))
    bench.shop.gateway.fault("drop_before", "void")
    bench.run(ticket)
    bench.clock.advance(10)
    bench.shop.gateway.dispute(sales[0])
    bench.run(ticket)
    outside(bench.shop, sales[0])
    synced(bench.shop)
    bench.clock.advance(100)
    pay = correcting.pay_otherwise
    bench.do(pay, ticket.id, ANNA, kind="cash", despite_dispute=True)
    assert account(bench.shop, order_ref).committed == 2000


def test_a_late_failure_is_certain_without_its_gateway(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    bench.run(ticket)
    bench.shop.gateway.decline_settlement(str(ticket.now.gateway_refund_id))
    bench.clock.advance(5)
    bench.do(poll, ticket.id)
    bench.do(correcting.retry, ticket.id, AGENT)
    gone = replace(bench.runtime, gateways=GatewayRegistry({}))
    bench.clock.advance(60)
    bench.do(process, ticket.id, runtime=gone)
    with pytest.raises(errors.WrongState):
        bench.do(correcting.pay_otherwise, ticket.id, ANNA, kind="cash", runtime=gone)
    bench.do(resolving.try_again, ticket.id, ANNA, why="we left it", runtime=gone)
    bench.do(correcting.pay_otherwise, ticket.id, ANNA, kind="cash", runtime=gone)
