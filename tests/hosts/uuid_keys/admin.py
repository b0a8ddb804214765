"""The furniture shop's admin, for who is signed in."""

from flask import Flask, abort
from flask.typing import ResponseReturnValue
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_login import LoginManager, UserMixin, current_user

from tests.hosts.uuid_keys.models import Customer, Line, Order, Payment, db

login = LoginManager()


class Clerk(UserMixin):
    """The one who works here."""

    id = "7"
    email = "clerk@example.com"


@login.user_loader
def load_clerk(identity: str) -> Clerk | None:
    return Clerk() if identity == Clerk.id else None


class StaffView(ModelView):
    can_create = can_edit = can_delete = False

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated)

    def inaccessible_callback(self, name: str, **kwargs: object) -> ResponseReturnValue:
        abort(403)


def create_admin(app: Flask) -> Admin:
    """Mount the admin."""
    admin = Admin(app, name="Furniture")
    for model in (Customer, Order, Line, Payment):
        admin.add_view(StaffView(model, db, category="Shop"))
    return admin
