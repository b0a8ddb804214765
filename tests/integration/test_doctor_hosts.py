"""``flask refunds doctor`` on shops that are as they should be, of any kind and size."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask_admin import Admin, BaseView, expose
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, event

from example_app import create_app, db
from example_app.config import settings
from example_app.database import utc_now
from example_app.refunding import refund_some
from example_app.seed import seed
from example_app.till import Till
from flask_refunds import Actor, AdminAccessPolicy, Refunds, migrating, minor
from flask_refunds.cli import refunds
from flask_refunds.doctor import Finding, Severity, examine
from flask_refunds.testing import Simulator
from tests.hosts import examined, tiny
from tests.hosts.trading import KINDS, Deal, Item, Pay, Trade


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def bad(found: tuple[Finding, ...]) -> list[str]:
    """Return errors and warnings in words, so that a failing test says all."""
    return [f"{each.code}: {each.example}" for each in found if each.severity is not Severity.NOTE]


def test_is_silent_on_the_seeded_example(database_url: str, gateway: Simulator) -> None:
    changes: dict[str, Any] = {
        "SECRET_KEY": "secret",
        "SQLALCHEMY_DATABASE_URI": database_url,
        "REFUNDS_REDIS_URL": None,
        "BRAINTREE_URL": gateway.url,
        **gateway.gateway_config(),
    }
    app = create_app(changes)
    with app.app_context():
        db.create_all()
        migrating.upgrade(db.engine)
        till = Till.from_config(app.config)
        seed(db.session(), now=utc_now(), till=till, orders=300, sales=10)
    refund_some(app, lambda _: None, count=10)
    run = app.test_cli_runner().invoke
    assert run(refunds, ["sweep"]).exit_code == 0

    result = run(refunds, ["doctor"])

    assert (result.exit_code, "warning" in result.output) == (0, False), result.output
    assert " of 3" in result.output  # it has looked


def test_of_the_tiny_shop_it_only_says_that_it_is_open_to_everybody(
    sqlite_url: str, gateway: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("BRAINTREE_URL", gateway.url)
    app = tiny.create_app()
    till = Till.from_config(settings({"BRAINTREE_URL": gateway.url, "DATABASE_URL": "sqlite://"}))
    assert till is not None
    with app.app_context():
        tiny.db.create_all()
        migrating.upgrade(tiny.db.engine)
        sale = till.charge(1250, "USD", "1", "4111111111111111")
        tiny.db.session.add_all(
            [
                tiny.User(id=1, name="Ada"),
                tiny.Order(id=1, user_id=1, cents=1250),
                tiny.Item(id=1, order_id=1, name="Mug", cents=1250),
                tiny.Payment(id=1, order_id=1, sale=sale, cents=1250),
            ]
        )
        tiny.db.session.commit()
    run = app.test_cli_runner().invoke
    assert run(refunds, ["sweep"]).exit_code == 0

    assert bad(examine(app)) == ["pages_open: GET /admin/refunds_desk/: status 200"]
    result = run(refunds, ["doctor", "--ignore", "pages_open"])
    assert result.exit_code == 0, result.output


class Base(BaseView):
    """The base view of a host whose tables are no classes."""

    @expose("/")
    def index(self) -> str:
        return "orders"

    def is_accessible(self) -> bool:
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_is_silent_on_hosts_that_keep_things_otherwise(sqlite_url: str, kind: str) -> None:
    trade, database = Trade(kind=KINDS[kind]), SQLAlchemy()
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="secret", SQLALCHEMY_DATABASE_URI=sqlite_url, REFUNDS_REDIS_URL=None
    )
    database.init_app(app)
    admin = Admin(app)
    base = Base(name="Shop", endpoint="shop")
    admin.add_view(base)
    policy = AdminAccessPolicy(actor=lambda: Actor(id="1", label="staff"))
    Refunds(trade.storefront(), policy=policy).init_app(
        app, db=database, admin=admin, base_view=base
    )
    ago = datetime.now(UTC) - timedelta(days=30)
    deals = [
        Deal(
            placed_at=ago + timedelta(hours=number),
            currency=currency,
            total=number * 200 + 500 - 30,
            items=[Item(sku="M", quantity=2, listed=number * 200, total=number * 200, tax=20)],
            pays=[Pay(amount=number * 200 + 500 - 30, sale=f"s{number}")],
            shipping=500,
            discount=30,
        )
        for number, currency in enumerate(["USD", "JPY", "KWD", "EUR"] * 70, start=1)
    ]
    with app.app_context():
        trade.metadata.create_all(database.engine)
        migrating.upgrade(database.engine)
        trade.store(database.engine, deals)

    found = examine(app, offline=True)

    assert bad(found) == []
    assert {each.code: each.count for each in found}["gateway_unknown"] == len(deals)


@pytest.mark.postgresql
@pytest.mark.mariadb
@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_finds_the_same_on_every_database(request: pytest.FixtureRequest, server: str) -> None:
    clinic = examined.Clinic(request.getfixturevalue(server))
    app = clinic.made(lines={"total": minor(examined.Item.piece)})
    with app.app_context():
        migrating.upgrade(examined.db.engine)
    examined.sell(app, 1, 2, order_user_id=9, payment_currency="EUR")
    examined.sell(app, 3, item_order_id=99)

    found = {each.code: (each.count, each.example) for each in examine(app, offline=True)}

    assert found["unit_price"] == (2, "order 2: 1100 and 2300 minor units of USD")
    assert found["order_without_lines"] == (1, "order 3")
    assert found["order_missing"] == (1, "key 3, of order 99")
    assert found["customer_missing"] == (2, "order 2")
    assert found["payment_currency"] == (2, "order 2, payment 20: EUR, USD")


FETCHED = Counter[str]()


class CountingCursor(sqlite3.Cursor):
    """A cursor that counts the rows that are taken from it."""

    def fetchall(self) -> list[Any]:
        rows = super().fetchall()
        FETCHED["rows"] += len(rows)
        return rows

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        rows = super().fetchmany(size)
        FETCHED["rows"] += len(rows)
        return rows

    def fetchone(self) -> Any:
        row = super().fetchone()
        FETCHED["rows"] += row is not None
        return row


class CountingConnection(sqlite3.Connection):
    def cursor(self, factory: Any = CountingCursor) -> Any:
        return super().cursor(factory)


def work_of(app: Flask, orders: int) -> tuple[int, int]:
    """Return how many statements and rows it takes to look at so many orders."""
    FETCHED.clear()

    def note(*_: Any) -> None:
        FETCHED["statements"] += 1

    event.listen(Engine, "before_cursor_execute", note)
    try:
        examine(app, orders=orders, offline=True)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return FETCHED["statements"], FETCHED["rows"]


def test_its_work_is_bounded_by_the_orders_it_looks_at(sqlite_url: str) -> None:
    app = examined.Clinic(sqlite_url).made(
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"factory": CountingConnection}}
    )
    with app.app_context():
        migrating.upgrade(examined.db.engine)
    examined.sell(app, *range(1, 1101))

    small, twice = work_of(app, 500), work_of(app, 1000)
    examined.sell(app, *range(1101, 3301))
    larger_shop = work_of(app, 500)

    assert larger_shop == small
    assert twice[0] - small[0] == 2 * 4  # of each 250: lines, payments, and the orders of both
    # Orders, lines, payments; the pointers of lines and payments; and what both point to.
    assert 0 < twice[1] - small[1] <= 500 * 7
    [sample] = [each for each in examine(app, orders=500, offline=True) if each.code == "sample"]
    assert "the newest 500 orders" in sample.what


def test_a_shop_that_is_looked_at_wholly_is_not_called_a_sample(sqlite_url: str) -> None:
    app = examined.Clinic(sqlite_url).made()
    with app.app_context():
        migrating.upgrade(examined.db.engine)
    examined.sell(app, 1, 2)

    assert examine(app, orders=2, offline=True) == ()
