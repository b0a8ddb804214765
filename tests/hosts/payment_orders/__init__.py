"""A box office without an order table: the payment is the order.

Integer cents; what a ticket costs is in a price list beside it. The public and the staff have an
Admin each, with endpoint prefixes; the staff's base template renders five blocks.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from tests.hosts.payment_orders.admin import create_admins
from tests.hosts.payment_orders.models import Member, Payment, Price, Show, Ticket, db
from tests.hosts.payment_orders.wiring import install
from tests.hosts.zoo import Host, Sold, SoldLine, Till


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the shop, with refunds in the staff's admin."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="box office", **settings)
    db.init_app(app)
    staff = create_admins(app)
    install(app, staff)
    return app


def sell(app: Flask, till: Till) -> Sold:
    """Sell two tickets of one price and one of another."""
    sale = till.charge(2 * 1850 + 999)
    db.session.add_all(
        [
            Member(id=7, full_name="Ada Lovelace", mail="ada@example.com"),
            Show(id=1, title="Hamlet"),
            Show(id=2, title="Matinée"),
            Price(show_id=1, category="stalls", cents=1850),
            Price(show_id=1, category="gallery", cents=900),
            Price(show_id=2, category="stalls", cents=999),
            Payment(
                id=41,
                member_id=7,
                taken_at=till.now.replace(tzinfo=None),
                state="settled",
                braintree_id=sale,
                amount_cents=4699,
            ),
            Ticket(id=101, payment_id=41, show_id=1, category="stalls", seats=2),
            Ticket(id=102, payment_id=41, show_id=2, category="stalls", seats=1),
        ]
    )
    db.session.commit()
    return Sold(
        order_ref="41",
        number="41",
        customer="Ada Lovelace",
        paid=4699,
        lines=[
            SoldLine(ref="101", name="Hamlet", left=3700, quantity=2),
            SoldLine(ref="102", name="Matinée", left=999, quantity=1),
        ],
        sales={sale: 4699},
    )


HOST = Host(
    create_app=create_app,
    sell=sell,
    admin="/staff",
    users="/staff/members/",
    orders="/staff/payments/",
    headers={"X-Staff": "yes"},
    actor="box office",
    without=["/members/payments/", "/members/shows/"],
)
