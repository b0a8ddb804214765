"""A bakery that keeps dollars as Floats, with a discount on the order and shipping.

Its admin is behind HTTP Basic authentication, without a user object; a strict
Content-Security-Policy allows nothing inline and nothing of others. The order holds its payment.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.datastructures import Authorization

from tests.hosts.float_money.admin import create_admin
from tests.hosts.float_money.models import Customer, Item, Order, db
from tests.hosts.float_money.wiring import install
from tests.hosts.zoo import Host, Sold, SoldLine, Till

POLICY = "default-src 'self'"
CLERK = Authorization("basic", {"username": "bea", "password": "flour"})


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the shop with refunds in its admin."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="bakery", **settings)
    db.init_app(app)

    @app.before_request
    def ask_who_it_is() -> Response | None:
        if not request.path.startswith("/admin/") or request.authorization == CLERK:
            return None
        return Response("Who are you?", 401, {"WWW-Authenticate": "Basic"})

    @app.after_request
    def allow_nothing_inline(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    install(app, create_admin(app))
    return app


def sell(app: Flask, till: Till) -> Sold:
    """Sell three rolls of 4.10 and a cake, 4.01 off, and deliver them."""
    sale = till.charge(4109)
    db.session.add(Customer(id=1, name="Ada <Lovelace>"))
    db.session.flush()
    db.session.add(
        Order(
            id=3,
            customer_id=1,
            ordered_at=till.now.replace(tzinfo=None),
            status="delivered",
            discount=4.01,
            shipping=4.95,
            total=3 * 4.1 + 27.85 - 4.01 + 4.95,
            braintree_id=sale,
        )
    )
    db.session.flush()
    db.session.add(Item(id=1, order_id=3, name="Roll", quantity=3, price=4.1))
    db.session.add(Item(id=2, order_id=3, name="Cake", quantity=1, price=27.85))
    db.session.commit()
    return Sold(
        order_ref="3",
        number="3",
        customer="Ada <Lovelace>",
        paid=4109,
        lines=[
            SoldLine(ref="1", name="Roll", left=1230 - 123, quantity=3),
            SoldLine(ref="2", name="Cake", left=2785 - 278, quantity=1),
            SoldLine(ref="shipping", name="Delivery", left=495, kind="row"),
        ],
        sales={sale: 4109},
    )


HOST = Host(
    create_app=create_app,
    sell=sell,
    databases=("sqlite", "mariadb"),
    users="/admin/customer/",
    headers={"Authorization": CLERK.to_header()},
    actor="bea",
    csp=True,
)
