"""A depot with composite line keys, soft deletion, a second bind and a schema of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from sqlalchemy import event, make_url

from tests.hosts.schema_binds.admin import make_admin
from tests.hosts.schema_binds.models import SCHEMA, Client, Order, Payment, Position, db
from tests.hosts.schema_binds.wiring import install
from tests.hosts.zoo import Host, Sold, SoldLine, Till

BIND = "trade"


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Return the depot with refunds in its admin."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="depot", **settings)
    binds = settings["SQLALCHEMY_BINDS"]
    url = make_url(binds[BIND])
    options = {}
    if url.get_backend_name() in {"mysql", "mariadb"}:  # the database is the schema
        options["execution_options"] = {"schema_translate_map": {SCHEMA: None}}
    app.config["SQLALCHEMY_BINDS"] = {**binds, BIND: {"url": url, **options}}
    db.init_app(app)
    if url.get_backend_name() == "sqlite":
        attach(app, f"{url.database}.{SCHEMA}")
    install(app, make_admin(app))
    return app


def attach(app: Flask, path: str) -> None:
    """Have the schema in a file of its own, attached to each connection."""

    def attach_schema(connection: Any, _record: Any) -> None:
        connection.execute(f"ATTACH DATABASE ? AS {SCHEMA}", (path,))

    with app.app_context():
        event.listen(db.engines[BIND], "connect", attach_schema)


def sell(app: Flask, till: Till) -> Sold:
    """Sell three positions, one of which was then deleted, and an order that was deleted whole."""
    gone = datetime.now(UTC)
    sale = till.charge(9050, "EUR")
    db.session.add_all(
        [
            Client(id=12, firm="Brick & Sons", email="brick@example.com"),
            Order(number="D-7", client_id=12, currency="EUR", cents=9050),
            Order(number="D-8", client_id=12, currency="EUR", cents=100, deleted_at=gone),
        ]
    )
    db.session.flush()
    for number, place, article, title, pieces, cents, deleted in (
        ("D-7", 1, "BRK", "Bricks", 100, 8000, None),
        ("D-7", 2, "MRT", "Mortar", 2, 2222, gone),
        ("D-7", 10, "TRW", "Trowel", 1, 1050, None),
        ("D-8", 1, "BRK", "Bricks", 1, 100, None),
    ):
        position = Position(order_number=number, place=place, pieces=pieces, cents=cents)
        position.article, position.title, position.deleted_at = article, title, deleted
        db.session.add(position)
    card, mistyped = Payment(provider="braintree", sale=sale), Payment(deleted_at=gone)
    for payment in card, mistyped:
        payment.order_number, payment.cents = "D-7", 9050
        db.session.add(payment)
    db.session.commit()
    return Sold(
        order_ref="D-7",
        number="D-7",
        customer="Brick & Sons",
        paid=9050,
        currency="EUR",
        lines=[
            SoldLine(ref='["D-7","1"]', name="Bricks", left=8000, quantity=100),
            SoldLine(ref='["D-7","10"]', name="Trowel", left=1050, quantity=1),
        ],
        sales={sale: 9050},
    )


HOST = Host(
    create_app=create_app,
    sell=sell,
    databases=("sqlite", "postgresql", "mariadb"),
    users="/admin/client/",
    headers={"X-Remote-User": "dora"},
    binds=(BIND,),
    actor="dora",
)
