"""The depot's admin, which hides what is marked deleted."""

from typing import Any

from flask import Flask, abort, request
from flask.typing import ResponseReturnValue
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView

from tests.hosts.schema_binds.models import Client, Notice, Order, Payment, db


def remote_user() -> str:
    """Return who is there, as the proxy of the depot's network says; empty for nobody."""
    return request.headers.get("X-Remote-User", "")


class StaffView(ModelView):
    def is_accessible(self) -> bool:
        return remote_user() != ""

    def inaccessible_callback(self, name: str, **kwargs: Any) -> ResponseReturnValue:
        abort(403)


class TradeView(StaffView):
    def get_query(self) -> Any:
        return super().get_query().where(self.model.deleted_at.is_(None))

    def get_count_query(self) -> Any:
        return super().get_count_query().where(self.model.deleted_at.is_(None))


def make_admin(app: Flask) -> Admin:
    admin = Admin(app, name="Depot")
    admin.add_view(StaffView(Notice, db, endpoint="notice"))
    admin.add_view(TradeView(Client, db, endpoint="client"))
    admin.add_view(TradeView(Order, db, endpoint="order"))
    admin.add_view(TradeView(Payment, db, endpoint="payment"))
    return admin
