"""A kiosk that sells to guests: no customers, and the order carries its card payment.

Its admin is open to everybody who is logged in and to a script's token, so that a policy of its
own says who may move money. It made refunds before us, in a class ``Refund``, table ``refund``.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.hosts.guest_orders.admin import make_admin
from tests.hosts.guest_orders.models import Order, OrderLine, Refund, db
from tests.hosts.guest_orders.wiring import install
from tests.hosts.zoo import Host, Sold, SoldLine, Till


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the kiosk with refunds in its admin."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="kiosk", **settings)
    db.init_app(app)
    install(app, make_admin(app))
    return app


def sell(app: Flask, till: Till) -> Sold:
    """Sell two things by card; the kiosk has given 5.00 back itself, and failed to give more."""
    sale = till.charge(4200)
    order = Order(
        number="K-1", name="Gus Guest", email="gus@example.com", status="paid", total_cents=4200,
        sale_id=sale, card="Visa 1111",
    )  # fmt: skip
    umbrella = OrderLine(order=order, sku="UMB", title="Umbrella", pieces=1, cents=3000)
    papers = OrderLine(order=order, sku="NEWS", title="Newspaper", pieces=4, cents=1200)
    db.session.add_all([order, umbrella, papers])
    db.session.flush()
    db.session.add_all(
        [
            Refund(order=order, line_id=papers.id, cents=500),
            Refund(order=order, cents=700, state="refused"),
        ]
    )
    db.session.commit()
    return Sold(
        order_ref=str(order.id),
        number="K-1",
        customer="Gus Guest",
        paid=4200,
        lines=[
            SoldLine(ref=str(umbrella.id), name="Umbrella", left=3000, quantity=1),
            SoldLine(ref=str(papers.id), name="Newspaper", left=700, quantity=3),
        ],
        sales={sale: 4200},
        prior=500,
    )


def sign_in(client: FlaskClient) -> None:
    """Sign the owner in."""
    log_in(client, "1")


def log_in(client: FlaskClient, staff: str) -> None:
    """Sign in who has this number among the staff."""
    with client.session_transaction() as session:
        session["staff"] = staff


HOST = Host(
    create_app=create_app,
    sell=sell,
    databases=("sqlite", "postgresql", "mariadb"),
    users=None,
    sign_in=sign_in,
    actor="Olga Owner",
)
