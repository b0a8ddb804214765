"""The depot: composite line keys, deletion that only marks, a schema, and a second bind."""

import json
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask_admin import Admin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, update

from flask_refunds import (
    AdminAccessPolicy,
    Lines,
    Orders,
    Refunds,
    Storefront,
    histories,
    minor,
)
from tests.hosts.schema_binds.models import SCHEMA, Order, Position, db
from tests.zoo.conftest import OpenShop
from tests.zoo.shop import OURS, Shop, tables, words_of

KINDS = [pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("sqlite", "postgresql")]


@pytest.fixture
def depot(open_shop: OpenShop) -> Shop:
    return open_shop("schema_binds")


def issue(depot: Shop, **wishes: str) -> None:
    """Issue a refund to the card of what the fields in *wishes* say."""
    url, form = depot.form()
    answer = depot.post(url, {**form.values, "to_card": "y", "reason": "returned", **wishes})
    assert answer.status_code == 303, answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_our_tables_are_beside_the_orders_and_not_among_them(
    open_shop: OpenShop, kind: str
) -> None:
    depot = open_shop("schema_binds", kind)
    with depot.app.app_context():
        found = tables(depot.app)
    ours = {(bind, schema) for bind, schema, name in found if name.startswith(OURS)}
    theirs = {(bind, schema) for bind, schema, name in found if name == Order.__tablename__}
    assert theirs == {("trade", SCHEMA)}
    assert ours == {("trade", "main" if kind == "sqlite" else "public")}


def test_a_refund_of_one_position_leaves_its_namesakes_alone(depot: Shop) -> None:
    issue(depot, **{"lines-1-quantity": "1", "lines-1-amount": "10.50"})
    depot.work()
    with depot.app.app_context():
        db.session.add(Order(number="D-9", client_id=12, currency="EUR", cents=500))
        db.session.flush()
        db.session.add(
            Position(
                order_number="D-9", place=10, article="TRW", title="Trowel", pieces=1, cents=500
            )
        )
        db.session.commit()

    history = depot.history()
    refunded, alone = (line_of(history, ref) for ref in ('["D-7","10"]', '["D-9","10"]'))
    assert "€10.50" in refunded
    assert "Completed" in refunded
    assert "Completed" not in alone


def test_an_order_that_is_marked_deleted_is_gone_for_us_too(depot: Shop) -> None:
    url, form = depot.form()
    assert "D-8" not in words_of(depot.history())
    mark_deleted(depot, Order)

    answer = depot.client.get(url, headers=depot.host.headers)
    assert answer.status_code == 404
    assert depot.post(url, {**form.values, "everything": "y", "to_card": "y"}).status_code == 404
    assert depot.refunds() == []


@pytest.mark.parametrize("model", [Order, Position])
def test_what_is_marked_deleted_while_its_refund_is_under_way_is_refunded_once(
    depot: Shop, model: type[Order] | type[Position]
) -> None:
    issue(depot, everything="y")
    mark_deleted(depot, model)
    depot.work()

    assert depot.refunds() == [(9050, "completed")]
    assert [depot.till.given_back(sale) for sale in depot.sold.sales] == [9050]
    depot.run("verify", "--gateway")
    assert "90.50 EUR to braintree," in depot.run("show", "1").output
    (refunded,) = json.loads(depot.run("list", "--json").output)
    assert refunded["status"] == "Completed"
    assert sum(cents(row["amount"]) for row in depot.csv("report")) == 9050


@pytest.mark.postgresql
def test_tables_that_flask_sqlalchemy_does_not_know_are_found_by_the_bind_key(
    open_shop: OpenShop,
) -> None:
    depot = open_shop("schema_binds", "postgresql")
    issue(depot, everything="y")
    metadata = MetaData(schema=SCHEMA)
    with depot.app.app_context():
        metadata.reflect(db.engines["trade"])
    known = ("SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_BINDS", "REFUNDS_REDIS_URL", "SECRET_KEY")
    app = Flask(__name__)
    app.config.from_mapping({name: depot.app.config[name] for name in known})
    app.config["REFUNDS_BIND_KEY"] = "trade"
    other = SQLAlchemy(app)
    refunds = Refunds(reflected(metadata), policy=AdminAccessPolicy())
    refunds.init_app(app, db=other, admin=Admin(app))

    with app.app_context():
        (order,) = histories.orders_now(app.extensions["refunds"].runtime, ["D-7"])
        other.engines["trade"].dispose()
        other.engine.dispose()
    assert (order.captured, order.balance) == (9050, 0)


def reflected(metadata: MetaData) -> Storefront:
    """Return the least mapping of the depot's tables as they were found in the database."""
    order, position = (metadata.tables[f"{SCHEMA}.{name}"].c for name in ("order", "position"))
    return Storefront(
        orders=Orders(
            key=order.number,
            number=order.number,
            placed_at=order.placed_at,
            currency=order.currency,
            total=minor(order.cents),
            paid=True,
        ),
        lines=Lines(
            key=(position.order_number, position.place),
            order=position.order_number,
            description=position.title,
            quantity=position.pieces,
            total=minor(position.cents),
            where=position.deleted_at.is_(None),
        ),
    )


def mark_deleted(depot: Shop, model: type[Order] | type[Position]) -> None:
    with depot.app.app_context():
        db.session.execute(update(model).values(deleted_at=datetime.now(UTC)))
        db.session.commit()


def line_of(history: str, ref: str) -> str:
    """Return the words of the row of one line."""
    (_, found) = history.split(f'data-line="line:{ref.replace(chr(34), "&#34;")}"')
    return words_of("<" + found.partition("</tr>")[0])


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))
