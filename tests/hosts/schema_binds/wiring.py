"""Refunds in the depot."""

from flask import Flask
from flask_admin import Admin

from flask_refunds import (
    Actor, AdminAccessPolicy, Customers, Lines, Orders, Payments, Refunds, Storefront, minor,
)
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport
from tests.hosts.schema_binds.admin import remote_user
from tests.hosts.schema_binds.models import Client, Order, Payment, Position, db

STOREFRONT = Storefront(
    orders=Orders(
        key=Order.number, number=Order.number, customer=Order.client_id, currency=Order.currency,
        placed_at=Order.placed_at, total=minor(Order.cents), paid=True,
        where=Order.deleted_at.is_(None),
    ),
    lines=Lines(
        key=(Position.order_number, Position.place), order=Position.order_number,
        sku=Position.article, description=Position.title, quantity=Position.pieces,
        total=minor(Position.cents), where=Position.deleted_at.is_(None),
    ),
    payments=Payments(
        key=Payment.id, order=Payment.order_number, gateway=Payment.provider,
        transaction=Payment.sale, amount=minor(Payment.cents), where=Payment.deleted_at.is_(None),
    ),
    customers=Customers(key=Client.id, name=Client.firm, email=Client.email),
)
POLICY = AdminAccessPolicy(lambda: Actor(id=remote_user(), label=remote_user()))
refunds = Refunds(STOREFRONT, policy=POLICY, gateways={"braintree": BraintreeGateway.from_config})


def install(app: Flask, admin: Admin) -> None:
    """Add refunds to the admin."""
    refunds.init_app(app, db=db, admin=admin, reports=[ItemsReport, SummaryReport, Dashboard])
