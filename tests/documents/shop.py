"""The shop that the pages speak of, as far as their snippets name it."""

from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask_admin import Admin, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Select, func, select

from flask_refunds import (
    Actor,
    AdminAccessPolicy,
    Lines,
    Orders,
    Payments,
    Refunds,
    Storefront,
    minor,
)
from flask_refunds.gateways.braintree import BraintreeGateway
from tests.hosts.reporting import StaffView, TabularReport, utc_day

db = SQLAlchemy()


class User(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40))
    email = db.Column(db.String(40))


class Order(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    number = db.Column(db.String(20))
    user_id = db.Column(db.Integer)
    placed_at = db.Column(db.DateTime)
    currency = db.Column(db.String(3))
    total_cents = db.Column(db.Integer)
    discount_cents = db.Column(db.Integer)
    shipping_cents = db.Column(db.Integer)
    shipping_tax_cents = db.Column(db.Integer)
    tax_cents = db.Column(db.Integer)
    status = db.Column(db.String(20))


class OrderItem(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.ForeignKey(Order.id))
    sku = db.Column(db.String(20))
    name = db.Column(db.String(40))
    quantity = db.Column(db.Integer)
    total = db.Column(db.Integer)
    total_cents = db.Column(db.Integer)
    tax_cents = db.Column(db.Integer)


class Payment(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    gateway = db.Column(db.String(20))
    transaction_id = db.Column(db.String(20))
    amount_cents = db.Column(db.Integer)
    status = db.Column(db.String(20))
    card_label = db.Column(db.String(20))


class OldRefund(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    cents = db.Column(db.Integer)
    created_at = db.Column(db.DateTime)
    ok = db.Column(db.Boolean)


class ItemsReport(StaffView):
    """A report of the shop's own, by SKU."""

    @expose("/")
    def index(self) -> str:
        return ""

    def select(self, start: Any, end: Any) -> Select[*tuple[Any, ...]]:
        return (
            select(
                OrderItem.sku,
                Order.currency,
                func.max(OrderItem.name).label("name"),
                func.sum(OrderItem.quantity).label("units"),
                func.sum(OrderItem.total_cents).label("revenue_cents"),
            )
            .join(Order)
            .where(Order.placed_at.between(start, end))
            .group_by(OrderItem.sku, Order.currency)
        )


class SummaryReport(ItemsReport):
    """A report of the shop's own, by day."""

    def select(self, start: Any, end: Any) -> Select[*tuple[Any, ...]]:
        day = utc_day(Order.placed_at).label("day")
        sales = func.sum(Order.total_cents).label("sales_cents")
        orders = func.count().label("orders")
        return select(day, Order.currency, sales, orders).group_by(day, Order.currency)


STOREFRONT = Storefront(
    orders=Orders(
        key=Order.id,
        number=Order.number,
        customer=Order.user_id,
        placed_at=Order.placed_at,
        currency=Order.currency,
        total=minor(Order.total_cents),
        paid=Order.status == "paid",
    ),
    lines=Lines(
        key=OrderItem.id,
        order=OrderItem.order_id,
        sku=OrderItem.sku,
        description=OrderItem.name,
        quantity=OrderItem.quantity,
        total=minor(OrderItem.total_cents),
    ),
    payments=Payments(
        key=Payment.id,
        order=Payment.order_id,
        gateway=Payment.gateway,
        transaction=Payment.transaction_id,
        amount=minor(Payment.amount_cents),
    ),
)
GATEWAYS = {"braintree": BraintreeGateway.from_config}
KEYS = {
    "REFUNDS_BRAINTREE_ENVIRONMENT": "sandbox",
    "REFUNDS_BRAINTREE_MERCHANT_ID": "m",
    "REFUNDS_BRAINTREE_PUBLIC_KEY": "p",
    "REFUNDS_BRAINTREE_PRIVATE_KEY": "s",
}


def application(database: SQLAlchemy, *views: type[BaseView]) -> tuple[Flask, Admin]:
    """Return an application with an admin that has no refunds yet."""
    app = Flask("shop")
    app.config.from_mapping(
        SECRET_KEY="documents",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        SQLALCHEMY_BINDS={key: "sqlite://" for key in database.metadatas if key is not None},
        REFUNDS_REDIS_URL=None,
    )
    app.config.update(KEYS)
    database.init_app(app)
    admin = Admin(app)
    if database is db:
        admin.add_view(ModelView(Order, db, endpoint="order"))
    for number, view in enumerate(views):
        admin.add_view(view(name=view.__name__, endpoint=f"own{number}"))
    return app, admin


def extension() -> Refunds:
    """Return refunds for this shop, not wired into an application."""
    actor = Actor(id="1", label="Ada")
    return Refunds(STOREFRONT, policy=AdminAccessPolicy(lambda: actor), gateways=GATEWAYS)


def open_for_business(app: Flask, admin: Admin) -> None:
    """Wire refunds into *app*, make all tables, and sell something now."""
    refunds = extension()
    refunds.init_app(app, db=db, admin=admin)
    db.create_all()
    refunds.create_all()
    now = datetime.now(UTC).replace(tzinfo=None)
    db.session.add_all(
        [
            Order(id=1, number="1", placed_at=now, currency="USD", total_cents=900, status="paid"),
            OrderItem(order_id=1, sku="MUG", name="Mug", quantity=1, total=900, total_cents=900),
        ]
    )
    db.session.commit()


NAMES = {
    "Item": OrderItem,
    "ItemsReport": ItemsReport,
    "OldRefund": OldRefund,
    "Order": Order,
    "StaffView": StaffView,
    "SummaryReport": SummaryReport,
    "TabularReport": TabularReport,
    "utc_day": utc_day,
}
