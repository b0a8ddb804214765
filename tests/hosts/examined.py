"""A healthy shop that a test may spoil: its mapping, its rows, its admin or its settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask, request
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy

from flask_refunds import (
    Actor,
    AdminAccessPolicy,
    Charge,
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
    email = db.Column(db.String(80))


class Order(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    number = db.Column(db.String(20))
    shop = db.Column(db.Integer)
    weight = db.Column(db.Double)
    user_id = db.Column(db.Integer)
    placed_at = db.Column(db.DateTime)
    currency = db.Column(db.String(40))
    cents = db.Column(db.Integer)
    dollars = db.Column(db.Numeric(12, 2))
    discount = db.Column(db.Integer)
    paid = db.Column(db.Boolean)


class Item(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    name = db.Column(db.String(40))
    quantity = db.Column(db.Integer)
    piece = db.Column(db.Integer)
    cents = db.Column(db.Integer)
    net = db.Column(db.Integer)
    tax = db.Column(db.Integer)


class Payment(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    gateway = db.Column(db.String(40))
    sale = db.Column(db.String(40))
    cents = db.Column(db.Integer)
    currency = db.Column(db.String(40))
    captured = db.Column(db.Boolean)


class StaffView(ModelView):
    """A view for staff, who say so in a header."""

    def is_accessible(self) -> bool:
        return request.headers.get("X-Staff") == "yes"


def storefront(
    orders: Mapping[str, Any], lines: Mapping[str, Any], payments: Mapping[str, Any], **rest: Any
) -> Storefront:
    """Return the right mapping of the shop, but for what is given."""
    return Storefront(
        orders=Orders(
            **{
                "key": Order.id,
                "number": Order.number,
                "customer": Order.user_id,
                "placed_at": Order.placed_at,
                "currency": Order.currency,
                "total": minor(Order.cents),
                "paid": Order.paid,
                "charges": [Charge(name="discount", kind="spread", amount=minor(Order.discount))],
                **orders,
            }
        ),
        lines=Lines(
            **{
                "key": Item.id,
                "order": Item.order_id,
                "description": Item.name,
                "quantity": Item.quantity,
                "total": minor(Item.cents),
                "tax": minor(Item.tax),
                **lines,
            }
        ),
        payments=Payments(
            **{
                "key": Payment.id,
                "order": Payment.order_id,
                "gateway": Payment.gateway,
                "transaction": Payment.sale,
                "amount": minor(Payment.cents),
                "currency": Payment.currency,
                "captured": Payment.captured,
                **payments,
            }
        ),
        customers=Customers(key=User.id, name=User.name, email=User.email),
        **rest,
    )


@dataclass
class Clinic:
    """Makes the shop on one database, and sells in it."""

    url: str
    settings: dict[str, Any] = field(default_factory=dict)

    def made(
        self,
        *,
        orders: Mapping[str, Any] | None = None,
        lines: Mapping[str, Any] | None = None,
        payments: Mapping[str, Any] | None = None,
        mapping: Mapping[str, Any] | None = None,
        views: tuple[type | None, type | None] = (StaffView, StaffView),
        before: Callable[[Flask], object] = lambda _: None,
        **settings: Any,
    ) -> Flask:
        """Return the shop, spoilt as the arguments say; our tables are the caller's.

        *views* are the classes of the admin's views of users and orders; *before* is called with
        the application before refunds are wired.
        """
        app = Flask(__name__)
        app.config.from_mapping(
            {
                "SECRET_KEY": "secret",
                "SQLALCHEMY_DATABASE_URI": self.url,
                "REFUNDS_REDIS_URL": None,
                "REFUNDS_BRAINTREE_ENVIRONMENT": "sandbox",
                "REFUNDS_BRAINTREE_MERCHANT_ID": "m",
                "REFUNDS_BRAINTREE_PUBLIC_KEY": "p",
                "REFUNDS_BRAINTREE_PRIVATE_KEY": "k",
                **self.settings,
                **settings,
            }
        )
        db.init_app(app)
        before(app)
        admin = Admin(app)
        for model, view in zip((User, Order), views, strict=True):
            if view is not None:
                admin.add_view(view(model, db, endpoint=model.__name__.lower()))
        refunds = Refunds(
            storefront(orders or {}, lines or {}, payments or {}, **(mapping or {})),
            policy=AdminAccessPolicy(actor=lambda: Actor(id="1", label="staff")),
            gateways={"braintree": BraintreeGateway.from_config},
        )
        refunds.init_app(app, db=db, admin=admin)
        with app.app_context():
            db.create_all()
            if not db.session.get(User, 1):
                db.session.add(User(id=1, name="Ada", email="ada@example.com"))
                db.session.commit()
        return app


def sell(app: Flask, *numbers: int, pays: int = 1, **facts: Any) -> None:
    """Sell an order of two mugs under each of *numbers*; *facts* change columns of its rows.

    They are named ``order_currency``, ``item_cents`` or ``payment_sale``.
    """

    def changed(table: str, **values: Any) -> dict[str, Any]:
        prefix = f"{table}_"
        given = {
            name.removeprefix(prefix): v for name, v in facts.items() if name.startswith(prefix)
        }
        return {**values, **given}

    now = datetime.now(UTC).replace(tzinfo=None)
    rows: list[Any] = []
    for number in numbers:
        rows.append(
            Order(
                **changed(
                    "order", id=number, number=f"N{number}", shop=1, weight=number + 0.1,
                    user_id=1, placed_at=now - timedelta(days=1), currency="USD", cents=2300,
                    dollars=Decimal("23.45"), discount=100, paid=True,
                )
            )
        )  # fmt: skip
        rows.append(
            Item(
                **changed(
                    "item", id=number, order_id=number, name="Mug", quantity=2, piece=1200,
                    cents=2400, net=2000, tax=400,
                )
            )
        )  # fmt: skip
        rows += [
            Payment(
                **changed(
                    "payment", id=10 * number + each, order_id=number, gateway="braintree",
                    sale=f"s{number}-{each}", cents=2300 // pays, currency="USD", captured=True,
                )
            )
            for each in range(pays)
        ]  # fmt: skip
    with app.app_context():
        db.session.add_all(rows)
        db.session.commit()
