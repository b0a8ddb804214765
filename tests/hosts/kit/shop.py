"""The shop of ``docs/testing.md``: a factory that takes settings, and a hook that marks orders."""

from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

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
from flask_refunds.models import Refund

db = SQLAlchemy()


class Order(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    status = db.Column(db.String(20), default="paid")
    placed_at = db.Column(db.DateTime, server_default=db.func.now())
    cents = db.Column(db.Integer)


class Item(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    name = db.Column(db.String(40))
    quantity = db.Column(db.Integer, default=1)
    cents = db.Column(db.Integer)


class Payment(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    transaction_id = db.Column(db.String(40))
    cents = db.Column(db.Integer)


def mark(session: Session, refund: Refund) -> None:
    """Mark the order of a refund whose money is back."""
    order = session.get_one(Order, int(refund.order_ref))
    order.status = "refunded"


refunds = Refunds(
    Storefront(
        orders=Orders(
            key=Order.id,
            number=Order.id,
            placed_at=Order.placed_at,
            currency="EUR",
            total=minor(Order.cents),
            paid=Order.status == "paid",
        ),
        lines=Lines(
            key=Item.id,
            order=Item.order_id,
            description=Item.name,
            quantity=Item.quantity,
            total=minor(Item.cents),
        ),
        payments=Payments(
            key=Payment.id,
            order=Payment.order_id,
            gateway="braintree",
            transaction=Payment.transaction_id,
            amount=minor(Payment.cents),
        ),
    ),
    policy=AdminAccessPolicy(actor=lambda: Actor(id="1", label="the owner")),
    gateways={"braintree": BraintreeGateway.from_config},
    after_refund=mark,
)


def create_app(**settings: Any) -> Flask:
    """Return the shop; its settings come from ``FLASK_...`` variables and from the caller."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="shop")
    app.config.from_prefixed_env()
    app.config.update(settings)
    db.init_app(app)
    admin = Admin(app)
    admin.add_view(ModelView(Order, db, endpoint="order"))
    refunds.init_app(app, db=db, admin=admin)
    return app
