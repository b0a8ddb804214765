"""``verify --gateway``: silent about what our services did, and names every kind of damage.

The gateway is the simulator, asked by the real SDK over HTTP. What is damaged is told by code;
``findings`` is damage, ``timing`` is not.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from example_app import db
from flask_refunds import correcting
from flask_refunds.errors import ConfigurationError
from flask_refunds.figures.periods import ALL, Period
from flask_refunds.models import Transfer
from flask_refunds.processing import process
from flask_refunds.reconciling import poll
from flask_refunds.runtime import GatewayRegistry, utc_now
from flask_refunds.states import TransferState
from flask_refunds.verify import Comparison, Finding, Total, verify, verify_gateway
from flask_refunds.verify.gateway.asking import PATIENCE, THREADS
from tests.integration.panel import map_prior_refunds, note, outside
from tests.integration.test_verify import live
from tests.integration.workshop import AGENT, PATIENT, Clock, Ticket, Workshop, opened

LONG_AGO = date(2020, 5, 17)


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in findings}


def compared(shop: Workshop, period: Period = ALL) -> Comparison:
    found: Comparison = shop.do(verify_gateway, period)
    return found


def done(shop: Workshop, *cents: int, **options: Any) -> Ticket:
    """Return a refund that the gateway has accepted."""
    ticket = shop.refund_of(*cents, **options)
    shop.do(process, ticket.id)
    assert ticket.now.gateway_refund_id
    return ticket


def settled(shop: Workshop, *cents: int, **options: Any) -> Ticket:
    """Return a refund that has settled, and we know it."""
    ticket = done(shop, *cents, **options)
    shop.gateway.settle(ticket.now.gateway_refund_id or "")
    shop.do(poll, ticket.id)
    assert ticket.now.poll_at is None
    return ticket


@pytest.fixture
def patient(sqlite_url: str) -> Iterator[Workshop]:
    """A shop in which a busy machine makes no outcome unknown, and no sale is spared."""
    with opened(sqlite_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        yield shop


# What is well.


def test_finds_nothing_in_what_the_services_did(database_url: str) -> None:
    with opened(database_url, **PATIENT) as shop:
        live(shop)
        accepted = compared(shop)

        shop.gateway.settle_all("credit")
        for transfer_id in (1, 3):
            shop.do(poll, transfer_id)
        afterwards = compared(shop)

    assert (accepted.findings, afterwards.findings, afterwards.timing) == ((), (), ())
    assert codes(accepted.timing) == {"timing_unsettled"}
    today = utc_now().date()
    for found in (accepted, afterwards):
        assert (found.sales, found.transfers) == (5, 5)
        assert found.totals == (
            Total(day=today, currency="USD", operation="refund", ledger=4234, gateway=4234),
            Total(day=today, currency="USD", operation="void", ledger=2000, gateway=2000),
        )


def test_asks_once_for_each_sale_and_each_refund(patient: Workshop) -> None:
    order_ref, _ = patient.sell(5000)
    for cents in (1000, 1500):
        (transfer_id,) = patient.issue(order_ref, cents).transfer_ids
        patient.do(process, transfer_id)
    done(patient, 2000, settled=False)
    before = len(patient.gateway.requests())

    found = compared(patient)

    asked = patient.gateway.requests()[before:]
    assert [each["operation"] for each in asked] == ["find"] * 4
    assert len({each["transaction_id"] for each in asked}) == 4
    assert (found.sales, found.transfers, found.findings) == (2, 3, ())


def test_looks_at_the_days_that_it_is_asked_for_only(patient: Workshop) -> None:
    settled(patient, 3000)
    last_year = date(utc_now().year - 1, 1, 1)
    before = len(patient.gateway.requests())

    found = compared(patient, Period.of_days(last_year, last_year, patient.runtime.config.zone))

    assert (found.sales, found.transfers, found.totals) == (0, 0, ())
    assert len(patient.gateway.requests()) == before


def test_looks_at_all_transfers_on_a_sale_of_these_days(patient: Workshop) -> None:
    order_ref, _ = patient.sell(5000)
    for cents in (1000, 1500):
        (transfer_id,) = patient.issue(order_ref, cents).transfer_ids
        patient.do(process, transfer_id)
    with patient.app.app_context():
        for table, columns in (
            ("transfer", ("created_at", "completed_at")),
            ("posting", ("posted_at",)),
            ("event", ("at",)),
        ):
            key = "id" if table == "transfer" else "transfer_id"
            for column in columns:
                db.session.execute(
                    text(
                        f"UPDATE refunds_{table} SET {column} = '2020-05-17 12:00:00.000000' "
                        f"WHERE {key} = 1"
                    )
                )
        db.session.commit()

    found = compared(patient, Period.of_days(LONG_AGO, LONG_AGO, patient.runtime.config.zone))

    assert (found.transfers, found.findings) == (2, ())
    assert [(t.day, t.ledger, t.gateway) for t in found.totals] == [(LONG_AGO, 1000, 1000)]


def test_no_transaction_is_open_and_few_threads_ask(patient: Workshop) -> None:
    for _ in range(THREADS + 2):
        patient.refund_of(1000)
    patient.gateway.fault("hold", "find", times=None, where="before")
    found: list[Comparison] = []
    asking = threading.Thread(target=lambda: found.append(compared(patient)))
    asking.start()
    patient.gateway.wait_held(THREADS)
    time.sleep(0.3)

    with patient.app.app_context():
        checked_out = db.engine.pool.checkedout()  # type: ignore[attr-defined]
    held = len(patient.gateway.held())
    patient.gateway.clear_faults()
    while asking.is_alive():
        patient.gateway.release()
        asking.join(0.1)

    assert (checked_out, held) == (0, THREADS)
    assert (found[0].sales, found[0].findings) == (THREADS + 2, ())


def test_what_is_refunded_while_it_asks_is_no_damage(patient: Workshop) -> None:
    order_ref, _ = patient.sell(5000)
    first = patient.issue(order_ref, 1000).transfer_ids[0]
    patient.gateway.fault("hold", "find", where="before")
    found: list[Comparison] = []
    asking = threading.Thread(target=lambda: found.append(compared(patient)))
    asking.start()
    patient.gateway.wait_held()
    second = patient.issue(order_ref, 1500).transfer_ids[0]
    for transfer_id in (first, second):
        patient.do(process, transfer_id)
    patient.gateway.release()
    asking.join()

    assert [t.state for t in patient.rows(select(Transfer))] == [TransferState.COMPLETED] * 2
    assert found[0].findings == ()
    assert found[0].totals == ()


def test_our_side_is_read_at_one_moment(database_url: str) -> None:
    with opened(database_url, **PATIENT) as shop, shop.app.app_context():
        shop.refund_of(3000)
        if db.engine.dialect.name == "sqlite":  # else a reader keeps the writer waiting
            db.session.execute(text("PRAGMA journal_mode = WAL"))
            db.session.commit()

        def read(session: Session) -> list[int]:
            counts = [len(session.scalars(select(Transfer.id)).all())]
            shop.refund_of(1000)
            return [*counts, len(session.scalars(select(Transfer.id)).all())]

        sessions = shop.runtime.sessions
        assert sessions.read(read, snapshot=True) == [1, 1]
        assert sessions.read(lambda s: len(s.scalars(select(Transfer.id)).all())) == 2


# Damage in our tables.


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A shop whose refunds have gone through everything and have settled."""
    path = tmp_path_factory.mktemp("verify") / "shop.sqlite"
    with opened(f"sqlite:///{path}", **PATIENT) as shop:
        live(shop)
        shop.gateway.settle_all("credit")
        for transfer_id in (1, 3):
            shop.do(poll, transfer_id)
        yield shop


@contextmanager
def damaged(lived: Workshop, folder: Path, *statements: str) -> Iterator[Workshop]:
    """Yield a shop with a copy of the books that somebody has meddled with."""
    path = folder / "damaged.sqlite"
    books = sqlite3.connect(lived.settings["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///"))
    copy = sqlite3.connect(path)
    books.backup(copy)
    copy.execute("PRAGMA ignore_check_constraints = ON")
    for statement in statements:
        assert copy.execute(statement).rowcount >= 1
    copy.commit()
    copy.close()
    books.close()
    shop = Workshop(lived.simulator, f"sqlite:///{path}", None, **PATIENT)
    yield shop
    shop.dispose()


TRANSFER, POSTING = "UPDATE refunds_transfer SET ", "UPDATE refunds_posting SET "
EVENT = "UPDATE refunds_event SET "
OF_1 = "(SELECT {} FROM refunds_transfer WHERE id = 1)"
DATA_OF_1 = "(SELECT data FROM refunds_event WHERE transfer_id = 1 AND after = 'completed')"
DAMAGE: dict[tuple[str, ...], set[str]] = {
    (TRANSFER + "amount = amount + 1 WHERE id = 1",): {"gateway_amount"},
    (TRANSFER + "amount = amount + 1 WHERE id = 2",): {"gateway_amount"},
    (TRANSFER + "currency = 'EUR' WHERE id = 1",): {"gateway_currency"},
    (TRANSFER + "gateway_refund_id = 'nosuch' WHERE id = 1",): {
        "gateway_missing",
        "gateway_moved",
    },
    (TRANSFER + "gateway_refund_id = NULL WHERE id = 1",): {"gateway_missing", "gateway_moved"},
    (TRANSFER + "gateway_refund_id = " + OF_1.format("gateway_refund_id") + " WHERE id = 3",): {
        "gateway_charge",
        "gateway_amount",
        "gateway_reference",
        "gateway_moved",
    },
    (TRANSFER + "charge_id = " + OF_1.format("charge_id") + " WHERE id = 3",): {"gateway_charge"},
    (TRANSFER + "operation = 'refund' WHERE id = 2",): {"gateway_operation"},
    (TRANSFER + "operation = 'void' WHERE id = 1",): {"gateway_operation"},
    (TRANSFER + "operation = 'void', gateway_refund_id = charge_id WHERE id = 1",): {
        "gateway_missing",
        "gateway_moved",
    },
    (TRANSFER + "operation = NULL WHERE id = 1",): {"gateway_operation"},
    (
        TRANSFER + "reference = 'x' WHERE id = 1",
        "UPDATE refunds_attempt SET reference = 'x' WHERE transfer_id = 1",
    ): {"gateway_reference"},
    (TRANSFER + "state = 'completed', completed_at = created_at WHERE id = 5",): {
        "gateway_missing"
    },
    (TRANSFER + "state = 'failed' WHERE id = 1",): {"gateway_moved"},
    (TRANSFER + "state = 'failed' WHERE id = 2",): {"gateway_moved"},
    (
        TRANSFER + "state = 'started', gateway_refund_id = NULL WHERE id = 1",
        "DELETE FROM refunds_attempt WHERE transfer_id = 1",
    ): {"gateway_moved"},
    (
        TRANSFER + "state = 'started', gateway_refund_id = NULL WHERE id = 2",
        "DELETE FROM refunds_attempt WHERE transfer_id = 2",
    ): {"gateway_unknown_void"},
    (POSTING + "paid = paid + 1 WHERE id = 1",): {"gateway_total"},
    (POSTING + "currency = 'EUR' WHERE id = 1",): {"gateway_total"},
    (POSTING + "operation = 'refund' WHERE transfer_id = 2",): {"gateway_total"},
    (POSTING + "posted_at = '2001-01-01 00:00:00.000000' WHERE id = 1",): {"gateway_total"},
    ("DELETE FROM refunds_posting WHERE id = 1",): {"gateway_total"},
    (EVENT + f"data = {DATA_OF_1} WHERE transfer_id = 3 AND after = 'completed'",): {
        "gateway_total"
    },
    (EVENT + "before = after, after = 'failed' WHERE transfer_id = 1 AND after = 'completed'",): {
        "gateway_total"
    },
    (TRANSFER + "gateway = 'worldpay' WHERE id = 1",): {"not_compared"},
    (TRANSFER + "charge_id = 'nosuch' WHERE id = 1",): {"not_compared"},
}


@pytest.mark.parametrize(("statements", "expected"), DAMAGE.items(), ids=map(str, DAMAGE))
def test_names_the_damage(
    lived: Workshop, tmp_path: Path, statements: tuple[str, ...], expected: set[str]
) -> None:
    with damaged(lived, tmp_path, *statements) as shop:
        assert codes(compared(shop).findings) == expected


def test_says_which_row_and_by_how_much(lived: Workshop, tmp_path: Path) -> None:
    with damaged(lived, tmp_path, TRANSFER + "amount = amount + 1 WHERE id = 1") as shop:
        (finding,) = compared(shop).findings
        transfer = shop.transfer(1)

    assert finding == Finding(
        code="gateway_amount",
        what="The gateway gave back the amount that is booked",
        refs=(
            ("transfer", "1"),
            ("refund", "1"),
            ("order", "1"),
            ("charge", str(transfer.charge_id)),
            ("gateway_id", str(transfer.gateway_refund_id)),
            ("status", "settled"),
        ),
        expected=1235,
        found=1234,
        currency="USD",
    )


def test_a_posting_on_a_wrong_day_leaves_two_days_untied(lived: Workshop, tmp_path: Path) -> None:
    moved = "posted_at = '2001-01-01 12:00:00.000000' WHERE transfer_id = 1"
    with damaged(lived, tmp_path, POSTING + moved) as shop:
        found = compared(shop)

    today = utc_now().date().isoformat()
    assert [(dict(f.refs)["day"], f.expected, f.found) for f in found.findings] == [
        ("2001-01-01", 1234, 0),
        (today, 3000, 4234),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        TRANSFER + "created_at = '2020-05-17 12:00:00.000000' WHERE id = 1",
        TRANSFER + "completed_at = '2020-05-17 12:00:00.000000' WHERE id = 1",
        TRANSFER + "failed_at = '2020-05-17 12:00:00.000000' WHERE id = 4",
        POSTING + "posted_at = '2020-05-17 12:00:00.000000' WHERE id = 1",
    ],
)
def test_a_transfer_belongs_to_the_days_on_which_anything_became_of_it(
    lived: Workshop, tmp_path: Path, statement: str
) -> None:
    with damaged(lived, tmp_path, statement) as shop:
        found = compared(shop, Period.of_days(LONG_AGO, LONG_AGO, shop.runtime.config.zone))

        assert (found.sales, found.transfers) == (1, 1)


def test_a_reference_of_any_generation_is_ours(lived: Workshop, tmp_path: Path) -> None:
    renewed = TRANSFER + "reference = 'R-2', generation = 2 WHERE id = 1"
    with damaged(lived, tmp_path, renewed) as shop:
        assert compared(shop).findings == ()


def test_one_gateway_id_belongs_to_one_transfer(lived: Workshop, tmp_path: Path) -> None:
    twice = TRANSFER + "gateway_refund_id = " + OF_1.format("gateway_refund_id") + " WHERE id = 3"
    trail = EVENT + f"data = {DATA_OF_1} WHERE transfer_id = 3 AND after = 'completed'"
    with damaged(lived, tmp_path, twice, trail) as shop:
        findings = {finding.code: finding for finding in shop.do(verify)}
        [total, _] = compared(shop).totals

        assert (total.ledger, total.gateway) == (4234, 1234)  # booked twice, and there once

        assert findings.keys() == {"gateway_id_twice", "posting_copy"}
        assert findings["gateway_id_twice"].refs == (
            ("gateway_id", str(shop.transfer(1).gateway_refund_id)),
            ("transfer", "1"),
            ("other_transfer", "3"),
        )


# Damage at the gateway.


def test_names_a_refund_that_nobody_here_made(patient: Workshop) -> None:
    ticket = settled(patient, 5000, part=1000)
    stranger = outside(patient, ticket.sale, "12.34", order_id="by hand")

    (finding,) = compared(patient).findings

    refs = dict(finding.refs)
    assert (finding.code, finding.expected, finding.found) == ("gateway_unknown_refund", 0, 1234)
    assert refs["gateway_id"] == stranger
    assert (refs["order"], refs["charge"]) == (ticket.order_ref, ticket.sale)
    assert (refs["reference"], refs["status"]) == ("by hand", "submitted_for_settlement")
    assert abs(datetime.fromisoformat(refs["at"]) - utc_now()) < timedelta(minutes=5)


def test_a_strange_refund_that_took_no_money_is_none(patient: Workshop) -> None:
    ticket = settled(patient, 5000, part=1000)
    patient.gateway.decline_settlement(outside(patient, ticket.sale, "12.34"))

    assert compared(patient).findings == ()


def test_names_a_void_that_nobody_here_made(patient: Workshop) -> None:
    ticket = patient.refund_of(2000, settled=False)
    outside(patient, ticket.sale)

    (finding,) = compared(patient).findings

    assert (finding.code, finding.found) == ("gateway_unknown_void", 2000)
    assert dict(finding.refs)["charge"] == ticket.sale


def test_what_the_host_refunded_itself_is_known(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    map_prior_refunds(monkeypatch)
    with opened(sqlite_url, **PATIENT) as shop:
        ticket = settled(shop, 5000, part=1000)
        hosts, stranger = (outside(shop, ticket.sale, amount) for amount in ("1.00", "2.00"))
        note(shop, ticket.order_ref, 100, hosts)

        (finding,) = compared(shop).findings

    assert dict(finding.refs)["gateway_id"] == stranger


def test_names_money_that_moved_twice_for_one_transfer(patient: Workshop) -> None:
    ticket = settled(patient, 5000, part=1000)
    second = outside(patient, ticket.sale, "10.00", order_id=ticket.now.reference)

    (finding,) = compared(patient).findings

    assert (finding.code, finding.expected, finding.found) == ("gateway_moved", 0, 1000)
    assert dict(finding.refs)["gateway_id"] == second


def test_names_money_that_moved_for_a_failed_transfer(patient: Workshop) -> None:
    patient.gateway.fault("decline", "refund", code="2000")
    ticket = patient.refund_of(3000)
    patient.do(process, ticket.id)
    assert compared(patient).findings == ()
    outside(patient, ticket.sale, "30.00", order_id=ticket.now.reference)

    failed = compared(patient).findings
    patient.do(correcting.retry, ticket.id, AGENT)
    assert ticket.now.state == TransferState.STARTED
    retried = compared(patient).findings

    for (finding,) in (failed, retried):  # what was refused will not be looked for
        assert (finding.code, finding.found) == ("gateway_moved", 3000)
        assert dict(finding.refs)["transfer"] == str(ticket.id)


def test_names_a_late_decline_that_nobody_will_ask_about(patient: Workshop) -> None:
    ticket = settled(patient, 3000)
    patient.gateway.decline_settlement(ticket.now.gateway_refund_id or "")

    found = compared(patient)

    assert codes(found.findings) == {"gateway_not_effective", "gateway_total"}
    assert [(f.expected, f.found) for f in found.findings] == [(3000, 0), (3000, 0)]
    assert dict(found.findings[0].refs)["status"] == "settlement_declined"


# Timing.


def test_a_decline_that_the_next_poll_books_is_timing(patient: Workshop) -> None:
    ticket = done(patient, 3000)
    patient.gateway.decline_settlement(ticket.now.gateway_refund_id or "")

    found = compared(patient)
    patient.do(poll, ticket.id)
    booked = compared(patient)

    assert (found.findings, codes(found.timing)) == ((), {"timing_declined"})
    (total,) = found.totals
    assert (total.ledger, total.gateway, total.timing) == (3000, 0, 3000)
    assert ticket.now.state == TransferState.FAILED
    assert (booked.findings, booked.timing) == ((), ())
    assert [(t.ledger, t.gateway) for t in booked.totals] == [(0, 0)]


def test_a_late_failure_is_taken_off_on_the_day_on_which_it_was_booked(patient: Workshop) -> None:
    clock = Clock()
    later = replace(patient.runtime, clock=clock)
    ticket = done(patient, 3000)
    today = utc_now().date()
    patient.gateway.decline_settlement(ticket.now.gateway_refund_id or "")
    clock.advance(2 * 86400)
    patient.do(lambda _: poll(later, ticket.id))
    patient.do(lambda _: correcting.retry(later, ticket.id, AGENT))
    patient.do(lambda _: process(later, ticket.id))

    found = compared(patient)

    assert ticket.now.generation == 2
    assert ticket.now.state == TransferState.COMPLETED
    assert found.findings == ()
    assert [(t.day, t.ledger, t.gateway) for t in found.totals] == [
        (today, 3000, 3000),
        (today + timedelta(days=2), 0, 0),
    ]


def test_an_unknown_outcome_whose_refund_is_there_is_timing(patient: Workshop) -> None:
    patient.gateway.fault("drop_after", "refund")
    ticket = patient.refund_of(3000)
    patient.do(process, ticket.id)
    assert ticket.now.state == TransferState.PROCESSING

    found = compared(patient)
    with patient.app.app_context():
        db.session.execute(text("UPDATE refunds_transfer SET state = 'started'"))
        db.session.commit()
    reopened = compared(patient)

    for each in (found, reopened):
        assert (each.findings, codes(each.timing)) == ((), {"timing_unrecorded"})
        assert [(f.expected, f.found) for f in each.timing] == [(0, 3000)]


def test_an_unknown_outcome_whose_void_is_there_is_timing(patient: Workshop) -> None:
    patient.gateway.fault("drop_after", "void")
    ticket = patient.refund_of(3000, settled=False)
    patient.do(process, ticket.id)
    assert ticket.now.state == TransferState.PROCESSING

    found = compared(patient)
    late = replace(patient.runtime, clock=lambda: utc_now() + timedelta(days=1))
    patient.do(lambda _: process(late, ticket.id))
    afterwards = compared(patient)

    assert (found.findings, codes(found.timing)) == ((), {"timing_unrecorded"})
    assert ticket.now.state == TransferState.COMPLETED
    assert (afterwards.findings, afterwards.timing) == ((), ())


def test_with_completed_as_settled_what_is_accepted_is_timing(sqlite_url: str) -> None:
    with opened(sqlite_url, **PATIENT, REFUNDS_COMPLETE_ON="settled") as shop:
        ticket, other = done(shop, 3000), done(shop, 1000)
        accepted = compared(shop)
        shop.gateway.settle(ticket.now.gateway_refund_id or "")
        shop.gateway.decline_settlement(other.now.gateway_refund_id or "")
        unpolled = compared(shop)
        for transfer_id in (ticket.id, other.id):
            shop.do(poll, transfer_id)
        polled = compared(shop)

    assert [f.code for f in accepted.timing] == ["timing_accepted"] * 2
    assert [f.code for f in unpolled.timing] == ["timing_unrecorded", "timing_declined"]
    assert (accepted.totals, unpolled.totals) == ((), ())
    assert [(t.ledger, t.gateway) for t in polled.totals] == [(3000, 3000)]
    for found in (accepted, unpolled, polled):
        assert found.findings == ()


def test_a_gateway_that_lives_on_another_day_is_timing(patient: Workshop) -> None:
    sale = patient.sell(3000)
    patient.gateway.advance(-2 * 86400)
    (transfer_id,) = patient.issue(sale[0]).transfer_ids
    patient.do(process, transfer_id)
    voided = done(patient, 2000, settled=False)

    found = compared(patient)

    today = utc_now().date()
    days = {(f.expected, f.found) for f in found.timing if f.code == "timing_day"}
    whose = {dict(f.refs)["transfer"] for f in found.timing if f.code == "timing_day"}
    assert days == {(today.isoformat(), (today - timedelta(days=2)).isoformat())}
    assert whose == {str(transfer_id), str(voided.id)}
    assert found.findings == ()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_are_those_of_the_store(sqlite_url: str, zone: str) -> None:
    with opened(sqlite_url, **PATIENT, REFUNDS_TIMEZONE=zone) as shop:
        done(shop, 3000)
        today = utc_now().astimezone(shop.runtime.config.zone).date()

        (total,) = compared(shop, Period.of_days(today, today, shop.runtime.config.zone)).totals

    assert (total.day, total.ledger, total.gateway) == (today, 3000, 3000)


# What could not be asked.


def test_a_gateway_that_is_down_is_asked_a_few_times_only(patient: Workshop) -> None:
    tickets = [done(patient, 1000) for _ in range(PATIENCE + THREADS + 2)]
    patient.gateway.fault("status", "find", times=None, status=503)
    before = len(patient.gateway.requests())

    found = compared(patient)

    asked = len(patient.gateway.requests()) - before
    assert codes(found.findings) == {"not_compared"}
    assert PATIENCE <= asked < PATIENCE + THREADS
    *asked_for, rest = found.findings
    assert {f.found for f in asked_for} == {"the gateway did not answer: ServiceUnavailableError"}
    left = str(len(tickets) - asked)
    assert rest.refs == (("gateway", "braintree"), ("sales", left), ("transfers", left))
    assert rest.found == f"not asked any more: it did not answer {PATIENCE} times in a row"
    (total,) = found.totals
    assert (total.ledger, total.gateway) == (1000 * len(tickets), 0)
    assert total.not_compared == total.ledger


def test_a_refund_that_cannot_be_read_leaves_its_sale_uncompared(patient: Workshop) -> None:
    unread, read = settled(patient, 3000), settled(patient, 1000)
    refund = unread.now.gateway_refund_id
    patient.gateway.fault("status", "find", transaction_id=refund, status=500)

    found = compared(patient)

    (finding,) = found.findings
    assert (finding.code, dict(finding.refs)["transfer"]) == ("not_compared", str(unread.id))
    assert finding.found == f"refund {refund}: the gateway did not answer: ServerError"
    (total,) = found.totals
    assert (total.ledger, total.gateway, total.not_compared) == (4000, 1000, 3000)
    assert (found.sales, read.now.state) == (1, TransferState.COMPLETED)


def test_a_listed_refund_that_is_not_there_leaves_its_sale_uncompared(patient: Workshop) -> None:
    ticket = settled(patient, 3000)
    refund = ticket.now.gateway_refund_id
    patient.gateway.fault("status", "find", transaction_id=refund, status=404)

    (finding,) = compared(patient).findings

    assert finding.code == "not_compared"


def test_missing_settings_are_named(patient: Workshop) -> None:
    settled(patient, 3000)
    without = Workshop(
        patient.simulator,
        patient.settings["SQLALCHEMY_DATABASE_URI"],
        None,
        REFUNDS_BRAINTREE_PRIVATE_KEY="",
    )

    (finding,) = compared(without).findings

    assert finding.code == "not_compared"
    assert "REFUNDS_BRAINTREE_PRIVATE_KEY is not set" in str(finding.found)
    without.dispose()


def test_a_gateway_that_could_not_be_asked_is_named_while_refunds_go_on(
    patient: Workshop,
) -> None:
    patient.refund_of(3000)

    def build() -> Any:
        patient.refund_of(1000)
        raise ConfigurationError("no keys")

    runtime = replace(patient.runtime, gateways=GatewayRegistry({"braintree": build}))
    (finding,) = patient.do(lambda _: verify_gateway(runtime, ALL)).findings

    assert (finding.code, finding.found) == ("not_compared", "no keys")
    assert dict(finding.refs) == {"gateway": "braintree", "sales": "1", "transfers": "1"}


def test_wrong_keys_are_named(patient: Workshop) -> None:
    settled(patient, 3000)
    other = Workshop(
        patient.simulator,
        patient.settings["SQLALCHEMY_DATABASE_URI"],
        None,
        REFUNDS_BRAINTREE_PRIVATE_KEY="another",
    )

    (finding,) = compared(other).findings

    assert finding.code == "not_compared"
    assert "refused our keys" in str(finding.found)
    other.dispose()


class Odd:
    """The real gateway; *answers* change or replace those of one of its methods."""

    def __init__(self, gateway: Any, name: str, answers: Callable[[Any], Any]) -> None:
        self._gateway, self._name, self._answers = gateway, name, answers

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._gateway, name)
        return (lambda id_: self._answers(value(id_))) if name == self._name else value


def raising(_: Any) -> Any:
    raise KeyError("a gateway's own mistake")


@pytest.mark.parametrize("name", ["inspect", "fetch"])
@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (raising, "the gateway did not answer: KeyError"),
        (lambda receipt: replace(receipt, id="other"), "the gateway answered about other"),
    ],
)
def test_a_gateway_that_answers_wrongly_is_not_believed(
    patient: Workshop, name: str, answers: Callable[[Any], Any], said: str
) -> None:
    settled(patient, 3000)
    odd = Odd(patient.runtime.gateways.get("braintree"), name, answers)
    runtime = replace(patient.runtime, gateways=GatewayRegistry({"braintree": lambda: odd}))

    (finding,) = patient.do(lambda _: verify_gateway(runtime, ALL)).findings

    assert finding.code == "not_compared"
    assert said in finding.found
