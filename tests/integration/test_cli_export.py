"""``flask refunds export``: the file of the page, whole or not at all, or a sentence."""

import csv
import io
import os
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from openpyxl import load_workbook
from sqlalchemy import update

from example_app import db
from example_app.models import OrderItem
from flask_refunds.cli import exporting
from flask_refunds.reports.postings import FIELDS
from tests.conftest import RunFlask, StartFlask
from tests.integration.ledger import NOON, Ledger
from tests.integration.test_cli import runner
from tests.integration.workshop import APP, Workshop, opened

Run = Callable[..., Result]
MARCH = ("--start", "2026-03-01", "--end", "2026-03-31")


@pytest.fixture
def run(quiet_shop: Workshop) -> Run:
    """Run a command on a shop with four postings in March and one in May."""
    posted(quiet_shop)
    return runner(quiet_shop.app)


def posted(shop: Workshop) -> Ledger:
    with shop.app.app_context():
        ledger = Ledger(shop.runtime.sessions.engine)
    ledger.post(
        {"order_placed_at": NOON - timedelta(days=60)},
        {"currency": "JPY", "actor_label": "Ben", "reason": "damaged"},
        {"method": "other", "operation": "other", "gateway": None, "reason": "an old reason"},
        {"description": "=1+1", "actor_label": "Zoë, till 4"},
        {"posted_at": NOON + timedelta(days=60)},
    )
    return ledger


def rows(result: Result) -> list[dict[str, str]]:
    """Return the rows of the CSV that a command wrote to standard output."""
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout_bytes.decode("utf-8"), newline="")))


def listed(result: Result) -> list[str]:
    return [row["posting"] for row in rows(result)]


def test_postings_go_to_standard_output_as_the_page_gives_them(run: Run) -> None:
    result = run("export", "postings", *MARCH)

    assert listed(result) == ["1", "2", "3", "4"]
    assert list(rows(result)[0]) == [field.key for field in FIELDS]
    assert result.stdout_bytes.count(b"\r\n") == 5
    assert rows(result)[3]["description"] == "'=1+1"
    assert rows(result)[3]["operator"] == "Zoë, till 4"


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (("--period", "all"), "12345"),
        ((*MARCH, "--currency", "JPY"), "2"),
        ((*MARCH, "--method", "other"), "3"),
        ((*MARCH, "--method", "card", "--currency", "USD"), "14"),
        ((*MARCH, "--reason", "damaged"), "2"),
        ((*MARCH, "--reason", "an old reason"), "3"),
        ((*MARCH, "--reason", "goodwill"), ""),
        ((*MARCH, "--operator", "Zoë, till 4"), "4"),
        ((*MARCH, "--basis", "order"), "2345"),
        (("--start", "2026-05-09", "--end", "2026-05-09"), "5"),
        ((), ""),
    ],
    ids=" ".join,
)
def test_options_choose_among_the_postings(run: Run, words: tuple[str, ...], numbers: str) -> None:
    assert listed(run("export", "postings", *words)) == list(numbers)


def test_items_are_searched_and_sorted_as_on_their_page(run: Run, quiet_shop: Workshop) -> None:
    for name in ("Cup", "Cap", "Tee"):
        order, _ = quiet_shop.sell(1000)
        change = update(OrderItem).where(OrderItem.order_id == int(order)).values(name=name, sku="")
        with quiet_shop.app.app_context():
            db.session.execute(change)
            db.session.commit()

    def names(*words: str) -> list[str]:
        return [row["name"] for row in rows(run("export", "items", "--period", "today", *words))]

    assert names("--text", "c", "--sort", "name") == ["Cap", "Cup"]
    assert names("--text", "c", "--sort", "-name") == ["Cup", "Cap"]
    assert names("--text", "cu") == ["Cup"]


@pytest.mark.parametrize(("by", "option"), [(("--by", "day"), "--by"), ((), "--end")])
def test_more_rows_than_a_table_has_are_refused(
    run: Run, tmp_path: Path, by: tuple[str, ...], option: str
) -> None:
    days, path = ("--start", "1970-01-01", "--end", "3000-12-31"), tmp_path / "summary.csv"

    result = run("export", "summary", *days, *by, "--output", str(path))

    assert (result.exit_code, path.exists()) == (2, False)
    assert f"{option}: more than 1200 rows" in result.stderr


def test_the_period_by_name_is_the_stores(run: Run, quiet_shop: Workshop) -> None:
    now = NOON + timedelta(days=61)
    object.__setattr__(quiet_shop.runtime, "clock", lambda: now)

    assert listed(run("export", "postings", "--period", "yesterday")) == ["5"]
    assert listed(run("export", "postings")) == ["5"]


def test_a_file_is_written_whole_and_replaces_the_one_before(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "march.csv"
    path.write_text("old")

    result = run("export", "postings", *MARCH, "--output", str(path))

    assert (result.exit_code, result.output) == (0, "")
    assert path.read_bytes() == run("export", "postings", *MARCH).stdout_bytes
    assert list(tmp_path.glob("*march*")) + list(tmp_path.glob(".*")) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize(
    "words", [("--output", "{}.xlsx"), ("--format", "xlsx", "--output", "{}.dat")], ids=" ".join
)
def test_a_workbook_says_what_was_asked_for(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    words = tuple(word.format(tmp_path / "march") for word in words)

    result = run("export", "postings", *MARCH, "--method", "card", "--operator", "Ben", *words)

    assert result.exit_code == 0, result.output
    book = load_workbook(io.BytesIO(Path(words[-1]).read_bytes()))
    assert [line[0].value for line in book["Refunds"].iter_rows()] == ["posting", 2]
    told = dict([name.value, value.value] for name, value in book["About"].iter_rows())
    assert told["Period"] == "2026-03-01 to 2026-03-31"
    assert (told["Method"], told["Operator"], told["Rows"]) == ("card", "Ben", "1")


def test_a_workbook_goes_to_a_pipe_too(run: Run) -> None:
    result = run("export", "postings", *MARCH, "--format", "xlsx")

    assert load_workbook(io.BytesIO(result.stdout_bytes)).sheetnames == ["Refunds", "About"]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_run_that_breaks_leaves_no_half_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, ending: str
) -> None:
    path = tmp_path / "files" / f"march.{ending}"
    path.parent.mkdir()
    if before:
        path.write_text(before)

    def broken(*args: Any) -> Any:
        table = exporting._postings(*args)
        chunks = iter(table.chunks)

        def then_away() -> Any:
            yield next(chunks)
            assert len(list(path.parent.iterdir())) == 1 + bool(before)
            raise OSError(28, "No space left on device")

        object.__setattr__(table, "chunks", then_away())
        return table

    report = replace(exporting.REPORTS["postings"], table=broken)
    monkeypatch.setitem(exporting.REPORTS, "postings", report)
    result = run("export", "postings", *MARCH, "--output", str(path))

    assert result.exit_code == 1
    assert f"--output {path} cannot be written: No space left on device." in result.output
    assert [file.name for file in path.parent.iterdir()] == ([path.name] if before else [])
    assert not before or path.read_text() == before


def test_a_run_that_is_ended_leaves_no_half_file(
    start_flask: StartFlask, sqlite_url: str, tmp_path: Path
) -> None:
    with opened(sqlite_url) as shop:
        ledger = posted(shop)
        for number in range(40):
            ledger.spread(2000, timedelta(seconds=number + 1))
        folder = tmp_path / "files"
        folder.mkdir()
        words = ("refunds", "export", "postings", *MARCH, "--output", str(folder / "a.xlsx"))
        export = start_flask(APP, *words, env=shop.env())
        while not list(folder.iterdir()):
            assert export.process.poll() is None, export.output()
            time.sleep(0.01)

        assert export.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        assert list(folder.iterdir()) == []


def test_a_link_stays_a_link_and_a_device_a_device(run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "march.csv", tmp_path / "link.csv"
    link.symlink_to(target)

    assert run("export", "postings", *MARCH, "--output", str(link)).exit_code == 0
    assert link.is_symlink()
    assert target.read_bytes().count(b"\r\n") == 5

    assert run("export", "postings", *MARCH, "--output", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sales",), "'sales' is not"),
        (("items", "--sort", "colour"), "--sort 'colour' is not one of -net, net,"),
        (("summary", "--text", "Mug"), "--text is nothing for summary. It takes --by."),
        (("postings", "--format", "pdf"), "--format"),
        (("postings", "--period", "fortnight"), "--period"),
        (
            ("postings", "--period", "today", *MARCH),
            "--period does not go with --start and --end. Give one or the other.",
        ),
        (
            ("postings", "--start", "2026-03-01"),
            "--end is missing. Give both --start and --end, or --period.",
        ),
        (
            ("postings", "--start", "", "--end", ""),
            "--start is missing. Give both --start and --end, or --period.",
        ),
        (("postings", "--currency", ""), "--currency: '' is not an ISO 4217 currency code."),
        (("postings", "--operator", ""), "--operator '' is on no posting."),
        (
            ("postings", "--start", "2026-02-30", "--end", "2026-03-31"),
            "--start 2026-02-30 is not a date. Write it as 2026-01-31.",
        ),
        (
            ("postings", "--start", "1066-10-14", "--end", "2026-03-31"),
            "--start 1066-10-14 is out of range. Give a day from 1970 on.",
        ),
        (
            ("postings", "--start", "2026-03-02", "--end", "2026-03-01"),
            "--end 2026-03-01 is before --start.",
        ),
        (
            ("postings", "--currency", "usd"),
            "--currency: 'usd' is not an ISO 4217 currency code. Give one as USD.",
        ),
        (("postings", "--method", "cash"), "--method"),
        (
            ("postings", "--reason", "return"),
            "--reason 'return' is on no posting. There are: an old reason, damaged, returned.",
        ),
        (
            ("postings", "--operator", "ben"),
            "--operator 'ben' is on no posting. There are: Anna Admin, Ben, Zoë, till 4.",
        ),
        (("postings", "--output", "/"), "'/' is a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_a_sentence_that_names_the_option_and_status_2(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    result = run("export", *words)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert result.stdout == ""


def test_a_file_that_cannot_be_written_is_told_without_a_traceback(run: Run) -> None:
    result = run("export", "postings", *MARCH, "--output", "/nowhere/march.csv")

    assert result.exit_code == 1
    assert "--output /nowhere/march.csv cannot be written: No such file" in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_workbook_is_not_thrown_at_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_at_a_terminal", lambda: True)

    result = run("export", "postings", *MARCH, "--format", "xlsx")

    assert result.exit_code == 2
    assert "Give --output FILE" in result.output
    assert run("export", "postings", *MARCH).exit_code == 0


def test_the_real_command_writes_the_same_to_a_pipe_and_to_a_file(
    run_flask: RunFlask, sqlite_url: str, tmp_path: Path
) -> None:
    with opened(sqlite_url) as shop:
        posted(shop)
        path = tmp_path / "all.csv"
        words = ("refunds", "export", "postings", "--period", "all")

        piped = run_flask(APP, *words, env=shop.env())
        filed = run_flask(APP, *words, "--output", str(path), env=shop.env())

    assert (piped.returncode, piped.stderr) == (0, "")
    assert (filed.returncode, filed.stdout, filed.stderr) == (0, "", "")
    assert path.read_bytes().count(b"\r\n") == 6
    assert piped.stdout.splitlines() == path.read_text("utf-8").splitlines()


def test_export_reads_on_every_database(database_url: str) -> None:
    with opened(database_url) as shop:
        posted(shop)
        assert listed(runner(shop.app)("export", "postings", *MARCH)) == ["1", "2", "3", "4"]
