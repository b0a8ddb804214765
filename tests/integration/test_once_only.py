"""Between webhooks, late answers, panels, people and outages: sent once, and booked once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from flask_refunds import confirming, correcting, errors, hinting, processing, recording, resolving
from flask_refunds.gateways.base import GatewayEvent
from flask_refunds.models import Gateway, Transfer
from flask_refunds.ours import known_to_us
from flask_refunds.outcomes import Accepted, Claim
from flask_refunds.outside import Given
from flask_refunds.processing import process
from flask_refunds.reconciling import due, poll, sweep
from flask_refunds.runtime import GatewayRegistry
from flask_refunds.states import Detail, TransferState
from flask_refunds.verify import verify
from tests.integration.panel import outside
from tests.integration.test_late_answers import interrupted
from tests.integration.test_resolving import ANNA, WINDOW, Bench, bench
from tests.integration.test_syncing import account, adopted, confirmed, outcomes, synced
from tests.integration.workshop import AGENT, PATIENT, QUICK, Clock, Ticket, Workshop, opened

__all__ = ["bench"]


def about_the_sale(sale: str) -> list[GatewayEvent]:
    """Return what a webhook about the whole sale says."""
    return [GatewayEvent(kind="transaction_disbursed", refund_id=None, charge_id=sale, state=None)]


def found_outside(shop: Workshop, made: str) -> Transfer:
    """Look through the panel, and return the transfer that adopts the refund *made*."""
    synced(shop)
    (transfer,) = shop.rows(select(Transfer).where(Transfer.gateway_refund_id == made))
    return transfer  # type: ignore[no-any-return]


# A webhook about what was found in the panel


@pytest.mark.parametrize("complete_on", ["accepted", "settled"])
def test_a_hint_does_not_have_an_outside_refund_sent(sqlite_url: str, complete_on: str) -> None:
    settings = {**PATIENT, "REFUNDS_COMPLETE_ON": complete_on, "REFUNDS_SALE_PAUSE": 0}
    with opened(sqlite_url, **settings) as shop:
        _, (sale,) = shop.sell(3000)
        made = outside(shop, sale, "12.00")
        transfer = adopted(shop)
        assert shop.do(hinting.hint, "braintree", about_the_sale(sale)) == (transfer.id,)
        assert shop.do(due).process == ()
        confirmed(shop, transfer)
        shop.do(sweep)
        assert shop.gateway.sale(sale)["total_given_back"] == 1200
        assert shop.transfer(transfer.id).gateway_refund_id == made
        assert account(shop, transfer.order_ref).committed == 1200


def test_a_hint_has_an_outside_refund_asked_about(sqlite_url: str) -> None:
    with opened(sqlite_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        _, (sale,) = shop.sell(3000)
        made = outside(shop, sale, "12.00")
        transfer = adopted(shop)
        shop.gateway.decline_settlement(made)
        shop.do(hinting.hint, "braintree", about_the_sale(sale))
        shop.do(sweep)
        assert shop.transfer(transfer.id).state == TransferState.FAILED
        assert shop.do(due) == replace(shop.do(due), process=(), poll=())


def test_hinted_outside_refunds_keep_nobody_waiting(sqlite_url: str) -> None:
    with opened(sqlite_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        for _ in range(3):
            _, (sale,) = shop.sell(3000)
            outside(shop, sale, "12.00")
            synced(shop)
            shop.do(hinting.hint, "braintree", about_the_sale(sale))
        ticket = shop.refund_of(3000, part=1000)
        shop.do(sweep, limit=3)
        assert ticket.now.state == TransferState.COMPLETED


# Late answers


def overtaken(shop: Workshop, ticket: Ticket, clock: Clock, then: Callable[[], object]) -> None:
    """Have a worker stand still before its call while the bank declines another one's."""

    def meanwhile() -> None:
        clock.advance(QUICK["REFUNDS_LEASE"] + 1)
        shop.gateway.fault("decline", "refund")
        shop.do(lambda runtime: process(replace(runtime, clock=clock), ticket.id))
        assert ticket.now.state == TransferState.FAILED
        then()

    slow = interrupted(shop, clock, "inspect", meanwhile)
    with shop.app.app_context():
        process(slow, ticket.id)


def test_a_worker_that_called_nothing_does_not_reopen_a_decline(quiet_shop: Workshop) -> None:
    clock, ticket = Clock(), quiet_shop.refund_of(3000, part=1000)
    overtaken(quiet_shop, ticket, clock, lambda: None)
    clock.advance(20)
    quiet_shop.do(lambda runtime: sweep(replace(runtime, clock=clock)))
    assert (ticket.now.state, ticket.now.detail) == (TransferState.FAILED, Detail.NONE)
    assert ticket.audit["total_given_back"] == 0


def test_nor_does_it_put_what_was_paid_otherwise_in_doubt(quiet_shop: Workshop) -> None:
    shop, clock, ticket = quiet_shop, Clock(), quiet_shop.refund_of(3000, part=1000)
    pay = correcting.pay_otherwise
    overtaken(shop, ticket, clock, lambda: shop.do(pay, ticket.id, AGENT, kind="cash"))
    assert ticket.now.detail == Detail.NONE


def claim_and_announce(bench: Bench, ticket: Ticket) -> Claim:
    """Have a worker take the transfer and commit that it calls; it does not call yet."""

    def take(session: Session) -> Claim | None:
        return processing._claim(session, bench.runtime, ticket.order_ref, ticket.id)

    claim: Claim | None = bench.do(lambda runtime: runtime.sessions.transact(take))
    assert claim is not None
    assert bench.do(processing._announce, claim, "refund")
    return claim


def test_two_that_were_made_after_all_are_shown_to_a_person(bench: Bench) -> None:
    """The first request lands beyond every window, just when the second one is on its way."""
    ticket = bench.shop.refund_of(3000, part=1000)
    claims = []
    for _ in range(2):
        claims.append(claim_and_announce(bench, ticket))
        bench.clock.advance(30)
    made = [bench.panel(ticket, 1000, claim.reference) for claim in claims]
    gateway = bench.runtime.gateways.get("braintree")
    for claim, id_ in zip(claims, made, strict=True):
        outcome = Accepted.by_refund(gateway.fetch(id_))
        bench.do(
            lambda runtime, claim=claim, outcome=outcome: runtime.sessions.transact(
                lambda session: recording.record(session, runtime, claim, outcome)
            )
        )
    assert ticket.now.gateway_refund_id == made[1]
    assert bench.needs(ticket) == {"conflict"}


def test_a_conflict_outlives_a_late_failure(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    bench.run(ticket)
    conflict = {"detail": Detail.CONFLICT, "waiting_since": bench.clock()}
    bench.write(update(Transfer).where(Transfer.id == ticket.id).values(conflict))
    bench.shop.gateway.decline_settlement(str(ticket.now.gateway_refund_id))
    bench.clock.advance(5)
    bench.do(poll, ticket.id)
    assert ticket.now.state == TransferState.FAILED
    assert bench.needs(ticket) == {"failed", "conflict"}


# One record of the gateway, one transfer


def test_a_void_found_outside_is_not_taken_for_ours(quiet_shop: Workshop) -> None:
    """Ours was lost, failed as disputed, and is tried again with consent."""
    shop, clock = quiet_shop, Clock()
    order_ref, sales = shop.sell(1000, 1000, settled=False)
    (ours,) = shop.issue(order_ref, 1000).transfer_ids
    runtime = replace(shop.runtime, clock=clock)
    shop.gateway.fault("drop_before", "void")
    shop.do(lambda _: process(runtime, ours))
    clock.advance(10)
    shop.gateway.dispute(sales[0])
    shop.do(lambda _: process(runtime, ours))
    assert shop.transfer(ours).failure_code == "disputed"
    outside(shop, sales[0])
    assert list(outcomes(synced(shop)).values()) == ["adopted"]
    shop.do(lambda _: correcting.retry(runtime, ours, AGENT, despite_dispute=True))
    shop.do(lambda _: process(runtime, ours))
    assert (shop.transfer(ours).state, shop.transfer(ours).failure_code) == ("failed", "voided")
    assert account(shop, order_ref).committed == 1000
    assert shop.do(verify) == []


def test_a_record_under_the_reference_of_another_refund_is_not_adopted(bench: Bench) -> None:
    lost = bench.unknown()
    bench.clock.advance(WINDOW)
    bench.shop.gateway.fault("decline", "refund")
    assert bench.run(lost).state == TransferState.FAILED
    made = bench.panel(lost, 1000, lost.attempts[0].reference)
    other = Ticket(bench.shop, lost.order_ref, lost.sale, bench.shop.issue(lost.order_ref, 1000))
    bench.clock.advance(60)
    bench.shop.gateway.fault("drop_before", "refund")
    assert bench.run(other).detail == Detail.OUTCOME_UNKNOWN
    bench.clock.advance(WINDOW)
    with pytest.raises(errors.NotThisRefund) as raised:
        bench.do(resolving.adopt, other.id, ANNA, gateway_refund_id=made)
    assert raised.value.reason == "booked"


@pytest.mark.parametrize("disowned_first", [False, True])
def test_what_was_found_outside_can_be_the_one_that_nobody_knew_of(
    bench: Bench, disowned_first: bool
) -> None:
    ticket = bench.unknown()
    bench.clock.advance(WINDOW)
    made = outside(bench.shop, ticket.sale, "10.00")
    found = found_outside(bench.shop, made)
    assert account(bench.shop, ticket.order_ref).committed == 2000
    if disowned_first:
        bench.do(confirming.disown, found.id, ANNA, why="it is the other one")
    bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=made)
    assert bench.shop.transfer(found.id).state == TransferState.REVERSED
    ticket.given_back_once()
    assert bench.do(verify) == []
    assert outcomes(synced(bench.shop)) == {}
    (given,) = [Given.of("braintree", bench.runtime.gateways.get("braintree").fetch(made))]
    known = bench.do(
        lambda runtime: runtime.sessions.read(lambda s: known_to_us(s, "braintree", [given]))
    )
    assert (known.ours, known.disowned) == ({made}, frozenset())


def test_a_confirmed_outside_refund_gives_way_to_nobody(bench: Bench) -> None:
    ticket = bench.unknown()
    bench.clock.advance(WINDOW)
    made = outside(bench.shop, ticket.sale, "10.00")
    confirmed(bench.shop, found_outside(bench.shop, made))
    with pytest.raises(errors.NotThisRefund) as raised:
        bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=made)
    assert raised.value.reason == "booked"


# A person's word, and a worker that is under way


def test_a_worker_that_has_it_is_not_spoken_over(bench: Bench) -> None:
    ticket = bench.unknown()
    bench.clock.advance(WINDOW)
    claim_and_announce(bench, ticket)
    with pytest.raises(errors.WorkerHasIt):
        bench.do(resolving.try_again, ticket.id, ANNA, why="not there")
    with pytest.raises(errors.WorkerHasIt):
        bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=ticket.sale)


def test_a_call_that_began_while_the_person_looked_is_not_closed(bench: Bench) -> None:
    """The look of the person takes longer than the worker's whole lease."""
    ticket = bench.unknown()
    bench.clock.advance(WINDOW)
    gateway: Any = bench.runtime.gateways.get("braintree")

    class Slow:
        """The gateway as the person asks it; meanwhile a worker sends, and its lease runs out."""

        def __getattr__(self, name: str) -> Any:
            if name != "find":
                return getattr(gateway, name)

            def find(*args: Any, **options: Any) -> Any:
                found = gateway.find(*args, **options)
                claim_and_announce(bench, ticket)
                bench.clock.advance(QUICK["REFUNDS_LEASE"] + 1)
                return found

            return find

    slow = replace(bench.runtime, gateways=GatewayRegistry({"braintree": Slow}))
    with pytest.raises(errors.WorkerHasIt):
        bench.do(resolving.try_again, ticket.id, ANNA, why="not there", runtime=slow)
    assert ticket.now.certain_before == 0


# Outages


def test_what_a_dead_worker_did_during_an_outage_is_shown_to_a_person(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, part=1000)
    claim_and_announce(bench, ticket)
    now = bench.clock()
    down = {"failures": 3, "probes": 1, "reason": "x", "opened_at": now}
    row = Gateway(name="braintree", **down, probe_at=now + timedelta(days=1))
    bench.do(lambda runtime: runtime.sessions.transact(lambda session: session.add(row)))
    bench.clock.advance(QUICK["REFUNDS_LEASE"] + 1)
    bench.run(ticket)
    assert (ticket.now.detail, ticket.now.claim_token) == (Detail.OUTCOME_UNKNOWN, None)
    bench.clock.advance(1000)
    assert bench.needs(ticket) == {"unknown"}


@pytest.mark.parametrize("reads", ["waiting", "refused"])
def test_what_only_reads_does_not_tell_that_the_gateway_is_back(
    quiet_shop: Workshop, reads: str
) -> None:
    shop, clock = quiet_shop, Clock()
    runtime = replace(shop.runtime, clock=clock)
    reader = shop.refund_of(3000, part=1000, settled=reads == "refused")
    if reads == "refused":
        shop.gateway.dispute(reader.sale)
    for ticket in [shop.refund_of(2000, part=500) for _ in range(3)]:
        shop.gateway.fault("status", "refund", status=503)
        shop.do(lambda _, id_=ticket.id: process(runtime, id_))
    (row,) = shop.rows(select(Gateway))
    assert row.opened_at is not None
    clock.advance(400)
    shop.do(lambda _: process(runtime, reader.id))
    assert reader.now.detail == Detail.WAITING_FOR_SETTLEMENT or reader.now.state == "failed"
    (row,) = shop.rows(select(Gateway))
    assert row.opened_at is not None
