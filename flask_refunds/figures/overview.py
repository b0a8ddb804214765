"""The Dashboard: sales net of refunds today, this week and this month, and what needs a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from flask_refunds import breaker, desks
from flask_refunds.breaker import Down
from flask_refunds.desks import Shown
from flask_refunds.figures.buckets import Bucket, Span, cut
from flask_refunds.figures.periods import ALL, Basis, Period, Preset
from flask_refunds.figures.requests import in_flight
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.takings import Key, Takings, read_takings
from flask_refunds.runtime import Runtime

DAYS = 30
"""How many days the chart shows, today included."""

TILES = (Preset.TODAY, Preset.LAST_7_DAYS, Preset.THIS_MONTH)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """The takings of one period of the dashboard."""

    preset: Preset
    period: Period
    takings: Takings


@dataclass(frozen=True, kw_only=True)
class Currency:
    """One currency: its tiles, its last days one by one, and what is on its way (minor units)."""

    code: str
    tiles: tuple[Tile, ...]
    days: tuple[tuple[Bucket, Takings], ...]
    in_flight: int


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All currencies, and how many refunds are in flight, have failed or need a person.

    ``down``: the gateways that do not answer.
    """

    currencies: tuple[Currency, ...]
    counts: Mapping[Shown, int]
    down: tuple[Down, ...]


def read_overview(session: Session, runtime: Runtime, basis: Basis = "refund") -> Overview:
    """Return the dashboard's figures as of now: five queries."""
    zone = runtime.config.zone
    today = runtime.now().astimezone(zone).date()
    periods = {preset: Period.preset(preset, today, zone) for preset in TILES}
    first = min(today - timedelta(days=DAYS - 1), today.replace(day=1))
    whole = Period.of_days(first, today, zone)
    buckets = cut(whole, Span.DAY, zone)
    found = read_takings(
        session, Scope.of(session, runtime.storefront, whole, basis, buckets=buckets)
    )
    moving = in_flight(session, ALL)
    codes = sorted({currency for currency, _ in found} | set(moving))
    return Overview(
        currencies=tuple(
            Currency(
                code=code,
                tiles=tuple(
                    Tile(preset=preset, period=period, takings=_sum(code, found, buckets, period))
                    for preset, period in periods.items()
                ),
                days=tuple(
                    (bucket, found.get((code, n), Takings(currency=code)))
                    for n, bucket in enumerate(buckets)
                    if bucket.first > today - timedelta(days=DAYS)
                ),
                in_flight=moving.get(code, 0),
            )
            for code in codes
        ),
        counts=desks.counts(session, runtime.config, runtime.now()),
        down=breaker.all_down(session),
    )


def _sum(
    code: str, found: Mapping[Key, Takings], buckets: Sequence[Bucket], period: Period
) -> Takings:
    def within(day: date) -> bool:
        assert period.first is not None
        assert period.last is not None
        return period.first <= day <= period.last

    numbers = [n for n, bucket in enumerate(buckets) if within(bucket.first)]
    nothing = Takings(currency=code)
    return sum((found.get((code, n), nothing) for n in numbers), nothing)
