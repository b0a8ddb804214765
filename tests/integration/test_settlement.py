"""Until the money has settled: asking again and again, late failures, and what stays open for days.

Production's settings, on our clock. That a void is refused because the sale settles behind its
status is a row of ``test_fault_matrix.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from example_app import db, wiring
from example_app.models import Payment
from flask_refunds import PriorRefunds, correcting, heartbeats, minor, watching
from flask_refunds.attention import Need
from flask_refunds.cli import refunds
from flask_refunds.models import Account, Posting
from flask_refunds.reconciling import sweep
from flask_refunds.runtime import Runtime
from flask_refunds.states import Detail, TransferState
from flask_refunds.verify import verify
from tests.integration.workshop import AGENT, PRODUCTION, Clock, Ticket, Workshop, opened

DAY = 86400.0
Open = Callable[..., "Till"]


class Till:
    """A shop whose time a test moves on."""

    def __init__(self, shop: Workshop) -> None:
        self.shop, self.clock = shop, Clock()
        self.runtime: Runtime = replace(shop.runtime, clock=self.clock)

    def sweep(self) -> None:
        with self.shop.app.app_context():
            sweep(self.runtime)

    def until(self, moment: datetime | None) -> None:
        """Let the time pass until shortly after *moment*, and sweep."""
        assert moment is not None
        self.clock.ahead += moment - self.clock() + timedelta(seconds=1)
        self.sweep()

    def needs(self) -> dict[Need, tuple[int, ...]]:
        """Return what needs a person now, and the transfers."""
        with self.shop.app.app_context():
            found = watching.read_standing(self.runtime).attention
        return {each.need: each.transfer_ids for each in found}

    def posted(self, ticket: Ticket) -> list[tuple[str, int]]:
        rows = self.shop.do(
            lambda runtime: runtime.sessions.read(
                lambda session: session.execute(
                    select(Posting.entry, Posting.paid)
                    .where(Posting.transfer_id == ticket.id)
                    .order_by(Posting.id)
                ).all()
            )
        )
        return [(entry, paid) for entry, paid in rows]

    def committed(self, ticket: Ticket) -> int:
        (amount,) = self.shop.rows(
            select(Account.committed).where(Account.order_ref == ticket.order_ref)
        )
        return int(amount)

    def looked(self, transaction: str) -> int:
        """Return how often the gateway was asked about a transaction."""
        return sum(
            call["operation"] == "find" and call["transaction_id"] == transaction
            for call in self.shop.gateway.requests()
        )


@pytest.fixture
def open_till(request: pytest.FixtureRequest) -> Iterator[Open]:
    """A function that opens a shop on ``database_url`` or, without one, on SQLite."""
    name = "database_url" if "database_url" in request.fixturenames else "sqlite_url"
    shops = []

    def open_(**settings: Any) -> Till:
        shop = opened(request.getfixturevalue(name), **PRODUCTION, **settings)
        shops.append(shop)
        return Till(shop.__enter__())

    yield open_
    for shop in shops:
        shop.__exit__(None, None, None)


def test_a_refund_is_asked_about_less_and_less_often_until_it_has_settled(open_till: Open) -> None:
    till = open_till()
    ticket = till.shop.refund_of(3000)
    till.sweep()
    refund = ticket.now.gateway_refund_id or ""
    assert (ticket.now.state, ticket.now.detail) == ("completed", Detail.ACCEPTED)

    waits = []
    for _ in range(5):
        before = till.looked(refund)
        waits.append(ticket.now.poll_at - till.clock())  # type: ignore[operator]
        till.sweep()
        assert till.looked(refund) == before, "asked too early"
        till.until(ticket.now.poll_at)
        assert till.looked(refund) == before + 1

    quarter = timedelta(minutes=15)
    assert waits[0] <= quarter
    assert all(0.75 * quarter * 2**n <= wait <= quarter * 2**n for n, wait in enumerate(waits[1:3]))
    assert all(timedelta(minutes=47) <= wait <= timedelta(hours=1) for wait in waits[3:])
    till.shop.gateway.settle(refund)
    till.until(ticket.now.poll_at)
    assert (ticket.now.state, ticket.now.detail, ticket.now.poll_at) == (
        "completed", Detail.SETTLED, None,
    )  # fmt: skip
    assert ticket.now.gateway_status == "settled"
    assert ticket.events[-1] == "settled"
    asked = till.looked(refund)
    till.clock.advance(7 * DAY)
    till.sweep()
    assert till.looked(refund) == asked
    ticket.given_back_once()


def test_a_gateway_that_does_not_answer_is_asked_again_and_nothing_changes(
    open_till: Open,
) -> None:
    till = open_till()
    ticket = till.shop.refund_of(3000)
    till.sweep()
    refund = ticket.now.gateway_refund_id or ""
    faults: list[dict[str, Any]] = [
        {"kind": "status", "status": 503},
        {"kind": "html"},
        {"kind": "status", "status": 404},
    ]
    for fault in faults:
        till.shop.gateway.fault(operation="find", transaction_id=refund, **fault)
        till.until(ticket.now.poll_at)
        assert (ticket.now.state, ticket.now.detail) == ("completed", Detail.ACCEPTED)
        assert ticket.now.poll_at > till.clock()  # type: ignore[operator]
    assert till.posted(ticket) == [("refund", 3000)]

    till.shop.gateway.settle(refund)
    till.until(ticket.now.poll_at)

    assert ticket.now.detail == Detail.SETTLED


@pytest.mark.parametrize("complete_on", ["accepted", "settled"])
@pytest.mark.parametrize("status", ["settlement_declined", "settlement_failed", "voided", "failed"])
def test_a_late_failure_gives_the_money_free_and_a_retry_pays_it_once(
    open_till: Open, complete_on: str, status: str
) -> None:
    till = open_till(REFUNDS_COMPLETE_ON=complete_on)
    ticket = till.shop.refund_of(3000)
    till.sweep()
    till.shop.gateway.set_status(ticket.now.gateway_refund_id or "", status)

    till.until(ticket.now.poll_at)

    assert (ticket.now.state, ticket.now.poll_at) == ("failed", None)
    assert ticket.now.failure_message
    assert ticket.events[-1] == "failed_late"
    undone = [("refund", 3000), ("reversal", -3000)] if complete_on == "accepted" else []
    assert till.posted(ticket) == undone
    assert till.committed(ticket) == 0
    assert till.needs() == {Need.FAILED: (ticket.id,)}

    till.shop.do(correcting.retry, ticket.id, AGENT)
    till.clock.advance(60)
    till.sweep()
    till.shop.gateway.settle(ticket.now.gateway_refund_id or "")
    till.until(ticket.now.poll_at)
    assert (ticket.now.state, ticket.now.generation) == ("completed", 2)
    assert till.posted(ticket) == [*undone, ("refund", 3000)]
    assert ticket.audit["total_given_back"] == 3000
    assert till.needs() == {}
    assert till.shop.do(verify) == []


@pytest.mark.parametrize(
    ("complete_on", "accepted"), [("accepted", "completed"), ("settled", "processing")]
)
def test_what_completed_means_is_the_shops_choice(
    database_url: str, open_till: Open, complete_on: str, accepted: str
) -> None:
    till = open_till(REFUNDS_COMPLETE_ON=complete_on)
    part, void = till.shop.refund_of(3000, part=1000), till.shop.refund_of(2000, settled=False)

    till.sweep()

    assert (part.now.state, part.now.detail) == (accepted, Detail.ACCEPTED)
    assert till.posted(part) == ([("refund", 1000)] if accepted == "completed" else [])
    assert till.committed(part) == 1000
    assert (void.now.state, void.now.detail) == ("completed", Detail.SETTLED)
    for _ in range(3):  # accepted and unsettled, it is never sent again
        till.until(part.now.poll_at)
    assert part.now.state == accepted
    till.shop.gateway.settle(part.now.gateway_refund_id or "")
    till.until(part.now.poll_at)
    for ticket in (part, void):
        assert ticket.now.detail == Detail.SETTLED
        ticket.given_back_once()


def test_a_part_of_an_unsettled_sale_runs_by_itself_days_later(
    database_url: str, open_till: Open
) -> None:
    till = open_till()
    ticket = till.shop.refund_of(3000, part=1000, settled=False)
    till.sweep()
    first_key = ticket.now.request_key
    assert (ticket.now.state, ticket.now.detail) == ("started", Detail.WAITING_FOR_SETTLEMENT)
    for _ in range(30):
        assert ticket.now.next_attempt_at - till.clock() <= timedelta(hours=1)  # type: ignore[operator]
        till.until(ticket.now.next_attempt_at)
    assert ticket.audit["total_given_back"] == 0
    assert {attempt.operation for attempt in ticket.attempts} == {None}
    assert ticket.now.request_key == first_key, "no call was made, so that no key is spent"

    till.shop.gateway.settle(ticket.sale)
    till.until(ticket.now.next_attempt_at)

    assert (ticket.now.state, ticket.now.operation) == ("completed", "refund")
    ticket.given_back_once()


@pytest.mark.parametrize("what", ["sale", "refund"])
def test_what_stays_unsettled_for_days_asks_for_attention_and_goes_on(
    database_url: str, open_till: Open, what: str
) -> None:
    till = open_till()
    waits = what == "sale"
    ticket = till.shop.refund_of(3000, part=1000, settled=not waits)
    till.sweep()

    def due() -> datetime | None:
        return ticket.now.next_attempt_at if waits else ticket.now.poll_at

    began = till.clock()
    while till.clock() < began + timedelta(days=2, hours=20):
        till.clock.advance(3600 * 3)
        till.sweep()
        assert till.needs() == {}
    while till.clock() < began + timedelta(days=3, minutes=1):
        till.until(due())

    till.shop.do(lambda _: heartbeats.beat(till.runtime, heartbeats.of_worker(till.runtime, 1)))
    with till.shop.app.app_context():
        standing = watching.read_standing(till.runtime)
    (only,) = standing.attention
    assert (only.need, only.transfer_ids) == (Need.UNSETTLED, (ticket.id,))
    assert abs(only.since - began) < timedelta(minutes=1)
    assert standing.severity is watching.Severity.WARNING

    till.shop.gateway.settle(ticket.sale if waits else ticket.now.gateway_refund_id or "")
    till.until(due())
    assert ticket.now.state == TransferState.COMPLETED
    assert till.needs() == {}
    ticket.given_back_once()


def test_what_the_shop_refunded_another_way_meanwhile_is_not_paid_again(
    open_till: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = wiring.STOREFRONT
    assert known.payments is not None
    of_the_host = PriorRefunds(
        key=Payment.id,
        order=Payment.order_id,
        amount=minor(Payment.amount_cents),
        at=Payment.created_at,
        where=Payment.kind == "refund",
    )
    payments = replace(known.payments, where=Payment.kind != "refund")
    mapped = replace(known, payments=payments, prior_refunds=of_the_host)
    monkeypatch.setattr(wiring, "STOREFRONT", mapped)
    till = open_till()
    ticket = till.shop.refund_of(3000, part=1000, settled=False)
    till.sweep()
    with till.shop.app.app_context():
        paid_back = Payment(
            order_id=int(ticket.order_ref), kind="refund", amount_cents=2500, currency="USD"
        )
        db.session.add(paid_back)
        db.session.commit()
    till.shop.gateway.settle(ticket.sale)

    till.until(ticket.now.next_attempt_at)

    assert (ticket.now.state, ticket.now.failure_code) == ("failed", "balance_changed")
    assert (ticket.audit["total_given_back"], till.committed(ticket)) == (0, 0)


def test_the_days_after_which_a_person_is_asked_are_a_setting(open_till: Open) -> None:
    till = open_till(REFUNDS_UNSETTLED_AFTER=7 * DAY)
    ticket = till.shop.refund_of(3000, part=1000, settled=False)
    till.sweep()

    till.clock.advance(6.9 * DAY)
    assert till.needs() == {}
    till.clock.advance(0.2 * DAY)
    assert till.needs() == {Need.UNSETTLED: (ticket.id,)}


def test_status_names_the_sale_that_stays_unsettled(open_till: Open) -> None:
    till = open_till(REFUNDS_UNSETTLED_AFTER=1e-6)
    ticket = till.shop.refund_of(3000, part=1000, settled=False)
    till.sweep()

    result = till.shop.app.test_cli_runner().invoke(refunds, ["status"])

    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("unsettled")]
    assert line.split()[0::3] == ["unsettled", str(ticket.id)]


def test_a_void_is_final_at_once_and_never_asked_about(open_till: Open) -> None:
    till = open_till()
    void = till.shop.refund_of(2000, settled=False)
    till.sweep()

    assert (void.now.poll_at, void.now.waiting_since) == (None, None)
    assert void.now.settled_at is not None
