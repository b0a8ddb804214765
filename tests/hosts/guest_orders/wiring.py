"""Refunds in the kiosk."""

from flask import Flask
from flask_admin import Admin

from flask_refunds import Lines, Orders, Payments, PriorRefunds, Refunds, Storefront, minor
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport
from tests.hosts.guest_orders.models import Order, OrderLine, Refund, db
from tests.hosts.guest_orders.policy import POLICY

STOREFRONT = Storefront(
    orders=Orders(
        key=Order.id, number=Order.number, guest_name=Order.name, guest_email=Order.email,
        placed_at=Order.placed_at, currency="USD", total=minor(Order.total_cents),
        paid=Order.status == "paid",
    ),
    lines=Lines(
        key=OrderLine.id, order=OrderLine.order_id, sku=OrderLine.sku, quantity=OrderLine.pieces,
        description=OrderLine.title, total=minor(OrderLine.cents),
    ),
    payments=Payments(
        key=Order.id, order=Order.id, gateway="braintree", transaction=Order.sale_id,
        amount=minor(Order.total_cents), captured=Order.status == "paid", label=Order.card,
        where=Order.sale_id.is_not(None),
    ),
    prior_refunds=PriorRefunds(
        key=Refund.id, order=Refund.order_id, line=Refund.line_id, amount=minor(Refund.cents),
        at=Refund.made_at, succeeded=Refund.state == "done", gateway_id=Refund.gateway_refund,
    ),
)
refunds = Refunds(STOREFRONT, policy=POLICY, gateways={"braintree": BraintreeGateway.from_config})


def install(app: Flask, admin: Admin) -> None:
    """Add refunds to the admin."""
    refunds.init_app(app, db=db, admin=admin, reports=[ItemsReport, SummaryReport, Dashboard])
