"""A table as CSV, in pieces: UTF-8, a header row, RFC 4180 quoting, no formulas.

Amounts are plain decimals beside their currency, rates fractions of one, times ISO with the offset
of the store's zone. Values are made column by column: what a cell costs decides how long a large
file takes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from flask_refunds.money import exponent
from flask_refunds.reports.tables import CURRENCY, Table

Column = Sequence[Any]

_END = "\r\n"
_MARKS = (",", '"', "\r", "\n")
_HAS_MARK = re.compile(f"[{''.join(_MARKS)}]").search
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_APART = "\0"
_HOURS = 2**14
"""How many hours a zone's offsets are remembered for, at about 300 bytes each."""


def csv_pieces(table: Table) -> Iterator[str]:
    """Yield the file of *table*: the header with the first chunk, then a piece for each chunk."""
    header = ",".join(_texts([field.key for field in table.fields])) + _END
    for lines in map(_Writer(table).lines, filter(None, table.chunks)):
        yield header + lines
        header = ""
    if header:
        yield header


def safe(text: str) -> str:
    """Return *text* so that a spreadsheet shows it, and does not run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Writer:
    """Writes the rows of one table. Nothing of them is kept while the next ones are read."""

    def __init__(self, table: Table) -> None:
        self._fields = table.fields
        self._currency = table.place(CURRENCY) or 0
        self._ways: dict[str, Callable[[Column], Sequence[str]]] = {
            "text": _texts,
            "code": _texts,
            "count": _counts,
            "rate": _rates,
            "time": _Times(table.zone).texts,
            "day": _days,
        }

    def lines(self, rows: Sequence[Sequence[Any]]) -> str:
        columns: list[Column] = list(zip(*rows, strict=True))
        cells = [
            _amounts(column, columns[self._currency])
            if field.kind == "money"
            else self._ways[field.kind](column)
            for field, column in zip(self._fields, columns, strict=True)
        ]
        return "".join([",".join(line) + _END for line in zip(*cells, strict=True)])


def _texts(column: Column) -> Sequence[str]:
    if None in column:
        column = ["" if text is None else text for text in column]
    whole = _APART + _APART.join(column)
    if any(start in whole and _APART + start in whole for start in _FORMULA):
        column = [safe(text) for text in column]
    if '"' in whole:
        column = [text.replace('"', '""') for text in column]
    if any(mark in whole for mark in _MARKS):
        column = [f'"{text}"' if _HAS_MARK(text) else text for text in column]
    return column


def _counts(column: Column) -> Sequence[str]:
    return ["" if number is None else str(number) for number in column]


def _rates(column: Column) -> Sequence[str]:
    return ["" if rate is None else f"{rate:.4f}" for rate in column]


def _days(column: Column) -> Sequence[str]:
    days: Sequence[date | None] = column
    return ["" if day is None else day.isoformat() for day in days]


def _amounts(column: Column, currencies: Column) -> Sequence[str]:
    """Return what :func:`flask_refunds.money.plain` makes of each amount."""
    shapes = {currency: _fractions(exponent(currency)) for currency in set(currencies)}
    return [
        ""
        if minor is None
        else f"{minor // len(ends)}{ends[minor % len(ends)]}"
        if minor >= 0
        else f"-{-minor // len(ends)}{ends[-minor % len(ends)]}"
        for minor, ends in zip(column, map(shapes.__getitem__, currencies), strict=True)
    ]


@cache
def _fractions(decimals: int) -> Sequence[str]:
    """Return how an amount with so many *decimals* can end, by its last minor units."""
    return [f".{minor:0{decimals}d}" for minor in range(10**decimals)] if decimals else [""]


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
