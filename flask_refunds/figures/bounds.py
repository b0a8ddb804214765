"""The days that "all" means: from the first sale or refund up to today."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flask_refunds.figures.ledger_query import DATED
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.rows import order_row
from flask_refunds.storefront.values import expression


def bounded(
    session: Session,
    storefront: Storefront,
    period: Period,
    basis: Basis,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> Period:
    """Return *period*, or what there is of it if it has no bounds; days of *zone*, *now* is UTC."""
    if period.first is not None:
        return period
    placed_at = expression(storefront.orders.placed_at, "Orders.placed_at")
    first = session.execute(storefront.orders_statement().order_by(placed_at).limit(1)).first()
    moments = [session.scalar(select(func.min(DATED[basis]))), now]
    if first is not None:
        moments.append(order_row(storefront, first).facts.placed_at)
    days = [moment.astimezone(zone).date() for moment in moments if moment is not None]
    return Period.of_days(min(days), max(now.astimezone(zone).date(), min(days)), zone)
