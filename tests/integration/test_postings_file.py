"""The postings are read chunk by chunk, exactly, and in nobody's way, on every database."""

import csv
import io
import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, create_engine, event, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from flask_refunds import money
from flask_refunds.figures.ledger_query import posted
from flask_refunds.figures.periods import ALL, Basis, Period
from flask_refunds.models import Posting, Refund
from flask_refunds.reports import postings
from flask_refunds.reports.csv_files import csv_pieces
from flask_refunds.reports.postings import FIELDS, postings_table, read_chunks
from tests.integration.ledger import CUSTOMERS, NOON, Ledger, numbers

PARIS = ZoneInfo("Europe/Paris")
SECOND = timedelta(seconds=1)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read three rows, then six, then eight at a time."""
    monkeypatch.setattr(postings, "FIRST", 3)
    monkeypatch.setattr(postings, "LARGEST", 8)


def read(ledger: Ledger, period: Period = ALL, basis: Basis = "refund", *conditions: Any) -> Any:
    return list(read_chunks(ledger.sessions, period, basis, *conditions))


def at_once(ledger: Ledger, period: Period = ALL, basis: Basis = "refund") -> Sequence[int]:
    """Return the numbers of the postings of *period* as one plain query has them."""
    query = select(Posting.id).where(*posted(period, basis))
    with Session(ledger.engine) as session:
        return session.scalars(query.order_by(Posting.posted_at, Posting.id)).all()


def text_of(ledger: Ledger, period: Period = ALL, basis: Basis = "refund") -> str:
    table = postings_table(ledger.sessions, period, basis, zone=PARIS, made_at=NOON)
    return "".join(csv_pieces(table))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 8, 9, 10, 16, 17, 18, 25, 26, 40])
def test_chunks_grow_and_have_every_posting_once_and_in_order(ledger: Ledger, count: int) -> None:
    if count:
        ledger.spread(count)

    chunks = read(ledger)

    assert numbers(chunks) == at_once(ledger)
    assert len(numbers(chunks)) == count
    sizes = [len(chunk) for chunk in chunks]
    full = list(itertools.takewhile(lambda size: sum(size) <= count, _prefixes([3, 6, 8, 8, 8, 8])))
    assert sizes[: len(full[-1])] == full[-1] if full else sizes == ([count] if count else [])


def _prefixes(sizes: list[int]) -> list[list[int]]:
    return [sizes[:length] for length in range(1, len(sizes) + 1)]


@pytest.mark.parametrize("same", [2, 3, 4, 7, 20])
def test_postings_of_one_moment_are_neither_lost_nor_repeated_at_a_border(
    ledger: Ledger, same: int
) -> None:
    moments = [NOON + SECOND * (number // same) for number in range(30)]
    ledger.post(*({"posted_at": at} for at in reversed(moments)))

    assert numbers(read(ledger)) == at_once(ledger)


def test_microseconds_decide_the_order_and_are_no_border(ledger: Ledger) -> None:
    micros = [timedelta(microseconds=number % 5) for number in range(30)]
    ledger.post(*({"posted_at": NOON + micro} for micro in micros))

    assert numbers(read(ledger)) == at_once(ledger)


@pytest.mark.parametrize("basis", ["refund", "order"])
def test_a_period_is_cut_by_its_basis_and_always_in_the_order_of_posting(
    ledger: Ledger, basis: Basis
) -> None:
    days = [timedelta(days=number * 5 % 23, hours=number) for number in range(40)]
    ledger.post(
        *(
            {"posted_at": NOON + one, "order_placed_at": NOON - other}
            for one, other in zip(days, reversed(days), strict=True)
        )
    )
    week = (date(2026, 3, 14), date(2026, 3, 21))
    if basis == "order":
        week = (date(2026, 2, 20), date(2026, 3, 2))
    period = Period.of_days(*week, PARIS)

    found = numbers(read(ledger, period, basis))

    assert found == at_once(ledger, period, basis)
    assert 8 < len(found) < 40
    other: Basis = "order" if basis == "refund" else "refund"
    assert found != at_once(ledger, period, other)


def test_the_first_instant_of_a_period_is_in_it_and_its_end_is_not(ledger: Ledger) -> None:
    period = Period.of_days(date(2026, 3, 29), date(2026, 3, 29), PARIS)
    assert period.start
    assert period.end
    edges = [period.start, period.end]
    ledger.post(*({"posted_at": edge + side * SECOND} for edge in edges for side in (-1, 0, 1)))

    chunks = read(ledger, period)

    assert [row.posted_at[:19] for chunk in chunks for row in chunk] == [
        "2026-03-28 23:00:00",
        "2026-03-28 23:00:01",
        "2026-03-29 21:59:59",
    ]


@pytest.mark.parametrize("basis", ["refund", "order"])
def test_conditions_choose_among_the_postings_of_a_period(ledger: Ledger, basis: Basis) -> None:
    for number in range(40):
        ledger.post(
            {
                "posted_at": NOON + SECOND * (number // 3),
                "currency": "EUR" if number % 2 else "USD",
                "method": "other" if number % 3 else "card",
                "actor_label": "Ben" if number % 5 else "Anna Admin",
            }
        )

    found = read(ledger, ALL, basis, Posting.currency == "EUR", Posting.method.in_(["other"]))

    assert numbers(found) == [n + 1 for n in range(40) if n % 2 and n % 3]
    operator = Posting.actor_label == "Ben"
    assert numbers(read(ledger, ALL, basis, operator)) == [n + 1 for n in range(40) if n % 5]
    assert read(ledger, ALL, basis, operator, Posting.entry == "reversal") == []


def test_what_is_posted_while_a_slow_client_reads_comes_once_or_not_at_all(ledger: Ledger) -> None:
    ledger.spread(20, SECOND)
    chunks = read_chunks(ledger.sessions, ALL, "refund")
    seen = [next(chunks), next(chunks)]
    position = NOON + 8 * SECOND
    assert numbers(seen) == list(range(1, 10))

    ledger.post(
        {"posted_at": position - SECOND},
        {"posted_at": position},
        {"posted_at": position + SECOND / 2},
        {"posted_at": NOON + 60 * SECOND},
    )

    before, same, between, late = 21, 22, 23, 24
    rest = numbers(list(chunks))
    assert before not in rest
    assert rest == [same, between, *range(10, 21), late]


def test_nothing_is_open_while_the_client_is_slow(ledger: Ledger) -> None:
    ledger.spread(20)
    pool: Any = ledger.engine.pool
    chunks = read_chunks(ledger.sessions, ALL, "refund")

    for _ in chunks:
        assert pool.checkedout() == 0
        if ledger.engine.dialect.name == "postgresql":
            with ledger.engine.connect() as connection:
                open_ones = (
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE state LIKE 'idle in%' AND datname = current_database()"
                )
                assert connection.scalar(text(open_ones)) == 0

    broken_off: Any = read_chunks(ledger.sessions, ALL, "refund")
    next(broken_off)
    broken_off.close()
    assert pool.checkedout() == 0


def test_on_sqlite_a_writer_does_not_wait_for_a_download(sqlite_url: str) -> None:
    ledger = Ledger(create_engine(sqlite_url))
    ledger.spread(20)
    impatient = create_engine(sqlite_url, connect_args={"timeout": 0})
    chunks = read_chunks(ledger.sessions, ALL, "refund")

    for count, _ in enumerate(chunks):
        with impatient.begin() as connection:
            connection.execute(update(Refund).values(note=str(count)))

    with ledger.engine.connect() as reader:  # what a cursor that stays open would do
        cursor = reader.execute(select(Posting.id))
        assert cursor.fetchone()
        with pytest.raises(OperationalError, match="locked"), impatient.begin() as connection:
            connection.execute(update(Refund).values(note="late"))


def test_chunks_can_be_taken_from_as_many_downloads_at_a_time_as_there_are(
    database_url: str,
) -> None:
    engine = create_engine(database_url, poolclass=QueuePool, pool_size=1, max_overflow=0)
    ledger = Ledger(engine)
    ledger.spread(20)

    many = [read_chunks(ledger.sessions, ALL, "refund") for _ in range(5)]
    rounds = list(zip(*many, strict=True))

    assert [numbers(each) for each in zip(*rounds, strict=True)] == 5 * [list(range(1, 21))]


def test_a_closed_periods_file_is_the_same_after_everything_that_happens_later(
    ledger: Ledger,
) -> None:
    ledger.spread(20)
    march = Period.of_days(date(2026, 3, 1), date(2026, 3, 31), PARIS)
    before = text_of(ledger, march)
    assert before.count("\r\n") == 21

    ledger.post(
        {"posted_at": NOON + timedelta(days=40)},
        {"posted_at": NOON + timedelta(days=40), "entry": "reversal", "reverses_id": 3,
         "paid": -1000},
    )  # fmt: skip
    with ledger.engine.begin() as connection:
        connection.execute(update(Refund).values(state="failed", note="late", completed_at=None))

    assert text_of(ledger, march) == before
    assert text_of(ledger, ALL).count("\r\n") == 23


def slowly(ledger: Ledger, basis: Basis) -> str:
    """Return the file as the ORM, Decimal, datetime and csv make it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([field.key for field in FIELDS])
    with Session(ledger.engine) as session:
        for posting in session.scalars(select(Posting).order_by(Posting.posted_at, Posting.id)):
            own = {"basis": basis, "customer_name": CUSTOMERS[posting.refund_id]}
            for field in FIELDS:
                if field.key not in own:
                    value = getattr(posting, _NAMES.get(field.key, field.key))
                    own[field.key] = _cell(field.kind, value, posting)
            writer.writerow([own[field.key] for field in FIELDS])
    return file.getvalue()


_NAMES = {
    "posting": "id", "reverses": "reverses_id", "refund": "refund_id", "transfer": "transfer_id",
    "order": "order_number", "order_key": "order_ref", "customer": "customer_ref",
    "line": "line_ref", "amount": "paid", "gateway_refund": "gateway_refund_id",
    "operator": "actor_label",
}  # fmt: skip


def _cell(kind: str, value: Any, posting: Posting) -> Any:
    if value is None:
        return ""
    if kind == "money":
        return money.plain(value, posting.currency)
    if kind == "time":
        return value.astimezone(PARIS).isoformat(timespec="seconds")
    risky = isinstance(value, str) and value.startswith(tuple("=+-@\t\r\n"))
    return f"'{value}" if risky else value


@pytest.mark.parametrize("basis", ["refund", "order"])
def test_the_file_is_to_the_byte_what_the_plain_way_makes(ledger: Ledger, basis: Basis) -> None:
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    ledger.post(
        {"posted_at": change - timedelta(microseconds=1), "gateway_at": change, "currency": "JPY"},
        {"posted_at": change, "currency": "KWD", "paid": -1, "list_price": -1000, "refund_id": 2},
        {"posted_at": change + timedelta(microseconds=1), "gateway_refund_id": None},
        {"order_placed_at": datetime(2025, 10, 26, 0, 30, 0, 5, tzinfo=UTC), "customer_ref": None},
        {"description": '=HYPERLINK("x")', "sku": "-1", "actor_label": 'Ann "A", Zoë'},
        {"description": "two\r\nlines", "sku": "+", "gateway": None, "quantity": 0},
        {"description": "日本 💶", "entry": "reversal", "reverses_id": 1, "paid": -5},
        *({"posted_at": NOON + number * SECOND * 4000} for number in range(20)),
    )

    assert text_of(ledger, ALL, basis) == slowly(ledger, basis)


def _plans(engine: Engine, statements: list[tuple[str, Any]]) -> list[str]:
    """Return how the database goes about each of *statements*."""
    word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        return [
            "\n".join(map(str, connection.exec_driver_sql(f"{word} {statement}", parameters)))
            for statement, parameters in statements
        ]


@pytest.mark.parametrize("basis", ["refund", "order"])
def test_every_chunk_goes_by_the_index_of_the_order_and_sorts_nothing(
    ledger: Ledger, basis: Basis
) -> None:
    for start in range(0, 6000, 2000):
        ledger.post(
            *(
                {
                    "posted_at": NOON + number * SECOND,
                    "order_placed_at": NOON - number * 7919 % 6000 * SECOND,
                }
                for number in range(start, start + 2000)
            )
        )
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = ledger.engine.dialect.name
        table = "TABLE refunds_posting" if name in {"mysql", "mariadb"} else "refunds_posting"
        connection.execute(text(f"ANALYZE {table}"))
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "refunds_posting" in statement:
            seen.append((statement, parameters))

    period = Period.of_days(date(2026, 3, 1), date(2026, 4, 1), PARIS)
    event.listen(ledger.engine, "before_cursor_execute", note)
    chunks = read_chunks(ledger.sessions, period, basis)
    read_so_far = [next(chunks) for _ in range(5)]
    event.remove(ledger.engine, "before_cursor_execute", note)

    assert len(numbers(read_so_far)) == 3 + 6 + 3 * 8
    for plan in _plans(ledger.engine, seen):
        assert "ix_refunds_posting_posted_at" in plan
        assert not any(word in plan for word in ("TEMP B-TREE", "Sort", "filesort")), plan


def test_on_sqlite_a_late_chunk_costs_as_little_as_an_early_one(sqlite_url: str) -> None:
    """Of two lower bounds SQLite entered the index by the period's: each chunk reread the last."""
    engine = create_engine(sqlite_url)
    ledger = Ledger(engine)
    ledger.spread(4000, SECOND)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    @event.listens_for(engine, "checkout")
    def watch(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(step, 10)

    period = Period.of_days(date(2026, 3, 1), date(2026, 4, 1), PARIS)
    cost = []
    for _ in read_chunks(ledger.sessions, period, "refund"):
        cost.append(steps)
        steps = 0

    assert len(cost) > 400
    assert max(cost[-50:]) <= 2 * max(cost[2:50])
