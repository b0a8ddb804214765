"""The bazaar's admin: every table that there is."""

from flask import Flask, request
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView

from tests.hosts.bare_tables.models import Model, db


class TableView(ModelView):
    def is_accessible(self) -> bool:
        return request.headers.get("X-Bazaar") == "yes"


def make_admin(app: Flask) -> Admin:
    admin = Admin(app, name="Bazaar")
    add_tables(admin)
    return admin


def add_tables(admin: Admin, prefix: str = "") -> None:
    """Add a list of each table; *prefix* goes before its endpoint's usual name."""
    for model in sorted((mapper.class_ for mapper in Model.registry.mappers), key=str):
        admin.add_view(TableView(model, db, endpoint=f"{prefix}{model.__name__.lower()}"))
