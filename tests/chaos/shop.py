"""The shop of a chaos run, as this process has it: it sells, and issues refunds like its staff."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import inspect, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from example_app import db
from example_app.models import Order, OrderItem, Payment
from example_app.till import Till
from flask_refunds import Actor, RefundRequest, Selection, issuing, migrating
from flask_refunds.errors import Busy, Refusal
from flask_refunds.models import Gateway, Transfer
from flask_refunds.runtime import Runtime
from tests.chaos.schedule import Ask, Basket
from tests.integration import crash_app

STAFF = Actor(id="1", label="agent@example.com")
VISA = "4111111111111111"
PATIENCE = 30.0
"""Seconds for which the staff press the button again when the database is not there."""

T = TypeVar("T")


class NotEmpty(Exception):
    """The database has refunds already: a run must not meet those of others."""


@dataclass(frozen=True, kw_only=True)
class Sold:
    """An order, its one line, and its sales at the gateway."""

    order_ref: str
    line_ref: str
    sales: tuple[str, ...]


class Shop:
    """The example shop with *settings*, its tables made on an empty database."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.app: Flask = crash_app.made(settings)
        self.runtime: Runtime = self.app.extensions["refunds"].runtime
        till = Till.from_config(self.app.config)
        assert till is not None
        self._till, self._numbers = till, itertools.count(1)
        with self.app.app_context():
            if inspect(db.engine).has_table("refunds_refund"):
                raise NotEmpty("The database is not empty; DATABASE_URL must name a new one.")
            db.create_all()
            migrating.upgrade(self.runtime.sessions.engine)

    def dispose(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            db.engine.dispose()

    @contextmanager
    def context(self) -> Iterator[Runtime]:
        """Yield the runtime inside an application context."""
        with self.app.app_context():
            yield self.runtime

    def read(self, work: Callable[[Session], T]) -> T:
        """Return what *work* reads."""
        with self.context() as runtime:
            return runtime.sessions.read(work)

    def sell(self, basket: Basket) -> Sold:
        """Sell one thing for as much as the card payments of *basket* together."""
        number, total = str(next(self._numbers)), sum(basket.cards)
        sales = [self._till.charge(cents, "USD", number, VISA) for cents in basket.cards]
        with self.app.app_context():
            order = Order(number=number, currency="USD", status="paid", total_cents=total)
            item = {"sku": "MUG", "name": "Mug", "quantity": 1, "tax_cents": total // 6}
            prices = ("unit_price_cents", "list_cents", "total_cents")
            order.items = [OrderItem(**item, **dict.fromkeys(prices, total))]
            order.payments = [
                Payment(
                    kind="card",
                    gateway="braintree",
                    transaction_id=sale,
                    amount_cents=cents,
                    currency="USD",
                    card_label="Visa •••• 1111",
                )
                for sale, cents in zip(sales, basket.cards, strict=True)
            ]
            db.session.add(order)
            db.session.commit()
            line = db.session.scalars(
                select(OrderItem.id).where(OrderItem.order_id == order.id)
            ).one()
            return Sold(order_ref=str(order.id), line_ref=str(line), sales=tuple(sales))

    def hasten(self, seconds: float) -> None:
        """Let nothing wait longer than *seconds*, as if the hours of waiting had passed.

        Only a time that is set is moved: what has none must be picked up all the same.
        """

        def work(session: Session) -> None:
            soon = datetime.now(UTC) + timedelta(seconds=seconds)
            for due in (Transfer.next_attempt_at, Transfer.poll_at, Gateway.probe_at):
                session.execute(
                    update(due.class_)
                    .where(due > soon)
                    .values({due: soon})
                    .execution_options(synchronize_session=False)
                )

        with self.context() as runtime:
            runtime.sessions.transact(work)

    def settle(self, sale: str) -> bool:
        """Settle a sale unless it was voided meanwhile; say whether it did."""
        return self._till.settle(sale)

    def issue(self, sold: Sold, ask: Ask) -> int | None:
        """Issue what is asked and return the refund's id; ``None`` when it was refused.

        When the database is not there, nobody knows whether it was recorded: the same form is
        sent again.
        """
        request = RefundRequest(
            order_ref=sold.order_ref,
            token=ask.token,
            reason="returned",
            everything=ask.cents is None,
            selections=()
            if ask.cents is None
            else (Selection(kind="line", ref=sold.line_ref, paid=ask.cents),),
            to_card=ask.to_card,
            other_kind=None if ask.to_card else "cash",
        )
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with self.context() as runtime:
                    return issuing.issue(runtime, request, STAFF).refund_id
            except Refusal:
                return None
            except (Busy, OperationalError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
