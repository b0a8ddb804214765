"""The outfitter's admin, for whom the house's proxy lets through."""

from flask import Flask, request
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView

from tests.hosts.sales_tax.models import Customer, Item, Order, Payment, db


class HouseView(ModelView):
    def is_accessible(self) -> bool:
        return request.headers.get("X-House") == "yes"


class OrderView(HouseView):
    column_list = ("number", "placed_at", "status", "total_cents")
    column_searchable_list = ("number",)


def create_admin(app: Flask) -> Admin:
    """Mount the admin."""
    admin = Admin(app, name="Outfitter")
    admin.add_view(HouseView(Customer, db))
    admin.add_view(OrderView(Order, db))
    admin.add_view(HouseView(Item, db))
    admin.add_view(HouseView(Payment, db))
    return admin
