"""Refunds in the bakery."""

from flask import Flask
from flask_admin import Admin

from flask_refunds import Actor, AdminAccessPolicy, Charge, Customers, Lines, Orders, Payments
from flask_refunds import Refunds, Storefront, major
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport
from tests.hosts.float_money.admin import clerk_name
from tests.hosts.float_money.models import Customer, Item, Order, db

DISCOUNT = Charge(name="discount", kind="spread", amount=major(Order.discount))
DELIVERY = Charge(name="shipping", kind="row", amount=major(Order.shipping), label="Delivery")
STOREFRONT = Storefront(
    orders=Orders(
        key=Order.id, number=Order.id, customer=Order.customer_id, placed_at=Order.ordered_at,
        currency="USD", total=major(Order.total), paid=Order.status != "cancelled",
        charges=[DISCOUNT, DELIVERY],
    ),
    lines=Lines(
        key=Item.id, order=Item.order_id, description=Item.name, quantity=Item.quantity,
        total=major(Item.price * Item.quantity),
    ),
    payments=Payments(
        key=Order.id, order=Order.id, amount=major(Order.total), gateway="braintree",
        transaction=Order.braintree_id, where=Order.braintree_id.is_not(None),
    ),
    customers=Customers(key=Customer.id, name=Customer.name),
)
POLICY = AdminAccessPolicy(actor=lambda: Actor(id=clerk_name(), label=clerk_name()))
refunds = Refunds(STOREFRONT, policy=POLICY, gateways={"braintree": BraintreeGateway.from_config})


def install(app: Flask, admin: Admin) -> None:
    """Add refunds to the admin."""
    refunds.init_app(app, db=db, admin=admin, reports=[ItemsReport, SummaryReport, Dashboard])
