"""Refunds in this shop: all that it knows of them."""

from flask import Flask
from flask_admin import Admin
from flask_login import current_user
from flask_sqlalchemy import SQLAlchemy

from example_app.models import SOLD, Order, OrderItem, Payment, User
from example_app.net_reports import NetDashboard, NetItems, NetSummary
from flask_refunds import (
    AdminAccessPolicy,
    Charge,
    Customers,
    Lines,
    Orders,
    Payments,
    Refunds,
    Storefront,
    minor,
)
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport

READY_MADE = "Ready-made"

STOREFRONT = Storefront(
    orders=Orders(
        key=Order.id,
        number=Order.number,
        customer=Order.user_id,
        guest_name=Order.guest_name,
        guest_email=Order.guest_email,
        placed_at=Order.placed_at,
        currency=Order.currency,
        total=minor(Order.total_cents),
        paid=Order.status.in_(SOLD),
        charges=[
            Charge(name="discount", kind="spread", amount=minor(Order.discount_cents)),
            Charge(
                name="shipping",
                kind="row",
                amount=minor(Order.shipping_cents + Order.shipping_tax_cents),
                tax=minor(Order.shipping_tax_cents),
            ),
        ],
    ),
    lines=Lines(
        key=OrderItem.id,
        order=OrderItem.order_id,
        sku=OrderItem.sku,
        description=OrderItem.name,
        quantity=OrderItem.quantity,
        list=minor(OrderItem.list_cents),
        total=minor(OrderItem.total_cents),
        tax=minor(OrderItem.tax_cents),
        dimensions={"product": OrderItem.product_id},
    ),
    payments=Payments(
        key=Payment.id,
        order=Payment.order_id,
        gateway=Payment.gateway,
        transaction=Payment.transaction_id,
        amount=minor(Payment.amount_cents),
        currency=Payment.currency,
        captured=Payment.status == "captured",
        label=Payment.card_label,
    ),
    customers=Customers(key=User.id, name=User.name, email=User.email),
    line_tax="before_discount",
)


class ShopPolicy(AdminAccessPolicy):
    """Staff may look; only those who may edit the shop's rows may move money."""

    def can_issue(self, amount: int | None, currency: str | None) -> bool:
        return bool(current_user.is_authenticated and current_user.may_edit)


def install(app: Flask, db: SQLAlchemy, admin: Admin) -> None:
    """Add refunds to the finished shop."""
    refunds = Refunds(
        STOREFRONT, policy=ShopPolicy(), gateways={"braintree": BraintreeGateway.from_config}
    )
    refunds.init_app(
        app,
        db=db,
        admin=admin,
        reports=[
            # In the place of the shop's own, net of refunds.
            NetItems,
            NetSummary,
            NetDashboard,
            # Ready-made from the mapping alone, as for a shop that has no reports.
            ItemsReport(name="Items", category=READY_MADE),
            SummaryReport(name="Summary", category=READY_MADE),
            Dashboard(name="Dashboard", category=READY_MADE),
        ],
    )
