"""Refunds in the bazaar."""

from flask import Flask
from flask_admin import Admin
from sqlalchemy import case, func, select

from flask_refunds import (Actor, AdminAccessPolicy, Charge, Customers, Lines, Orders, Payments,
                           Refunds, Storefront, major)
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.reports import Dashboard, ItemsReport, SummaryReport
from tests.hosts.bare_tables.models import ZONE, Member, Purchase, Receipt, Thing, db

COST = func.coalesce(func.sum(Thing.price * Thing.pieces), 0)
THINGS = select(COST).where(Thing.purchase_id == Purchase.id)
STOREFRONT = Storefront(
    orders=Orders(
        key=Purchase.id, number=Purchase.id, customer=Purchase.member_id, currency="EUR",
        placed_at=Purchase.placed_at, total=major(THINGS.scalar_subquery() + Purchase.postage),
        paid=True, charges=[Charge(name="postage", kind="row", amount=major(Purchase.postage))],
    ),
    lines=Lines(
        key=Thing.id, order=Thing.purchase_id, sku=Thing.sku, description=Thing.title,
        quantity=Thing.pieces, total=major(Thing.price * Thing.pieces),
    ),
    payments=Payments(
        key=Receipt.id, order=Receipt.purchase_id, amount=major(Receipt.amount),
        gateway=case((Receipt.means == "card", "braintree")), transaction=Receipt.card_sale,
    ),
    customers=Customers(key=Member.id, name=Member.name, email=Member.email), timezone=ZONE,
)
POLICY = AdminAccessPolicy(lambda: Actor(id="1", label="the bazaar"))
refunds = Refunds(STOREFRONT, policy=POLICY, gateways={"braintree": BraintreeGateway.from_config})


def install(app: Flask, admin: Admin) -> None:
    """Add refunds to the admin."""
    refunds.init_app(app, db=db, admin=admin, reports=[ItemsReport, SummaryReport, Dashboard])
