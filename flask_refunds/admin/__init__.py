"""The pages in the host's admin: Account History, the Issue Refund modal, and the desk."""

from flask import Flask
from flask_admin import Admin, BaseView

from flask_refunds.admin.presenting import add_filters


def register_views(
    app: Flask, admin: Admin, *, customers: BaseView | None, orders: BaseView | None
) -> None:
    """Add our pages to *admin*, and our buttons to the host's views of *customers* and *orders*."""
    add_filters(app)
