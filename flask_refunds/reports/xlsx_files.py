"""A table as a workbook of Excel's, in constant memory: typed cells, and a sheet about the file.

Text is always text: no formula, no link, no guessed number. Times are the store's local time, and
amounts numbers with the decimals of their own currency.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from tempfile import TemporaryDirectory
from typing import IO, Any
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxFileError
from xlsxwriter.worksheet import Worksheet

from flask_refunds.money import exponent, to_decimal
from flask_refunds.reports.tables import CURRENCY, Kind, Table

ROWS = 1_048_575
"""The rows of a sheet below its header; more go on on further sheets."""

_WIDTHS: Mapping[Kind, int] = {
    "text": 28,
    "code": 12,
    "count": 10,
    "money": 14,
    "rate": 10,
    "time": 19,
    "day": 11,
}
"""How wide a column is at least, in characters."""
_ARROW = 4
_DIGITS = 10**15
"""Excel keeps fifteen digits of a number."""
_EARLIEST = 1900
"""Excel has no time before this year."""
_NAME_LENGTH = 27


def write_xlsx(table: Table, file: IO[bytes]) -> None:
    """Write *table* to *file*, which is binary, open for writing and can be sought.

    What is not in memory goes through a temporary folder. The file of equal rows made at the same
    time is the same. Raises :exc:`OSError` when there is no room.
    """
    with TemporaryDirectory(prefix="refunds-") as folder:
        options = {"constant_memory": True, "tmpdir": folder, "use_zip64": True}
        try:
            with Workbook(file, options) as book:
                _fill(book, table)
        except XlsxFileError as error:
            raise OSError(str(error)) from error


def _fill(book: Any, table: Table) -> None:
    cells = _Cells(book, table)
    number, filled = 1, 0
    sheet = cells.sheet(_sheet_name(table.title, number))
    for rows in table.chunks:
        for row in rows:
            if filled == ROWS:
                cells.finish(sheet, filled)
                number += 1
                sheet, filled = cells.sheet(_sheet_name(table.title, number)), 0
            filled += 1
            cells.write(sheet, filled, row)
    cells.finish(sheet, filled)
    _tell(book, table, (number - 1) * ROWS + filled)


def _tell(book: Any, table: Table, rows: int) -> None:
    """Add the sheet that says what the file is, and the same among the document's properties."""
    told = {
        "Report": table.title,
        **table.notes,
        "Time zone": str(table.zone),
        "Made at": table.made_at.astimezone(table.zone).isoformat(timespec="seconds"),
        "Rows": str(rows),
    }
    sheet = book.add_worksheet("About")
    sheet.set_column(0, 0, 16, book.add_format({"bold": True}))
    sheet.set_column(1, 1, 48)
    for place, (name, words) in enumerate(told.items()):
        sheet.write_string(place, 0, name)
        sheet.write_string(place, 1, _text(words))
    book.set_properties(
        {
            "title": table.title,
            "comments": "\n".join(f"{name}: {words}" for name, words in told.items()),
            "created": table.made_at.astimezone(UTC),
        }
    )


class _Cells:
    """Writes the cells of one workbook, each kind of field in its own way."""

    def __init__(self, book: Any, table: Table) -> None:
        self._book = book
        self._fields = table.fields
        self._zone = table.zone
        self._currency = table.place(CURRENCY) or 0
        self._head = book.add_format({"bold": True})
        self._as_rate = book.add_format({"num_format": "0.00%"})
        self._as_time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._as_day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._as_amount: dict[str, Any] = {}
        ways: dict[Kind, Callable[..., object]] = {
            "text": self._words,
            "code": self._words,
            "count": self._count,
            "money": self._amount,
            "rate": self._rate,
            "time": self._time,
            "day": self._day,
        }
        self._ways = [(place, ways[field.kind]) for place, field in enumerate(table.fields)]

    def sheet(self, name: str) -> Worksheet:
        """Add a sheet with its header."""
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for place, field in enumerate(self._fields):
            sheet.set_column(place, place, max(_WIDTHS[field.kind], len(field.key) + _ARROW))
            sheet.write_string(0, place, field.key, self._head)
        return sheet

    def finish(self, sheet: Worksheet, rows: int) -> None:
        """Let the reader filter the *rows* of *sheet*."""
        sheet.autofilter(0, 0, rows, len(self._fields) - 1)

    def write(self, sheet: Worksheet, line: int, row: Any) -> None:
        """Write *row*, whose places without a value stay empty."""
        for place, way in self._ways:
            value = row[place]
            if value is not None:
                way(sheet, line, place, value, row)

    def _words(self, sheet: Worksheet, line: int, place: int, value: str, _row: Any) -> None:
        if value:
            sheet.write_string(line, place, _text(value))

    def _count(self, sheet: Worksheet, line: int, place: int, value: int, _row: Any) -> None:
        if abs(value) < _DIGITS:
            sheet.write_number(line, place, value)
        else:
            sheet.write_string(line, place, str(value))

    def _amount(self, sheet: Worksheet, line: int, place: int, value: int, row: Any) -> None:
        currency = row[self._currency]
        form = self._as_amount.get(currency)
        if form is None:
            decimals = "0" * exponent(currency)
            form = self._book.add_format({"num_format": f"#,##0.{decimals}".rstrip(".")})
            self._as_amount[currency] = form
        sheet.write_number(line, place, to_decimal(value, currency), form)

    def _rate(self, sheet: Worksheet, line: int, place: int, value: Decimal, _row: Any) -> None:
        sheet.write_number(line, place, value, self._as_rate)

    def _time(self, sheet: Worksheet, line: int, place: int, value: Any, _row: Any) -> None:
        time = _local(value, self._zone)
        if time.year >= _EARLIEST:
            sheet.write_datetime(line, place, time, self._as_time)
        else:
            sheet.write_string(line, place, time.isoformat(" "))

    def _day(self, sheet: Worksheet, line: int, place: int, value: date, _row: Any) -> None:
        sheet.write_datetime(line, place, value, self._as_day)


def _local(time: datetime | str, zone: ZoneInfo) -> datetime:
    """Return what the store's clock shows at *time*, without a zone, which Excel does not know."""
    if isinstance(time, str):
        time = datetime.fromisoformat(f"{time[:19]}+00:00")
    return time.astimezone(zone).replace(microsecond=0, tzinfo=None)


def _text(words: str) -> str:
    """Return *words* so that XlsxWriter does not take them for rich text, and copies them raw."""
    return f"{words} " if words.startswith("<r>") and words.endswith("</r>") else words


def _sheet_name(title: str, number: int) -> str:
    """Return *title* as Excel takes it for the *number*-th sheet."""
    name = re.sub(r"[\[\]:*?/\\']", "-", title)[:_NAME_LENGTH]
    return name if number == 1 else f"{name} {number}"
