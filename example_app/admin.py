"""The shop's admin panel."""

from datetime import datetime
from typing import Any, ClassVar

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_admin.menu import MenuLink
from flask_admin.model.typefmt import BASE_FORMATTERS, DETAIL_FORMATTERS
from flask_admin.theme import Bootstrap4Theme
from flask_login import current_user
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import SelectField

from example_app.auth import StaffOnly
from example_app.dashboard import Dashboard
from example_app.database import db
from example_app.models import ROLES, STATUSES, Order, Payment, Product, User
from example_app.money import money_column
from example_app.reports import ItemsReport, SummaryReport


def moment(_view: Any, value: datetime, _name: str) -> str:
    """Format a moment to the minute."""
    return value.strftime("%Y-%m-%d %H:%M")


class SecureModelView(StaffOnly, ModelView):
    """A list of the shop's rows: for staff to read, for some of them to change."""

    form_base_class = FlaskForm
    can_create = False
    can_delete = False
    can_view_details = True
    page_size = 20
    can_set_page_size = True
    column_type_formatters: ClassVar = {**BASE_FORMATTERS, datetime: moment}
    column_type_formatters_detail: ClassVar = {**DETAIL_FORMATTERS, datetime: moment}
    search_words: ClassVar[str] = ""

    def search_placeholder(self) -> str:
        """Return what the search looks in."""
        return self.search_words

    @property
    def can_edit(self) -> bool:
        """Whether the present user may change rows."""
        return bool(current_user and current_user.is_authenticated and current_user.may_edit)


def status_column(_view: Any, _context: Any, model: Any, name: str) -> Markup:
    """Format a status or a role as a badge."""
    value = getattr(model, name)
    return Markup('<span class="shop-badge shop-badge-{0}">{0}</span>').format(value)


class UserView(SecureModelView):
    """Customers and staff."""

    column_list = ("name", "email", "role", "orders_count", "created_at")
    column_labels: ClassVar = {"orders_count": "Orders", "created_at": "Since", "email": "E-mail"}
    column_searchable_list = ("name", "email")
    search_words = "Name or e-mail"
    column_filters = ("role", "created_at")
    column_default_sort = "name"
    column_formatters: ClassVar = {"role": status_column}
    column_details_list = column_list
    form_columns = ("name", "email", "role")
    form_overrides: ClassVar = {"role": SelectField}
    form_args: ClassVar = {"role": {"choices": ROLES}}


class ProductView(SecureModelView):
    """The catalogue."""

    column_list = ("sku", "name", "category", "price_cents")
    column_labels: ClassVar = {"sku": "SKU", "price_cents": "Price"}
    column_searchable_list = ("sku", "name")
    search_words = "SKU or name"
    column_filters = ("category",)
    column_default_sort = "sku"
    column_formatters: ClassVar = {"price_cents": money_column}
    column_details_list = column_list
    form_columns = ("sku", "name", "category", "price_cents")


class OrderView(SecureModelView):
    """Orders, each with its items and payments."""

    details_template = "admin/order_details.html"
    column_list = ("number", "placed_at", "customer_name", "status", "total_cents", "currency")
    column_labels: ClassVar = {
        "number": "Order",
        "placed_at": "Placed (UTC)",
        "customer_name": "Customer",
        "customer_email": "E-mail",
        "guest_email": "Guest e-mail",
        "total_cents": "Total",
        "user.name": "Customer",
        "user.email": "Customer e-mail",
    }
    column_searchable_list = ("number", "guest_name", "guest_email", "user.name", "user.email")
    search_words = "Order number, name or e-mail"
    column_filters = ("status", "currency", "placed_at", "total_cents", "user.email")
    column_sortable_list = ("number", "placed_at", "status", "total_cents", "currency")
    column_default_sort = ("placed_at", True)
    column_select_related_list = (Order.user,)
    column_formatters: ClassVar = {"total_cents": money_column, "status": status_column}
    column_details_list = ("number", "placed_at", "customer_name", "customer_email", "status")
    form_columns = ("status", "guest_name", "guest_email")
    form_overrides: ClassVar = {"status": SelectField}
    form_args: ClassVar = {"status": {"choices": STATUSES}}


class PaymentView(SecureModelView):
    """Payments, which only checkout writes."""

    can_edit = False
    column_list = ("created_at", "order", "kind", "card_label", "status", "amount_cents")
    column_labels: ClassVar = {
        "created_at": "Taken (UTC)",
        "card_label": "Card",
        "amount_cents": "Amount",
        "order.number": "Order",
        "transaction_id": "Transaction",
    }
    column_searchable_list = ("order.number", "transaction_id", "card_label")
    search_words = "Order, transaction or card"
    column_filters = ("kind", "status", "gateway", "currency", "created_at")
    column_sortable_list = ("created_at", "kind", "status", "amount_cents")
    column_default_sort = ("created_at", True)
    column_formatters: ClassVar = {"amount_cents": money_column, "status": status_column}
    column_details_list = (*column_list, "currency", "gateway", "transaction_id")


def create_admin(app: Flask) -> Admin:
    """Return the admin panel with all of the shop's pages in it."""
    admin = Admin(
        app,
        name=app.config["SHOP_NAME"],
        index_view=Dashboard(name="Dashboard"),
        theme=Bootstrap4Theme(base_template="admin/shop.html", swatch=app.config["SHOP_SWATCH"]),
    )
    admin.add_view(UserView(User, db, name="Users"))
    admin.add_view(ProductView(Product, db, name="Products"))
    admin.add_view(OrderView(Order, db, name="Orders"))
    admin.add_view(PaymentView(Payment, db, name="Payments"))
    admin.add_view(ItemsReport("Items Report", category="Reporting", endpoint="items_report"))
    admin.add_view(SummaryReport("Summary Report", category="Reporting", endpoint="summary_report"))
    admin.add_link(MenuLink("View shop", endpoint="shop.index"))
    return admin
