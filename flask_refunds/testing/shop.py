"""A host's application under test, and what its tests do with it: issue, process, look."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask

from flask_refunds import dossier, issuing, reconciling, wired
from flask_refunds.dossier import Dossier
from flask_refunds.planning import RefundRequest, Selection, Standing
from flask_refunds.policy import Actor
from flask_refunds.processing import process
from flask_refunds.runtime import Runtime, utc_now
from flask_refunds.storefront.values import Key
from flask_refunds.testing.simulator import Simulator

Result = TypeVar("Result")

TESTER = Actor(id="refunds-tester", label="Refunds tester")
"""Who issues the refunds of tests, unless they say otherwise."""


class NotOnTheSimulator(Exception):
    """The application would talk to another gateway than the simulator; the message says more."""


class Shop:
    """The host's *app* on *simulator*; its services run in an application context of their own.

    Raises :exc:`NotOnTheSimulator` when it has keys of Braintree and another address, or keys of
    Stripe and none of this machine: a test must not move anybody's money.
    """

    def __init__(self, app: Flask, simulator: Simulator) -> None:
        url = app.config.get("REFUNDS_BRAINTREE_URL")
        if app.config.get("REFUNDS_BRAINTREE_MERCHANT_ID") and url != simulator.url:
            raise NotOnTheSimulator(
                f"REFUNDS_BRAINTREE_URL of your app is {url!r}, and the simulator's is "
                f"{simulator.url!r}. Give your `app` fixture the settings of "
                "`refunds_gateway_config`, before refunds.init_app()."
            )
        stripe = app.config.get("REFUNDS_STRIPE_URL")
        here = urlsplit(stripe or "").hostname in {"127.0.0.1", "::1", "localhost"}
        if app.config.get("REFUNDS_STRIPE_SECRET_KEY") and not here:
            raise NotOnTheSimulator(
                f"REFUNDS_STRIPE_URL of your app is {stripe!r}. Give your `app` fixture that of a "
                "flask_refunds.testing.StripeServer, or no key of Stripe."
            )
        self.app, self.simulator = app, simulator
        with app.app_context():
            runtime = wired.current().runtime
        # The simulator needs no rest between two refunds of a sale.
        self.runtime: Runtime = replace(runtime, config=replace(runtime.config, sale_pause=0.0))

    def do(self, work: Callable[..., Result], *args: Any, **options: Any) -> Result:
        """Run a service with the application's runtime."""
        with self.app.app_context():
            return work(self.runtime, *args, **options)

    def read(self, refund_id: int) -> Dossier:
        """Return everything about a refund, as it is now."""
        return self.do(dossier.read_refund, refund_id)

    def order_ref(self, order: object) -> str:
        """Return our reference of *order*: an instance of the host's model, its key, or it itself.

        A key of several columns is a tuple.
        """
        key, model = self.runtime.storefront.order_key, self.runtime.storefront.order_model
        if model is not None and isinstance(order, model):
            ref = key.of_instance(order)
            if ref is None:
                raise ValueError(f"{order!r} has no key yet: commit it first.")
            return ref
        return _text(key, order)

    def line_ref(self, line: object) -> str:
        """Return our reference of a line's key, or a charge's name as it is."""
        return _text(Key(self.runtime.storefront.lines.key, "Lines.key"), line)


class Issuing:
    """The fixture ``refunds_issue``: issues refunds through the service that the window calls."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def __call__(
        self,
        order: object,
        *,
        lines: Mapping[Any, int] | None = None,
        amount: int | None = None,
        to_card: bool = True,
        other: str | None = None,
        reason: str | None = None,
        note: str = "",
        actor: Actor = TESTER,
    ) -> Dossier:
        """Refund *order*: all that is left of it, or *lines*, or an *amount*; return the refund.

        *order* is the host's row or its key; *lines* has the number of pieces by the key of a line
        or the name of a charge such as ``"shipping"``; *amount*, in minor units, is taken from the
        lines in their order. What does not go *to_card* goes by the *other* means, a code of
        ``REFUNDS_OTHER_MEANS``. Other means and *reason* are the first ones of the settings unless
        given. Raises a :exc:`~flask_refunds.errors.Refusal`. Nothing is at the gateway yet.
        """
        order_ref = self._shop.order_ref(order)
        config = self._shop.runtime.config
        request = RefundRequest(
            order_ref=order_ref,
            token=secrets.token_urlsafe(24),
            reason=reason or next(iter(config.reasons)),
            selections=self._selections(order_ref, lines, amount),
            everything=lines is None and amount is None,
            to_card=to_card,
            other_kind=other if to_card or other else next(iter(config.other_means)),
            note=note,
        )
        issued = self._shop.do(issuing.issue, request, actor)
        return self._shop.read(issued.refund_id)

    def _selections(
        self, order_ref: str, lines: Mapping[Any, int] | None, amount: int | None
    ) -> tuple[Selection, ...]:
        if lines is not None and amount is not None:
            raise ValueError("Pass lines= or amount=, not both.")
        if lines is None and amount is None:
            return ()
        standing = self._shop.do(issuing.quote, order_ref).standing
        if lines is not None:
            refs = {self._shop.line_ref(line): pieces for line, pieces in lines.items()}
            return tuple(_pieces(standing, ref, pieces) for ref, pieces in refs.items())
        return _of_amount(standing, amount or 0)


class Processing:
    """The fixture ``refunds_process``: does what is due, in this process."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def __call__(self, *, later: float = 0.0) -> int:
        """Do what is due, each transfer once, until nothing is; return how many steps it took.

        *later* is for what waits: what would be due in so many seconds is done, and dated, as if
        they had passed. What goes wrong in our services is raised, where a worker logs it.
        """

        def clock() -> Any:
            return utc_now() + timedelta(seconds=later)

        runtime = replace(self._shop.runtime, clock=clock)
        done: set[tuple[Callable[..., object], int]] = set()
        with self._shop.app.app_context():
            while True:
                found = reconciling.due(runtime)
                steps: list[tuple[Callable[..., object], int]] = [
                    *((process, each) for each in found.process),
                    *((reconciling.poll, each) for each in found.poll),
                ]
                new = [step for step in steps if step not in done]
                if not new:
                    return len(done)
                for step in new:
                    work, transfer_id = step
                    work(runtime, transfer_id)
                    done.add(step)


def _text(key: Key, value: object) -> str:
    if isinstance(value, str):
        return value
    return key.to_ref(value if isinstance(value, tuple) else (value,))


def _pieces(standing: Standing, ref: str, pieces: int) -> Selection:
    for item in standing.items:
        if item.ref == ref:
            return Selection(kind=item.kind, ref=item.ref, quantity=pieces)
    there = ", ".join(item.ref for item in standing.items)
    raise ValueError(f"The order has no line {ref!r}; it has {there}.")


def _of_amount(standing: Standing, amount: int) -> tuple[Selection, ...]:
    """Return *amount* minor units taken from what is left of the lines, first come first served."""
    chosen, rest = [], amount
    for item in standing.items:
        paid = min(item.left.paid, rest)
        if paid > 0:
            chosen.append(Selection(kind=item.kind, ref=item.ref, paid=paid))
            rest -= paid
    if rest or amount <= 0:
        raise ValueError(f"{amount} minor units are not to be had from what is left of the lines.")
    return tuple(chosen)
