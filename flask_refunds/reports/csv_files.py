"""A table as CSV, in pieces: UTF-8, a header row, RFC 4180 quoting, no formulas.

Amounts are plain decimals beside their currency, rates fractions of one, times ISO with the offset
of the store's zone. Values are made column by column: what a cell costs decides how long a large
file takes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_refunds.money import exponent
from flask_refunds.reports.tables import CURRENCY, Table

Column = Sequence[Any]

_END = "\r\n"
_QUOTED = re.compile('[,"\r\n]').search
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_APART = "\0"
_FORMULA_APART = tuple(_APART + start for start in _FORMULA)
_HOURS = 2**14
"""How many hours a zone's offsets are remembered for, at about 300 bytes each."""


def csv_pieces(table: Table) -> Iterator[str]:
    """Yield the file of *table*: the header with the first chunk, then a piece for each chunk."""
    keys = [field.key for field in table.fields]
    piece = ",".join(_texts(keys)) + _END
    times = _Times(table.zone)
    ways: dict[str, Callable[[Column], Sequence[str]]] = {
        "text": _texts,
        "code": _texts,
        "count": _counts,
        "rate": _rates,
        "time": times.texts,
        "day": _days,
    }
    currency = table.place(CURRENCY) or 0
    for rows in filter(None, table.chunks):
        columns: list[Column] = list(zip(*rows, strict=True))
        cells = [
            _amounts(column, columns[currency])
            if field.kind == "money"
            else ways[field.kind](column)
            for field, column in zip(table.fields, columns, strict=True)
        ]
        yield piece + "".join([",".join(line) + _END for line in zip(*cells, strict=True)])
        piece = ""
    if piece:
        yield piece


def safe(text: str) -> str:
    """Return *text* so that a spreadsheet shows it, and does not run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _texts(column: Column) -> Sequence[str]:
    if None in column:
        column = ["" if text is None else text for text in column]
    whole = _APART + _APART.join(column)
    if any(start in whole for start in _FORMULA_APART):
        column = [safe(text) for text in column]
    if _QUOTED(whole):
        column = [_quoted(text) if _QUOTED(text) else text for text in column]
    return column


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _counts(column: Column) -> Sequence[str]:
    return ["" if number is None else str(number) for number in column]


def _rates(column: Column) -> Sequence[str]:
    return ["" if rate is None else f"{rate:.4f}" for rate in column]


def _days(column: Column) -> Sequence[str]:
    days: Sequence[date | None] = column
    return ["" if day is None else day.isoformat() for day in days]


def _amounts(column: Column, currencies: Column) -> Sequence[str]:
    shapes = {currency: _shape(exponent(currency)) for currency in set(currencies)}
    return [
        "" if minor is None else "-" * (minor < 0) + form % divmod(abs(minor), whole)
        for minor, (whole, form) in zip(column, map(shapes.__getitem__, currencies), strict=True)
    ]


def _shape(decimals: int) -> tuple[int, str]:
    """Return what to divide minor units by, and the form of the two numbers that this gives.

    Without decimals the second one is 0, and takes no place.
    """
    return 10**decimals, f"%d.%0{decimals}d" if decimals else "%d%.0s"


class _Times:
    """Instants as ISO text with the offset of *zone*, which is looked up once for each hour."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._hours: dict[str, tuple[str, str]] = {}

    def texts(self, column: Column) -> Sequence[str]:
        hours = self._hours
        found = []
        for time in column:
            if time is None:
                found.append("")
                continue
            utc = time if isinstance(time, str) else time.astimezone(UTC).isoformat(" ")
            start, offset = hours.get(utc[:13]) or self._hour(utc[:13])
            found.append(f"{start}{utc[14:19]}{offset}" if start else self._slowly(utc))
        return found

    def _hour(self, utc: str) -> tuple[str, str]:
        """Return what stands before the minutes and after the seconds in the hour *utc*.

        Nothing where the local time is not whole hours away all the time: there each is made
        by itself.
        """
        if len(self._hours) >= _HOURS:
            self._hours.clear()
        first, last = self._slowly(f"{utc}:00:00"), self._slowly(f"{utc}:59:59")
        whole = first[14:19] == "00:00" and first[19:] == last[19:]
        self._hours[utc] = found = (first[:14], first[19:]) if whole else ("", "")
        return found

    def _slowly(self, utc: str) -> str:
        moment = datetime.fromisoformat(f"{utc[:19]}+00:00")
        return moment.astimezone(self._zone).isoformat(timespec="seconds")
