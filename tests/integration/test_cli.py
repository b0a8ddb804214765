"""``flask refunds ...``: what the commands say, and with which status they end."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text, update

from example_app import create_app, db
from flask_refunds import migrating
from flask_refunds.cli import refunds
from flask_refunds.models import Account, Posting, Transfer
from flask_refunds.processing import process
from flask_refunds.states import TransferState
from tests.conftest import RunFlask
from tests.integration.workshop import PATIENT, Workshop, opened

Run = Callable[..., Result]


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Workshop]:
    with opened(database_url, **PATIENT) as shop:
        yield shop


@pytest.fixture
def run(quiet_shop: Workshop) -> Run:
    """Run a command in this process, on the shop without a queue."""
    return runner(quiet_shop.app)


def runner(app: Flask) -> Run:
    """Return a function that runs ``flask refunds`` with some words on *app*."""

    def run(*words: str) -> Result:
        return app.test_cli_runner().invoke(refunds, words)

    return run


def data(result: Result) -> Any:
    """Return what a command printed as JSON."""
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


COMMANDS = [
    ("worker", "--burst"),
    ("sweep",),
    ("list",),
    ("show", "1"),
    ("issue", "1", "--everything", "--to-card", "--reason", "returned"),
    ("retry", "1"),
    ("status",),
    ("verify",),
    ("verify", "--gateway"),
    ("sync",),
    ("sync", "--yes"),
    ("check",),
    ("export", "postings"),
    ("doctor", "--offline"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_names_the_remedy_when_the_tables_are_missing(
    sqlite_url: str, words: tuple[str, ...]
) -> None:
    app = create_app({"SQLALCHEMY_DATABASE_URI": sqlite_url, "REFUNDS_REDIS_URL": None})
    with app.app_context():
        db.create_all()

    result = runner(app)(*words)

    assert result.exit_code == (2 if words[-1] == "status" else 1)
    assert "flask refunds upgrade" in result.output
    assert isinstance(result.exception, SystemExit)


def test_upgrade_makes_the_tables_once_and_check_agrees(database_url: str) -> None:
    app = create_app({"SQLALCHEMY_DATABASE_URI": database_url, "REFUNDS_REDIS_URL": None})
    run = runner(app)

    first, second, checked = run("upgrade"), run("upgrade"), run("check")

    assert (first.exit_code, second.exit_code, checked.exit_code) == (0, 0, 0)
    assert "before: none" in first.output
    assert "already" in second.output
    with app.app_context():
        assert migrating.check(db.engine) == []


def test_check_tells_what_somebody_changed(quiet_shop: Workshop, run: Run) -> None:
    with quiet_shop.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_refunds_posting_line_ref"))

    result = run("check")

    assert result.exit_code == 1
    assert "ix_refunds_posting_line_ref" in result.output


def test_issue_is_dry_without_yes(quiet_shop: Workshop, run: Run) -> None:
    quiet_shop.sell(3000)

    told = run("issue", "1", "--everything", "--to-card", "--reason", "returned")
    planned = data(
        run("issue", "1", "--line", "1:1:12.50", "--to-card", "--reason", "returned", "--json")
    )

    assert told.exit_code == 0
    assert "Would refund 30.00 USD. Add --yes to do it." in told.output
    assert (planned["done"], planned["amount"], planned["left"]) == (False, 1250, 3000)
    assert data(run("list", "--json")) == []


def test_issue_records_once_for_one_token(quiet_shop: Workshop, run: Run) -> None:
    quiet_shop.sell(3000)
    words = ["issue", "1", "--line", "1:1:12.50", "--to-card", "--reason", "returned"]
    words += ["--yes", "--actor", "Ann", "--token", "once", "--note", "as agreed", "--json"]

    first, second = data(run(*words)), data(run(*words))

    assert (first["replayed"], second["replayed"]) == (False, True)
    assert first["refund_id"] == second["refund_id"]
    (row,) = data(run("list", "--json", "--order", "1"))
    assert (row["amount"], row["actor_label"], row["status"]) == (1250, "Ann", "Started")


def test_issue_by_other_means_is_complete_at_once(quiet_shop: Workshop, run: Run) -> None:
    quiet_shop.sell(3000)

    run("issue", "1", "--everything", "--other", "cash", "--reference", "till 4",
        "--reason", "returned", "--yes", "--actor", "Ann")  # fmt: skip

    (row,) = data(run("list", "--json", "--status", "completed"))
    assert row["status"] == "Not Requested by Administrator"
    assert "till 4" in run("show", "1", "--json").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("issue", "77", "--everything", "--to-card", "--reason", "returned"), "no such order"),
        (("issue", "1", "--everything", "--to-card", "--reason", "no_such"), "no_such"),
        (("issue", "1", "--line", "1:1:99", "--to-card", "--reason", "returned"), "30.00"),
        (("issue", "1", "--line", "1:1:1,5", "--to-card", "--reason", "returned"), "not an amount"),
        (("issue", "1", "--to-card", "--reason", "returned"), "Nothing is selected"),
        (("show", "77"), "no such refund"),
        (("show", "x"), "no such refund"),
        (("retry", "77"), "no such refund"),
    ],
)
def test_a_refusal_is_a_sentence_and_status_1(
    quiet_shop: Workshop, run: Run, words: tuple[str, ...], said: str
) -> None:
    quiet_shop.sell(3000)

    result = run(*words)

    assert (result.exit_code, result.output[:7]) == (1, "Error: ")
    assert said in result.output


def test_money_moves_in_somebodys_name_only(quiet_shop: Workshop, run: Run) -> None:
    quiet_shop.sell(3000)

    result = run("issue", "1", "--everything", "--to-card", "--reason", "returned", "--yes")

    assert result.exit_code == 2
    assert "--actor" in result.output
    assert data(run("list", "--json")) == []


def test_a_line_may_be_named_only_as_the_order_has_it(quiet_shop: Workshop, run: Run) -> None:
    quiet_shop.sell(3000)

    result = run("issue", "1", "--line", "9:1", "--to-card", "--reason", "returned")

    assert result.exit_code == 2
    assert "with a REF of 1" in result.output


def test_an_order_is_found_by_its_number_before_its_key(quiet_shop: Workshop, run: Run) -> None:
    for cents in (1000, 2000):
        quiet_shop.sell(cents)
    with quiet_shop.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE \"order\" SET number = 'x' WHERE id = 1"))
        connection.execute(text("UPDATE \"order\" SET number = '1' WHERE id = 2"))
    words = ("--everything", "--to-card", "--reason", "returned", "--json")

    assert data(run("issue", "1", *words))["amount"] == 2000
    assert data(run("issue", "1", "--key", *words))["amount"] == 1000


def test_sweep_does_what_is_due_and_tells(any_shop: Workshop) -> None:
    run = runner(any_shop.app)
    ticket = any_shop.refund_of(3000)

    done = data(run("sweep", "--json"))

    assert done["processed"] == [ticket.id]
    assert done["transfers"] == [{"id": ticket.id, "state": "completed", "detail": "accepted"}]
    ticket.given_back_once()
    shown = data(run("show", "R-000001", "--json"))
    assert shown["movements"][0]["tried"][0]["outcome"] == "accepted"
    assert "1.1 refund: accepted" in run("show", "1").output
    assert data(run("status", "--json"))["exit_status"] == 0


def test_retry_is_dry_without_yes_and_takes_failed_transfers_only(
    quiet_shop: Workshop, run: Run
) -> None:
    quiet_shop.gateway.fault("decline", "refund", code="2004")
    ticket = quiet_shop.refund_of(3000)
    assert run("retry", "1").exit_code == 1
    quiet_shop.do(process, ticket.id)

    told = run("retry", "1")

    assert told.exit_code == 0
    assert "2004" in told.output
    assert ticket.now.state == TransferState.FAILED
    assert run("status").exit_code == 1
    done = data(run("retry", "1", "--yes", "--actor", "Ann", "--json"))
    assert (done["state"], done["generation"]) == ("started", 2)
    quiet_shop.do(process, ticket.id)
    ticket.given_back_once()


def test_a_disputed_sale_needs_its_own_word_to_be_refunded(quiet_shop: Workshop, run: Run) -> None:
    _, (sale,) = quiet_shop.sell(3000)
    quiet_shop.gateway.dispute(sale)
    issue = ("issue", "1", "--everything", "--to-card", "--reason", "returned", "--actor", "Ann")
    issued = data(run(*issue, "--yes", "--json"))
    (transfer,) = issued["transfer_ids"]
    quiet_shop.do(process, transfer)
    assert quiet_shop.transfer(transfer).failure_code == "disputed"

    for more in ((), ("--yes", "--actor", "Ann")):
        refused = run("retry", str(transfer), *more)
        assert refused.exit_code == 1
        assert "add --despite-dispute" in refused.output
    assert quiet_shop.transfer(transfer).state == TransferState.FAILED
    retry = ("retry", str(transfer), "--despite-dispute")
    assert "Add --yes to do it." in run(*retry).output
    assert data(run(*retry, "--yes", "--actor", "Ann", "--json"))["state"] == "started"
    quiet_shop.do(process, transfer)

    assert quiet_shop.gateway.sale(sale)["total_given_back"] == 3000


def test_issue_takes_the_word_for_a_disputed_sale(quiet_shop: Workshop, run: Run) -> None:
    _, (sale,) = quiet_shop.sell(3000)
    quiet_shop.gateway.dispute(sale)
    issue = ("issue", "1", "--everything", "--to-card", "--reason", "returned", "--actor", "Ann")
    issued = data(run(*issue, "--despite-dispute", "--yes", "--json"))
    quiet_shop.do(process, issued["transfer_ids"][0])

    assert quiet_shop.gateway.sale(sale)["total_given_back"] == 3000


def test_verify_ends_with_1_and_the_figures_when_something_differs(
    quiet_shop: Workshop, run: Run
) -> None:
    ticket = quiet_shop.refund_of(3000)
    quiet_shop.do(process, ticket.id)
    assert (run("verify").exit_code, data(run("verify", "--json"))) == (0, [])
    wrong = update(Account).values(committed=2999)
    quiet_shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(wrong) and None))

    told, listed = run("verify"), run("verify", "--json")

    assert (told.exit_code, listed.exit_code) == (1, 1)
    assert "expected 30.00 USD, found 29.99 USD" in told.output
    (finding,) = json.loads(listed.output)
    assert (finding["expected"], finding["found"]) == (3000, 2999)


def test_verify_gateway_prints_what_ties_and_what_only_takes_time(any_shop: Workshop) -> None:
    run = runner(any_shop.app)
    refund, void = any_shop.refund_of(3000), any_shop.refund_of(2000, settled=False)
    for ticket in (refund, void):
        any_shop.do(process, ticket.id)

    told, listed = run("verify", "--gateway"), data(run("verify", "--gateway", "--json"))

    today = any_shop.runtime.now().date()
    first = today - timedelta(days=29)
    lines = told.output.splitlines()
    assert told.exit_code == 0
    assert lines[0] == (
        f"Compared with the gateway, {first} to {today} (UTC): 2 card transfers, 2 sales."
    )
    assert [line.split() for line in lines[1:4]] == [
        "day currency by ledger gateway timing not compared".split(),
        f"{today} USD refund 30.00 30.00 0.00 0.00".split(),
        f"{today} USD void 20.00 20.00 0.00 0.00".split(),
    ]
    assert lines[4].startswith("timing_unsettled (transfer 1, refund 1, order 1, charge ")
    assert lines[5:] == ["1 differ for a while only: no damage.", "Everything ties out."]
    assert (listed["start"], listed["end"], listed["timezone"]) == (str(first), str(today), "UTC")
    assert (listed["transfers"], listed["sales"], listed["findings"]) == (2, 2, [])
    assert [each["code"] for each in listed["timing"]] == ["timing_unsettled"]
    assert listed["totals"][1] == {
        "day": str(today),
        "currency": "USD",
        "operation": "void",
        "ledger": 2000,
        "gateway": 2000,
        "timing": 0,
        "not_compared": 0,
    }


def test_verify_gateway_ends_with_1_when_the_gateway_has_something_else(
    quiet_shop: Workshop, run: Run
) -> None:
    ticket = quiet_shop.refund_of(3000)
    quiet_shop.do(process, ticket.id)
    wrong = update(Transfer).values(gateway_refund_id="nosuch")
    quiet_shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(wrong) and None))

    told, listed = run("verify", "--gateway"), run("verify", "--gateway", "--json")

    assert (told.exit_code, listed.exit_code) == (1, 1)
    assert "gateway_id nosuch, status settled): What is booked" in told.output
    assert "expected 30.00 USD, found 0.00 USD" in told.output
    assert told.output.endswith("3 findings.\n")
    found = {each["code"]: each for each in json.loads(listed.output)["findings"]}
    assert found.keys() == {"posting_copy", "gateway_missing", "gateway_moved"}
    missing = found["gateway_missing"]
    assert (missing["expected"], missing["found"], missing["currency"]) == (3000, 0, "USD")
    assert ["transfer", "1"] in missing["refs"]


def test_verify_gateway_never_passes_over_what_it_could_not_ask(
    quiet_shop: Workshop, run: Run
) -> None:
    quiet_shop.refund_of(3000)
    quiet_shop.gateway.fault("status", "find", times=None, status=503)

    told = run("verify", "--gateway")

    assert (told.exit_code, run("verify").exit_code) == (1, 0)
    assert "found the gateway did not answer: ServiceUnavailableError" in told.output
    assert "NOT EVERYTHING WAS COMPARED" in told.output


def test_verify_gateway_shows_figures_of_a_currency_that_nobody_knows(
    quiet_shop: Workshop, run: Run
) -> None:
    ticket = quiet_shop.refund_of(3000)
    quiet_shop.do(process, ticket.id)
    wrong = update(Posting).values(currency="XYZ", paid=2999)
    quiet_shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(wrong) and None))

    told = run("verify", "--gateway")

    assert told.exit_code == 1
    assert "expected 2999 XYZ, found 0 XYZ" in told.output


def test_verify_gateway_looks_at_the_days_that_are_typed(quiet_shop: Workshop, run: Run) -> None:
    quiet_shop.refund_of(3000)

    listed = data(run("verify", "--gateway", "--json", "--end", "2020-03-01"))

    assert (listed["start"], listed["end"], listed["sales"]) == ("2020-02-01", "2020-03-01", 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--start", "2020-01-01"), "for --gateway"),
        (("--gateway", "--start", "2020-02-02", "--end", "2020-01-01"), "is no period"),
        (("--gateway", "--start", "0001-01-01"), "is no period"),
        (("--gateway", "--end", "9999-12-31"), "is no period"),
        (("--gateway", "--end", "0001-01-01"), "is no period"),
        (("--gateway", "--start", "yesterday"), "does not match"),
    ],
)
def test_verify_takes_days_that_make_a_period_only(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    result = run("verify", *words)

    assert result.exit_code == 2
    assert said in result.output


def test_status_is_critical_when_nobody_does_the_work(quiet_shop: Workshop, run: Run) -> None:
    ticket = quiet_shop.refund_of(3000)
    long_ago = ticket.now.created_at - timedelta(hours=1)
    late = update(Transfer).values(next_attempt_at=long_ago, created_at=long_ago)
    quiet_shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(late) and None))

    result = run("status", "--json")

    assert result.exit_code == 2
    told = json.loads(result.output)
    assert (told["stuck"], told["queue"]) == (1, "none")
    (count,) = told["counts"]
    assert (count["state"], count["transfers"]) == ("started", 1)
    assert count["oldest"] >= 3600


def test_status_warns_of_a_queue_that_is_down(sqlite_url: str) -> None:
    with opened(sqlite_url, "redis://127.0.0.1:1/0") as shop:
        result = runner(shop.app)("status", "--json")

    assert (result.exit_code, json.loads(result.output)["queue"]) == (1, "down")


def test_a_wrong_setting_is_told_without_a_traceback(run_flask: RunFlask, sqlite_url: str) -> None:
    ran = run_flask(
        "example_app",
        "refunds",
        "status",
        env={"DATABASE_URL": sqlite_url, "REFUNDS_TIMEZONE": "Mars/Base"},
    )

    assert ran.returncode == 1
    assert "REFUNDS_TIMEZONE" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(("words", "status"), [("list", 1), ("status", 2)])
def test_a_database_that_is_away_is_told_without_a_traceback(
    run_flask: RunFlask, words: str, status: int
) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/shop"

    ran = run_flask("example_app", "refunds", words, env={"DATABASE_URL": url})

    assert ran.returncode == status
    assert "The database says" in ran.stderr
    assert "Traceback" not in ran.stderr
