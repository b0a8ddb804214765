"""The fast CSV is to the byte what the plain and slow way makes of the same rows."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_refunds import money
from flask_refunds.reports.csv_files import csv_pieces
from flask_refunds.reports.tables import Field, Table
from tests.unit.tables import table

FIELDS = (
    Field("id", "count"),
    Field("at", "time"),
    Field("day", "day"),
    Field("words", "text"),
    Field("code", "code"),
    Field("amount", "money"),
    Field("currency", "code"),
    Field("tax", "money"),
    Field("share", "rate"),
)
ZONES = (
    "UTC",
    "Europe/Paris",
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Monrovia",
    "Pacific/Apia",
)
AWKWARD = ("", " ", "=1+1", "+1", "-1", "@x", "\tx", "\r", "\nx", "a,b", 'say "no"', '"', "a\r\nb",
           "ÄÖ€", "日本", "💶", "\0=1", "\0", "'=", "x=", "a\0", ";", '="a,b"',
           "\u2028")  # fmt: skip


def slowly(source: Table) -> str:
    """Return the CSV of *source* as csv, Decimal and datetime make it, cell by cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([field.key for field in source.fields])
    for rows in source.chunks:
        for row in rows:
            currency = row[source.place("currency") or 0]
            cells = zip(source.fields, row, strict=True)
            writer.writerow([cell(field, value, currency, source.zone) for field, value in cells])
    return text.getvalue()


def cell(field: Field, value: Any, currency: str, zone: ZoneInfo) -> object:
    if value is None:
        return ""
    match field.kind:
        case "money":
            return money.plain(value, currency)
        case "time":
            if isinstance(value, str):
                value = datetime.fromisoformat(value).replace(tzinfo=UTC)
            return value.astimezone(zone).isoformat(timespec="seconds")
        case "rate":
            return value.quantize(Decimal("0.0001"))
        case "text" | "code":
            risky = value[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} and value
            return f"'{value}" if risky else value
        case _:
            return value


def text_of(source: Table) -> str:
    return "".join(csv_pieces(source))


def row(**given: Any) -> tuple[Any, ...]:
    plain = {
        "id": 1, "at": datetime(2026, 1, 31, 12, tzinfo=UTC), "day": date(2026, 1, 31),
        "words": "x", "code": "y", "amount": 1230, "currency": "USD", "tax": 0,
        "share": Decimal("0.25"),
    }  # fmt: skip
    return tuple({**plain, **given}.values())


words = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
minor = st.integers(-(10**15) + 1, 10**15 - 1)
seconds = st.integers(-2_208_900_000, 4_000_000_000)
instants = st.builds(
    lambda after, micro: datetime(1970, 1, 1, 0, 0, 0, micro, tzinfo=UTC) + timedelta(0, after),
    seconds,
    st.integers(0, 999_999),
)
rows = st.builds(
    row,
    id=st.none() | st.integers(),
    at=st.none() | instants | instants.map(lambda at: f"{at.replace(tzinfo=None)}"),
    day=st.none() | st.dates(),
    words=st.none() | words | st.sampled_from(AWKWARD),
    code=st.none() | st.sampled_from(AWKWARD),
    amount=st.none() | minor,
    currency=st.sampled_from(["USD", "JPY", "KWD", "EUR", "CLF"]),
    tax=minor | st.integers(-1001, 1001),
    share=st.none() | st.decimals(-1, 1, places=4),
)


@given(st.lists(st.lists(rows, max_size=5), max_size=4), st.sampled_from(ZONES))
def test_any_rows_make_the_text_of_the_plain_way(chunks: list[list[Any]], zone: str) -> None:
    source = table(FIELDS, *chunks, zone=zone)

    assert text_of(source) == slowly(source)


@pytest.mark.parametrize("text", AWKWARD, ids=ascii)
def test_awkward_text_is_quoted_and_made_harmless(text: str) -> None:
    source = table(FIELDS, [row(words=text), row(words="plain"), row(words=None)])

    made = text_of(source)

    assert made == slowly(source)
    read = list(csv.reader(io.StringIO(made, newline="")))
    assert read[1][3].removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize(
    ("currency", "minor", "said"),
    [
        ("JPY", -5, "-5"),
        ("JPY", 0, "0"),
        ("USD", 0, "0.00"),
        ("USD", 5, "0.05"),
        ("USD", -5, "-0.05"),
        ("USD", -100, "-1.00"),
        ("USD", 123456789012345, "1234567890123.45"),
        ("KWD", -1, "-0.001"),
        ("KWD", 1234, "1.234"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, minor: int, said: str) -> None:
    source = table(FIELDS, [row(amount=minor, currency=currency), row(amount=1, currency="EUR")])

    assert text_of(source) == slowly(source)
    assert text_of(source).split("\r\n")[1].split(",")[5] == said


def around(moment: datetime, step: timedelta) -> Iterator[datetime]:
    """Yield the hours about *moment* in steps, with microseconds."""
    at = moment - timedelta(hours=3)
    while at < moment + timedelta(hours=3):
        yield at.replace(microsecond=999999)
        at += step


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("Europe/Paris", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Europe/Paris", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        ("America/Goose_Bay", datetime(2007, 11, 4, 3, 1, tzinfo=UTC)),
        ("America/St_Johns", datetime(2007, 11, 4, 2, 31, tzinfo=UTC)),
        ("Africa/Monrovia", datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)),
        ("Europe/Amsterdam", datetime(1937, 6, 30, 22, 40, 28, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(1985, 12, 31, 18, 30, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_times_are_right_around_a_change_of_the_clock(
    zone: str, changes: datetime, as_text: bool
) -> None:
    times: list[Any] = list(around(changes, timedelta(seconds=59)))
    if as_text:
        times = [str(at.replace(tzinfo=None)) for at in times]
    source = table(FIELDS, [row(at=at) for at in times], zone=zone)

    made = text_of(source)

    assert made == slowly(source)
    offsets = {line.split(",")[1][19:] for line in made.split("\r\n")[1:-1]}
    assert len(offsets) == 2


def test_times_are_right_however_many_hours_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_refunds.reports.csv_files._HOURS", 5)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(hours=hour * 7 % 11, minutes=hour) for hour in range(50)]
    source = table(FIELDS, [row(at=at) for at in times], zone="Europe/Paris")

    assert text_of(source) == slowly(source)


def test_the_header_comes_with_the_first_rows_and_each_chunk_is_a_piece() -> None:
    def chunks() -> Iterator[Sequence[Any]]:
        yield [row(id=1)]
        yield []
        yield [row(id=2), row(id=3)]
        raise AssertionError("read further than asked")

    pieces = csv_pieces(table(FIELDS, endless=chunks()))

    assert next(pieces).count("\r\n") == 2
    assert next(pieces).count("\r\n") == 2


@pytest.mark.parametrize("chunks", [(), ([],), ([], [])])
def test_a_table_without_rows_is_its_header(chunks: tuple[list[Any], ...]) -> None:
    assert list(csv_pieces(table(FIELDS, *chunks))) == [
        "id,at,day,words,code,amount,currency,tax,share\r\n"
    ]


def test_an_unknown_currency_is_an_error_and_not_a_wrong_figure() -> None:
    with pytest.raises(ValueError, match="XQX"):
        text_of(table(FIELDS, [row(currency="XQX")]))


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="argument"):
        text_of(table(FIELDS, [row(), row()[:-1]]))


def test_amounts_without_a_currency_are_refused() -> None:
    with pytest.raises(ValueError, match="add a field 'currency'"):
        table([Field("amount", "money")])
