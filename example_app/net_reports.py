"""The shop's reports with refunds taken off: each subclasses the report whose place it takes."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from sqlalchemy import Select, literal

from example_app.dashboard import Dashboard, Figure
from example_app.database import db
from example_app.models import CURRENCIES
from example_app.reports import Column, ItemsReport, SummaryReport, utc_day
from flask_refunds.models import Posting
from flask_refunds.reports import NetReport, Netting

NOTE = " Net of refunds; gross and refunds beside."


TEMPLATE = "admin/net_report.html"
BASIS = Column("basis", "Refunds by")


def by_date(report: NetReport, net: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Return the rows of *net* with the date that refunds go by, on the page and in the file."""
    return net.add_columns(literal(f"{report.basis} date").label(BASIS.key))


class NetItems(NetReport, ItemsReport):
    """Items, at list prices, less what was refunded of them."""

    timezone = "UTC"
    netting = Netting(
        key="sku",
        measures={"units": "quantity", "revenue_cents": "list"},
        currency="currency",
        unit="minor",
        fill={"name": Posting.description},
    )
    columns: ClassVar[Sequence[Column]] = (
        *ItemsReport.columns,
        Column("revenue_cents_gross", "Gross", "money"),
        Column("revenue_cents_refunded", "Refunds", "money"),
        BASIS,
    )
    note = ItemsReport.note + NOTE
    template = TEMPLATE

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        return by_date(self, self.net(super().select(start, end), start, end))


class NetSummary(NetReport, SummaryReport):
    """Sales of each day, less what was refunded on it."""

    timezone = "UTC"
    netting = Netting(
        key="day",
        bucket=utc_day,
        measures={"sales_cents": "paid"},
        currency="currency",
        unit="minor",
        fill={"orders": 0},
    )
    columns: ClassVar[Sequence[Column]] = (
        *SummaryReport.columns,
        Column("sales_cents_gross", "Gross", "money"),
        Column("sales_cents_refunded", "Refunds", "money"),
        BASIS,
    )
    note = SummaryReport.note + NOTE
    template = TEMPLATE

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        return by_date(self, self.net(super().select(start, end), start, end))


class NetDashboard(NetReport, Dashboard):
    """Sales less refunds; gross, refunds and what is on its way below."""

    timezone = "UTC"
    headline = "Sales, net"
    netting = Netting(key=(), measures={"sales_cents": "paid"}, currency="currency", unit="minor")

    def sales_select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        return self.net(super().sales_select(start, end), start, end)

    def details(self, start: date, end: date) -> Mapping[str, Sequence[Figure]]:
        rows = db.session.execute(self.sales_select(start, end)).mappings()
        sold = {row["currency"]: row for row in rows}
        figures: dict[str, list[Figure]] = {}
        for currency in CURRENCIES:
            row: Any = sold.get(currency, {})
            figures[currency] = [
                Figure("Gross", row.get("sales_cents_gross", 0)),
                Figure("Refunds", row.get("sales_cents_refunded", 0)),
            ]
        for currency, cents in self.in_flight(start, end).items():
            figures.setdefault(currency, []).append(Figure("In flight, not counted", cents))
        return figures
