"""Reports over the ledger."""

from collections.abc import Sequence

from flask import Flask
from flask_admin import Admin, BaseView

from flask_refunds.reports.net import Netting, net
from flask_refunds.reports.periods import Basis, Period, Preset
from flask_refunds.reports.refusing import CannotNet

__all__ = ["Basis", "CannotNet", "Netting", "Period", "Preset", "net", "register_reports"]


def register_reports(app: Flask, admin: Admin, replacements: Sequence[type[BaseView]]) -> None:
    """Add Reporting > Refunds, and let each of *replacements* serve in its host report's place."""
