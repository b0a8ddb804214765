"""A shop whose worker runs in another process: what the tests of the worker stand on."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import func, select

from example_app import db
from example_app.models import Order, OrderItem, Payment
from example_app.till import Till
from flask_refunds import Actor, RefundRequest, issuing, migrating
from flask_refunds.issuing import Issued
from flask_refunds.models import Account, Attempt, Event, Posting, Transfer
from flask_refunds.planning import Selection
from flask_refunds.runtime import Runtime, utc_now
from flask_refunds.states import Detail, TransferState
from flask_refunds.testing import Simulator
from tests.integration import crash_app

Seen = TypeVar("Seen")

APP = "tests.integration.crash_app:create_app"
AGENT = Actor(id="1", label="agent@example.com")
VISA = "4111111111111111"

QUICK = {
    "REFUNDS_GATEWAY_TIMEOUT": 1.5,
    "REFUNDS_LATE_WINDOW": 1.0,
    "REFUNDS_LEASE": 4.0,
    "REFUNDS_SALE_PAUSE": 0.5,
    "REFUNDS_SWEEP_INTERVAL": 1.0,
    "REFUNDS_SETTLE_INTERVAL": 1.0,
    "REFUNDS_RETRY_INTERVAL": 0.5,
}


PATIENT: dict[str, Any] = {"REFUNDS_GATEWAY_TIMEOUT": 30, "REFUNDS_LEASE": 120}
"""For tests that are not about time: a busy machine must not make an outcome unknown."""


def until(look: Callable[[], Seen], *, seconds: float = 20.0) -> Seen:
    """Return what *look* sees as soon as that is something."""
    ends = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < ends, f"still {seen!r}"
        time.sleep(0.05)
    return seen


PRODUCTION: dict[str, Any] = {
    "REFUNDS_GATEWAY_TIMEOUT": 60,
    "REFUNDS_LATE_WINDOW": None,
    "REFUNDS_LEASE": 0,
    "REFUNDS_SALE_PAUSE": 5,
    "REFUNDS_SETTLE_INTERVAL": 900,
    "REFUNDS_RETRY_INTERVAL": 30,
}
"""For tests that move our clock instead of waiting."""


class Clock:
    """The time, which a test may move on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Workshop:
    """The shop in this process, its simulator, and the environment of its other processes."""

    def __init__(
        self, simulator: Simulator, database_url: str, redis_url: str | None, **changes: Any
    ) -> None:
        self.simulator, self.gateway = simulator, simulator.client
        self.settings: dict[str, Any] = {
            **QUICK,
            **simulator.gateway_config(),
            "BRAINTREE_URL": simulator.url,
            "SQLALCHEMY_DATABASE_URI": database_url,
            "REFUNDS_REDIS_URL": redis_url,
            "SECRET_KEY": "test",
            **changes,
        }
        self.app: Flask = crash_app.made(self.settings)
        self.runtime: Runtime = self.app.extensions["refunds"].runtime
        self._till = Till.from_config(self.app.config)
        self._numbers = itertools.count(1)
        with self.app.app_context():
            db.create_all()
            migrating.upgrade(self.runtime.sessions.engine)

    def env(self, **changes: Any) -> dict[str, str]:
        """Return the environment of another process of this shop; settings may be changed."""
        return {"SHOP_CONFIG": json.dumps({**self.settings, **changes}), "FLASK_APP": APP}

    def sell(self, *cents: int, settled: bool = True) -> tuple[str, list[str]]:
        """Sell one item of as much as the card payments of *cents* together.

        Returns the order's reference and the ids of the sales at the gateway.
        """
        number, total = str(next(self._numbers)), sum(cents)
        assert self._till is not None
        sales = [self._till.charge(each, "USD", number, VISA) for each in cents]
        if settled:
            for sale in sales:
                self.gateway.settle(sale)
        with self.app.app_context():
            order = Order(number=number, currency="USD", status="paid", total_cents=total)
            item = {"sku": "MUG", "name": "Mug", "quantity": 1, "tax_cents": 0}
            prices = ("unit_price_cents", "list_cents", "total_cents")
            order.items = [OrderItem(**item, **dict.fromkeys(prices, total))]
            order.payments = [
                Payment(
                    kind="card",
                    gateway="braintree",
                    transaction_id=sale,
                    amount_cents=each,
                    currency="USD",
                    card_label="Visa •••• 1111",
                )
                for sale, each in zip(sales, cents, strict=True)
            ]
            db.session.add(order)
            db.session.commit()
            return str(order.id), sales

    def issue(self, order_ref: str, cents: int | None = None, token: str | None = None) -> Issued:
        """Refund *cents* of the order's item to the card, or everything."""
        request = RefundRequest(
            order_ref=order_ref,
            token=token or f"token-{next(self._numbers)}",
            reason="returned",
            everything=cents is None,
            selections=(Selection(kind="line", ref=self._line(order_ref), paid=cents),)
            if cents is not None
            else (),
            to_card=True,
        )
        with self.app.app_context():
            return issuing.issue(self.runtime, request, AGENT)

    def refund_of(self, *cents: int, settled: bool = True, part: int | None = None) -> "Ticket":
        """Sell, issue a refund of all (or of *part*), and return what came of it."""
        order_ref, sales = self.sell(*cents, settled=settled)
        issued = self.issue(order_ref, part)
        return Ticket(self, order_ref, sales[0], issued)

    def do(self, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run a service with our runtime, in an application context."""
        with self.app.app_context():
            return work(self.runtime, *args, **options)

    def transfer(self, transfer_id: int) -> Transfer:
        """Return the transfer as it is now."""
        transfer: Transfer = self.do(
            lambda runtime: runtime.sessions.read(lambda s: s.get_one(Transfer, transfer_id))
        )
        return transfer

    def rows(self, query: Any) -> list[Any]:
        """Return the rows of a query."""
        rows: list[Any] = self.do(
            lambda runtime: runtime.sessions.read(lambda s: s.scalars(query).all())
        )
        return rows

    def wait(self, transfer_id: int, wanted: TransferState, *, seconds: float = 20.0) -> Transfer:
        """Return the transfer as soon as it is in the *wanted* state."""
        until = time.monotonic() + seconds
        while (transfer := self.transfer(transfer_id)).state != wanted:
            seen = f"{transfer.state} {transfer.detail} {transfer.failure_message}"
            assert time.monotonic() < until, f"transfer {transfer_id} is still {seen}"
            time.sleep(0.05)
        return transfer

    def _line(self, order_ref: str) -> str:
        with self.app.app_context():
            item = db.session.scalars(
                select(OrderItem.id).where(OrderItem.order_id == int(order_ref))
            ).one()
            return str(item)

    def dispose(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            db.engine.dispose()


class Ticket:
    """One refund of one transfer that a test follows."""

    def __init__(self, shop: Workshop, order_ref: str, sale: str, issued: Issued) -> None:
        self._shop, self.order_ref, self.sale, self.issued = shop, order_ref, sale, issued
        self.id = issued.transfer_ids[0]

    @property
    def now(self) -> Transfer:
        """The transfer as it is."""
        return self._shop.transfer(self.id)

    def wait(self, state: TransferState = TransferState.COMPLETED, **options: Any) -> Transfer:
        """Wait for the state."""
        return self._shop.wait(self.id, state, **options)

    def wait_detail(self, detail: Detail, *, seconds: float = 15.0) -> Transfer:
        """Wait for the detail."""
        until = time.monotonic() + seconds
        while (transfer := self.now).detail != detail:
            assert time.monotonic() < until, f"still {transfer.state} {transfer.detail!r}"
            time.sleep(0.05)
        return transfer

    @property
    def audit(self) -> dict[str, Any]:
        """What the gateway's own books say about the sale."""
        return self._shop.gateway.sale(self.sale)

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts, oldest first."""
        return self._shop.rows(
            select(Attempt).where(Attempt.transfer_id == self.id).order_by(Attempt.id)
        )

    @property
    def events(self) -> list[str]:
        """The actions of the audit trail, oldest first."""
        return self._shop.rows(
            select(Event.action).where(Event.transfer_id == self.id).order_by(Event.id)
        )

    def given_back_once(self) -> None:
        """Assert that gateway, ledger and account agree that the money went back, once."""
        transfer, audit = self.now, self.audit
        assert transfer.state == TransferState.COMPLETED, (transfer.state, transfer.detail)
        assert audit["total_given_back"] == transfer.amount, audit
        assert len(audit["refunds"]) + audit["voided"] == 1, audit
        ids = {audit["id"]} if audit["voided"] else {each["id"] for each in audit["refunds"]}
        assert {transfer.gateway_refund_id} == ids
        posted = self._shop.rows(
            select(func.sum(Posting.paid)).where(Posting.transfer_id == self.id)
        )
        assert int(posted[0]) == transfer.amount
        (account,) = self._shop.rows(select(Account).where(Account.order_ref == self.order_ref))
        assert account.committed == transfer.amount


@contextmanager
def opened(database_url: str, redis_url: str | None = None, **changes: Any) -> Iterator[Workshop]:
    """Yield a shop on *database_url* with a simulator of its own; settings may be changed."""
    with TemporaryDirectory() as folder, Simulator(Path(folder, "gateway")) as simulator:
        shop = Workshop(simulator, database_url, redis_url, **changes)
        yield shop
        shop.dispose()
