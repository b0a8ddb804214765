"""A furniture shop whose keys are UUIDs, with several payments to an order.

Lines point to the order's number, not to its key; the gateway's id is inside a JSON column; money
is decimal; the staff signs in by Flask-Login.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from tests.hosts.uuid_keys.admin import create_admin, login
from tests.hosts.uuid_keys.models import Customer, Line, Order, Payment, db
from tests.hosts.uuid_keys.wiring import install
from tests.hosts.zoo import Host, Sold, SoldLine, Till

ADA = UUID("a1a1a1a1-0000-4000-8000-000000000001")
ORDER = UUID("0d0d0d0d-0000-4000-8000-000000000002")
LAMP, CHAIR = (UUID(int=number) for number in (0xA0, 0xB0))


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the shop with refunds in its admin."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="furniture", **settings)
    db.init_app(app)
    login.init_app(app)
    install(app, create_admin(app))
    return app


def sell(app: Flask, till: Till) -> Sold:
    """Sell three lamps and a chair, paid with two cards and a gift voucher."""
    visa, mastercard = till.charge(10000, "EUR"), till.charge(6000, "EUR")
    number = "F-2026/0007"
    db.session.add(Customer(id=ADA, name="Ada Lovelace", email="ada@example.com"))
    db.session.flush()
    db.session.add(
        Order(
            id=ORDER,
            number=number,
            customer_id=ADA,
            placed_at=till.now,
            currency="EUR",
            shipping=Decimal("8.90"),
            shipping_tax=Decimal("1.42"),
            total=Decimal("189.37"),
            is_paid=True,
        )
    )
    db.session.flush()
    for line, title, pieces, gross, vat in [
        (LAMP, "Lamp", 3, "59.97", "9.57"),
        (CHAIR, "Chair", 1, "120.50", "19.24"),
    ]:
        money = {"gross": Decimal(gross), "vat": Decimal(vat)}
        db.session.add(Line(id=line, order_number=number, title=title, pieces=pieces, **money))
    for amount, kind, details in [
        ("100.00", "card", {"braintree": {"id": visa, "type": "sale"}}),
        ("60.00", "card", {"braintree": {"id": mastercard, "type": "sale"}}),
        ("29.37", "voucher", {"code": "BIRTHDAY"}),
    ]:
        paid = Decimal(amount)
        db.session.add(Payment(order_id=ORDER, kind=kind, amount=paid, details=details))
    db.session.commit()
    return Sold(
        order_ref=str(ORDER),
        number=number,
        customer="Ada Lovelace",
        currency="EUR",
        paid=18937,
        lines=[
            SoldLine(ref=str(LAMP), name="Lamp", left=5997, tax=957, quantity=3),
            SoldLine(ref=str(CHAIR), name="Chair", left=12050, tax=1924, quantity=1),
            SoldLine(ref="shipping", name="Shipping", left=890, tax=142, kind="row"),
        ],
        sales={visa: 10000, mastercard: 6000},
    )


def sign_in(client: FlaskClient) -> None:
    """Sign the staff in, as Flask-Login remembers it."""
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = "7", True


HOST = Host(
    create_app=create_app,
    sell=sell,
    databases=("sqlite", "postgresql", "mariadb"),
    users="/admin/customer/",
    sign_in=sign_in,
    actor="clerk@example.com",
)
