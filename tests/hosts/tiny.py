"""The smallest shop: four tables, an open admin, and refunds. Runs from the installed wheel."""

import os

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy

from flask_refunds import (
    Actor,
    AdminAccessPolicy,
    Customers,
    Lines,
    Orders,
    Payments,
    Refunds,
    Storefront,
    minor,
)
from flask_refunds.gateways.braintree import BraintreeGateway

db = SQLAlchemy()


class User(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40))


class Order(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer)
    placed_at = db.Column(db.DateTime, server_default=db.func.now())
    cents = db.Column(db.Integer)


class Item(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    name = db.Column(db.String(40))
    cents = db.Column(db.Integer)


class Payment(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    sale = db.Column(db.String(40))
    cents = db.Column(db.Integer)


storefront = Storefront(
    orders=Orders(
        key=Order.id,
        number=Order.id,
        customer=Order.user_id,
        placed_at=Order.placed_at,
        currency="USD",
        total=minor(Order.cents),
        paid=True,
    ),
    lines=Lines(
        key=Item.id,
        order=Item.order_id,
        description=Item.name,
        quantity=1,
        total=minor(Item.cents),
    ),
    payments=Payments(
        key=Payment.id,
        order=Payment.order_id,
        gateway="braintree",
        transaction=Payment.sale,
        amount=minor(Payment.cents),
    ),
    customers=Customers(key=User.id, name=User.name),
)


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="tiny",
        SQLALCHEMY_DATABASE_URI=os.environ["DATABASE_URL"],
        REFUNDS_REDIS_URL=None,
        REFUNDS_BRAINTREE_URL=os.environ["BRAINTREE_URL"],
        REFUNDS_BRAINTREE_MERCHANT_ID="integration_merchant_id",
        REFUNDS_BRAINTREE_PUBLIC_KEY="integration_public_key",
        REFUNDS_BRAINTREE_PRIVATE_KEY="integration_private_key",
    )
    db.init_app(app)
    admin = Admin(app)
    admin.add_view(ModelView(User, db, endpoint="user"))
    admin.add_view(ModelView(Order, db, endpoint="order"))
    refunds = Refunds(
        storefront,
        policy=AdminAccessPolicy(actor=lambda: Actor(id="1", label="the owner")),
        gateways={"braintree": BraintreeGateway.from_config},
    )
    refunds.init_app(app, db=db, admin=admin)
    return app
