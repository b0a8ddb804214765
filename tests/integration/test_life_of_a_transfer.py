"""From Started to the ledger and back, on real databases, over HTTP to the simulator."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from example_app import db, wiring
from example_app.models import Order, OrderItem, Payment, User
from flask_refunds import (
    PriorRefunds,
    RefundRequest,
    correcting,
    errors,
    histories,
    issuing,
    minor,
    outcomes,
    recording,
)
from flask_refunds.models import Account, Event, Posting, Refund, Transfer
from flask_refunds.processing import process
from flask_refunds.reconciling import sweep
from flask_refunds.states import IN_FLIGHT
from flask_refunds.testing import Simulator
from flask_refunds.verify import verify
from tests.integration.orders import (
    AGENT,
    place_order,
    runtime_of,
    sell,
    shop,
    some,
    tables,
    transfer_of,
    whole,
)

QUICK = {
    "REFUNDS_GATEWAY_TIMEOUT": 2,
    "REFUNDS_LATE_WINDOW": 0.2,
    "REFUNDS_LEASE": 5,
    "REFUNDS_SALE_PAUSE": 0.01,
    "REFUNDS_RETRY_INTERVAL": 0.01,
    "REFUNDS_SETTLE_INTERVAL": 0.01,
}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def open_shop(
    simulator: Simulator, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Flask]]:
    """A function that opens the shop on ``database_url`` or, without one, on SQLite."""
    name = "database_url" if "database_url" in request.fixturenames else "sqlite_url"
    url = request.getfixturevalue(name)
    opened = []

    def open_(**settings: Any) -> Flask:
        context = shop(url, **QUICK, **simulator.gateway_config(), **settings)
        opened.append(context)
        return context.__enter__()

    yield open_
    for context in opened:
        context.__exit__(None, None, None)


def card(order: str, token: str = "token", **wishes: Any) -> RefundRequest:
    """Return a request to give it back to the card."""
    return whole(order, token, to_card=True, other_kind=None, **wishes)


def sweep_rounds(app: Flask, done: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Run rounds of the sweep until *done*."""
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it never came to that"
        with app.app_context():
            sweep(runtime_of(app))
        time.sleep(0.02)


def sweep_until_final(app: Flask) -> None:
    """Run rounds of the sweep until no transfer is in flight."""

    def in_flight(session: Session) -> int:
        return session.query(Transfer).filter(Transfer.state.in_(IN_FLIGHT)).count()

    sweep_rounds(app, lambda: read(app, in_flight) == 0)


def read(app: Flask, work: Callable[[Session], Any]) -> Any:
    with app.app_context():
        return runtime_of(app).sessions.read(work)


def postings(app: Flask) -> list[tuple[str, str, int]]:
    """Return the ledger as ``(entry, line, paid)``, oldest first."""
    return [
        (p.entry, p.line_ref, p.paid)
        for p in read(app, lambda s: s.query(Posting).order_by(Posting.id).all())
    ]


def actions(app: Flask) -> list[str]:
    return [e.action for e in read(app, lambda s: s.query(Event).order_by(Event.id).all())]


def issue(app: Flask, request: RefundRequest) -> issuing.Issued:
    with app.app_context():
        return issuing.issue(runtime_of(app), request, AGENT)


def test_a_settled_sale_is_refunded_and_posted_once(
    database_url: str, simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    order = place_order(app, (1000, 2), (2000, 1), cards={sale: 3000})
    issue(app, card(order))
    assert tables(app)["posted"] == 0
    sweep_until_final(app)
    with app.app_context():
        for _ in range(3):
            process(runtime_of(app), 1)
    assert postings(app) == [("refund", "1", 1000), ("refund", "2", 2000)]
    audit = simulator.client.sale(sale)
    assert [r["amount"] for r in audit["refunds"]] == [3000]
    transfer = transfer_of(app)
    assert audit["refunds"][0]["order_id"] == transfer.reference
    assert (transfer.state, transfer.operation) == ("completed", "refund")


def test_an_unsettled_sale_is_voided_when_the_whole_of_it_goes_back(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00", settled=False)
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    sweep_until_final(app)
    assert simulator.client.sale(sale)["voided"]
    assert transfer_of(app).operation == "void"
    assert transfer_of(app).settled_at is not None


def test_a_sale_that_settles_behind_its_status_is_refunded_instead_of_voided(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00", settled=False)
    simulator.client.hide_settling(sale)
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    sweep_until_final(app)
    audit = simulator.client.sale(sale)
    assert (audit["voided"], audit["total_given_back"]) == (False, 3000)
    assert transfer_of(app).operation == "refund"


def test_a_key_that_was_spent_on_nothing_is_replaced_after_looking(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    simulator.client.fault("refuse", "refund", code="915234", times=1)
    with app.app_context():
        sweep(runtime_of(app))
    assert (transfer_of(app).state, transfer_of(app).generation) == ("processing", 1)
    sweep_until_final(app)
    assert (transfer_of(app).state, transfer_of(app).generation) == ("completed", 2)
    assert simulator.client.sale(sale)["total_given_back"] == 3000


def test_a_part_of_an_unsettled_sale_waits_and_runs_by_itself(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00", settled=False)
    order = place_order(app, (3000, 1), cards={sale: 3000})
    issue(app, card(order, everything=False, selections=some("1", 1000)))
    with app.app_context():
        sweep(runtime_of(app))
    waiting = transfer_of(app)
    assert (waiting.state, waiting.detail) == ("started", "waiting_for_settlement")
    simulator.client.settle(sale)
    sweep_until_final(app)
    assert simulator.client.sale(sale)["total_given_back"] == 1000


def test_a_sale_larger_than_the_refund_is_never_voided(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    """A tip, or a charge that two orders share: a void would give all of it back."""
    app = open_shop()
    sale = sell(simulator, "35.00", settled=False)
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    with app.app_context():
        sweep(runtime_of(app))
    assert not simulator.client.sale(sale)["voided"]
    assert transfer_of(app).detail == "waiting_for_settlement"


def test_a_declined_refund_releases_its_money_and_a_retry_reserves_it_again(
    database_url: str, simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "3500.00")
    order = place_order(app, (204600, 1), (145400, 1), cards={sale: 350000})
    issue(app, card(order, everything=False, selections=some("1", 204600)))
    sweep_until_final(app)
    failed = transfer_of(app)
    assert (failed.state, failed.failure_code) == ("failed", "2046")
    assert tables(app)["committed"] == 0
    with app.app_context():
        correcting.retry(runtime_of(app), 1, AGENT, why="the bank said try again")
    again = transfer_of(app)
    assert again.state == "started"
    assert again.generation == 2
    assert again.request_key != failed.request_key
    assert again.reference != failed.reference
    assert tables(app)["committed"] == 204600
    assert postings(app) == []


def test_a_failed_refund_cannot_be_retried_when_the_line_was_refunded_meanwhile(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "3500.00")
    order = place_order(app, (204600, 1), (145400, 1), cards={sale: 350000})
    issue(app, card(order, everything=False, selections=some("1", 204600)))
    sweep_until_final(app)
    issue(app, whole(order, "cash", everything=False, selections=some("1", 1)))
    before = tables(app)
    with app.app_context():
        with pytest.raises(errors.AboveLine):
            correcting.retry(runtime_of(app), 1, AGENT)
        with pytest.raises(errors.AboveLine):
            correcting.pay_otherwise(runtime_of(app), 1, AGENT, kind="cash")
    assert tables(app) == before
    assert transfer_of(app).state == "failed"


def test_other_means_instead_of_a_failed_card_carries_the_same_items(
    database_url: str, simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "3500.00")
    order = place_order(app, (204600, 1), (145400, 1), cards={sale: 350000})
    issue(app, card(order, everything=False, selections=some("1", 204600)))
    sweep_until_final(app)
    with app.app_context():
        correcting.pay_otherwise(
            runtime_of(app), 1, AGENT, kind="bank_transfer", reference="IBAN 1", why="agreed"
        )
        with pytest.raises(errors.WrongState):
            correcting.pay_otherwise(runtime_of(app), 1, AGENT, kind="cash")
        with pytest.raises(errors.WrongState):
            correcting.retry(runtime_of(app), 1, AGENT)
    assert postings(app) == [("refund", "1", 204600)]
    assert read(app, lambda s: s.query(Refund).one().state) == "completed"
    assert transfer_of(app, 2).replaces_id == 1


def test_a_mistaken_record_is_reversed_by_a_posting_and_frees_the_balance(
    database_url: str, simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    order = place_order(app, (1000, 1))
    issue(app, whole(order, "one"))
    with app.app_context():
        with pytest.raises(errors.ReasonMissing):
            correcting.reverse(runtime_of(app), 1, AGENT, why=" ")
        correcting.reverse(runtime_of(app), 1, AGENT, why="wrong order")
        with pytest.raises(errors.WrongState):
            correcting.reverse(runtime_of(app), 1, AGENT, why="again")
    assert postings(app) == [("refund", "1", 1000), ("reversal", "1", -1000)]
    assert tables(app)["committed"] == 0
    issue(app, whole(order, "two"))
    assert tables(app)["posted"] == 1000


def test_a_refund_that_the_gateway_declines_later_is_reversed_by_new_postings(
    database_url: str, simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    sweep_until_final(app)
    completed = read(app, lambda s: s.query(Posting).one())
    simulator.client.decline_settlement(transfer_of(app).gateway_refund_id or "")
    sweep_rounds(app, lambda: transfer_of(app).state == "failed")
    assert postings(app) == [("refund", "1", 3000), ("reversal", "1", -3000)]
    assert tables(app)["committed"] == 0
    after = read(app, lambda s: s.get(Posting, completed.id))
    assert after.posted_at == completed.posted_at
    assert "failed_late" in actions(app)


def test_completed_may_mean_settled(simulator: Simulator, open_shop: Callable[..., Flask]) -> None:
    app = open_shop(REFUNDS_COMPLETE_ON="settled")
    sale = sell(simulator, "30.00")
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    sweep_rounds(app, lambda: transfer_of(app).detail == "accepted")
    accepted = transfer_of(app)
    assert accepted.state == "processing"
    assert postings(app) == []
    with app.app_context():
        process(runtime_of(app), 1)
    assert len(simulator.client.sale(sale)["refunds"]) == 1
    simulator.client.settle(accepted.gateway_refund_id or "")
    sweep_until_final(app)
    assert postings(app) == [("refund", "1", 3000)]


def test_two_cards_of_which_one_fails_post_only_what_moved(
    database_url: str, simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    good, bad = sell(simulator, "10.00"), sell(simulator, "3500.00")
    order = place_order(app, (1000, 1), (204600, 1), cards={good: 1000, bad: 204600})
    issue(app, card(order))
    sweep_until_final(app)
    assert [transfer_of(app, n).state for n in (1, 2)] == ["completed", "failed"]
    assert postings(app) == [("refund", "1", 1000)]
    assert read(app, lambda s: s.query(Refund).one().state) == "partly_failed"
    assert tables(app)["committed"] == 1000


def test_an_order_that_the_host_flips_to_cancelled_breaks_nothing(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00", settled=False)
    order = place_order(app, (3000, 1), cards={sale: 3000})
    issue(app, card(order, everything=False, selections=some("1", 1000)))
    with app.app_context():
        sweep(runtime_of(app))
        row = db.session.query(Order).one()
        row.status = "cancelled"
        for payment in row.payments:
            payment.status = "declined"
        db.session.commit()
        with pytest.raises(errors.NothingPaid):
            issuing.issue(runtime_of(app), whole(order, "two"), AGENT)
    simulator.client.settle(sale)
    sweep_until_final(app)
    assert tables(app)["posted"] == 1000
    account = read(app, lambda s: s.query(Account).one())
    assert (account.committed, account.paid) == (1000, 3000)


def test_an_answer_after_the_lease_changes_no_state(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    with app.app_context():
        runtime = runtime_of(app)
        stale = outcomes.Claim(
            transfer_id=1, attempt_id=1, order_ref="1", token="somebody else's",
            gateway="braintree", charge_id=sale, amount=3000, currency="USD", key="k",
            reference="r",
        )  # fmt: skip
        process(runtime, 1)
        before = transfer_of(app)
        refused = outcomes.Refused(code="2000", message="Do Not Honor", outcome="declined")
        runtime.sessions.transact(lambda s: recording.record(s, runtime, stale, refused))
    after = transfer_of(app)
    assert (after.state, after.failure_code) == (before.state, None)
    assert tables(app)["committed"] == 3000
    assert actions(app)[-1] == "late_answer"


def test_the_ledger_and_the_trail_cannot_be_edited(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    issue(app, whole(place_order(app, (1000, 1)), "one"))

    def edit(session: Session) -> None:
        session.query(Posting).one().paid = 1
        session.flush()

    with app.app_context(), pytest.raises(RuntimeError, match="append-only"):
        runtime_of(app).sessions.transact(edit)


def test_a_hook_of_the_host_that_fails_does_not_undo_the_record(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    seen = []

    def restock(session: Session, refund: Refund) -> None:
        seen.append(refund.order_ref)
        session.get_one(Order, int(refund.order_ref)).status = "pending"
        session.flush()
        raise RuntimeError("the warehouse is closed")

    with app.app_context():
        object.__setattr__(runtime_of(app), "after_refund", restock)
        issuing.issue(runtime_of(app), whole(place_order(app, (1000, 1)), "one"), AGENT)
        assert db.session.query(Order.status).scalar() == "paid"
    assert seen == ["1"]
    assert tables(app)["posted"] == 1000
    assert "hook_failed" in actions(app)


def claim_of(app: Flask, transfer_id: int = 1) -> outcomes.Claim:
    """Return the hold of the last attempt of a transfer, as its worker had it."""

    def work(session: Session) -> outcomes.Claim:
        transfer = session.get_one(Transfer, transfer_id)
        attempt = transfer.attempt_rows[-1]
        return outcomes.Claim(
            transfer_id=transfer_id, attempt_id=attempt.id, order_ref=transfer.order_ref,
            token=attempt.claim_token, gateway="braintree", charge_id=transfer.charge_id or "",
            amount=transfer.amount, currency=transfer.currency, key=attempt.request_key,
            reference=attempt.reference,
        )  # fmt: skip

    claim: outcomes.Claim = read(app, work)
    return claim


def stall(app: Flask) -> outcomes.Claim:
    """Have a worker announce a refund and then stand still until its lease and window are over."""
    moment = [datetime.now(UTC)]
    with app.app_context():
        runtime = runtime_of(app)
        object.__setattr__(runtime, "clock", lambda: moment[0])

        def stands_still(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        gateway = runtime.gateways.get("braintree")
        object.__setattr__(gateway, "refund", stands_still)
        with pytest.raises(KeyboardInterrupt):
            process(runtime, 1)
        del gateway.__dict__["refund"]
    moment[0] += timedelta(hours=1)
    return claim_of(app)


def test_a_refund_that_lands_after_its_transfer_failed_is_found_and_not_repeated(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    """A worker stalls, the next one is declined, a person retries, and then the first one lands."""
    app = open_shop()
    sale = sell(simulator, "30.00")
    simulator.client.keys("ignored")
    order = place_order(app, (3000, 1), cards={sale: 3000})
    issue(app, card(order, everything=False, selections=some("1", 1000)))
    stalled = stall(app)
    simulator.client.fault("decline", "refund", code="2046", times=1)
    with app.app_context():
        runtime = runtime_of(app)
        process(runtime, 1)
        assert transfer_of(app).state == "failed"
        correcting.retry(runtime, 1, AGENT)
        runtime.gateways.get("braintree").refund(
            sale, 1000, "USD", key=stalled.key, reference=stalled.reference
        )
        process(runtime, 1)
    assert transfer_of(app).state == "completed"
    assert simulator.client.sale(sale)["total_given_back"] == 1000
    assert tables(app)["posted"] == 1000


@pytest.mark.parametrize("answer", ["accepted", "unknown"])
def test_a_late_answer_of_a_failed_transfer_has_the_gateway_asked_again(
    simulator: Simulator, open_shop: Callable[..., Flask], answer: str
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    order = place_order(app, (3000, 1), cards={sale: 3000})
    issue(app, card(order, everything=False, selections=some("1", 1000)))
    stalled = stall(app)
    simulator.client.fault("decline", "refund", code="2046", times=1)
    with app.app_context():
        runtime = runtime_of(app)
        process(runtime, 1)
        assert (transfer_of(app).state, tables(app)["committed"]) == ("failed", 0)
        receipt = runtime.gateways.get("braintree").refund(
            sale, 1000, "USD", key="another", reference=stalled.reference
        )
        late: outcomes.Outcome = outcomes.Look(message="timed out")
        if answer == "accepted":
            late = outcomes.Accepted.by_refund(receipt)
        runtime.sessions.transact(lambda s: recording.record(s, runtime, stalled, late))
        assert tables(app)["committed"] == 1000
        with pytest.raises(errors.WrongState):
            correcting.pay_otherwise(runtime, 1, AGENT, kind="cash")
        process(runtime, 1)
    assert transfer_of(app).state == "completed"
    assert simulator.client.sale(sale)["total_given_back"] == 1000
    assert tables(app)["posted"] == 1000


def test_money_that_moved_beside_the_books_is_flagged_for_a_person(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    order = place_order(app, (3000, 1), cards={sale: 3000})
    issue(app, card(order, everything=False, selections=some("1", 1000)))
    stalled = stall(app)
    simulator.client.fault("decline", "refund", code="2046", times=1)
    with app.app_context():
        runtime = runtime_of(app)
        process(runtime, 1)
        correcting.pay_otherwise(runtime, 1, AGENT, kind="cash")
        receipt = runtime.gateways.get("braintree").refund(
            sale, 1000, "USD", key="another", reference=stalled.reference
        )
        late = outcomes.Accepted.by_refund(receipt)
        runtime.sessions.transact(lambda s: recording.record(s, runtime, stalled, late))
    assert transfer_of(app).detail == "conflict"
    assert actions(app)[-1] == "conflict"
    assert tables(app)["posted"] == 1000


def test_a_partial_refund_of_ours_that_landed_late_is_found_when_the_next_is_too_large(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    simulator.client.keys("ignored")
    order = place_order(app, (3000, 1), cards={sale: 3000})
    issue(app, card(order, everything=False, selections=some("1", 2000)))
    stalled = stall(app)
    with app.app_context():
        runtime = runtime_of(app)
        gateway = runtime.gateways.get("braintree")
        refund = gateway.refund

        def lands_between(*args: Any, **named: Any) -> Any:
            refund(sale, 2000, "USD", key="another", reference=stalled.reference)
            return refund(*args, **named)

        object.__setattr__(gateway, "refund", lands_between)
        process(runtime, 1)
        del gateway.__dict__["refund"]
    assert transfer_of(app).state == "completed"
    assert simulator.client.sale(sale)["total_given_back"] == 2000
    assert tables(app)["posted"] == 2000


def test_a_failed_refund_is_still_owed_when_the_host_has_flipped_or_deleted_the_order(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "30.00")
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    simulator.client.fault("decline", "refund", code="2046", times=2)
    sweep_until_final(app)
    with app.app_context():
        db.session.query(Payment).update({"status": "declined"})
        db.session.commit()
        correcting.retry(runtime_of(app), 1, AGENT)
    sweep_until_final(app)
    with app.app_context():
        db.session.delete(db.session.query(Order).one())
        db.session.commit()
        correcting.pay_otherwise(runtime_of(app), 1, AGENT, kind="cash")
    assert tables(app)["posted"] == 3000


def test_a_retried_part_closes_the_tax_of_its_line(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    sale = sell(simulator, "10.00")
    order = place_order(app, (1000, 1), cards={sale: 1000})
    with app.app_context():
        db.session.query(OrderItem).update({"tax_cents": 5})
        db.session.commit()
    simulator.client.fault("decline", "refund", code="2046", times=1)
    issue(app, card(order, everything=False, selections=some("1", 500)))
    sweep_until_final(app)
    issue(app, whole(order, "cash", everything=False, selections=some("1", 500)))
    with app.app_context():
        correcting.retry(runtime_of(app), 1, AGENT)
    sweep_until_final(app)
    assert sum(p.tax for p in read(app, lambda s: s.query(Posting).all())) == 5
    with app.app_context():
        assert verify(runtime_of(app)) == []


@pytest.mark.parametrize("habit", ["rollback", "commit"])
def test_a_hook_that_ends_its_transaction_ends_only_its_own(
    simulator: Simulator, open_shop: Callable[..., Flask], habit: str
) -> None:
    app = open_shop()
    ran = []

    def hook(session: Session, refund: Refund) -> None:
        ran.append(refund.id)
        session.get_one(Order, int(refund.order_ref)).status = "pending"
        getattr(session, habit)()

    with app.app_context():
        object.__setattr__(runtime_of(app), "after_refund", hook)
        issuing.issue(runtime_of(app), whole(place_order(app, (1000, 1)), "one"), AGENT)
        status = db.session.query(Order.status).scalar()
    assert status == ("pending" if habit == "commit" else "paid")
    assert ran == [1]
    assert tables(app)["posted"] == 1000


def test_a_hook_runs_once_though_the_refund_completes_twice(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    ran: list[int] = []
    with app.app_context():
        object.__setattr__(runtime_of(app), "after_refund", lambda _, refund: ran.append(refund.id))
    sale = sell(simulator, "30.00")
    issue(app, card(place_order(app, (3000, 1), cards={sale: 3000})))
    sweep_until_final(app)
    simulator.client.decline_settlement(transfer_of(app).gateway_refund_id or "")
    sweep_rounds(app, lambda: transfer_of(app).state == "failed")
    with app.app_context():
        correcting.retry(runtime_of(app), 1, AGENT)
    sweep_until_final(app)
    assert ran == [1]
    assert tables(app)["posted"] == 3000


def test_an_engine_that_commits_each_statement_is_refused(sqlite_url: str) -> None:
    autocommit = {"isolation_level": "AUTOCOMMIT"}
    with shop(sqlite_url, SQLALCHEMY_ENGINE_OPTIONS=autocommit) as app:
        order = place_order(app, (1000, 1))
        with app.app_context(), pytest.raises(errors.ConfigurationError, match="AUTOCOMMIT"):
            issuing.issue(runtime_of(app), whole(order, "one"), AGENT)
        assert tables(app)["refunds"] == 0


def test_a_change_of_the_orders_currency_is_refused_after_a_refund(
    simulator: Simulator, open_shop: Callable[..., Flask]
) -> None:
    app = open_shop()
    order = place_order(app, (1000, 1))
    issue(app, whole(order, "one", everything=False, selections=some("1", 300)))
    with app.app_context():
        db.session.query(Order).update({"currency": "EUR"})
        db.session.commit()
    with pytest.raises(errors.CurrencyChanged):
        issue(app, whole(order, "two"))
    assert tables(app)["committed"] == 300


def test_a_refund_of_ours_that_the_host_notes_too_counts_once(
    simulator: Simulator, open_shop: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host mirrors the gateway's refunds, ours among them, as payments of another kind."""
    known = wiring.STOREFRONT
    assert known.payments is not None
    mirrored = PriorRefunds(
        key=Payment.id,
        order=Payment.order_id,
        amount=minor(Payment.amount_cents),
        at=Payment.created_at,
        gateway_id=Payment.transaction_id,
        where=Payment.kind == "refund",
    )
    payments = replace(known.payments, where=Payment.kind != "refund")
    storefront = replace(known, payments=payments, prior_refunds=mirrored)
    monkeypatch.setattr(wiring, "STOREFRONT", storefront)
    app = open_shop()
    sale = sell(simulator, "30.00")
    order = place_order(app, (3000, 1), cards={sale: 3000})
    issue(app, card(order, everything=False, selections=some("1", 1000)))
    sweep_until_final(app)
    with app.app_context():
        ours = transfer_of(app).gateway_refund_id
        for transaction, cents in ((ours, 1000), ("made elsewhere", 500)):
            db.session.add(
                Payment(
                    order_id=1,
                    kind="refund",
                    transaction_id=transaction,
                    amount_cents=cents,
                    currency="USD",
                )
            )
        db.session.commit()
        assert issuing.quote(runtime_of(app), order).standing.balance == 1500
        assert histories.order_now(runtime_of(app), order).prior == 500
    issue(app, whole(order, "the rest"))
    assert tables(app)["committed"] == 2500


def test_a_deadlock_in_the_hosts_hook_runs_the_whole_service_again(
    mariadb_url: str, simulator: Simulator
) -> None:
    """MariaDB ends the whole transaction then: without a new run, the refund would be lost."""
    ran = []
    settings = {**simulator.gateway_config(), "REFUNDS_GATEWAY_TIMEOUT": 30}
    sale = sell(simulator, "10.00")
    with shop(mariadb_url, **settings) as app, ThreadPoolExecutor(1) as pool, app.app_context():
        order = place_order(app, (1000, 1), cards={sale: 1000})
        db.session.add_all(User(name=f"U{i}", email=f"u{i}@example.com") for i in range(200))
        db.session.commit()
        engine = db.engine
        held, waits = threading.Event(), threading.Event()

        def other() -> None:
            with engine.begin() as connection:  # the heavier one, so that it is not the victim
                connection.execute(update(User).where(User.id > 2).values(role="viewer"))
                held.set()
                waits.wait(10)
                connection.execute(update(User).where(User.id == 1).values(role="viewer"))

        def hook(session: Session, refund: Refund) -> None:
            ran.append(refund.id)
            if len(ran) > 1:
                return
            session.execute(update(User).where(User.id == 1).values(role="support"))
            started.append(pool.submit(other))
            held.wait(10)
            waits.set()
            session.execute(update(User).where(User.id == 3).values(role="support"))

        started: list[Any] = []
        object.__setattr__(runtime_of(app), "after_refund", hook)
        issuing.issue(runtime_of(app), card(order), AGENT)
        process(runtime_of(app), 1)
        started[0].result(20)
        assert ran == [1, 1]
        assert transfer_of(app).state == "completed"
        assert tables(app)["posted"] == 1000
