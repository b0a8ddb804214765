"""What only a person can end: each word of theirs is held against what the gateway says."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Update, select, update

from flask_refunds import Actor, attention, correcting, errors, resolving
from flask_refunds.models import Attempt, Transfer
from flask_refunds.processing import process
from flask_refunds.reconciling import sweep
from flask_refunds.runtime import GatewayRegistry, Runtime
from flask_refunds.states import Detail, TransferState
from flask_refunds.verify import verify
from tests.integration.workshop import QUICK, Clock, Ticket, Workshop

ANNA = Actor(id="anna", label="anna@example.com")
WINDOW = 1.25 * QUICK["REFUNDS_GATEWAY_TIMEOUT"] + QUICK["REFUNDS_LATE_WINDOW"] + 0.1


class Bench:
    """The shop with a clock that the test moves."""

    def __init__(self, shop: Workshop) -> None:
        self.shop, self.clock = shop, Clock()
        self.runtime = replace(shop.runtime, clock=self.clock)

    def run(self, ticket: Ticket) -> Transfer:
        """Process the transfer once, if it is due."""
        with self.shop.app.app_context():
            process(self.runtime, ticket.id)
        return ticket.now

    def sweep(self, rounds: int = 4) -> None:
        """Sweep, a lease later each time."""
        for _ in range(rounds):
            self.clock.advance(QUICK["REFUNDS_LEASE"] + 1)
            with self.shop.app.app_context():
                sweep(self.runtime)

    def do(self, work: Any, *args: Any, runtime: Runtime | None = None, **options: Any) -> Any:
        """Run a service."""
        with self.shop.app.app_context():
            return work(runtime or self.runtime, *args, **options)

    def write(self, statement: Update) -> None:
        """Change a row behind the services' back."""
        self.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(statement)))

    def unknown(self) -> Ticket:
        """Return a refund whose request was lost: it is not at the gateway, and nobody knows."""
        ticket = self.shop.refund_of(3000, part=1000)
        self.shop.gateway.fault("drop_before", "refund")
        assert self.run(ticket).detail == Detail.OUTCOME_UNKNOWN
        return ticket

    def undecided(self) -> tuple[Ticket, list[str]]:
        """Return a refund that the gateway has twice, made by others, and their numbers there."""
        ticket = self.unknown()
        reference = ticket.now.reference or ""
        ids = [self.panel(ticket, 1000, reference) for _ in range(2)]
        self.clock.advance(WINDOW)
        assert self.run(ticket).detail == Detail.UNDECIDED
        return ticket, ids

    def panel(self, ticket: Ticket, cents: int, reference: str, sale: str | None = None) -> str:
        """Refund past the shop and return the gateway's number of it."""
        key = f"panel-{self.clock().timestamp()}"
        gateway = self.runtime.gateways.get("braintree")
        sale = sale or ticket.sale
        return gateway.refund(sale, cents, "USD", key=key, reference=reference).id

    def needs(self, ticket: Ticket) -> set[str]:
        """Return for what the transfer needs a person."""
        found = attention.conditions(self.runtime.config, self.clock())
        return {
            need
            for need, condition in found.items()
            if ticket.id in self.shop.rows(select(Transfer.id).where(condition))
        }


@pytest.fixture
def bench(quiet_shop: Workshop) -> Bench:
    quiet_shop.gateway.keys("ignored")
    return Bench(quiet_shop)


def test_what_the_gateway_has_twice_waits_for_a_person_and_pays_no_more(bench: Bench) -> None:
    ticket, ids = bench.undecided()
    bench.sweep()
    assert ticket.now.detail == Detail.UNDECIDED
    assert bench.needs(ticket) == {"undecided"}
    assert ticket.audit["total_given_back"] == 2000
    assert ticket.attempts[-1].message == f"These refunds carry our reference: {', '.join(ids)}."


def test_a_person_says_which_one_it_was(bench: Bench) -> None:
    ticket, ids = bench.undecided()
    bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=f" {ids[1]} ", why="seen there")
    now = ticket.now
    assert (now.state, now.gateway_refund_id) == (TransferState.COMPLETED, ids[1])
    assert ticket.events[-1] == "found_by_person"
    assert bench.needs(ticket) == set()
    assert bench.do(verify) == []
    with pytest.raises(errors.WrongState):
        bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=ids[0])


def test_a_void_is_adopted_by_the_number_of_its_sale(bench: Bench) -> None:
    ticket = bench.shop.refund_of(3000, settled=False)
    bench.shop.gateway.fault("drop_before", "void")
    bench.run(ticket)
    with pytest.raises(errors.NotThisRefund) as raised:
        bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=ticket.sale)
    assert raised.value.reason == "not_voided"
    bench.runtime.gateways.get("braintree").void(ticket.sale, key="panel")
    bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=ticket.sale)
    ticket.given_back_once()
    assert ticket.now.operation == "void"


@pytest.mark.parametrize("reason", ["unknown", "other_sale", "other_amount", "failed", "booked"])
def test_another_record_of_the_gateway_is_not_adopted(bench: Bench, reason: str) -> None:
    ticket, gateway = bench.unknown(), bench.shop.gateway
    other = bench.shop.refund_of(3000, part=1000)
    if reason == "unknown":
        named = "nothing"
    elif reason == "other_sale":
        named = bench.panel(ticket, 1000, "X-1", sale=other.sale)
    elif reason == "other_amount":
        named = bench.panel(ticket, 999, "X-2")
    elif reason == "failed":
        named = bench.panel(ticket, 1000, "X-3")
        gateway.decline_settlement(named)
    else:
        second = bench.shop.issue(ticket.order_ref, 1000)
        bench.clock.advance(WINDOW + QUICK["REFUNDS_SALE_PAUSE"])
        named = bench.panel(ticket, 1000, ticket.now.reference or "")
        with bench.shop.app.app_context():
            process(bench.runtime, ticket.id)
        ticket = Ticket(bench.shop, ticket.order_ref, ticket.sale, second)
        bench.clock.advance(60)
        gateway.fault("drop_before", "refund")
        assert bench.run(ticket).detail == Detail.OUTCOME_UNKNOWN
        bench.clock.advance(WINDOW)
    with pytest.raises(errors.NotThisRefund) as raised:
        bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id=named)
    assert raised.value.reason == reason
    assert ticket.now.state == TransferState.PROCESSING


def test_what_was_not_made_starts_again_once_no_late_request_can_land(bench: Bench) -> None:
    ticket = bench.unknown()
    first = ticket.now
    with pytest.raises(errors.ReasonMissing):
        bench.do(resolving.try_again, ticket.id, ANNA, why=" ")
    with pytest.raises(errors.TooEarly):
        bench.do(resolving.try_again, ticket.id, ANNA, why="not in the panel")
    bench.clock.advance(WINDOW)
    bench.do(resolving.try_again, ticket.id, ANNA, why="not in the panel")
    again = ticket.now
    assert (again.state, again.generation) == (TransferState.STARTED, first.generation + 1)
    assert again.request_key != first.request_key
    assert again.reference != first.reference
    bench.run(ticket)
    ticket.given_back_once()
    assert ticket.events[-3:] == ["declared_not_done", "claimed", "refunded"]


def test_it_is_not_sent_again_when_the_gateway_has_it(bench: Bench) -> None:
    ticket, ids = bench.undecided()
    with pytest.raises(errors.GatewayHasIt) as raised:
        bench.do(resolving.try_again, ticket.id, ANNA, why="I saw nothing")
    assert set(raised.value.ids) == set(ids)
    made = bench.shop.refund_of(3000, part=1000)
    bench.shop.gateway.fault("drop_after", "refund")
    bench.run(made)
    bench.clock.advance(WINDOW)
    with pytest.raises(errors.GatewayHasIt) as raised:
        bench.do(resolving.try_again, made.id, ANNA, why="I saw nothing")
    assert raised.value.ids == (made.audit["refunds"][0]["id"],)
    lost = bench.shop.refund_of(3000, settled=False)
    bench.shop.gateway.fault("drop_after", "void")
    bench.run(lost)
    bench.clock.advance(WINDOW)
    with pytest.raises(errors.GatewayHasIt) as raised:
        bench.do(resolving.try_again, lost.id, ANNA, why="I saw nothing")
    assert raised.value.ids == (lost.sale,)


def test_a_gateway_that_does_not_answer_changes_nothing(bench: Bench) -> None:
    ticket = bench.unknown()
    bench.clock.advance(WINDOW)
    bench.shop.gateway.fault("status", "find", status=503, times=2)
    with pytest.raises(errors.GatewaySilent):
        bench.do(resolving.try_again, ticket.id, ANNA, why="not in the panel")
    with pytest.raises(errors.GatewaySilent):
        bench.do(resolving.adopt, ticket.id, ANNA, gateway_refund_id="abc")
    assert ticket.now.state == TransferState.PROCESSING


def test_without_its_gateway_it_fails_and_its_money_is_released(bench: Bench) -> None:
    ticket = bench.unknown()
    without = replace(bench.runtime, gateways=GatewayRegistry({}))
    bench.do(resolving.try_again, ticket.id, ANNA, why="we left that gateway", runtime=without)
    assert (ticket.now.state, ticket.now.failure_code) == (TransferState.FAILED, "not_done")
    bench.do(correcting.pay_otherwise, ticket.id, ANNA, kind="cash")


def test_a_worker_that_tries_at_this_moment_goes_first(bench: Bench) -> None:
    """What it did is unknown again, and the person has not looked for that."""
    ticket = bench.unknown()
    bench.clock.advance(WINDOW)
    gateway: Any = bench.runtime.gateways.get("braintree")

    class Slow:
        """The gateway; just after it was asked for a person, a worker pays and loses the answer."""

        def __getattr__(self, name: str) -> Any:
            if name != "find":
                return getattr(gateway, name)

            def find(*args: Any, **options: Any) -> Any:
                found = gateway.find(*args, **options)
                bench.shop.gateway.fault("drop_after", "refund")
                bench.run(ticket)
                return found

            return find

    slow = replace(bench.runtime, gateways=GatewayRegistry({"braintree": Slow}))
    with pytest.raises(errors.WorkerHasIt):
        bench.do(resolving.try_again, ticket.id, ANNA, why="not there", runtime=slow)
    bench.sweep()
    ticket.given_back_once()


def test_a_sale_that_the_gateway_does_not_know_any_more_ends_by_a_persons_word(
    bench: Bench,
) -> None:
    ticket = bench.unknown()
    bench.clock.advance(WINDOW)
    bench.shop.gateway.fault("status", "find", status=404, times=3)
    assert bench.run(ticket).detail == Detail.OUTCOME_UNKNOWN
    bench.do(resolving.try_again, ticket.id, ANNA, why="it went to our old account")
    assert bench.run(ticket).state == TransferState.FAILED
    assert ticket.audit["total_given_back"] == 0


def test_what_a_late_answer_says_beats_what_a_person_said(bench: Bench) -> None:
    """The person looked before the gateway's own books showed it."""
    ticket = bench.unknown()
    reference = ticket.now.reference or ""
    bench.clock.advance(WINDOW)
    bench.do(resolving.try_again, ticket.id, ANNA, why="not in the panel")
    made = bench.panel(ticket, 1000, reference)
    bench.write(
        update(Attempt)
        .where(Attempt.id == ticket.attempts[0].id)
        .values(outcome="accepted", gateway_refund_id=made)
    )
    bench.run(ticket)
    ticket.given_back_once()


def test_a_conflict_is_settled_by_a_person(bench: Bench) -> None:
    ticket = bench.unknown()
    bench.panel(ticket, 1000, ticket.now.reference or "")
    bench.sweep(2)
    with pytest.raises(errors.WrongState):
        bench.do(resolving.acknowledge, ticket.id, ANNA, why="x")
    conflict = {"detail": Detail.CONFLICT, "waiting_since": bench.clock()}
    bench.write(update(Transfer).where(Transfer.id == ticket.id).values(conflict))
    assert bench.needs(ticket) == {"conflict"}
    bench.do(resolving.acknowledge, ticket.id, ANNA, why="paid back by the customer")
    assert bench.needs(ticket) == set()
    assert ticket.now.state == TransferState.COMPLETED
    assert ticket.events[-1] == "acknowledged"
