"""Mixins for a class that subclasses a report of the host's own and shows it net.

:class:`NetReport` is for a base that builds a SELECT, :class:`ReportFeed` for one that draws what
its ``columns`` and ``rows`` give. A base that only renders takes one of the page mixins, such as
:class:`~flask_refunds.reports.items.ItemsReportMixin`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import has_request_context, request
from flask_admin import BaseView

from flask_refunds import money, wired
from flask_refunds.admin.pages import problem_page
from flask_refunds.admin.refusals import explain
from flask_refunds.admin.words import gettext
from flask_refunds.errors import NotMigrated, TooManyRows
from flask_refunds.figures import requests
from flask_refunds.figures.grouping import AnySelect
from flask_refunds.figures.net import Netting
from flask_refunds.figures.periods import BASES, Basis, Period
from flask_refunds.reports.choosing import BASES as CHOICES
from flask_refunds.reports.choosing import basis_text
from flask_refunds.reports.columns import Column, value_of
from flask_refunds.reports.sources import Query, Source
from flask_refunds.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class BasisChoice:
    """One of the dates that a report may go by, and where to see it so."""

    words: str
    url: str
    current: bool


class HostReport(BaseView):
    """What all mixins for a host's own report have: its days, and by which date refunds count."""

    default_basis: ClassVar[Basis] = "refund"
    """By which day refunds count when the URL does not say ``basis=``."""
    timezone: ClassVar[str | None] = None
    """The zone in which the host's report cuts its days; default: ``REFUNDS_TIMEZONE``."""

    @property
    def basis(self) -> Basis:
        """By which day refunds count: what the URL says, ``refund`` or ``order``."""
        asked = request.args.get("basis") if has_request_context() else None
        return asked if asked in BASES else self.default_basis

    @property
    def basis_words(self) -> str:
        """The same in a sentence, to stand on the page and in files."""
        return basis_text(self.basis)

    def basis_choices(self) -> list[BasisChoice]:
        """Return both dates to go by, with the address of this page by each."""
        asked = [each for each in request.args.items(multi=True) if each[0] != "basis"]
        rest = f"&{urlencode(asked)}" if asked else ""
        return [
            BasisChoice(
                words=gettext(words).lower(),
                url=self.get_url(".index", basis=basis) + rest,
                current=basis == self.basis,
            )
            for basis, words in CHOICES.items()
        ]

    def get_url(self, endpoint: str, **kwargs: Any) -> str:
        """Return the address of *endpoint*; this report's own keep the date that it goes by."""
        if endpoint.startswith(".") and self.basis != self.default_basis:
            kwargs.setdefault("basis", self.basis)
        return str(super().get_url(endpoint, **kwargs))

    @property
    def runtime(self) -> Runtime:
        """The services of the current application."""
        return wired.current().runtime

    def period(self, start: date, end: date) -> Period:
        """Return the days from *start* to *end*, both included."""
        zone = ZoneInfo(self.timezone) if self.timezone else self.runtime.config.zone
        return Period.of_days(start, end, zone)

    def in_flight(self, start: date, end: date) -> dict[str, int]:
        """Return what is on its way of refunds issued from *start* to *end*: never netted.

        Minor units by currency.
        """
        period = self.period(start, end)
        return self.runtime.sessions.read(lambda session: requests.in_flight(session, period))

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._run_view(fn, *args, **kwargs)
        except (NotMigrated, TooManyRows) as error:
            return problem_page(self, explain(error))


class NetReport(HostReport):
    """For a host report that hands out its SELECT: :meth:`net` takes the refunds off it.

    Put it before the host's class, declare ``netting``, and call :meth:`net` where the host's
    class makes its SELECT::

        class NetItems(NetReport, ItemsReport):
            netting = Netting(key="sku", measures={"revenue": "list"}, …)

            def select(self, start, end):
                return self.net(super().select(start, end), start, end)
    """

    netting: ClassVar[Netting]
    """How the host's SELECT is netted."""

    def net(self, statement: AnySelect, start: date, end: date) -> AnySelect:
        """Return the host's *statement* about *start* to *end*, both included, netted.

        Without our tables the page says so and how to make them, instead of gross figures.
        """
        self.runtime.sessions.require_tables()
        return self.netting.apply(statement, period=self.period(start, end), basis=self.basis)


class FedColumns:
    """The columns of a :class:`ReportFeed`; host bases have them as an attribute."""

    def __get__(self, feed: "ReportFeed | None", kind: type) -> Any:
        if feed is None:
            return self
        return [feed.fed_column(column) for column in feed.fed_columns()]


class ReportFeed(HostReport):
    """For a host base report that draws what its ``columns`` and ``rows`` give.

    Put it before the host's class and say which report it is; the host's own page, table and
    files show it::

        class RefundedItems(ReportFeed, HostReport):
            source = ITEMS

    The defaults feed columns as ``(key, title)`` and rows as dictionaries; override
    :meth:`fed_column` and :meth:`fed_row` where the host's base wants another shape, and
    :meth:`fed_query` where it names its days otherwise.
    """

    source: ClassVar[Source]
    columns: Any = FedColumns()
    """The columns, as the host's base wants them."""

    def rows(self, *days: Any) -> Sequence[Any]:
        """Return the rows of the host's *days*, as the host's base wants them."""
        query = self.fed_query(*days)
        columns = self.fed_columns()
        return [
            self.fed_row({column.key: self._value(row, column) for column in columns})
            for rows in self.source.chunks(self.runtime, query)
            for row in rows
        ]

    def fed_columns(self) -> list[Column]:
        """Return the columns to feed: those of the page, and the codes that files have too."""
        return [column for column in self.source.columns if column.shown or column.kind == "code"]

    def fed_column(self, column: Column) -> Any:
        """Return *column* as the host's base wants it."""
        return column.key, column.title

    def fed_row(self, row: dict[str, Any]) -> Any:
        """Return *row*, values by the columns' keys, as the host's base wants it.

        Amounts are decimals in whole units; rates fractions; days dates.
        """
        return row

    def fed_query(self, *days: Any) -> Query:
        """Return what the host's *days* mean.

        By default a first and a last day, both included, or one object that has them as
        ``start`` and ``end``.
        """
        if len(days) == 1:
            days = (days[0].start, days[0].end)
        start, end = days
        return Query(period=self.period(start, end), basis=self.basis)

    @staticmethod
    def _value(row: Any, column: Column) -> Any:
        value = value_of(row, column)
        if column.kind != "money" or value is None:
            return value
        currency = value_of(row, Column(key="currency", title=""))
        return Decimal(money.to_decimal(value, currency))
