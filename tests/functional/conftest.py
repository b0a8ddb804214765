"""A small shop with refunds on SQLite, its gateway the simulator over HTTP."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from example_app import catalogue, create_app, db
from example_app.checkout import order, pay
from example_app.models import Order, Product, User
from example_app.till import CARDS, Till
from flask_refunds import Actor, RefundRequest, issuing, reconciling, wired
from flask_refunds.issuing import Issued
from flask_refunds.models import Base, Refund
from flask_refunds.runtime import Runtime
from flask_refunds.testing.simulator import Simulator, SimulatorClient

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC).replace(tzinfo=None)
VISA, MASTERCARD = "4111111111111111", "5555555555554444"


@dataclass
class Shop:
    """The seeded shop. ``orders`` has the order refs by the names that :func:`_stock` gives."""

    app: Flask
    simulator: SimulatorClient
    orders: dict[str, str] = field(default_factory=dict)
    sales: dict[str, list[str]] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> Runtime:
        """The services, for use inside ``with shop.app.app_context()``."""
        return wired.current().runtime

    def client(self, who: str | None = "admin") -> FlaskClient:
        """Return a client that is signed in as *who* (admin, support, viewer, ada), or not."""
        client = self.app.test_client()
        if who is not None:
            with client.session_transaction() as session:
                session["_user_id"], session["_fresh"] = self.people[who], True
        return client

    def work(self, rounds: int = 1) -> None:
        """Do what a worker would: so many rounds of the sweep."""
        with self.app.app_context():
            for _ in range(rounds):
                reconciling.sweep(self.runtime)

    def issue(self, name: str, token: str = "token", **request: Any) -> Issued:
        """Issue a refund on the order called *name* as the administrator."""
        with self.app.app_context():
            wanted = RefundRequest(
                order_ref=self.orders[name],
                token=f"{token}-{name}",
                **{"reason": "returned", **request},
            )
            return issuing.issue(self.runtime, wanted, Actor(id="1", label="Anna Admin"))

    def count(self, model: type[Base] = Refund) -> int:
        """Return how many rows of *model* there are."""
        with self.app.app_context(), self.runtime.sessions.open() as session:
            return session.scalar(select(func.count()).select_from(model)) or 0

    @contextmanager
    def queries(self) -> Iterator[list[str]]:
        """Yield a list that every SQL statement of the shop is added to."""
        seen: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        with self.app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        yield seen
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture(scope="session")
def _gateway() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(_gateway: Simulator) -> Iterator[Simulator]:
    """The running simulator of Braintree, with nothing in it yet."""
    yield _gateway
    _gateway.client.reset()


@pytest.fixture
def shop_settings() -> dict[str, Any]:
    """Settings that win over those of the shop; override this fixture to change one."""
    return {}


@pytest.fixture
def shop(sqlite_url: str, simulator: Simulator, shop_settings: Mapping[str, Any]) -> Iterator[Shop]:
    """The seeded shop with refunds and our tables, without a queue: :meth:`Shop.work` works."""
    app = create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "not a secret",
            "SQLALCHEMY_DATABASE_URI": sqlite_url,
            "REFUNDS_REDIS_URL": None,
            "REFUNDS_SALE_PAUSE": 0.001,
            "REFUNDS_SETTLE_INTERVAL": 0.001,
            "REFUNDS_RETRY_INTERVAL": 0.001,
            **simulator.gateway_config(),
            **shop_settings,
        }
    )
    made = Shop(app=app, simulator=simulator.client)
    with app.app_context():
        db.create_all()
        app.extensions[wired.KEY].extension.create_all()
        _stock(made, _till(simulator))
    yield made
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def admin(shop: Shop) -> FlaskClient:
    """A client that is signed in as the shop's administrator."""
    return shop.client("admin")


def fragment(client: FlaskClient, method: str, url: str, **options: Any) -> tuple[int, Any, str]:
    """Ask as our script does; return the status, the JSON (or ``None``) and the text."""
    answer = client.open(url, method=method, headers={"X-Requested-With": "refunds"}, **options)
    text = answer.get_data(as_text=True)
    return answer.status_code, json.loads(text) if answer.is_json else None, text


def _till(simulator: Simulator) -> Till:
    return Till(
        simulator.url,
        "integration_merchant_id",
        "integration_public_key",
        "integration_private_key",
    )


def _stock(shop: Shop, till: Till) -> None:
    products = {p.sku: p for p in catalogue.products()}
    staff = [User(name=n, email=f"{n}@example.com", role=n) for n in ("admin", "support", "viewer")]
    ada = User(name="Ada Lovelace", email="ada@example.com")
    bob = User(name="Bob <Builder>", email="bob@example.com")
    db.session.add_all([*staff, ada, bob, *products.values()])
    made: dict[str, Order] = {}

    def placed(name: str, days: int, *basket: tuple[str, int], **options: Any) -> Order:
        items: list[tuple[Product, int]] = [(products[sku], n) for sku, n in basket]
        options = {"currency": "USD", "status": "paid", "customer": ada, **options}
        made[name] = order(basket=items, placed_at=NOW - timedelta(days=days), **options)
        made[name].number = f"2026-{1000 + len(made):06d}"
        db.session.add(made[name])
        return made[name]

    def card(of: Order, amount: int, number: str = VISA) -> None:
        payment = pay(of, "card", amount, CARDS[number], gateway="braintree")
        payment.transaction_id = till.charge(amount, of.currency, of.number, number)

    plain = placed("plain", 9, ("BRAKE-PAD", 3), ("CHAIN-11", 1))
    card(plain, plain.total_cents)
    cards = placed("two_cards", 8, ("RAIN-JKT", 1), ("HELM-M", 2))
    card(cards, 10000)
    card(cards, cards.total_cents - 10000, MASTERCARD)
    discounted = placed("discounted", 7, ("HELM-M", 1), ("GLOVE-WIN", 1), discount=2000)
    card(discounted, discounted.total_cents)
    fresh = placed("unsettled", 6, ("PEDAL-FLT", 1), ("SOCK-WOOL", 2))
    card(fresh, fresh.total_cents)
    euros = placed("euros", 5, ("PANNIER-20", 2), currency="EUR")
    card(euros, euros.total_cents)
    cash = placed("cash", 4, ("SADDLE-LEA", 1))
    pay(cash, "cash", cash.total_cents, "Cash")
    bobs = placed("bobs", 3, ("LIGHT-SET", 1), customer=bob)
    card(bobs, bobs.total_cents)
    guest = {"customer": None, "guest": ("Grace Guest", "grace@example.net")}
    grace = placed("guest", 2, ("LIGHT-DYN", 1), **guest)
    card(grace, grace.total_cents)
    again = placed("guest_again", 1, ("REFLECT-4", 2), **guest)
    card(again, again.total_cents)
    unpaid = placed("unpaid", 0, ("STICKER", 1), status="pending")
    pay(unpaid, "card", unpaid.total_cents, CARDS[VISA], status="declined")
    lost = placed("lost", 10, ("CHAIN-11", 1))
    pay(lost, "card", lost.total_cents, CARDS[VISA], gateway="braintree")
    strange = placed("strange", 11, ("CHAIN-11", 1))
    pay(strange, "card", strange.total_cents, CARDS[VISA], gateway="elsewhere")
    db.session.commit()

    for name, row in made.items():
        shop.orders[name] = str(row.id)
        shop.sales[name] = [p.transaction_id for p in row.payments if p.transaction_id]
        if name != "unsettled":
            for sale in shop.sales[name]:
                till.settle(sale)
    shop.people = {u.name: str(u.id) for u in staff} | {"ada": str(ada.id), "bob": str(bob.id)}
    db.session.remove()
