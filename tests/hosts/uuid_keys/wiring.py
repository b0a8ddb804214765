"""Refunds in the furniture shop."""

from flask import Flask
from flask_admin import Admin
from sqlalchemy import case

from flask_refunds import AdminAccessPolicy, Charge, Customers, Lines, Orders, Payments
from flask_refunds import Refunds, Storefront, major
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport
from tests.hosts.uuid_keys.models import Customer, Line, Order, Payment, db

SHIPPING, SHIPPING_TAX = major(Order.shipping), major(Order.shipping_tax)
STOREFRONT = Storefront(
    orders=Orders(
        key=Order.id, number=Order.number, customer=Order.customer_id, placed_at=Order.placed_at,
        currency=Order.currency, total=major(Order.total), paid=Order.is_paid,
        charges=[Charge(name="shipping", kind="row", amount=SHIPPING, tax=SHIPPING_TAX)],
    ),
    lines=Lines(
        key=Line.id, order=Line.order_number, of=Order.number, description=Line.title,
        quantity=Line.pieces, total=major(Line.gross), tax=major(Line.vat),
    ),
    payments=Payments(
        key=Payment.id, order=Payment.order_id, gateway=case((Payment.kind == "card", "braintree")),
        amount=major(Payment.amount), transaction=Payment.details["braintree"]["id"].as_string(),
    ),
    customers=Customers(key=Customer.id, name=Customer.name, email=Customer.email),
)
GATEWAYS = {"braintree": BraintreeGateway.from_config}
refunds = Refunds(STOREFRONT, policy=AdminAccessPolicy(), gateways=GATEWAYS)


def install(app: Flask, admin: Admin) -> None:
    """Add refunds to the admin."""
    refunds.init_app(app, db=db, admin=admin, reports=[ItemsReport, SummaryReport, Dashboard])
