"""The days of a report that is cut into rows, also where it is about everything there is."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from flask_refunds.errors import TooManyRows
from flask_refunds.figures.buckets import MOST, Bucket, Span, cut, fitting, spans
from flask_refunds.figures.ledger_query import DATED
from flask_refunds.figures.periods import EARLIEST, LATEST, Basis, Period, midnight
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.rows import as_utc


def cut_up(
    session: Session,
    storefront: Storefront,
    period: Period,
    span: Span | None,
    basis: Basis,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> tuple[Span, list[Bucket]]:
    """Return *period* cut by *span*, or by the one that fits it; days of *zone*, *now* is UTC.

    A period without bounds goes from the first to the last of what it counts, today included.
    Raises :exc:`~flask_refunds.errors.TooManyRows`, naming the field that can be chosen otherwise.
    """
    if period.first is None:
        period = _everything(session, storefront, basis, now=now, zone=zone)
    chosen = span or fitting(period)
    if spans(period, chosen) > MOST:
        raise TooManyRows(field="end" if span is None else "by", most=MOST)
    return chosen, cut(period, chosen, zone)


def _everything(
    session: Session, storefront: Storefront, basis: Basis, *, now: datetime, zone: ZoneInfo
) -> Period:
    moments = [now, *_ends(session, storefront, basis)]
    first, last = midnight(EARLIEST, zone), midnight(LATEST, zone) - timedelta(days=1)
    days = [min(max(moment, first), last).astimezone(zone).date() for moment in moments]
    return Period.of_days(min(days), max(days), zone)


def _ends(session: Session, storefront: Storefront, basis: Basis) -> Iterator[datetime]:
    """Yield when the first and the last order, posting and refund of the shop's own are dated."""
    yield from _ends_of(session, select(DATED[basis].label("at")))
    hosts = [(storefront.orders_statement(), "placed_at", "Orders.placed_at")]
    if storefront.prior_refunds is not None and basis == "refund":
        hosts.append((storefront.prior_statement(), "at", "PriorRefunds.at"))
    for statement, label, name in hosts:
        for moment in _ends_of(session, statement, label):
            yield as_utc(moment, storefront, name)


def _ends_of(session: Session, statement: Select[Any], label: str = "at") -> list[Any]:
    time = statement.subquery().c[label]
    row = session.execute(select(func.min(time), func.max(time))).one()
    return [moment for moment in row if moment is not None]
