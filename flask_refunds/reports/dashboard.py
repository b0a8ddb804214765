"""The Dashboard: sales net of refunds, and what needs a person."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from flask_refunds import wired
from flask_refunds.admin.access import HostAccess
from flask_refunds.desks import COUNTED
from flask_refunds.errors import NotMigrated
from flask_refunds.figures.overview import Overview, read_overview
from flask_refunds.figures.periods import Basis
from flask_refunds.reports.choosing import Asked
from flask_refunds.reports.page import ReportMixin


class DashboardMixin(ReportMixin):
    """The Dashboard over a host's own base view."""

    report_name = "Dashboard"
    report_endpoint = "refunds_dashboard"
    template = "refunds/dashboard.html"

    def read(self, session: Session, asked: Asked) -> Mapping[str, Any]:
        return {
            "overview": read_overview(session, self.runtime, asked.basis),
            "counted": COUNTED,
        }


class Dashboard(HostAccess, DashboardMixin):
    """The Dashboard, ready-made from the mapping."""


def overview(basis: Basis = "refund") -> Overview | None:
    """Return the dashboard's figures for a template of the host's; ``None`` without our tables."""
    runtime = wired.current().runtime
    try:
        return runtime.sessions.read(lambda session: read_overview(session, runtime, basis))
    except NotMigrated:
        return None
