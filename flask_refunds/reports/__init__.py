"""Reports over the ledger."""

from collections.abc import Sequence

from flask import Flask
from flask_admin import Admin, BaseView


def register_reports(app: Flask, admin: Admin, replacements: Sequence[type[BaseView]]) -> None:
    """Add Reporting > Refunds, and let each of *replacements* serve in its host report's place."""
