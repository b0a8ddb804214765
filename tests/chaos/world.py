"""A shop in this process with a clock of its own, whose worker dies where a test says so."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import func, select

from example_app import create_app, db, wiring
from example_app.models import Order, OrderItem, Payment
from example_app.till import Till
from flask_refunds import PriorRefunds, Refunds, migrating, minor
from flask_refunds.gateways.base import GatewayError, RefundGateway
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.hinting import hint
from flask_refunds.models import Attempt, Transfer
from flask_refunds.outcomes import VOID
from flask_refunds.processing import process
from flask_refunds.reconciling import due, soonest, sweep
from flask_refunds.runtime import GatewayRegistry, Runtime
from flask_refunds.syncing import sync
from flask_refunds.testing import Simulator
from tests.chaos.facts import Facts, read_facts

VISA = "4111111111111111"
_PAYMENTS = wiring.STOREFRONT.payments
assert _PAYMENTS is not None
STOREFRONT = replace(
    wiring.STOREFRONT,
    payments=replace(_PAYMENTS, where=Payment.kind != "refund"),
    prior_refunds=PriorRefunds(
        key=Payment.id,
        order=Payment.order_id,
        amount=minor(Payment.amount_cents),
        at=Payment.created_at,
        gateway_id=Payment.transaction_id,
        where=Payment.kind == "refund",
    ),
)
"""The example shop, which also notes refunds of its own."""

Where = Literal["before", "after"]


class Killed(BaseException):
    """The worker ends here, as by SIGKILL: nothing after this place is done."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A place in the work: *where* of the first call of one of *names*; what *happens* there."""

    where: Where
    names: tuple[str, ...]
    happens: Callable[[], object]


class Fragile:
    """The real gateway; at one place something happens."""

    def __init__(self, gateway: RefundGateway, cut: Cut | None) -> None:
        self._gateway, self._cut = gateway, cut

    def __getattr__(self, name: str) -> Any:
        value, cut = getattr(self._gateway, name), self._cut
        if cut is None or name not in cut.names:
            return value
        self._cut = None

        def calling(*args: Any, **options: Any) -> Any:
            if cut.where == "before":
                cut.happens()
            try:
                return value(*args, **options)
            finally:
                if cut.where == "after":
                    cut.happens()

        return calling


class World:
    """The shop, its gateway and the time. :meth:`begin` puts all three back to the start."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.gateway = simulator.client
        self._file, self._empty = folder / "shop.sqlite", folder / "empty.sqlite"
        self._settings = {
            **simulator.gateway_config(),
            "BRAINTREE_URL": simulator.url,
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{self._file}",
            "REFUNDS_REDIS_URL": None,
            "SECRET_KEY": "test",
            "SHOP_REFUNDS": False,
        }
        self.app: Flask = create_app(self._settings)
        gateways = {"braintree": BraintreeGateway.from_config}
        refunds = Refunds(STOREFRONT, policy=wiring.ShopPolicy(), gateways=gateways)
        refunds.init_app(self.app, db=db, admin=self.app.extensions["admin"][0])
        self._wired: Runtime = self.app.extensions["refunds"].runtime
        till = Till.from_config(self.app.config)
        assert till is not None
        self._till = till
        with self.app.app_context():
            db.create_all()
            migrating.upgrade(self._wired.sessions.engine)
            db.engine.dispose()
        shutil.copyfile(self._file, self._empty)
        self.begin("on", "accepted")

    def begin(self, keys: str, complete_on: Literal["accepted", "settled"]) -> None:
        """Forget everything; the gateway treats request keys as *keys* says."""
        with self.app.app_context():
            db.engine.dispose()
        shutil.copyfile(self._empty, self._file)
        self.gateway.reset()
        self.gateway.keys(keys)
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        self.issued: set[int] = set()
        self.outside: set[str] = set()
        self._numbers = itertools.count(1)
        self._real = BraintreeGateway.from_config(self._settings)
        config = replace(self._wired.config, complete_on=complete_on)
        self._wired = replace(self._wired, config=config)
        self.runtime = self._runtime(None)

    def _runtime(self, cut: Cut | None) -> Runtime:
        gateway = cast(RefundGateway, Fragile(self._real, cut))
        gateways = GatewayRegistry({"braintree": lambda: gateway})
        return replace(self._wired, gateways=gateways, clock=lambda: self.now)

    @contextmanager
    def context(self) -> Iterator[Runtime]:
        """Yield the runtime inside an application context."""
        with self.app.app_context():
            yield self.runtime

    def advance(self, seconds: float) -> None:
        """Let the time pass."""
        self.now += timedelta(seconds=seconds)

    def facts(self) -> Facts:
        """Return both sides as they are now."""
        with self.context() as runtime:
            return read_facts(runtime, self.gateway.audit(), self.outside)

    def sell(self, *cents: int, settled: bool) -> str:
        """Sell two things for as much as the card payments of *cents* together."""
        number, total = str(next(self._numbers)), sum(cents)
        sales = [self._till.charge(each, "USD", number, VISA) for each in cents]
        for sale in sales if settled else ():
            self.gateway.settle(sale)
        with self.app.app_context():
            order = Order(number=number, currency="USD", status="paid", total_cents=total)
            order.items = [
                OrderItem(
                    sku=sku,
                    name=sku,
                    quantity=1,
                    unit_price_cents=price,
                    list_cents=price,
                    total_cents=price,
                    tax_cents=price // 6,
                )
                for sku, price in (("CUP", total // 3), ("MUG", total - total // 3))
            ]
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
            return str(order.id)

    def next_due(self) -> tuple[int, ...]:
        """Return the transfers that a worker would take now, or when the next one is due."""
        with self.context() as runtime:
            found = due(runtime).process
            if not found:
                self.now = max(self.now, soonest(runtime) or self.now)
                found = due(runtime).process
            return found

    def work(self, transfer_id: int, cut: Cut | None = None) -> None:
        """Have a worker bring one transfer forward; at *cut* something happens to it."""
        with self.context(), suppress_killed():
            process(self._runtime(cut), transfer_id)

    def sweep(self) -> None:
        """Do one round of all that is due."""
        with self.context() as runtime:
            sweep(runtime)

    def last_call(self, transfer_id: int) -> Attempt | None:
        """Return the last attempt of a transfer if it announced a call."""
        query = (
            select(Attempt).where(Attempt.transfer_id == transfer_id).order_by(Attempt.id.desc())
        )
        with self.context() as runtime:
            attempt = runtime.sessions.read(lambda session: session.scalars(query.limit(1)).first())
        return attempt if attempt is not None and attempt.called_at is not None else None

    def arrive(self, attempt: Attempt) -> bool:
        """Have the request of *attempt* come to the gateway now, if it still can; say whether."""
        assert attempt.called_at is not None
        config = self.runtime.config
        longest = config.gateway_timeout + self._real.capabilities.late_window
        if self.now >= attempt.called_at + timedelta(seconds=longest):
            return False
        with self.context() as runtime:
            charge_id = runtime.sessions.read(
                lambda session: session.get_one(Transfer, attempt.transfer_id).charge_id
            )
        assert charge_id is not None
        try:
            if attempt.operation == VOID:
                self._real.void(charge_id, key=f"{attempt.request_key}-void")
            else:
                self._real.refund(
                    charge_id,
                    attempt.amount,
                    attempt.currency,
                    key=attempt.request_key,
                    reference=attempt.reference,
                )
        except GatewayError:  # nobody hears the answer
            pass
        return True

    def refund_outside(self, sale: str, cents: int) -> None:
        """Have somebody refund in the gateway's own panel, if it lets them."""
        name = f"panel-{next(self._numbers)}"
        self._in_the_panel(
            lambda: self._real.refund(sale, cents, "USD", key=name, reference=name).id
        )

    def void_outside(self, sale: str) -> None:
        """Have somebody cancel a sale in the gateway's own panel, if it lets them."""
        name = f"panel-{next(self._numbers)}"
        self._in_the_panel(lambda: self._real.void(sale, key=name).charge_id)

    def _in_the_panel(self, act: Callable[[], str]) -> None:
        self.gateway.set_clock(self.now)
        with suppress(GatewayError):
            self.outside.add(act())
        self.advance(1)

    def sync(self) -> None:
        """Look for what was done in the gateway's panel, however long ago."""
        with self.context() as runtime:
            looked = sync(runtime, since=self.now - timedelta(days=3650))
        assert [each.problems for each in looked.gateways] == [()]

    def tell(self, kind: str, transaction_id: str) -> None:
        """Have the gateway send a webhook."""
        form = urlencode(self.gateway.webhook(kind, transaction_id))
        events = self._real.parse_webhook({}, form.encode())
        with self.context() as runtime:
            hint(runtime, "braintree", events)

    def edit_order(self, order_ref: str, edit: Callable[[Order], object]) -> None:
        """Have the host change one of its orders, if it still has it."""
        with self.app.app_context():
            order = db.session.get(Order, int(order_ref))
            if order is not None:
                edit(order)
                db.session.commit()

    def transfers(self, *conditions: Any) -> list[Transfer]:
        """Return the transfers that meet *conditions*, oldest first."""
        query = select(Transfer).where(*conditions).order_by(Transfer.id)
        with self.context() as runtime:
            return runtime.sessions.read(lambda session: list(session.scalars(query)))

    def orders(self) -> list[str]:
        """Return the orders that the host has."""
        with self.app.app_context():
            return [str(id_) for id_ in db.session.scalars(select(Order.id).order_by(Order.id))]

    def line_of(self, order_ref: str) -> tuple[str, int] | None:
        """Return the first line of an order with its price, if there is one left."""
        with self.app.app_context():
            query = select(func.min(OrderItem.id)).where(OrderItem.order_id == int(order_ref))
            item = db.session.get(OrderItem, db.session.scalar(query) or 0)
            return None if item is None else (str(item.id), item.total_cents)

    def dispose(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            db.engine.dispose()


@contextmanager
def suppress_killed() -> Iterator[None]:
    """Let the worker die, and nothing else."""
    try:
        yield
    except Killed:
        return
