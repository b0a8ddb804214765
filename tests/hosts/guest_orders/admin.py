"""The kiosk's admin: everybody who is logged in may look at the orders, and so may a script."""

from typing import Any

from flask import Flask, abort, request, session
from flask.typing import ResponseReturnValue
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView

from tests.hosts.guest_orders.models import Order, Refund, db

STAFF = {"1": ("Olga Owner", "owner"), "2": ("Sam Student", "student")}
TOKEN = "Bearer stock-keeping"


def staff() -> tuple[str, str, str] | None:
    """Return the id, the name and the role of who is logged in."""
    known = STAFF.get(session.get("staff", ""))
    return (session["staff"], *known) if known is not None else None


class ShopView(ModelView):
    """Open to staff of any role, and to scripts that bear the token."""

    def is_accessible(self) -> bool:
        return staff() is not None or request.headers.get("Authorization") == TOKEN

    def inaccessible_callback(self, name: str, **kwargs: Any) -> ResponseReturnValue:
        abort(401)


class OrderView(ShopView):
    column_searchable_list = ("number", "email")


def make_admin(app: Flask) -> Admin:
    admin = Admin(app, name="Kiosk")
    admin.add_view(OrderView(Order, db, name="Orders", endpoint="order"))
    admin.add_view(ShopView(Refund, db, name="Refunds", endpoint="refund"))
    return admin
