"""Reports over the ledger: pages, files, and what makes a host's own reports net."""

from collections.abc import Sequence

from flask import Flask
from flask_admin import Admin, BaseView

from flask_refunds.figures.net import Netting, net
from flask_refunds.figures.periods import Basis, Period, Preset
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.reports.columns import Column
from flask_refunds.reports.dashboard import Dashboard, DashboardMixin
from flask_refunds.reports.host import NetReport, ReportFeed
from flask_refunds.reports.items import ItemsReport, ItemsReportMixin
from flask_refunds.reports.refunds import RefundsReport, RefundsReportMixin
from flask_refunds.reports.registering import register
from flask_refunds.reports.summary import SummaryReport, SummaryReportMixin
from flask_refunds.reports.wording import add_words

__all__ = [
    "Basis",
    "CannotNet",
    "Column",
    "Dashboard",
    "DashboardMixin",
    "ItemsReport",
    "ItemsReportMixin",
    "NetReport",
    "Netting",
    "Period",
    "Preset",
    "RefundsReport",
    "RefundsReportMixin",
    "ReportFeed",
    "SummaryReport",
    "SummaryReportMixin",
    "net",
    "register_reports",
]


def register_reports(
    app: Flask, admin: Admin, reports: Sequence[type[BaseView] | BaseView]
) -> None:
    """Add *reports* to *admin*, and Reporting > Refunds unless one of them is that.

    Raises :exc:`~flask_refunds.errors.ConfigurationError` when one is no report.
    """
    add_words(app)
    register(app, admin, reports)
