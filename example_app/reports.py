"""The shop's reports.

A report says which columns it shows and which SQL gives its rows; :class:`BaseReport` does the
rest: the dates, the table, the totals and the download. To add a report, derive from it and
override ``columns``, ``sort`` and ``select``. Days are days in UTC, on every database.
"""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Literal, NamedTuple

from flask import Response, flash, request
from flask_admin import BaseView, expose
from sqlalchemy import BigInteger, ColumnElement, Date, RowMapping, Select, cast, func, select

from example_app.auth import StaffOnly
from example_app.database import db
from example_app.models import SOLD, Order, OrderItem
from example_app.money import plain

Kind = Literal["text", "date", "number", "money"]


class Column(NamedTuple):
    """A column of a report: the label of the column in SQL, its title, and how to show it.

    A ``money`` column holds cents of the row's ``currency``. Columns of kind ``number`` and
    ``money`` are added up below the table, for each currency.
    """

    key: str
    title: str
    kind: Kind = "text"


class BaseReport(StaffOnly, BaseView):
    """A table between two dates, on a page and as a CSV file."""

    columns: ClassVar[Sequence[Column]] = ()
    #: Labels to sort by, the most important first; a leading ``-`` sorts downwards.
    sort: ClassVar[Sequence[str]] = ()
    #: What the figures count, in a sentence below the title.
    note: ClassVar[str] = ""
    template: ClassVar[str] = "admin/report.html"
    default_days: ClassVar[int] = 30

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        """Return the report's rows from ``start`` to ``end``, both included, as a SELECT.

        It has a labelled column for each key of ``columns``, ``currency`` among them, and no
        ORDER BY.
        """
        raise NotImplementedError

    def rows(self, start: date, end: date) -> Sequence[RowMapping]:
        """Return the report's rows, sorted."""
        statement = self.select(start, end)
        found = statement.selected_columns
        keys = [found[key.removeprefix("-")] for key in self.sort]
        downwards = [key.startswith("-") for key in self.sort]
        order = [key.desc() if down else key for key, down in zip(keys, downwards, strict=True)]
        return db.session.execute(statement.order_by(*order)).mappings().all()

    def totals(self, start: date, end: date) -> Sequence[RowMapping]:
        """Return one row for each currency, with the sums of the columns that hold figures."""
        table = self.select(start, end).subquery()
        sums = [
            whole(func.sum(table.c[column.key])).label(column.key)
            for column in self.columns
            if column.kind in ("number", "money")
        ]
        grouped = select(table.c.currency, *sums).group_by(table.c.currency)
        return db.session.execute(grouped.order_by(table.c.currency)).mappings().all()

    def dates(self) -> tuple[date, date]:
        """Return the first and the last day asked for, by default the last thirty days."""
        today = datetime.now(UTC).date()
        try:
            end = date.fromisoformat(request.args.get("end") or today.isoformat())
            default = end - timedelta(days=self.default_days - 1)
            start = date.fromisoformat(request.args.get("start") or default.isoformat())
        except (ValueError, OverflowError):
            flash("Dates are written like 2026-01-31.", "warning")
            return today - timedelta(days=self.default_days - 1), today
        return min(start, end), max(start, end)

    @expose("/")
    def index(self) -> str:
        """Show the report."""
        start, end = self.dates()
        page: str = self.render(
            self.template,
            start=start,
            end=end,
            rows=self.rows(start, end),
            totals=self.totals(start, end),
        )
        return page

    @expose("/csv")
    def csv(self) -> Response:
        """Download the report as CSV, amounts in whole units with two decimals."""
        start, end = self.dates()
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(column.title for column in self.columns)
        for row in self.rows(start, end):
            writer.writerow(
                plain(row[column.key]) if column.kind == "money" else harmless(row[column.key])
                for column in self.columns
            )
        name = f"{str(self.name).lower().replace(' ', '-')}-{start}-{end}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text.getvalue(), mimetype="text/csv", headers=headers)


class ItemsReport(BaseReport):
    """What was sold, for each SKU and currency, at the lines' list prices."""

    columns: ClassVar[Sequence[Column]] = (
        Column("sku", "SKU"),
        Column("name", "Item"),
        Column("currency", "Currency"),
        Column("units", "Units", "number"),
        Column("revenue_cents", "Revenue", "money"),
    )
    sort = ("-currency", "-revenue_cents", "sku")
    note = "Paid and shipped orders, by list price before discounts, tax included."

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        """Return ``sku, name, currency, units, revenue_cents``."""
        return (
            select(
                OrderItem.sku.label("sku"),
                func.max(OrderItem.name).label("name"),
                Order.currency.label("currency"),
                whole(func.sum(OrderItem.quantity)).label("units"),
                whole(func.sum(OrderItem.list_cents)).label("revenue_cents"),
            )
            .join(Order, Order.id == OrderItem.order_id)
            .where(Order.status.in_(SOLD), placed_between(start, end))
            .group_by(OrderItem.sku, Order.currency)
        )


class SummaryReport(BaseReport):
    """Orders and sales, for each day and currency."""

    columns: ClassVar[Sequence[Column]] = (
        Column("day", "Day", "date"),
        Column("currency", "Currency"),
        Column("orders", "Orders", "number"),
        Column("sales_cents", "Sales", "money"),
    )
    sort = ("-day", "-currency")
    note = "Totals of paid and shipped orders, by the day they were placed (UTC)."

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        """Return ``day, currency, orders, sales_cents``."""
        day = utc_day(Order.placed_at)
        return (
            select(
                day.label("day"),
                Order.currency.label("currency"),
                func.count(Order.id).label("orders"),
                whole(func.sum(Order.total_cents)).label("sales_cents"),
            )
            .where(Order.status.in_(SOLD), placed_between(start, end))
            .group_by(day, Order.currency)
        )


def harmless(value: Any) -> Any:
    """Return *value* so that no spreadsheet takes a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def placed_between(start: date, end: date) -> ColumnElement[bool]:
    """Return the condition that an order was placed from ``start`` to ``end``, both included."""
    return Order.placed_at.between(
        datetime.combine(start, time.min), datetime.combine(end, time.max)
    )


def utc_day(moment: Any) -> ColumnElement[date]:
    """Return the day, in UTC, of a column that holds moments in UTC."""
    return func.date(moment, type_=Date)


def whole(total: ColumnElement[Any]) -> ColumnElement[int]:
    """Return a SUM as an integer on every database; some answer with a decimal."""
    return cast(func.coalesce(total, 0), BigInteger)
