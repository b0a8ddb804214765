"""Refunds at the outfitter's."""

from flask import Flask
from flask_admin import Admin

from flask_refunds import Actor, AdminAccessPolicy, Charge, Customers, Lines, Orders, Payments
from flask_refunds import Refunds, Storefront, minor
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport
from tests.hosts.sales_tax.models import Customer, Item, Order, Payment, db

SHIPPING = Charge(name="shipping", kind="row", amount=minor(Order.shipping_cents))
TAX_CENTS = minor(Order.sales_tax_cents)
TAX = Charge(name="sales_tax", kind="spread", effect="tax", over="lines+rows", amount=TAX_CENTS)
STOREFRONT = Storefront(
    orders=Orders(
        key=Order.id, number=Order.number, customer=Order.customer_id, placed_at=Order.placed_at,
        currency="USD", total=minor(Order.total_cents), paid=Order.status == "paid",
        charges=[SHIPPING, TAX],
    ),
    lines=Lines(
        key=Item.id, order=Item.order_id, sku=Item.sku, description=Item.name,
        quantity=Item.quantity, total=minor(Item.unit_cents * Item.quantity),
    ),
    payments=Payments(
        key=Payment.id, order=Payment.order_id, amount=minor(Payment.amount_cents),
        gateway="braintree", transaction=Payment.braintree_id, captured=Payment.state != "failed",
    ),
    customers=Customers(key=Customer.id, name=Customer.name, email=Customer.email),
)
POLICY = AdminAccessPolicy(actor=lambda: Actor(id="outfitter", label="The outfitter"))
refunds = Refunds(STOREFRONT, policy=POLICY, gateways={"braintree": BraintreeGateway.from_config})


def install(app: Flask, admin: Admin) -> None:
    """Add refunds to the admin."""
    refunds.init_app(app, db=db, admin=admin, reports=[ItemsReport, SummaryReport, Dashboard])
