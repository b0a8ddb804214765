"""An outfitter in New York: sales tax is worked out on the whole order, shipping included.

Integer cents; lines and shipping are kept without tax. Its days are New York's.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from tests.hosts.sales_tax.admin import create_admin
from tests.hosts.sales_tax.models import Customer, Item, Order, Payment, db
from tests.hosts.sales_tax.wiring import install
from tests.hosts.zoo import Host, Sold, SoldLine, Till


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the shop with refunds in its admin."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="outfitter", REFUNDS_TIMEZONE="America/New_York", **settings)
    db.init_app(app)
    install(app, create_admin(app))
    return app


def sell(app: Flask, till: Till) -> Sold:
    """Sell two tents and a stove, ship them, and add 8.875 % on everything."""
    sale = till.charge(7386)
    db.session.add(Customer(id=12, name="Ada Lovelace", email="ada@example.com"))
    db.session.flush()
    db.session.add(
        Order(
            id=1001,
            customer_id=12,
            placed_at=till.now,
            status="paid",
            shipping_cents=795,
            sales_tax_cents=602,
            total_cents=7386,
        )
    )
    db.session.flush()
    tent = Item(order_id=1001, no=1, sku="TENT", name="Tent", quantity=2, unit_cents=2495)
    stove = Item(order_id=1001, no=2, sku="STOVE", name="Stove", quantity=1, unit_cents=999)
    card = Payment(order_id=1001, amount_cents=7386, braintree_id=sale, state="submitted")
    db.session.add_all([tent, stove, card])
    db.session.commit()
    return Sold(
        order_ref="1001",
        number="NY-1001",
        customer="Ada Lovelace",
        paid=7386,
        lines=[
            SoldLine(ref=str(tent.id), name="Tent", left=4990 + 443, tax=443, quantity=2),
            SoldLine(ref=str(stove.id), name="Stove", left=999 + 89, tax=89, quantity=1),
            SoldLine(ref="shipping", name="Shipping", left=795 + 70, tax=70, kind="row"),
        ],
        sales={sale: 7386},
    )


HOST = Host(
    create_app=create_app,
    sell=sell,
    databases=("postgresql",),
    users="/admin/customer/",
    headers={"X-House": "yes"},
)
