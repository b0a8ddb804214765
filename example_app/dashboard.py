"""The admin's first page: sales at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from flask_admin import AdminIndexView, expose
from sqlalchemy import Select, func, select
from sqlalchemy.orm import selectinload

from example_app.auth import StaffOnly
from example_app.database import db
from example_app.models import CURRENCIES, SOLD, Order
from example_app.reports import placed_between, whole


class Figure(NamedTuple):
    """An amount, in cents, that stands small below the sales of a tile."""

    title: str
    cents: int


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A period with its sales, in cents by currency, and what else to say of each currency."""

    title: str
    start: date
    end: date
    sales: Mapping[str, int]
    details: Mapping[str, Sequence[Figure]]


class Dashboard(StaffOnly, AdminIndexView):
    """Sales today, this week and this month, and the latest orders."""

    template: ClassVar[str] = "admin/dashboard.html"
    #: What the large figures of the tiles are.
    headline: ClassVar[str] = "Sales"

    def sales_select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        """Return ``currency, sales_cents`` of what was sold from ``start`` to ``end``, included."""
        return (
            select(
                Order.currency.label("currency"),
                whole(func.sum(Order.total_cents)).label("sales_cents"),
            )
            .where(Order.status.in_(SOLD), placed_between(start, end))
            .group_by(Order.currency)
        )

    def sales(self, start: date, end: date) -> dict[str, int]:
        """Return the sales in cents, for each currency that the shop takes."""
        found = db.session.execute(self.sales_select(start, end)).mappings()
        return dict.fromkeys(CURRENCIES, 0) | {
            row["currency"]: int(row["sales_cents"]) for row in found
        }

    def details(self, start: date, end: date) -> Mapping[str, Sequence[Figure]]:
        """Return figures to stand below the sales, such as a target, by currency; none here."""
        return {}

    def tiles(self, today: date) -> Sequence[Tile]:
        """Return the tiles of the page."""
        periods = (
            ("Today", today),
            ("Last 7 days", today - timedelta(days=6)),
            ("Month to date", today.replace(day=1)),
        )
        return [
            Tile(
                title=title,
                start=start,
                end=today,
                sales=self.sales(start, today),
                details=self.details(start, today),
            )
            for title, start in periods
        ]

    @expose("/")
    def index(self) -> str:
        """Show the dashboard."""
        latest = db.session.scalars(
            select(Order)
            .options(selectinload(Order.user))
            .order_by(Order.placed_at.desc(), Order.id.desc())
            .limit(8)
        ).all()
        tiles = self.tiles(datetime.now(UTC).date())
        page: str = self.render(self.template, tiles=tiles, latest=latest, headline=self.headline)
        return page
