"""A small shop that takes cards through Stripe: integer cents, PaymentIntents, refunds by name."""

import json
import os
from collections.abc import Mapping
from typing import Any

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

db = SQLAlchemy()


class Client(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40))


class Purchase(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    client_id = db.Column(db.Integer)
    placed_at = db.Column(db.DateTime, server_default=db.func.now())
    cents = db.Column(db.Integer)
    intent = db.Column(db.String(40))


class Article(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    purchase_id = db.Column(db.Integer)
    name = db.Column(db.String(40))
    cents = db.Column(db.Integer)


STOREFRONT = Storefront(
    orders=Orders(
        key=Purchase.id,
        number=Purchase.id,
        customer=Purchase.client_id,
        placed_at=Purchase.placed_at,
        currency="USD",
        total=minor(Purchase.cents),
        paid=True,
    ),
    lines=Lines(
        key=Article.id,
        order=Article.purchase_id,
        description=Article.name,
        quantity=1,
        total=minor(Article.cents),
    ),
    payments=Payments(
        key=Purchase.id,
        order=Purchase.id,
        gateway="stripe",
        transaction=Purchase.intent,
        amount=minor(Purchase.cents),
    ),
    customers=Customers(key=Client.id, name=Client.name),
)


def made(config: Mapping[str, Any]) -> Flask:
    """Make the shop with these settings."""
    app = Flask(__name__)
    app.config.from_mapping(config, SECRET_KEY="striped", REFUNDS_REDIS_URL=None)
    db.init_app(app)
    admin = Admin(app)
    admin.add_view(ModelView(Client, db, endpoint="client"))
    admin.add_view(ModelView(Purchase, db, endpoint="purchase"))
    policy = AdminAccessPolicy(actor=lambda: Actor(id="1", label="the owner"))
    refunds = Refunds(STOREFRONT, policy=policy, gateways=["stripe"])
    refunds.init_app(app, db=db, admin=admin)
    return app


def create_app() -> Flask:
    """Make the shop of another process, from the environment."""
    return made(json.loads(os.environ["SHOP_CONFIG"]))


def sell(intent: str, *cents: int) -> Purchase:
    """Record what was sold, one article for each of *cents*; needs an application context."""
    bought = Purchase(client_id=1, cents=sum(cents), intent=intent)
    db.session.add(bought)
    db.session.flush()
    db.session.add_all(
        [Article(purchase_id=bought.id, name=f"Article {each}", cents=each) for each in cents]
    )
    db.session.commit()
    return bought
