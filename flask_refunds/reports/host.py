"""Mixins for a class that subclasses a report of the host's own and shows it net."""

from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar

from flask_admin import BaseView

from flask_refunds import wired
from flask_refunds.admin.pages import problem_page
from flask_refunds.admin.refusals import explain
from flask_refunds.errors import NotMigrated
from flask_refunds.figures import ledger_query
from flask_refunds.figures.grouping import AnySelect
from flask_refunds.figures.net import Netting
from flask_refunds.figures.periods import Basis, Period


class NetReport(BaseView):
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
    basis: ClassVar[Basis] = "refund"
    """By which day refunds count: ``refund`` or ``order``."""

    def period(self, start: date, end: date) -> Period:
        """Return the days from *start* to *end*, both included, of ``REFUNDS_TIMEZONE``."""
        return Period.of_days(start, end, wired.current().runtime.config.zone)

    def net(self, statement: AnySelect, start: date, end: date) -> AnySelect:
        """Return the host's *statement* about *start* to *end*, both included, netted.

        Without our tables the page says so and how to make them, instead of gross figures.
        """
        wired.current().runtime.sessions.require_tables()
        return self.netting.apply(statement, period=self.period(start, end), basis=self.basis)

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._run_view(fn, *args, **kwargs)
        except NotMigrated as error:
            return problem_page(self, explain(error))

    def in_flight(self, start: date, end: date) -> dict[str, int]:
        """Return what is on its way of refunds issued from *start* to *end*: never netted.

        Minor units by currency.
        """
        period = self.period(start, end)
        sessions = wired.current().runtime.sessions
        return sessions.read(lambda session: ledger_query.in_flight(session, period))
