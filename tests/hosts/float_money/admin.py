"""The bakery's admin; who may open it is asked before any view."""

from flask import Flask, abort, request
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView

from tests.hosts.float_money.models import Customer, Item, Order, db


class OrderView(ModelView):
    can_create = can_delete = False
    column_list = ("id", "ordered_at", "status", "total")


def clerk_name() -> str:
    """Return who signed in: all that Basic authentication knows is a name."""
    if request.authorization is None or not request.authorization.username:
        abort(401)
    return request.authorization.username


def create_admin(app: Flask) -> Admin:
    """Mount the admin."""
    admin = Admin(app, name="Bakery")
    admin.add_view(ModelView(Customer, db))
    admin.add_view(OrderView(Order, db))
    admin.add_view(ModelView(Item, db))
    return admin
