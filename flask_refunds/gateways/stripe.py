"""Refunds and voids through Stripe. The one module that imports Stripe's SDK.

A call is made once: the SDK's own retries are off, since whether to call again is decided by us,
after a look. Only an error that Stripe itself wrote, and a connection that was never made, prove
that nothing was done (:mod:`flask_refunds.gateways.stripe_codes`). Every other exception, also
one that we do not know, is :exc:`Unknown` when money may have moved, and :exc:`Unavailable` when
we only read.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

from flask_refunds.gateways import stripe_answers as answers
from flask_refunds.gateways import stripe_reading as reading
from flask_refunds.gateways.answering import Asked, Unreadable, never_connected
from flask_refunds.gateways.base import (
    Ambiguous,
    Capabilities,
    ChargeReceipt,
    Declined,
    FindResult,
    Found,
    GatewayError,
    GatewayEvent,
    InvalidWebhook,
    NotThere,
    ReceiptState,
    RefundReceipt,
    Unavailable,
    Unknown,
    VoidReceipt,
)
from flask_refunds.gateways.stripe_amounts import to_stripe
from flask_refunds.gateways.stripe_codes import certain
from flask_refunds.gateways.stripe_settings import CHARGE, StripeSettings
from flask_refunds.gateways.stripe_webhooks import webhook_events

try:
    import stripe
except ImportError as missing:
    raise ImportError(
        "The Stripe gateway needs Stripe's SDK; install it: pip install 'Flask-Refunds[stripe]'."
    ) from missing

SIGNATURE_TOLERANCE = 300
"""Seconds after which a signed webhook is too old to be believed; Stripe's own default."""

Answer = TypeVar("Answer")


class StripeGateway:
    """Stripe as a :class:`~flask_refunds.gateways.base.RefundGateway`.

    A sale is known by the id of its PaymentIntent (``pi_…``) or of its charge (``ch_…``), whichever
    the shop's payments hold. Safe for threads, and across ``fork()``: each process builds its own
    SDK object, and in it each thread its own connection.
    """

    name = "stripe"
    capabilities = Capabilities(idempotency_key=True, late_window=80.0)

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._built: tuple[int, Any] | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the gateway from ``REFUNDS_STRIPE_*`` and ``REFUNDS_GATEWAY_TIMEOUT``.

        Raises :exc:`~flask_refunds.errors.ConfigurationError` naming a setting and its remedy.
        """
        return cls(StripeSettings.from_config(config))

    def inspect(self, charge_id: str) -> ChargeReceipt:
        """Return the sale as it is now; moves no money.

        Voidable until it is captured, and refundable at once from then on. A charge that was
        authorized without a PaymentIntent is set free by a refund of the whole.
        """

        def ask(sdk: Any) -> ChargeReceipt:
            sale = reading.sale(sdk, charge_id)
            return sale.receipt(
                reading.refunds_of(sdk, charge_id), reading.disputes_of(sdk, sale, charge_id)
            )

        return self._read(ask)

    def refund(
        self, charge_id: str, amount: int, currency: str, *, key: str, reference: str
    ) -> RefundReceipt:
        """Pay *amount* minor units of *currency* back on *charge_id*. MOVES MONEY.

        *reference* becomes the refund's metadata. Stripe takes the sale's currency, whatever
        *currency* says: compare it with :meth:`inspect` first.
        """
        asked = Asked(charge_id=charge_id, amount=amount, currency=currency, reference=reference)
        wanted = {
            **reading.of(charge_id),
            "amount": to_stripe(amount, currency),
            "metadata": {answers.REFERENCE: reference, answers.SALE: charge_id},
        }

        def act(sdk: Any) -> RefundReceipt:
            made = sdk.v1.refunds.create(wanted, {"idempotency_key": key})
            found = answers.refund(made, known_as=charge_id)
            asked.check(found)
            if found.state is ReceiptState.FAILED:
                raise Declined(
                    found.message or f"the refund is {found.raw_status}",
                    code=found.code,
                    raw_status=found.raw_status,
                    refund_id=found.id,
                )
            return found

        return self._move(act)

    def void(self, charge_id: str, *, key: str) -> VoidReceipt:
        """Cancel the whole uncaptured sale. MOVES MONEY (it never arrives).

        :exc:`NotYet` is also the answer for a sale that is cancelled already: inspect. Stripe
        cancels a PaymentIntent only; that of a charge is looked up first, and no late cancel can
        do harm, since what is captured cannot be cancelled.
        """
        intent_id = self._read(lambda sdk: reading.intent_of(sdk, charge_id))

        def act(sdk: Any) -> VoidReceipt:
            intent = sdk.v1.payment_intents.cancel(intent_id, {}, {"idempotency_key": key})
            if intent.id != intent_id or intent.status != "canceled":
                raise Unknown(
                    f"asked to cancel {intent_id}, told that {intent.id} is {intent.status}"
                )
            return answers.void(intent, charge_id)

        return self._move(act)

    def find(self, charge_id: str, *, reference: str, amount: int, currency: str) -> FindResult:
        """Look among the sale's own refunds for *reference*; moves no money.

        Refunds that took no money do not count. One that carries our reference with another
        amount is ambiguous, like several: nobody but us uses that reference.
        """

        def ask(sdk: Any) -> list[RefundReceipt]:
            reading.sale(sdk, charge_id)  # an empty list would also be the answer of no such sale
            listed = reading.refunds_of(sdk, charge_id)
            return [answers.refund(each, known_as=charge_id) for each in listed]

        ours = [
            refund
            for refund in self._read(ask)
            if refund.reference == reference and refund.state is not ReceiptState.FAILED
        ]
        if not ours:
            return NotThere()
        if len(ours) == 1 and (ours[0].amount, ours[0].currency) == (amount, currency):
            return Found(receipt=ours[0])
        return Ambiguous(ids=tuple(refund.id for refund in ours))

    def fetch(self, refund_id: str) -> RefundReceipt:
        """Return the refund as it is now; moves no money."""

        def ask(sdk: Any) -> RefundReceipt:
            found = answers.refund(sdk.v1.refunds.retrieve(refund_id), by_charge=self._by_charge)
            if found.id != refund_id:
                raise Unreadable("the answer is about another refund")
            return found

        return self._read(ask)

    def refunds_since(
        self, since: datetime, until: datetime
    ) -> Iterator[RefundReceipt | VoidReceipt]:
        """Yield what was refunded or cancelled from *since* to *until* (UTC), whoever did it.

        What a partial capture set free is neither, and a refund of a customer's balance is of no
        sale.
        """
        listed = self._receipts(since, until)
        while (receipt := self._read(lambda _sdk: next(listed, None))) is not None:
            yield receipt

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Return what a signed event says; raises :exc:`InvalidWebhook` and nothing else."""
        if not self._settings.webhook_secret:
            raise InvalidWebhook("REFUNDS_STRIPE_WEBHOOK_SECRET is not set")
        try:
            event = self._sdk().construct_event(
                body,
                headers.get("Stripe-Signature"),
                self._settings.webhook_secret,
                SIGNATURE_TOLERANCE,
            )
            events = webhook_events(event)
        except Exception as error:  # noqa: BLE001 - strangers post here; all else is junk
            problem = InvalidWebhook(type(error).__name__)
        else:
            return events
        raise problem

    @property
    def _by_charge(self) -> bool:
        return self._settings.charge_ids == CHARGE

    def _receipts(self, since: datetime, until: datetime) -> Iterator[RefundReceipt | VoidReceipt]:
        for found in reading.refunds_between(self._sdk(), since, until):
            if answers.sale_of(found) is None:
                continue
            if not answers.is_release(found, found.charge):
                yield answers.refund(found, by_charge=self._by_charge)
            elif not found.charge.captured:
                yield answers.release(found, by_charge=self._by_charge)

    def _move(self, act: Callable[[Any], Answer]) -> Answer:
        return self._guard(lambda: act(self._sdk()), Unknown)

    def _read(self, ask: Callable[[Any], Answer]) -> Answer:
        return self._guard(lambda: ask(self._sdk()), Unavailable)

    @staticmethod
    def _guard(act: Callable[[], Answer], otherwise: type[GatewayError]) -> Answer:
        """Return what *act* returns; every error becomes one of ours, *otherwise* at worst.

        The SDK's own error is not chained: it holds the answer, and the request's headers.
        """
        try:
            return act()
        except GatewayError:
            raise
        except Exception as error:  # noqa: BLE001 - also RQ's time-out, which the SDK wraps
            problem = certain(error)
            if problem is None and never_connected(error.__cause__):
                problem = Unavailable(_describe(error))
            if problem is None:
                problem = otherwise(_describe(error), code=_code(error))
        raise problem

    def _sdk(self) -> Any:
        """Return this process's own SDK object."""
        pid = os.getpid()
        if self._built is None or self._built[0] != pid:
            settings = self._settings
            made = stripe.StripeClient(
                settings.secret_key,
                base_addresses={"api": settings.url} if settings.url else None,
                max_network_retries=0,
                http_client=stripe.RequestsClient(timeout=settings.timeout),
            )
            self._built = (pid, made)
        return self._built[1]


def _describe(error: Exception) -> str:
    """Return words for operators. Only what cannot hold a key: names, numbers and our own text."""
    if isinstance(error, Unreadable):
        return f"the answer was not understood: {error}"
    names = [type(error).__name__]
    if isinstance(error, stripe.StripeError):
        if error.__cause__ is not None:
            names.append(type(error.__cause__).__name__)
        names += [str(part) for part in (error.http_status, error.request_id) if part]
    return ": ".join(names)


def _code(error: Exception) -> str | None:
    """Return Stripe's own code of an answer that proves nothing."""
    told = error.error if isinstance(error, stripe.StripeError) else None
    return getattr(told, "code", None)
