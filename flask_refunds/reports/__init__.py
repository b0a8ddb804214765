"""Reports over the ledger."""

from collections.abc import Sequence

from flask import Flask
from flask_admin import Admin, BaseView

from flask_refunds.admin.pages import add_page
from flask_refunds.figures.net import Netting, net
from flask_refunds.figures.periods import Basis, Period, Preset
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.reports.host import NetReport
from flask_refunds.reports.replacing import replace
from flask_refunds.reports.views import RefundsReport

__all__ = [
    "Basis",
    "CannotNet",
    "NetReport",
    "Netting",
    "Period",
    "Preset",
    "RefundsReport",
    "net",
    "register_reports",
]


def register_reports(app: Flask, admin: Admin, replacements: Sequence[type[BaseView]]) -> None:
    """Add Reporting > Refunds, and let each of *replacements* serve in its host report's place.

    Raises :exc:`~flask_refunds.errors.ConfigurationError` when one subclasses no view of *admin*.
    """
    add_page(app, admin, RefundsReport())
    for replacement in replacements:
        replace(app, admin, replacement)
