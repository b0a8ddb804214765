"""Whether the work is being done: signs of life, and what ``flask refunds status`` makes of all."""

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from flask_refunds import heartbeats, models, watching
from flask_refunds.cli import refunds
from flask_refunds.models import Gateway, Transfer
from flask_refunds.processing import process
from flask_refunds.reconciling import sweep
from flask_refunds.states import Detail, TransferState
from flask_refunds.watching import Severity, Standing
from tests.conftest import RunFlask
from tests.integration.conftest import StartWorker
from tests.integration.workshop import APP, PATIENT, Workshop, opened, until
from tests.processes import ROOT


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Workshop]:
    with opened(database_url, **PATIENT) as shop:
        yield shop


def standing(shop: Workshop, **later: float) -> Standing:
    """Return how the work stands now, or some *later* time."""
    ahead = timedelta(**later)
    runtime = shop.runtime
    found: Standing = shop.do(
        lambda _: watching.read_standing(replace(runtime, clock=lambda: runtime.now() + ahead))
    )
    return found


def told(shop: Workshop, *options: str) -> tuple[int, str]:
    """Return with which status ``flask refunds status`` ends, and what it prints."""
    result = shop.app.test_cli_runner().invoke(refunds, ["status", *options])
    return result.exit_code, result.output


def change(shop: Workshop, statement: Any) -> None:
    shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(statement) and None))


def signs(shop: Workshop) -> list[models.Worker]:
    return shop.rows(select(models.Worker).order_by(models.Worker.id))


def test_a_worker_is_seen_while_it_works_and_gone_when_it_has_ended(
    quiet_shop: Workshop, start_worker: StartWorker
) -> None:
    worker = start_worker(quiet_shop, concurrency=3)
    (seen,) = until(lambda: signs(quiet_shop))
    assert (seen.pid, seen.concurrency) == (worker.pid, 3)
    until(lambda: signs(quiet_shop)[0].seen_at > seen.seen_at)
    (known,) = standing(quiet_shop).workers
    assert (known.alive, known.is_sweep) == (True, False)

    assert worker.stop() == 0

    assert signs(quiet_shop) == []


def test_a_worker_that_waits_for_the_gateway_gives_signs_of_life(
    quiet_shop: Workshop, start_worker: StartWorker
) -> None:
    shop = quiet_shop
    shop.gateway.fault("hold", "refund", where="before", times=None)
    tickets = [shop.refund_of(3000) for _ in range(4)]
    start_worker(shop, concurrency=1, env=shop.env(**PATIENT))
    shop.gateway.wait_held(1)
    before = signs(shop)[0].seen_at

    until(lambda: signs(shop)[0].seen_at > before)

    assert [ticket.now.state for ticket in tickets].count(TransferState.STARTED) == 3
    shop.gateway.clear_faults()
    shop.gateway.release()


def test_a_worker_that_was_killed_is_gone_soon_and_forgotten_after_an_hour(
    quiet_shop: Workshop, start_worker: StartWorker
) -> None:
    worker = start_worker(quiet_shop)
    until(lambda: signs(quiet_shop))
    worker.stop(signal.SIGKILL)

    assert [known.alive for known in standing(quiet_shop).workers] == [True]
    assert [known.alive for known in standing(quiet_shop, minutes=1).workers] == [False]
    later = replace(
        quiet_shop.runtime, clock=lambda: quiet_shop.runtime.now() + timedelta(minutes=61)
    )
    next_one = heartbeats.of_worker(later, 1)
    quiet_shop.do(lambda _: heartbeats.beat(later, next_one))
    assert [sign.id for sign in signs(quiet_shop)] == [next_one.id]


def test_a_sign_of_life_that_cannot_be_written_stops_no_work(
    quiet_shop: Workshop, start_worker: StartWorker
) -> None:
    with quiet_shop.app.app_context():
        models.Base.metadata.tables["refunds_worker"].drop(quiet_shop.runtime.sessions.engine)
    worker = start_worker(quiet_shop)
    worker.wait_for("refunds: heartbeat_failed")

    ticket = quiet_shop.refund_of(3000)

    ticket.wait()
    assert worker.stop() == 0


@pytest.mark.parametrize("words", [("sweep",), ("worker", "--burst")], ids=" ".join)
def test_a_shop_that_lives_on_sweeps_is_not_taken_for_deserted(
    quiet_shop: Workshop, run_flask: RunFlask, words: tuple[str, ...]
) -> None:
    for _ in range(2):
        ran = run_flask(APP, "refunds", *words, env=quiet_shop.env())
        assert ran.returncode == 0, ran.stderr
    quiet_shop.refund_of(3000)

    (sign,) = signs(quiet_shop)
    assert sign.id.startswith("sweep@")
    assert not standing(quiet_shop).idle
    assert standing(quiet_shop, minutes=20).idle


def test_something_due_and_nobody_there_is_critical(any_shop: Workshop) -> None:
    assert standing(any_shop).severity is Severity.OK

    ticket = any_shop.refund_of(3000)

    found = standing(any_shop)
    assert (found.due, found.idle, found.severity) == (True, True, Severity.CRITICAL)
    status, printed = told(any_shop)
    assert (status, printed.splitlines()[0]) == (
        2,
        "CRITICAL: something is due and no worker is alive",
    )
    any_shop.do(lambda runtime: heartbeats.beat(runtime, heartbeats.of_worker(runtime, 1)))
    assert standing(any_shop).severity is Severity.OK
    any_shop.do(process, ticket.id)
    assert (standing(any_shop).due, told(any_shop)[0]) == (False, 0)


def test_what_is_overdue_is_stuck_though_a_worker_is_alive(any_shop: Workshop) -> None:
    ticket = any_shop.refund_of(3000)
    any_shop.do(lambda runtime: heartbeats.beat(runtime, heartbeats.of_worker(runtime, 1)))
    long_ago = ticket.now.created_at - timedelta(hours=1)
    change(any_shop, update(Transfer).values(next_attempt_at=long_ago))

    found = standing(any_shop)

    assert (found.stuck, found.stuck_ids, found.idle) == (1, (ticket.id,), False)
    status, printed = told(any_shop)
    assert (status, printed.splitlines()[0]) == (2, f"CRITICAL: 1 stuck ({ticket.id})")


def test_a_failed_one_that_is_retried_after_days_is_not_stuck(any_shop: Workshop) -> None:
    ticket = any_shop.refund_of(3000)
    any_shop.do(lambda runtime: heartbeats.beat(runtime, heartbeats.of_worker(runtime, 1)))
    change(any_shop, update(Transfer).values(created_at=ticket.now.created_at - timedelta(days=3)))

    assert standing(any_shop).severity is Severity.OK


def test_what_needs_a_person_is_told_by_reason_with_ids(any_shop: Workshop) -> None:
    shop = any_shop
    shop.gateway.fault("decline", "refund", code="2004", times=12)
    failed = [shop.refund_of(3000) for _ in range(12)]
    shop.do(lambda runtime: heartbeats.beat(runtime, heartbeats.of_worker(runtime, 1)))
    shop.do(sweep)
    shop.gateway.fault("drop_after", "refund")
    unknown = shop.refund_of(3000)
    shop.do(sweep)
    long_ago = unknown.now.created_at - timedelta(hours=1)
    change(shop, update(Transfer).where(Transfer.id == unknown.id).values(waiting_since=long_ago))

    code, printed = told(shop, "--json")

    assert code == 2  # unknown for long
    found = json.loads(printed)
    needs = {each["need"]: each for each in found["attention"]}
    assert {need: each["transfers"] for need, each in needs.items()} == {"failed": 12, "unknown": 1}
    assert needs["failed"]["transfer_ids"] == [ticket.id for ticket in failed[:10]]
    assert needs["unknown"]["transfer_ids"] == found["stuck_ids"] == [unknown.id]
    assert needs["unknown"]["since"].startswith(f"{long_ago:%Y-%m-%dT%H:%M:%S}")
    counts = {each["state"]: (each["transfers"], each["oldest"]) for each in found["counts"]}
    assert {state: number for state, (number, _) in counts.items()} == {
        "failed": 12,
        "processing": 1,
    }
    assert "failed   12" in " ".join(told(shop)[1].splitlines())


@pytest.mark.parametrize(
    ("detail", "need"),
    [
        (Detail.UNDECIDED, "undecided"),
        (Detail.CONFLICT, "conflict"),
        (Detail.OUTSIDE, "outside"),
        (Detail.ACCEPTED, "unsettled"),
        (Detail.WAITING_FOR_SETTLEMENT, "unsettled"),
        (Detail.GATEWAY_UNAVAILABLE, "waiting"),
        (Detail.WAITING_FOR_SALE, "waiting"),
    ],
)
def test_everything_that_needs_a_person_is_a_warning(
    quiet_shop: Workshop, detail: Detail, need: str
) -> None:
    ticket = quiet_shop.refund_of(3000)
    now = ticket.now.created_at
    change(
        quiet_shop,
        update(Transfer).values(
            detail=detail,
            waiting_since=now - timedelta(days=4),
            next_attempt_at=now + timedelta(days=1),
        ),
    )

    code, printed = told(quiet_shop, "--json")

    (only,) = json.loads(printed)["attention"]
    assert (only["need"], only["transfers"], code) == (need, 1, 1)
    assert need in told(quiet_shop)[1]


def test_a_gateway_that_is_down_is_told_and_ends_by_itself(quiet_shop: Workshop) -> None:
    shop = quiet_shop
    tickets = [shop.refund_of(3000) for _ in range(3)]
    shop.do(lambda runtime: heartbeats.beat(runtime, heartbeats.of_worker(runtime, 1)))
    shop.simulator.stop()
    for ticket in tickets:
        shop.do(process, ticket.id)

    found = standing(shop)

    (gateway,) = found.gateways
    assert gateway.down is not None
    assert "ConnectionError" in gateway.down.reason
    assert found.severity is Severity.WARNING
    code, printed = told(shop)
    assert (code, printed.splitlines()[0]) == (1, "WARNING: gateway braintree cannot be used")
    assert "down since" in printed
    shop.simulator.start()
    change(shop, update(Gateway).values(probe_at=found.now - timedelta(seconds=1)))
    change(shop, update(Transfer).values(next_attempt_at=found.now - timedelta(seconds=1)))
    for ticket in tickets:
        shop.do(process, ticket.id)
        ticket.given_back_once()
    assert told(shop)[0] == 0


def test_a_gateway_without_its_keys_is_a_warning(sqlite_url: str) -> None:
    with opened(sqlite_url, REFUNDS_BRAINTREE_PRIVATE_KEY="") as shop:
        code, printed = told(shop)

    assert code == 1
    assert "REFUNDS_BRAINTREE_PRIVATE_KEY is not set" in printed


def test_status_costs_the_same_however_many_transfers_there_are(quiet_shop: Workshop) -> None:
    statements: list[str] = []
    with quiet_shop.app.app_context():
        engine = quiet_shop.runtime.sessions.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(str(args[2])))

    def cost() -> int:
        statements.clear()
        standing(quiet_shop)
        return len(statements)

    quiet_shop.refund_of(3000)
    few = cost()
    for _ in range(5):
        quiet_shop.refund_of(3000)

    assert cost() == few <= 9


def test_json_has_the_keys_of_the_documents(quiet_shop: Workshop) -> None:
    _, printed = told(quiet_shop, "--json")

    page = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    rows = re.search(r"\| key \| holds \|\n\|---\|---\|\n((?:\|.*\n)+)", page)
    assert rows
    documented = {
        key for row in rows[1].splitlines() for key in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert json.loads(printed).keys() == documented
