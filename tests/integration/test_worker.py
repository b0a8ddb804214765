"""``flask refunds worker``: a real process, a real queue, the simulator over HTTP."""

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import make_url, text, update

from flask_refunds.models import Transfer
from flask_refunds.states import Detail, TransferState
from tests.conftest import RunFlask
from tests.databases import administrator
from tests.integration.conftest import StartWorker
from tests.integration.workshop import APP, PATIENT, Workshop, opened
from tests.processes import ROOT, command, environment


@pytest.fixture
def any_shop(database_url: str, redis_url: str) -> Iterator[Workshop]:
    with opened(database_url, redis_url) as shop:
        yield shop


def test_completes_what_is_issued(any_shop: Workshop, start_worker: StartWorker) -> None:
    start_worker(any_shop)

    refund, void = any_shop.refund_of(3000), any_shop.refund_of(2000, settled=False)

    assert refund.wait().operation == "refund"
    assert void.wait().operation == "void"
    refund.given_back_once()
    void.given_back_once()


def test_sigterm_finishes_what_is_in_hand_and_claims_no_more(
    shop: Workshop, start_worker: StartWorker
) -> None:
    shop.gateway.fault("hold", "refund", where="after")
    in_hand = shop.refund_of(3000)
    worker = start_worker(shop)
    shop.gateway.wait_held(1)
    worker.process.terminate()
    worker.wait_for("refunds: worker_stopping")

    too_late = shop.refund_of(2000)
    time.sleep(0.3)
    shop.gateway.release()

    assert worker.process.wait(20) == 0
    in_hand.given_back_once()
    assert too_late.now.state == TransferState.STARTED
    assert too_late.attempts == []


def test_burst_does_what_is_due_and_ends(quiet_shop: Workshop, run_flask: RunFlask) -> None:
    tickets = [quiet_shop.refund_of(3000) for _ in range(5)]

    ran = run_flask(APP, "refunds", "worker", "--burst", env=quiet_shop.env())

    assert ran.returncode == 0, ran.stderr
    for ticket in tickets:
        ticket.given_back_once()


def test_two_workers_and_two_sweeps_at_once_refund_once(
    any_shop: Workshop, start_worker: StartWorker
) -> None:
    shop = any_shop
    shop.gateway.keys("ignored")
    shop.gateway.fault("late_answer", "refund", seconds=0.2, times=None)
    tickets = [shop.refund_of(3000, part=1000) for _ in range(12)]

    sweeps = [
        subprocess.Popen(
            command(APP, "refunds", "sweep"),
            cwd=ROOT,
            env=environment(shop.env(**PATIENT)),
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    start_worker(shop, env=shop.env(**PATIENT))
    start_worker(shop, env=shop.env(**PATIENT))

    for ticket in tickets:
        ticket.wait(seconds=90)
    assert [sweep.wait(90) for sweep in sweeps] == [0, 0]
    for ticket in tickets:
        ticket.given_back_once()
        assert len(ticket.attempts) == 1


def test_as_many_calls_as_threads_are_at_the_gateway_at_once(
    shop: Workshop, start_worker: StartWorker
) -> None:
    patient = {"REFUNDS_GATEWAY_TIMEOUT": 15.0, "REFUNDS_LEASE": 40.0}
    shop.gateway.fault("hold", "refund", where="before", times=16)
    shop.gateway.fault("late_answer", "refund", seconds=0.3, times=None)
    tickets = [shop.refund_of(3000) for _ in range(40)]

    start_worker(shop, concurrency=16, env=shop.env(**patient))

    shop.gateway.wait_held(16, timeout=14)
    calls = [call for call in shop.gateway.requests() if call["operation"] == "refund"]
    assert len(calls) == 16
    shop.gateway.release()
    for ticket in tickets:
        ticket.wait(seconds=40)
        ticket.given_back_once()


def test_a_gateway_that_is_down_is_waited_for_with_the_same_key(
    shop: Workshop, start_worker: StartWorker
) -> None:
    ticket = shop.refund_of(3000)
    key = ticket.now.request_key
    shop.simulator.stop()
    start_worker(shop)

    waiting = ticket.wait_detail(Detail.GATEWAY_UNAVAILABLE)
    assert (waiting.state, waiting.request_key) == (TransferState.STARTED, key)
    shop.simulator.start()

    assert ticket.wait().request_key == key
    ticket.given_back_once()


def test_a_declined_refund_fails_and_a_retry_takes_a_new_key(
    shop: Workshop, start_worker: StartWorker, run_flask: RunFlask
) -> None:
    shop.gateway.fault("decline", "refund", code="2005")
    ticket = shop.refund_of(3000)
    key = ticket.now.request_key
    start_worker(shop)

    failed = ticket.wait(TransferState.FAILED)
    assert (failed.failure_code, failed.request_key) == ("2005", key)
    assert failed.failure_message
    retried = run_flask(
        APP, "refunds", "retry", str(ticket.id), "--yes", "--actor", "Ann", env=shop.env()
    )

    assert retried.returncode == 0, retried.stderr
    assert ticket.wait().request_key != key
    ticket.given_back_once()


def test_a_part_of_an_unsettled_sale_waits_and_runs_by_itself(
    shop: Workshop, start_worker: StartWorker
) -> None:
    start_worker(shop)
    ticket = shop.refund_of(3000, part=1000, settled=False)
    waiting = ticket.wait_detail(Detail.WAITING_FOR_SETTLEMENT)
    assert waiting.state == TransferState.STARTED
    assert ticket.audit["total_given_back"] == 0

    shop.gateway.settle(ticket.sale)

    assert ticket.wait().operation == "refund"
    ticket.given_back_once()


def test_a_sale_that_settles_behind_its_status_is_refunded(
    shop: Workshop, start_worker: StartWorker
) -> None:
    order_ref, (sale,) = shop.sell(3000, settled=False)
    shop.gateway.hide_settling(sale)
    start_worker(shop)
    issued = shop.issue(order_ref)

    assert shop.wait(issued.transfer_ids[0], TransferState.COMPLETED).operation == "refund"
    audit = shop.gateway.sale(sale)
    assert (audit["voided"], audit["total_given_back"]) == (False, 3000)


@pytest.mark.parametrize("kind", ["drop_after", "cut", "empty", "html", "status"])
def test_an_answer_that_tells_nothing_is_found_out(
    shop: Workshop, start_worker: StartWorker, kind: str
) -> None:
    shop.gateway.keys("ignored")
    where = {"where": "after"} if kind in {"empty", "html", "status"} else {}
    shop.gateway.fault(kind, "refund", **where)
    ticket = shop.refund_of(3000, part=1000)
    start_worker(shop)

    ticket.wait()
    ticket.given_back_once()
    assert "outcome_unknown" in ticket.events


def test_a_request_that_lands_after_its_time_out_is_not_repeated(
    shop: Workshop, start_worker: StartWorker
) -> None:
    shop.gateway.keys("ignored")
    shop.gateway.fault("late_landing", "refund", seconds=4.0)
    ticket = shop.refund_of(3000, part=1000)
    start_worker(shop, env=shop.env(REFUNDS_LATE_WINDOW=3.0))
    ticket.wait_detail(Detail.OUTCOME_UNKNOWN)
    time.sleep(3.5)  # it has landed

    ticket.wait()
    ticket.given_back_once()


def test_refunds_of_one_sale_go_one_after_the_other(
    shop: Workshop, start_worker: StartWorker
) -> None:
    order_ref, (sale,) = shop.sell(3000)
    first, second = (shop.issue(order_ref, 1000).transfer_ids[0] for _ in range(2))
    start_worker(shop)

    done = [shop.wait(each, TransferState.COMPLETED) for each in (first, second)]

    times = sorted(each.completed_at for each in done if each.completed_at)
    assert (times[1] - times[0]).total_seconds() >= shop.settings["REFUNDS_SALE_PAUSE"]
    assert shop.gateway.sale(sale)["total_given_back"] == 2000


def test_one_transfer_that_always_fails_stops_no_other(
    shop: Workshop, start_worker: StartWorker
) -> None:
    poison = shop.refund_of(1000)
    damage = update(Transfer).where(Transfer.id == poison.id).values(refund_id=999_999)
    shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(damage) and None))
    worker = start_worker(shop, concurrency=1)
    worker.wait_for("refunds: not_brought_forward")

    ticket = shop.refund_of(3000)

    ticket.wait()
    assert poison.now.state == TransferState.STARTED
    assert poison.now.next_attempt_at > poison.now.created_at  # type: ignore[operator]
    assert worker.process.poll() is None


def test_a_database_that_goes_away_is_waited_for(
    postgresql_url: str,
    server_url: Callable[[str], str],
    redis_url: str,
    start_worker: StartWorker,
) -> None:
    name = make_url(postgresql_url).database
    administration = administrator(make_url(server_url("postgresql")))
    with opened(postgresql_url, redis_url) as shop:
        worker = start_worker(shop)
        with administration.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"),
                {"n": name},
            )
            worker.wait_for("refunds: sweep_failed")
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        worker.wait_for("refunds: sweep_works_again")

        ticket = shop.refund_of(3000)

        ticket.wait()
        ticket.given_back_once()
        assert worker.output().count("refunds: sweep_failed") == 1


def test_needs_the_tables(sqlite_url: str, run_flask: RunFlask) -> None:
    ran = run_flask("example_app", "refunds", "worker", env={"DATABASE_URL": sqlite_url})

    assert ran.returncode == 1
    assert "flask refunds upgrade" in ran.stderr
    assert "Traceback" not in ran.stderr
