"""A workbook has typed cells, and its text is never anything but text."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from flask_refunds.reports.tables import Field, Table
from flask_refunds.reports.xlsx_files import write_xlsx
from tests.unit.tables import MADE, table

FIELDS = (
    Field("id", "count"),
    Field("at", "time"),
    Field("day", "day"),
    Field("words", "text"),
    Field("amount", "money"),
    Field("currency", "code"),
    Field("share", "rate"),
)
NOON = datetime(2026, 7, 1, 12, 30, 59, 999999, tzinfo=UTC)


def local(text: str) -> datetime:
    """Return a time without a zone, as a workbook has it."""
    return datetime.fromisoformat(text)


def row(**given: Any) -> tuple[Any, ...]:
    plain = {
        "id": 7, "at": NOON, "day": date(2026, 1, 31), "words": "x", "amount": 1230,
        "currency": "USD", "share": Decimal("0.25"),
    }  # fmt: skip
    return tuple({**plain, **given}.values())


def made(source: Table) -> bytes:
    file = io.BytesIO()
    write_xlsx(source, file)
    return file.getvalue()


def opened(source: Table) -> Workbook:
    return load_workbook(io.BytesIO(made(source)))


def cells(source: Table, line: int = 2) -> dict[str, Any]:
    """Return the cells of a *line* of the first sheet, by the titles of their columns."""
    sheet = opened(source).worksheets[0]
    titles = [cell.value for cell in sheet[1]]
    return dict(zip(titles, sheet[line], strict=True))


def test_each_kind_is_a_cell_of_its_type() -> None:
    got = cells(table(FIELDS, [row()], zone="Europe/Paris"))

    assert {key: (cell.value, cell.data_type, cell.number_format) for key, cell in got.items()} == {
        "id": (7, "n", "General"),
        "at": (local("2026-07-01 14:30:59"), "d", "yyyy-mm-dd hh:mm:ss"),
        "day": (local("2026-01-31"), "d", "yyyy-mm-dd"),
        "words": ("x", "s", "General"),
        "amount": (12.3, "n", "#,##0.00"),
        "currency": ("USD", "s", "General"),
        "share": (0.25, "n", "0.00%"),
    }


@pytest.mark.parametrize(
    ("currency", "minor", "value", "form"),
    [
        ("JPY", -1234, -1234, "#,##0"),
        ("USD", -5, -0.05, "#,##0.00"),
        ("USD", 999999999999999, 9999999999999.99, "#,##0.00"),
        ("KWD", 1, 0.001, "#,##0.000"),
    ],
)
def test_an_amount_is_a_number_with_the_decimals_of_its_currency(
    currency: str, minor: int, value: float, form: str
) -> None:
    other = row(currency="EUR", amount=100)
    got = cells(table(FIELDS, [other, row(currency=currency, amount=minor)]), line=3)["amount"]

    assert (got.value, got.data_type, got.number_format) == (value, "n", form)


@pytest.mark.parametrize(
    "words",
    ["=1+1", "+1", "-1", "@x", "http://example.com/", "mailto:a@b", "internal:Sheet1!A1", "0012",
     "12", "1e5", "2026-01-01", "TRUE", "{=1}", "<b>x</b> & 'y'", "ÄÖ€ 日本 💶", "a\nb", " x ",
     "_x0041_", "'=1"],
)  # fmt: skip
def test_text_is_text(words: str) -> None:
    got = cells(table(FIELDS, [row(words=words)]))["words"]

    assert (got.value.replace("_x005F_", "_"), got.data_type) == (words, "s")
    assert got.hyperlink is None


def test_text_that_looks_like_the_writers_own_markup_is_text() -> None:
    """XlsxWriter copies ``<r>…</r>`` raw: it would be another text, or a file that is broken."""
    for words in ("<r><t>x</t></r>", "<r></c><evil/></r>"):
        assert cells(table(FIELDS, [row(words=words)]))["words"].value.strip() == words


def test_text_with_characters_that_xml_has_not_makes_no_broken_file() -> None:
    got = cells(table(FIELDS, [row(words="a\x00\x0b\x1f\ufffe\uffffz")]))["words"].value

    assert (got[0], got[-1]) == ("a", "z")


def test_what_is_not_there_is_an_empty_cell() -> None:
    nothing = dict.fromkeys(("id", "at", "day", "words", "amount", "share"))
    got = cells(table(FIELDS, [row(**nothing), row(words="")]))

    assert {key for key, cell in got.items() if cell.value is not None} == {"currency"}
    assert cells(table(FIELDS, [row(words="")]))["words"].value is None


def test_a_number_that_excel_would_round_is_text() -> None:
    got = [cells(table(FIELDS, [row(id=n)]))["id"] for n in (10**15 - 1, 10**15, -(10**18) - 1)]

    assert [cell.value for cell in got] == [10**15 - 1, str(10**15), str(-(10**18) - 1)]


def test_a_time_before_excels_first_one_is_text() -> None:
    got = cells(table(FIELDS, [row(at=datetime(1066, 10, 14, 9, tzinfo=UTC))]))["at"]

    assert (got.value, got.data_type) == ("1066-10-14 09:00:00", "s")


def test_times_are_the_stores_local_time_on_both_sides_of_a_change() -> None:
    times = [datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), "2026-03-29 01:00:00.000001"]
    source = table(FIELDS, [row(at=at) for at in times], zone="Europe/Paris")

    got = [cells(source, line)["at"].value for line in (2, 3)]

    assert got == [local("2026-03-29 01:59:59"), local("2026-03-29 03:00:00")]


def test_the_header_is_bold_and_stays_and_columns_can_be_read_and_filtered() -> None:
    sheet = opened(table(FIELDS, [row()] * 3)).worksheets[0]

    assert (sheet.title, sheet.freeze_panes, sheet.auto_filter.ref) == ("Refunds", "A2", "A1:G4")
    assert all(cell.font.bold for cell in sheet[1])
    assert not any(cell.font.bold for cell in sheet[2])
    widths = [sheet.column_dimensions[letter].width for letter in "ABCDEFG"]
    assert all(width >= 9 for width in widths)
    assert widths[1] >= len("2026-07-01 12:30:59")


def test_the_last_sheet_says_what_the_file_is() -> None:
    notes = {"Basis": "by order date", "Reason": "=returned"}
    book = opened(table(FIELDS, [row()] * 2, zone="Europe/Paris", notes=notes))

    assert book.sheetnames == ["Refunds", "About"]
    told = [(name.value, value.value) for name, value in book["About"].iter_rows()]
    assert told == [
        ("Report", "Refunds"),
        ("Basis", "by order date"),
        ("Reason", "=returned"),
        ("Time zone", "Europe/Paris"),
        ("Made at", "2026-02-01T09:15:30+01:00"),
        ("Rows", "2"),
    ]
    assert book.properties.title == "Refunds"
    assert book.properties.created == MADE.replace(tzinfo=None)
    assert "Basis: by order date" in str(book.properties.description)


def test_the_same_rows_made_at_the_same_time_are_the_same_bytes() -> None:
    first, second = made(table(FIELDS, [row()] * 9)), made(table(FIELDS, [row()] * 9))

    assert first == second


def test_more_rows_than_a_sheet_has_go_on_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_refunds.reports.xlsx_files.ROWS", 3)
    chunks = [[row(id=n), row(id=n + 1)] for n in range(1, 8, 2)]

    book = opened(table(FIELDS, *chunks))

    assert book.sheetnames == ["Refunds", "Refunds 2", "Refunds 3", "About"]
    found = [[line[0].value for line in sheet.iter_rows()] for sheet in book.worksheets[:3]]
    assert found == [["id", 1, 2, 3], ["id", 4, 5, 6], ["id", 7, 8]]
    assert [sheet.auto_filter.ref for sheet in book.worksheets[:3]] == ["A1:G4", "A1:G4", "A1:G3"]
    assert book["About"]["B5"].value == "8"


def test_full_sheets_are_followed_by_no_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_refunds.reports.xlsx_files.ROWS", 2)

    assert opened(table(FIELDS, [row()] * 4)).sheetnames == ["Refunds", "Refunds 2", "About"]


def test_a_table_without_rows_has_its_header() -> None:
    sheet = opened(table(FIELDS)).worksheets[0]

    assert [[cell.value for cell in line] for line in sheet.iter_rows()] == [
        [field.key for field in FIELDS]
    ]


def test_a_title_that_excel_takes_for_no_sheet_is_made_one() -> None:
    title = "Refunds by 'day' [all]: 2026/01 and more than thirty-one characters"

    name, _ = opened(table(FIELDS, title=title)).sheetnames

    assert name == "Refunds by -day- -all-- 202"


def test_what_breaks_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def broken() -> Iterator[Any]:
        yield [row()] * 10
        assert list(tmp_path.iterdir())
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="away"):
        made(table(FIELDS, endless=broken()))

    assert list(tmp_path.iterdir()) == []


def test_no_room_is_an_error_of_the_system_and_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    class Full(io.BytesIO):
        full = True

        def write(self, data: Any) -> int:
            if self.full:
                self.full = False
                raise OSError(28, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space left"):
        write_xlsx(table(FIELDS, [row()]), Full())

    assert list(tmp_path.iterdir()) == []


def test_the_file_is_a_sound_archive_whose_rows_are_not_held_in_memory() -> None:
    """Constant memory writes text in its place, not into a table of all the strings."""
    with zipfile.ZipFile(io.BytesIO(made(table(FIELDS, [row(at=NOON + timedelta(1))])))) as file:
        assert file.testzip() is None
        assert "xl/sharedStrings.xml" not in file.namelist()
        assert b"inlineStr" in file.read("xl/worksheets/sheet1.xml")
