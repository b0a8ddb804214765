"""Refunds made in the gateway's own panel: found over HTTP, counted once, posted when confirmed."""

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session

from example_app import db
from example_app.models import Order, Payment
from flask_refunds import RefundRequest, confirming, correcting, errors, issuing, lifecycle
from flask_refunds.accounts import lock
from flask_refunds.attention import Need, conditions
from flask_refunds.cli import refunds
from flask_refunds.confirming import Confirmation
from flask_refunds.figures.periods import ALL
from flask_refunds.issuing import quote
from flask_refunds.models import Account, Gateway, Line, Posting, Refund, Transfer
from flask_refunds.outside import Outcome
from flask_refunds.planning import Selection
from flask_refunds.processing import Processed, process
from flask_refunds.reconciling import poll, sweep
from flask_refunds.runtime import GatewayRegistry, utc_now
from flask_refunds.states import Detail, TransferState
from flask_refunds.syncing import OVERLAP, Synced, sync
from flask_refunds.verify import verify, verify_gateway
from tests.integration.conftest import StartWorker
from tests.integration.panel import map_prior_refunds, note, outside
from tests.integration.simulator.sdk import sdk_for
from tests.integration.test_crashes import wait_for_lines
from tests.integration.workshop import AGENT, PATIENT, Workshop, opened


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Workshop]:
    with opened(database_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        yield shop


@pytest.fixture
def patient(sqlite_url: str) -> Iterator[Workshop]:
    with opened(sqlite_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        yield shop


@pytest.fixture
def keeping(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """A shop that keeps refunds of its own."""
    map_prior_refunds(monkeypatch)
    with opened(sqlite_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        yield shop


def synced(shop: Workshop, **options: Any) -> Synced:
    found: Synced = shop.do(sync, **options)
    return found


def outcomes(found: Synced) -> dict[str, Outcome]:
    """Return what became of each refund, by its id at the gateway."""
    (looked,) = found.gateways
    assert looked.problems == ()
    return {each.given.id: each.outcome for each in looked.found}


def adopted(shop: Workshop) -> Transfer:
    """Return the only transfer that there is, after a sync."""
    synced(shop)
    (transfer,) = shop.rows(select(Transfer))
    assert isinstance(transfer, Transfer)
    return transfer


def account(shop: Workshop, order_ref: str) -> Account:
    (row,) = shop.rows(select(Account).where(Account.order_ref == order_ref))
    assert isinstance(row, Account)
    return row


def posted(shop: Workshop) -> int:
    return int(shop.rows(select(func.coalesce(func.sum(Posting.paid), 0)))[0])


def left(shop: Workshop, order_ref: str) -> int:
    return int(shop.do(quote, order_ref).standing.balance)


def confirmed(shop: Workshop, transfer: Transfer, *, adjustment: int = 0) -> None:
    """Confirm the whole of *transfer* for the order's only line."""
    line = shop.rows(select(Line.line_ref).where(Line.kind == "line"))[0]
    selection = Selection(kind="line", ref=line, quantity=0, paid=transfer.amount - adjustment)
    confirmation = Confirmation(
        selections=(selection,), adjustment=adjustment, reason="damaged", note="By phone"
    )
    shop.do(confirming.confirm_outside, transfer.id, AGENT, confirmation)


def ties_out(shop: Workshop) -> None:
    assert shop.do(verify) == []
    assert shop.do(verify_gateway, ALL).findings == ()


# Adopted, counted, confirmed.


def test_a_refund_in_the_panel_counts_at_once_and_is_posted_when_confirmed(
    any_shop: Workshop,
) -> None:
    order_ref, (sale,) = any_shop.sell(3000)
    stranger = outside(any_shop, sale, "12.00")

    found = synced(any_shop)

    assert outcomes(found) == {stranger: Outcome.ADOPTED}
    assert found.needs_person
    (transfer,) = any_shop.rows(select(Transfer))
    assert (transfer.state, transfer.detail) == (TransferState.PROCESSING, Detail.OUTSIDE)
    assert (transfer.gateway_refund_id, transfer.operation) == (stranger, "refund")
    assert (transfer.amount, transfer.claim_token, transfer.next_attempt_at) == (1200, None, None)
    (refund,) = any_shop.rows(select(Refund))
    assert (refund.source, refund.actor_id, refund.actor_label) == ("gateway", "system", "Gateway")
    assert (refund.state, refund.amount, refund.reason) == ("processing", 1200, "other")
    assert stranger in refund.note
    assert left(any_shop, order_ref) == 1800
    with pytest.raises(errors.AboveLine):
        any_shop.issue(order_ref, 1801)
    assert posted(any_shop) == 0
    ties_out(any_shop)
    timing = any_shop.do(verify_gateway, ALL).timing
    assert [each.code for each in timing] == ["timing_outside"]

    confirmed(any_shop, transfer)

    (transfer,) = any_shop.rows(select(Transfer))
    assert (transfer.state, transfer.detail) == (TransferState.COMPLETED, Detail.ACCEPTED)
    (posting,) = any_shop.rows(select(Posting))
    assert (posting.paid, posting.reason, posting.gateway_refund_id) == (1200, "damaged", stranger)
    assert (posting.gateway_at, posting.posted_at) == (transfer.gateway_at, transfer.completed_at)
    assert account(any_shop, order_ref).committed == 1200
    ties_out(any_shop)

    any_shop.gateway.settle(stranger)
    any_shop.do(poll, transfer.id)
    (transfer,) = any_shop.rows(select(Transfer))
    assert (transfer.state, transfer.detail) == (TransferState.COMPLETED, Detail.SETTLED)
    assert posted(any_shop) == 1200


def test_a_void_in_the_panel_gives_the_whole_order_back(any_shop: Workshop) -> None:
    order_ref, (sale,) = any_shop.sell(2000, settled=False)
    outside(any_shop, sale)

    transfer = adopted(any_shop)

    assert (transfer.operation, transfer.gateway_refund_id) == ("void", sale)
    assert (transfer.poll_at, transfer.settled_at is not None) == (None, True)
    (line,) = any_shop.rows(select(Line))
    assert (line.kind, line.quantity, line.paid) == ("line", 1, 2000)
    assert left(any_shop, order_ref) == 0
    ties_out(any_shop)
    confirmed(any_shop, transfer)
    assert any_shop.transfer(transfer.id).detail == Detail.SETTLED
    assert posted(any_shop) == 2000
    ties_out(any_shop)


def test_the_void_of_a_mere_authorization_gives_nothing_back(patient: Workshop) -> None:
    order_ref, (counted, hidden) = patient.sell(2000, 1000)
    transactions = sdk_for(patient.simulator, timeout=30).transaction
    held = [
        transactions.sale({"amount": amount, "payment_method_nonce": "fake-valid-nonce"})
        for amount in ("20.00", "10.00")
    ]
    ids = [result.transaction.id for result in held]
    with patient.app.app_context():
        for before, now in zip((counted, hidden), ids, strict=True):
            change = update(Payment).where(Payment.transaction_id == before)
            db.session.execute(change.values(transaction_id=now))
        uncaptured = update(Payment).where(Payment.transaction_id == ids[1])
        db.session.execute(uncaptured.values(status="authorized"))
        db.session.commit()
    for id_ in ids:
        outside(patient, id_)

    assert outcomes(synced(patient)) == {ids[0]: Outcome.NEVER_CAPTURED}
    assert patient.rows(select(Transfer)) == []
    assert left(patient, order_ref) == 2000


def test_settling_does_not_complete_what_nobody_has_explained(patient: Workshop) -> None:
    order_ref, (sale,) = patient.sell(3000)
    stranger = outside(patient, sale, "12.00")
    transfer = adopted(patient)
    patient.gateway.settle(stranger)

    patient.do(poll, transfer.id)

    now = patient.transfer(transfer.id)
    assert (now.state, now.detail) == (TransferState.PROCESSING, Detail.OUTSIDE)
    assert (now.gateway_status, now.poll_at) == ("settled", None)
    assert now.settled_at is not None
    assert (posted(patient), left(patient, order_ref)) == (0, 1800)


def test_a_refund_that_fails_late_is_released(patient: Workshop) -> None:
    order_ref, (sale,) = patient.sell(3000)
    stranger = outside(patient, sale, "12.00")
    transfer = adopted(patient)
    patient.gateway.decline_settlement(stranger)

    patient.do(poll, transfer.id)

    assert patient.transfer(transfer.id).state == TransferState.FAILED
    assert (posted(patient), left(patient, order_ref)) == (0, 3000)
    synced(patient)
    assert len(patient.rows(select(Transfer))) == 1
    ties_out(patient)


def test_a_retry_of_a_late_failure_is_a_refund_of_ours(patient: Workshop) -> None:
    _, (sale,) = patient.sell(3000)
    stranger = outside(patient, sale, "12.00")
    transfer = adopted(patient)
    patient.gateway.decline_settlement(stranger)
    patient.do(poll, transfer.id)

    patient.do(correcting.retry, transfer.id, AGENT)
    patient.do(process, transfer.id)

    assert patient.transfer(transfer.id).state == TransferState.COMPLETED
    assert outcomes(synced(patient)) == {}
    assert patient.gateway.sale(sale)["total_given_back"] == posted(patient) == 1200
    ties_out(patient)


def test_with_complete_on_settled_a_confirmed_refund_waits_for_that(sqlite_url: str) -> None:
    with opened(sqlite_url, **PATIENT, REFUNDS_COMPLETE_ON="settled") as shop:
        _, (sale,) = shop.sell(3000)
        stranger = outside(shop, sale, "12.00")
        transfer = adopted(shop)
        confirmed(shop, transfer)
        now = shop.transfer(transfer.id)
        assert (now.state, now.detail) == (TransferState.PROCESSING, Detail.ACCEPTED)
        assert posted(shop) == 0

        shop.gateway.settle(stranger)
        shop.do(poll, transfer.id)

        assert shop.transfer(transfer.id).state == TransferState.COMPLETED
        assert posted(shop) == 1200
        ties_out(shop)


def test_no_worker_touches_what_was_made_outside(patient: Workshop) -> None:
    _, (sale,) = patient.sell(3000)
    outside(patient, sale, "12.00")
    transfer = adopted(patient)
    with patient.app.app_context(), patient.runtime.sessions.open() as session:
        session.get_one(Transfer, transfer.id).next_attempt_at = utc_now() - timedelta(hours=1)
        session.commit()

    assert patient.do(process, transfer.id) is Processed.NOT_DUE
    patient.do(sweep)

    assert len(patient.gateway.sale(sale)["refunds"]) == 1
    assert patient.transfer(transfer.id).attempts == 0


def test_it_needs_a_person_until_it_is_confirmed(patient: Workshop) -> None:
    _, (sale,) = patient.sell(3000)
    outside(patient, sale, "12.00")
    transfer = adopted(patient)
    needs = conditions(patient.runtime.config, utc_now())
    waiting = select(Transfer.id).where(needs[Need.OUTSIDE])
    assert patient.rows(waiting) == [transfer.id]

    confirmed(patient, transfer)

    assert patient.rows(waiting) == []


# Once, whoever runs when.


def test_two_syncs_adopt_it_once(patient: Workshop) -> None:
    _, (sale,) = patient.sell(3000)
    stranger = outside(patient, sale, "12.00")

    assert outcomes(synced(patient)) == {stranger: Outcome.ADOPTED}
    assert outcomes(synced(patient)) == {}
    assert len(patient.rows(select(Transfer))) == 1


def test_syncs_at_once_adopt_it_once(any_shop: Workshop) -> None:
    order_ref, (sale,) = any_shop.sell(3000)
    for amount in ("5.00", "7.00"):
        outside(any_shop, sale, amount)
    start = threading.Barrier(4)

    def run(_: int) -> int:
        start.wait(30)
        return len(outcomes(synced(any_shop)))

    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(run, range(4)))

    assert sum(counts) == 2
    assert account(any_shop, order_ref).committed == 1200
    assert len(any_shop.rows(select(Transfer))) == 2
    assert any_shop.rows(select(Gateway.synced_until)) != [None]
    ties_out(any_shop)


def test_it_is_adopted_under_the_lock_of_its_order(any_shop: Workshop) -> None:
    """An issue has the lock and has not committed while the sync is about to write."""
    order_ref, (sale,) = any_shop.sell(3000)
    any_shop.issue(order_ref, 100)
    outside(any_shop, sale, "12.00")
    writes, issuer = threading.Event(), threading.get_ident()
    looking = threading.Thread(target=synced, args=(any_shop,))

    def watch(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() != issuer and not statement.startswith("SELECT"):
            writes.set()

    def under_lock(_amount: int, _currency: str) -> None:
        looking.start()
        assert writes.wait(30)

    line = any_shop.rows(select(Line.line_ref))[0]
    request = RefundRequest(
        order_ref=order_ref,
        token="other",
        reason="returned",
        selections=(Selection(kind="line", ref=line, paid=1500),),
        other_kind="cash",
    )
    with any_shop.app.app_context():
        event.listen(db.engine, "before_cursor_execute", watch)
        issuing.issue(any_shop.runtime, request, AGENT, permit=under_lock)
        looking.join(60)
        event.remove(db.engine, "before_cursor_execute", watch)

    assert account(any_shop, order_ref).committed == 100 + 1500 + 1200
    assert left(any_shop, order_ref) == 200
    ties_out(any_shop)


def test_a_sync_and_a_full_refund_at_once_give_no_cent_twice(any_shop: Workshop) -> None:
    order_ref, (sale,) = any_shop.sell(3000)
    outside(any_shop, sale, "12.00")
    start = threading.Barrier(2)

    def issue() -> None:
        start.wait(30)
        any_shop.issue(order_ref)

    def look() -> None:
        start.wait(30)
        synced(any_shop)

    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(issue), threads.submit(look)]
        for each in done:
            each.result(60)
    any_shop.do(sweep)

    audit = any_shop.gateway.sale(sale)
    states = any_shop.rows(select(Transfer.state).where(Transfer.detail != Detail.OUTSIDE))
    assert audit["over_refunded"] is False
    assert account(any_shop, order_ref).committed == audit["total_given_back"]
    assert audit["total_given_back"] == (3000 if states == ["completed"] else 1200)


def test_our_own_refund_in_flight_is_not_adopted(
    shop: Workshop, start_worker: StartWorker, tmp_path: Path
) -> None:
    """The worker is killed between the call and the record of it, for a refund and a void."""
    tickets = [shop.refund_of(3000, part=1000), shop.refund_of(2000, settled=False)]
    file = tmp_path / "cut"
    worker = start_worker(shop, env={"SHOP_CUT": "after call", "SHOP_CUT_FILE": str(file)})
    wait_for_lines(file, 2)
    worker.stop(signal.SIGKILL)
    assert [ticket.audit["total_given_back"] for ticket in tickets] == [1000, 2000]

    found = synced(shop)

    assert outcomes(found) == {}
    assert found.gateways[0].ours == 2
    start_worker(shop)
    for ticket in tickets:
        ticket.wait()
        ticket.given_back_once()
    assert len(shop.rows(select(Transfer))) == 2
    ties_out(shop)


def test_a_void_of_ours_is_not_made_of_one_that_was_found_outside(patient: Workshop) -> None:
    """It is voided in the panel, and found, while our worker stands before its own void."""
    ticket = patient.refund_of(2000, settled=False)
    patient.gateway.fault("hold", "find", where="after")
    worker = threading.Thread(target=patient.do, args=(process, ticket.id))
    worker.start()
    patient.gateway.wait_held(1)
    outside(patient, ticket.sale)
    assert outcomes(synced(patient)) == {ticket.sale: Outcome.ADOPTED}
    assert account(patient, ticket.order_ref).committed == 4000
    patient.gateway.release()
    worker.join(30)
    with patient.app.app_context(), patient.runtime.sessions.open() as session:
        session.get_one(Transfer, ticket.id).next_attempt_at = utc_now()
        session.commit()
    patient.do(process, ticket.id)

    assert (ticket.now.state, ticket.now.failure_code) == (TransferState.FAILED, "voided")
    assert account(patient, ticket.order_ref).committed == 2000
    ties_out(patient)


def fail(shop: Workshop, transfer_id: int) -> None:
    """Have the transfer count as failed, as when a person has said that nothing went back."""

    def work(session: Session) -> None:
        transfer = session.get_one(Transfer, transfer_id)
        lock(session, transfer.order_ref)
        failed = TransferState.FAILED
        lifecycle.change(
            session, shop.runtime, transfer, failed, now=utc_now(), actor=AGENT, action="rejected"
        )

    with shop.app.app_context():
        shop.runtime.sessions.transact(work)


def test_a_void_in_the_panel_after_one_of_ours_failed_is_adopted(patient: Workshop) -> None:
    ticket = patient.refund_of(2000, settled=False)
    patient.gateway.fault("drop_before", "void")
    patient.do(process, ticket.id)
    assert [attempt.outcome for attempt in ticket.attempts] == ["unknown"]
    fail(patient, ticket.id)
    outside(patient, ticket.sale)

    assert outcomes(synced(patient)) == {ticket.sale: Outcome.ADOPTED}
    assert account(patient, ticket.order_ref).committed == 2000


# What the shop's own books have.


def test_what_the_shop_has_by_the_gateways_id_is_not_adopted(keeping: Workshop) -> None:
    order_ref, (sale,) = keeping.sell(3000)
    hosts, stranger = (outside(keeping, sale, amount) for amount in ("5.00", "7.00"))
    note(keeping, order_ref, 500, hosts)

    assert outcomes(synced(keeping)) == {hosts: Outcome.IN_SHOP, stranger: Outcome.ADOPTED}
    assert left(keeping, order_ref) == 1800
    ties_out(keeping)


def test_what_the_shop_has_without_an_id_stands_for_one_refund_of_its_amount(
    keeping: Workshop,
) -> None:
    order_ref, (sale,) = keeping.sell(3000)
    first = outside(keeping, sale, "5.00")
    note(keeping, order_ref, 500)
    found = synced(keeping)
    assert outcomes(found) == {first: Outcome.MATCHED}
    assert not found.needs_person
    assert left(keeping, order_ref) == 2500
    keeping.gateway.advance(2 * 86400)
    second = outside(keeping, sale, "5.00")

    later = synced(keeping, since=utc_now() + timedelta(days=1))  # the first one is out of sight
    assert outcomes(later) == {}
    object.__setattr__(keeping.runtime, "clock", lambda: utc_now() + timedelta(days=2, minutes=1))
    later = synced(keeping, since=utc_now() + timedelta(days=1))

    assert outcomes(later) == {second: Outcome.ADOPTED}
    assert left(keeping, order_ref) == 2000


def test_a_payment_that_the_gateway_does_not_know_holds_up_only_what_may_be_its(
    keeping: Workshop,
) -> None:
    order_ref, (old, sale) = keeping.sell(1000, 2000)
    note(keeping, order_ref, 500)
    with keeping.app.app_context():
        of_old = update(Payment).where(Payment.transaction_id == old)
        db.session.execute(of_old.values(transaction_id="gone"))
        db.session.commit()
    stranger = outside(keeping, sale, "7.00")

    assert outcomes(synced(keeping)) == {stranger: Outcome.ADOPTED}

    (until,) = keeping.rows(select(Gateway.synced_until))
    assert until is not None
    outside(keeping, sale, "5.00")  # this may be the one that the shop has, or another one
    (looked,) = synced(keeping).gateways
    assert len(looked.problems) == 1
    assert looked.found == ()
    assert keeping.rows(select(Gateway.synced_until)) == [until]


def test_what_people_say_is_in_the_shops_records_is_released_and_not_adopted_again(
    keeping: Workshop,
) -> None:
    order_ref, (sale,) = keeping.sell(3000)
    stranger = outside(keeping, sale, "5.00")
    transfer = adopted(keeping)
    note(keeping, order_ref, 500)
    assert left(keeping, order_ref) == 2000  # the note and the adopted one both count

    keeping.do(confirming.disown, transfer.id, AGENT, why="Booked as credit note 7")

    now = keeping.transfer(transfer.id)
    assert (now.state, now.detail, now.poll_at) == (TransferState.REVERSED, Detail.NONE, None)
    assert left(keeping, order_ref) == 2500
    assert (account(keeping, order_ref).prior, account(keeping, order_ref).committed) == (500, 0)
    assert outcomes(synced(keeping)) == {}
    assert keeping.do(verify) == []
    assert keeping.do(verify_gateway, ALL).findings == ()
    second = outside(keeping, sale, "5.00")
    assert outcomes(synced(keeping)) == {second: Outcome.ADOPTED}  # the note stands for the first
    assert stranger != second
    assert left(keeping, order_ref) == 2000


def test_a_released_one_leaves_the_shops_own_note_of_it_standing(keeping: Workshop) -> None:
    order_ref, (sale,) = keeping.sell(3000)
    stranger = outside(keeping, sale, "5.00")
    transfer = adopted(keeping)
    note(keeping, order_ref, 500, stranger)
    assert left(keeping, order_ref) == 2500

    keeping.do(confirming.disown, transfer.id, AGENT, why="Booked as credit note 7")

    assert left(keeping, order_ref) == 2500
    assert account(keeping, order_ref).prior == 500


def test_a_void_that_the_shop_has_without_an_id_is_matched(keeping: Workshop) -> None:
    order_ref, (sale,) = keeping.sell(2000, settled=False)
    outside(keeping, sale)
    note(keeping, order_ref, 2000)
    with keeping.app.app_context():  # cash, of which no gateway knows
        cash = {"kind": "cash", "amount_cents": 500, "currency": "USD"}
        db.session.add(Payment(order_id=int(order_ref), **cash))
        db.session.commit()

    assert outcomes(synced(keeping)) == {sale: Outcome.MATCHED}
    assert left(keeping, order_ref) == 500


# What a person says.


def test_who_confirms_has_to_say_why_and_for_all_of_it(patient: Workshop) -> None:
    _, (sale,) = patient.sell(3000)
    outside(patient, sale, "12.00")
    transfer = adopted(patient)
    line = patient.rows(select(Line.line_ref))[0]

    def confirm(paid: int, reason: str = "returned", transfer_id: int = transfer.id) -> None:
        wanted = Selection(kind="line", ref=line, paid=paid)
        confirmation = Confirmation(selections=(wanted,), reason=reason)
        patient.do(confirming.confirm_outside, transfer_id, AGENT, confirmation)

    with pytest.raises(errors.UnknownReason):
        confirm(1200, "whatever")
    with pytest.raises(errors.NotTheAmount):
        confirm(1199)
    with pytest.raises(errors.UnknownRefund):
        confirm(1200, transfer_id=77)
    with pytest.raises(errors.ReasonMissing):
        patient.do(confirming.disown, transfer.id, AGENT, why=" ")
    assert posted(patient) == 0
    confirm(1200)
    assert posted(patient) == 1200
    for again in (lambda: confirm(1200), lambda: patient.do(confirming.read_proposal, 1)):
        with pytest.raises(errors.WrongState):
            again()
    with pytest.raises(errors.WrongState):
        patient.do(confirming.disown, transfer.id, AGENT, why="too late")


def test_the_proposal_leaves_out_the_refund_itself(patient: Workshop) -> None:
    order_ref, (sale,) = patient.sell(3000)
    patient.issue(order_ref, 2500)
    outside(patient, sale, "12.00")
    synced(patient)
    (transfer,) = patient.rows(select(Transfer).where(Transfer.detail == Detail.OUTSIDE))

    proposal = patient.do(confirming.read_proposal, transfer.id)

    assert proposal.standing.balance == 500
    assert [(each.paid, each.quantity) for each in proposal.selections] == [(500, 0)]
    assert proposal.adjustment == 700


def test_people_who_confirm_at_once_post_it_once(any_shop: Workshop) -> None:
    _, (sale,) = any_shop.sell(3000)
    outside(any_shop, sale, "12.00")
    transfer = adopted(any_shop)
    start = threading.Barrier(4)

    def run(number: int) -> bool:
        start.wait(30)
        try:
            if number % 2:
                any_shop.do(confirming.disown, transfer.id, AGENT, why="ours")
            else:
                confirmed(any_shop, transfer)
        except errors.WrongState:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(run, range(4))) == 1
    state = any_shop.transfer(transfer.id).state
    assert posted(any_shop) == (1200 if state == TransferState.COMPLETED else 0)
    assert any_shop.do(verify) == []


def test_a_refund_of_an_order_that_is_gone_can_still_be_released(patient: Workshop) -> None:
    order_ref, (sale,) = patient.sell(3000)
    outside(patient, sale, "12.00")
    transfer = adopted(patient)
    with patient.app.app_context():
        db.session.execute(delete(Order).where(Order.id == int(order_ref)))
        db.session.commit()
    with pytest.raises(errors.UnknownOrder):
        confirmed(patient, transfer)

    patient.do(confirming.disown, transfer.id, AGENT, why="The order was a test")

    assert patient.transfer(transfer.id).state == TransferState.REVERSED
    assert account(patient, order_ref).committed == 0


# What cannot be adopted, or takes more than there is.


def test_more_than_was_left_is_adopted_and_flagged(any_shop: Workshop) -> None:
    order_ref, (sale,) = any_shop.sell(3000)
    with any_shop.app.app_context():
        db.session.execute(update(Payment).values(amount_cents=1000))
        db.session.commit()
    outside(any_shop, sale, "12.00")

    transfer = adopted(any_shop)

    row = account(any_shop, order_ref)
    assert (row.committed, row.captured, row.paid, row.over_committed) == (1200, 1000, 1200, True)
    assert [each.code for each in any_shop.do(verify)] == ["account_over_captured"]
    carried = {line.kind: line.paid for line in any_shop.rows(select(Line))}
    assert carried == {"line": 1200}
    confirmed(any_shop, transfer)
    assert posted(any_shop) == 1200


def test_what_the_lines_do_not_have_is_an_adjustment(patient: Workshop) -> None:
    order_ref, (sale,) = patient.sell(3000)
    (ours,) = patient.issue(order_ref, 2500).transfer_ids
    assert patient.transfer(ours).state == TransferState.STARTED
    stranger = outside(patient, sale, "12.00")

    assert outcomes(synced(patient)) == {stranger: Outcome.ADOPTED}

    lines = patient.rows(select(Line).join(Refund).where(Refund.source == "gateway"))
    assert {line.kind: line.paid for line in lines} == {"line": 500, "adjustment": 700}
    assert account(patient, order_ref).over_committed
    assert [each.code for each in patient.do(verify)] == ["account_over_captured"]


def test_a_sale_that_nobody_here_knows_is_listed(patient: Workshop) -> None:
    transactions = sdk_for(patient.simulator, timeout=30)
    sale = transactions.transaction.sale(
        {
            "amount": "10.00",
            "payment_method_nonce": "fake-valid-nonce",
            "options": {"submit_for_settlement": True},
        }
    ).transaction.id
    patient.gateway.settle(sale)
    stranger = outside(patient, sale, "10.00")

    found = synced(patient)

    assert outcomes(found) == {stranger: Outcome.UNKNOWN_SALE}
    assert not found.needs_person
    assert patient.rows(select(Account)) == []


def test_a_sale_of_several_orders_and_another_currency_are_for_people(patient: Workshop) -> None:
    first, (shared,) = patient.sell(3000)
    second, (sale,) = patient.sell(2000)
    third, (euros,) = patient.sell(1000)
    with patient.app.app_context():
        twice = update(Payment).where(Payment.transaction_id == sale)
        db.session.execute(twice.values(transaction_id=shared))
        db.session.execute(update(Order).where(Order.id == int(third)).values(currency="EUR"))
        db.session.execute(
            update(Payment).where(Payment.transaction_id == euros).values(currency="EUR")
        )
        db.session.commit()
    ids = [outside(patient, each, "5.00") for each in (shared, euros)]

    found = synced(patient)

    assert outcomes(found) == {
        ids[0]: Outcome.SEVERAL_ORDERS,
        ids[1]: Outcome.OTHER_CURRENCY,
    }
    orders = {each.given.id: each.order_refs for each in found.gateways[0].found}
    assert orders == {ids[0]: (first, second), ids[1]: (third,)}
    assert found.needs_person
    assert patient.rows(select(Transfer)) == []


def test_a_currency_that_the_shop_changed_is_for_people(patient: Workshop) -> None:
    order_ref, (sale,) = patient.sell(3000)
    patient.issue(order_ref, 100)
    with patient.app.app_context(), patient.runtime.sessions.open() as session:
        session.get_one(Account, order_ref).currency = "EUR"
        session.commit()
    stranger = outside(patient, sale, "5.00")

    assert outcomes(synced(patient)) == {stranger: Outcome.OTHER_CURRENCY}


def test_a_refund_that_took_no_money_is_none(patient: Workshop) -> None:
    _, (sale,) = patient.sell(3000)
    patient.gateway.decline_settlement(outside(patient, sale, "12.00"))

    found = synced(patient)

    assert outcomes(found) == {}
    assert (found.gateways[0].seen, found.gateways[0].failed) == (1, 1)


# How far it looks.


def test_it_goes_on_where_the_last_whole_look_ended(patient: Workshop) -> None:
    first = synced(patient).gateways[0]
    assert first.until - first.since == timedelta(days=30)
    assert patient.rows(select(Gateway.synced_until)) == [first.until]

    second = synced(patient).gateways[0]

    assert second.since == first.until - OVERLAP
    object.__setattr__(patient.runtime, "clock", lambda: utc_now() + timedelta(days=10))
    synced(patient, since=utc_now() + timedelta(days=9))  # leaves a gap: not remembered
    assert patient.rows(select(Gateway.synced_until)) == [second.until]
    last = synced(patient, since=first.since).gateways[0]
    assert patient.rows(select(Gateway.synced_until)) == [last.until]


def test_what_could_not_be_looked_through_is_said_and_looked_through_again(
    patient: Workshop,
) -> None:
    order_ref, (sale,) = patient.sell(3000)
    stranger = outside(patient, sale, "12.00")
    for fault in ({"kind": "status", "status": 503}, {"kind": "html"}, {"kind": "drop_before"}):
        patient.gateway.fault(operation="search", **fault)
        found = synced(patient)
        assert found.needs_person
        assert len(found.gateways[0].problems) == 1
        assert patient.rows(select(Gateway.synced_until)) == []

    assert outcomes(synced(patient)) == {stranger: Outcome.ADOPTED}
    assert left(patient, order_ref) == 1800


def test_one_order_that_cannot_be_read_does_not_stop_the_others(patient: Workshop) -> None:
    broken, (first,) = patient.sell(3000)
    _, (second,) = patient.sell(2000)
    ids = [outside(patient, sale, "5.00") for sale in (first, second)]
    with patient.app.app_context():
        db.session.execute(update(Order).where(Order.id == int(broken)).values(currency="???"))
        db.session.commit()

    (looked,) = synced(patient).gateways

    assert [each.given.id for each in looked.found] == [ids[1]]
    assert len(looked.problems) == 1
    assert "Orders.currency" in looked.problems[0]
    assert patient.rows(select(Gateway.synced_until)) == []


def test_only_gateways_that_can_list_their_refunds_take_part(patient: Workshop) -> None:
    def missing() -> Any:
        raise errors.ConfigurationError("REFUNDS_STRIPE_KEY is not set; set it.")

    silent = GatewayRegistry({"silent": object})  # type: ignore[dict-item]
    broken = GatewayRegistry({"stripe": missing})
    with patient.app.app_context():
        assert sync(replace(patient.runtime, gateways=silent)).gateways == ()
        with pytest.raises(errors.ConfigurationError, match="cannot list"):
            sync(replace(patient.runtime, gateways=silent), gateway="silent")
        (looked,) = sync(replace(patient.runtime, gateways=broken)).gateways
    assert looked.problems == ("REFUNDS_STRIPE_KEY is not set; set it.",)


# The command.


def run(shop: Workshop, *words: str) -> Result:
    return shop.app.test_cli_runner().invoke(refunds, ["sync", *words])


def test_the_command_is_dry_without_yes(patient: Workshop) -> None:
    order_ref, (sale,) = patient.sell(3000)
    stranger = outside(patient, sale, "12.00")

    told = run(patient)

    assert told.exit_code == 1
    assert "would be adopted" in told.output
    assert stranger in told.output
    assert "12.00 USD" in told.output
    assert "Add --yes to do it." in told.output
    assert patient.rows(select(Transfer)) == patient.rows(select(Gateway)) == []
    done = run(patient, "--yes", "--json")
    assert done.exit_code == 1
    (looked,) = json.loads(done.output)["gateways"]
    (found,) = looked["found"]
    assert (found["outcome"], found["refund_id"], found["order_refs"]) == (
        "adopted",
        1,
        [order_ref],
    )
    again = run(patient, "--yes")
    assert again.exit_code == 0
    assert "1 of them known here" in again.output


def test_the_command_looks_at_whole_days_of_the_store(sqlite_url: str) -> None:
    with opened(sqlite_url, **PATIENT, REFUNDS_TIMEZONE="Asia/Tokyo") as shop:
        told = run(shop, "--since", "2026-03-01", "--until", "2026-03-01", "--json")
    (looked,) = json.loads(told.output)["gateways"]
    assert (looked["since"], looked["until"]) == (
        "2026-03-01T00:00:00+09:00",
        "2026-03-02T00:00:00+09:00",
    )


def test_the_command_names_gateways_that_it_cannot_ask(patient: Workshop) -> None:
    unknown = run(patient, "--gateway", "stripe")
    assert unknown.exit_code == 1
    assert "No gateway is called 'stripe'" in unknown.output
    assert run(patient, "--since", "yesterday").exit_code == 2
