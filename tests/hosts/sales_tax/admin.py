"""The outfitter's admin, open inside the house."""

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView

from tests.hosts.sales_tax.models import Customer, Item, Order, Payment, db


class OrderView(ModelView):
    column_list = ("number", "placed_at", "status", "total_cents")
    column_searchable_list = ("number",)


def create_admin(app: Flask) -> Admin:
    """Mount the admin."""
    admin = Admin(app, name="Outfitter")
    admin.add_view(ModelView(Customer, db))
    admin.add_view(OrderView(Order, db))
    admin.add_view(ModelView(Item, db))
    admin.add_view(ModelView(Payment, db))
    return admin
