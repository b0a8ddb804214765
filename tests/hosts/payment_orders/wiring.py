"""Refunds in the box office."""

from flask import Flask
from flask_admin import Admin
from sqlalchemy import and_

from flask_refunds import Actor, AdminAccessPolicy, Customers, Lines, Orders, Payments
from flask_refunds import Refunds, Storefront, minor
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport
from tests.hosts.payment_orders.models import Member, Payment, Price, Show, Ticket, db

PRICED = and_(Price.show_id == Ticket.show_id, Price.category == Ticket.category)
STOREFRONT = Storefront(
    orders=Orders(
        key=Payment.id, number=Payment.id, customer=Payment.member_id, placed_at=Payment.taken_at,
        currency="USD", total=minor(Payment.amount_cents), paid=Payment.state == "settled",
    ),
    lines=Lines(
        key=Ticket.id, order=Ticket.payment_id, description=Show.title, quantity=Ticket.seats,
        total=minor(Price.cents * Ticket.seats), dimensions={"category": Ticket.category},
        source=Ticket.__table__.join(Show, Show.id == Ticket.show_id).join(Price, PRICED),
    ),
    payments=Payments(
        key=Payment.id, order=Payment.id, amount=minor(Payment.amount_cents), gateway="braintree",
        transaction=Payment.braintree_id, captured=Payment.state == "settled",
    ),
    customers=Customers(key=Member.id, name=Member.full_name, email=Member.mail),
)
POLICY = AdminAccessPolicy(actor=lambda: Actor(id="1", label="box office"))
refunds = Refunds(STOREFRONT, policy=POLICY, gateways={"braintree": BraintreeGateway.from_config})


def install(app: Flask, admin: Admin) -> None:
    """Add refunds to the staff's admin."""
    refunds.init_app(app, db=db, admin=admin, reports=[ItemsReport, SummaryReport, Dashboard])
