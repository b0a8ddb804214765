"""Periods of a report: days of the store's zone as half-open UTC instants, and how a URL says them.

Pure: the zone and the time now are passed in.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal, Self, get_args
from zoneinfo import ZoneInfo

Basis = Literal["refund", "order"]
"""By the day on which the refund was posted, or by the day on which its order was placed."""

BASES: tuple[Basis, ...] = get_args(Basis)
EARLIEST, LATEST = date(1970, 1, 1), date(9000, 1, 1)


class Preset(StrEnum):
    """The periods that a report offers by name, relative to the store's today."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    LAST_7_DAYS = "last_7_days"
    LAST_30_DAYS = "last_30_days"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    THIS_QUARTER = "this_quarter"
    LAST_QUARTER = "last_quarter"
    THIS_YEAR = "this_year"
    LAST_YEAR = "last_year"
    ALL = "all"


DEFAULT = Preset.LAST_30_DAYS
_TO_DATE: Mapping[Preset | None, int] = {
    Preset.THIS_MONTH: 1,
    Preset.THIS_QUARTER: 3,
    Preset.THIS_YEAR: 12,
}
"""How many months a preset that goes on is long."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """From ``start`` up to and without ``end``, in UTC; ``None`` where it has no bound.

    ``first`` and ``last`` are the days in the store's zone that it covers, both included.
    """

    start: datetime | None = None
    end: datetime | None = None
    first: date | None = None
    last: date | None = None

    @classmethod
    def of_days(cls, first: date, last: date, zone: ZoneInfo) -> Self:
        """Return the period from *first* to *last*, both included, as days of *zone*.

        A day begins at its first instant, also where the clock skips or repeats midnight.
        Raises :exc:`ValueError` when *last* is before *first*.
        """
        if last < first:
            raise ValueError(f"{last} is before {first}")
        return cls(
            start=midnight(first, zone),
            end=midnight(last + timedelta(days=1), zone),
            first=first,
            last=last,
        )

    @classmethod
    def preset(cls, preset: Preset, today: date, zone: ZoneInfo) -> Self:
        """Return what *preset* means when *today* is the day in the store."""
        if preset is Preset.ALL:
            return cls()
        return cls.of_days(*_days(preset, today), zone)

    def before(self, zone: ZoneInfo, *, months: int | None = None) -> Self | None:
        """Return the period before this one, to compare with; ``None`` if it has no bounds.

        The same days so many *months* earlier if given; else whole months come before whole
        months, and any other days before as many days.
        """
        if self.first is None or self.last is None:
            return None
        following = self.last + timedelta(days=1)
        if months is not None:
            first, last = _months_back(self.first, months), _months_back(self.last, months)
        elif self.first.day == following.day == 1:
            whole = (following.year - self.first.year) * 12 + following.month - self.first.month
            first, last = _months_back(self.first, whole), self.first - timedelta(days=1)
        else:
            days = following - self.first
            first, last = self.first - days, self.first - timedelta(days=1)
        return None if first < EARLIEST else self.of_days(first, last, zone)

    @property
    def args(self) -> dict[str, str]:
        """The query arguments that say this period, whatever day it is."""
        if self.first is None or self.last is None:
            return {"period": Preset.ALL.value}
        return {"start": self.first.isoformat(), "end": self.last.isoformat()}


ALL = Period()
"""Everything in the ledger."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the query arguments of a report ask for.

    ``errors`` has a stable code by field; ``period`` is ``None`` if there are any. ``typed`` is
    what the two date fields say.
    """

    period: Period | None
    preset: Preset | None
    basis: Basis
    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def args(self) -> dict[str, str]:
        """The query arguments that say the period, whatever day it is, and its preset."""
        if self.period is None:
            return {}
        named = {"period": self.preset.value} if self.preset is not None else {}
        return self.period.args | named

    def before(self, zone: ZoneInfo) -> Period | None:
        """Return the period to compare with: what is to date, with the same days before."""
        if self.period is None:
            return None
        return self.period.before(zone, months=_TO_DATE.get(self.preset))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of *day* in *zone*, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def choose(args: Mapping[str, str], *, now: datetime, zone: ZoneInfo) -> Choice:
    """Return what *args* (``period``, or ``start`` and ``end``; and ``basis``) ask for.

    A preset beside two days is kept while those are its own; else the days alone count. Dates are
    ISO days in *zone*; *now* is UTC. Codes of errors: ``unknown`` (period, basis), ``missing``,
    ``not_a_date`` and ``out_of_range`` (start, end), ``before_start`` (end).
    """
    errors: dict[str, str] = {}
    basis: Basis = "order" if args.get("basis") == "order" else "refund"
    if args.get("basis", basis) not in {*BASES, ""}:
        errors["basis"] = "unknown"
    typed = {name: args.get(name, "").strip() for name in ("start", "end")}
    today = now.astimezone(zone).date()

    if any(typed.values()):
        days = {name: _day(name, text, errors) for name, text in typed.items()}
        first, last = days["start"], days["end"]
        if first is not None and last is not None and last < first:
            errors["end"] = "before_start"
        if errors or first is None or last is None:
            return Choice(period=None, preset=None, basis=basis, typed=typed, errors=errors)
        period = Period.of_days(first, last, zone)
        meant = args.get("period")
        preset = Preset(meant) if meant in set(Preset) else None
        if preset is not None and Period.preset(preset, today, zone) != period:
            preset = None
        return Choice(period=period, preset=preset, basis=basis, typed=typed)

    named = args.get("period") or DEFAULT
    if named not in set(Preset):
        errors["period"] = "unknown"
    if errors:
        return Choice(period=None, preset=None, basis=basis, typed=typed, errors=errors)
    preset = Preset(named)
    period = Period.preset(preset, today, zone)
    typed = {name: period.args.get(name, "") for name in typed}
    return Choice(period=period, preset=preset, basis=basis, typed=typed)


def _day(name: str, text: str, errors: dict[str, str]) -> date | None:
    if not text:
        errors[name] = "missing"
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        errors[name] = "not_a_date"
        return None
    if not EARLIEST <= day < LATEST:
        errors[name] = "out_of_range"
        return None
    return day


def _months_back(day: date, months: int) -> date:
    """Return the same day so many *months* earlier, or the last of a shorter month."""
    number = day.year * 12 + day.month - 1 - months
    year, month = number // 12, number % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _days(preset: Preset, today: date) -> tuple[date, date]:
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    match preset:
        case Preset.YESTERDAY:
            return today - timedelta(days=1), today - timedelta(days=1)
        case Preset.LAST_7_DAYS:
            return today - timedelta(days=6), today
        case Preset.LAST_30_DAYS:
            return today - timedelta(days=29), today
        case Preset.THIS_MONTH:
            return month, today
        case Preset.LAST_MONTH:
            return before.replace(day=1), before
        case Preset.THIS_QUARTER:
            return _quarter(today), today
        case Preset.LAST_QUARTER:
            last = _quarter(today) - timedelta(days=1)
            return _quarter(last), last
        case Preset.THIS_YEAR:
            return today.replace(month=1, day=1), today
        case Preset.LAST_YEAR:
            return date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)
    return today, today


def _quarter(day: date) -> date:
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
