"""The pages in the host's admin: Account History, the Issue Refund modal, and the desk."""

from flask import Flask
from flask_admin import Admin, BaseView

from flask_refunds.admin.desk import DeskView
from flask_refunds.admin.history import HistoryView
from flask_refunds.admin.issue_view import IssueView
from flask_refunds.admin.pages import add_page
from flask_refunds.admin.presenting import add_filters
from flask_refunds.admin.row_actions import add_buttons


def register_views(
    app: Flask, admin: Admin, *, customers: BaseView | None, orders: BaseView | None
) -> None:
    """Add our pages to *admin*, and our buttons to the host's views of *customers* and *orders*."""
    add_filters(app)
    history = HistoryView(name="Account History", endpoint="refunds_history")
    add_page(app, admin, history)
    add_page(app, admin, IssueView(history, name="Issue Refund", endpoint="refunds_issue"))
    add_page(app, admin, DeskView())
    add_buttons(history, customers=customers, orders=orders)
