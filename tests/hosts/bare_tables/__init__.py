"""A bazaar without foreign keys or relationships, whose totals are properties and times local.

Its admin registers every mapped class that there is.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import Flask

from tests.hosts.bare_tables.admin import make_admin
from tests.hosts.bare_tables.models import ZONE, Member, Purchase, Receipt, Thing, db
from tests.hosts.bare_tables.wiring import install
from tests.hosts.zoo import Host, Sold, SoldLine, Till


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the bazaar with refunds in its admin."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="bazaar", REFUNDS_TIMEZONE=ZONE, **settings)
    db.init_app(app)
    install(app, make_admin(app))
    return app


def sell(app: Flask, till: Till) -> Sold:
    """Sell two things with postage, most of it by card and the rest for cash."""
    sale = till.charge(4000, "EUR")
    db.session.add_all(
        [
            Member(id=3, name="Berta Buyer", email="berta@example.com"),
            Purchase(id=5, member_id=3, postage=Decimal("4.90")),
            Thing(
                id=51, purchase_id=5, sku="LMP", title="Lamp", pieces=1,
                price=Decimal("27.50"),
            ),
            Thing(
                id=52, purchase_id=5, sku="CUP", title="Cup", pieces=3,
                price=Decimal("4.20"),
            ),
            Receipt(purchase_id=5, means="card", card_sale=sale, amount=Decimal(40)),
            Receipt(purchase_id=5, means="cash", amount=Decimal(5)),
        ]
    )  # fmt: skip
    db.session.commit()
    return Sold(
        order_ref="5",
        number="5",
        customer="Berta Buyer",
        paid=4500,
        currency="EUR",
        lines=[
            SoldLine(ref="51", name="Lamp", left=2750, quantity=1),
            SoldLine(ref="52", name="Cup", left=1260, quantity=3),
            SoldLine(ref="postage", name="Postage", left=490, kind="row"),
        ],
        sales={sale: 4000},
    )


HOST = Host(
    create_app=create_app,
    sell=sell,
    databases=("sqlite", "mariadb"),
    users="/admin/member/",
    orders="/admin/purchase/",
    headers={"X-Bazaar": "yes"},
    actor="the bazaar",
)
