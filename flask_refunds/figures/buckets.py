"""Spans of a period (days, weeks, months), their edges worked out in Python and compared in SQL.

A day is as long as the store's clock makes it, so no database is asked to cut time.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, case, literal_column

from flask_refunds.figures.periods import Period, midnight

MOST = 1200
"""A table has at most this many spans."""


class Span(StrEnum):
    """How long the rows of a summary are. A week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One row of a summary: from ``first`` to ``last``, both included, days of the store's zone.

    ``start`` and ``end`` are the same in UTC, half open.
    """

    first: date
    last: date
    start: datetime
    end: datetime


def fitting(period: Period) -> Span:
    """Return the span that shows *period* (with both bounds) best."""
    assert period.first is not None
    assert period.last is not None
    days = (period.last - period.first).days + 1
    if days <= 62:
        return Span.DAY
    return Span.WEEK if days <= 366 else Span.MONTH


def spans(period: Period, span: Span) -> int:
    """Return how many rows *period* has, cut by *span*."""
    assert period.first is not None
    assert period.last is not None
    days = (period.last - period.first).days + 1
    return days // {Span.DAY: 1, Span.WEEK: 7, Span.MONTH: 28}[span] + 1


def cut(period: Period, span: Span, zone: ZoneInfo) -> list[Bucket]:
    """Return *period*, which has both bounds, cut into spans; the first and last may be shorter."""
    assert period.first is not None
    assert period.last is not None
    found = []
    first = period.first
    while first <= period.last:
        last = min(_last_of(first, span), period.last)
        following = last + timedelta(days=1)
        found.append(
            Bucket(
                first=first, last=last, start=midnight(first, zone), end=midnight(following, zone)
            )
        )
        first = following
    return found


def index_of(moment: datetime, buckets: Sequence[Bucket]) -> int:
    """Return the index of the bucket that *moment*, within their whole, is in."""
    return bisect_right([bucket.start for bucket in buckets], moment) - 1


def numbered(
    time: ColumnElement[Any],
    buckets: Sequence[Bucket],
    bound: Callable[[datetime], Any],
) -> ColumnElement[int]:
    """Return the index of the bucket of *time*, a column within their whole, in SQL.

    *bound* makes of an edge (UTC) what *time* is compared with. A balanced tree: about ten
    comparisons a row for a thousand buckets.
    """

    def between(low: int, high: int) -> ColumnElement[int]:
        if high - low == 1:
            return literal_column(str(low), Integer)
        middle = (low + high) // 2
        before = time < bound(buckets[middle].start)
        return case((before, between(low, middle)), else_=between(middle, high))

    return between(0, len(buckets))


def _last_of(day: date, span: Span) -> date:
    if span is Span.DAY:
        return day
    if span is Span.WEEK:
        return day + timedelta(days=6 - day.weekday())
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
