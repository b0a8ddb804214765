"""Refunds and voids through Braintree. The one module that imports Braintree's SDK.

What a failure proves was observed with SDK 4.48 over HTTP: only a connection that was never
made, and an answer that the gateway gives before it looks at the money, prove that nothing was
done. Every other exception, also one that we do not know, is :exc:`Unknown` when money may have
moved, and :exc:`Unavailable` when we only read.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs

from flask_refunds.gateways import braintree_answers as answers
from flask_refunds.gateways import braintree_search as search
from flask_refunds.gateways.answering import Asked, Unreadable, never_connected
from flask_refunds.gateways.base import (
    Ambiguous,
    Capabilities,
    ChargeReceipt,
    FindResult,
    Found,
    GatewayError,
    GatewayEvent,
    InvalidWebhook,
    Misconfigured,
    NotFound,
    NotThere,
    ReceiptState,
    RefundReceipt,
    Rejected,
    Unavailable,
    Unknown,
    VoidReceipt,
)
from flask_refunds.gateways.braintree_codes import KEY_NOT_ALLOWED, codes_of
from flask_refunds.gateways.braintree_settings import BraintreeSettings
from flask_refunds.gateways.braintree_webhooks import webhook_event
from flask_refunds.money import to_decimal

with warnings.catch_warnings():  # the SDK warns of a class of its own while it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    import braintree
    from braintree import exceptions
    from braintree.exceptions.http.connection_error import ConnectionError as SdkConnectionError
    from braintree.exceptions.http.timeout_error import ConnectTimeoutError

_CERTAIN: Mapping[type[Exception], tuple[type[GatewayError], str]] = {
    exceptions.AuthenticationError: (
        Misconfigured,
        "Braintree refused our keys; check the REFUNDS_BRAINTREE_ settings.",
    ),
    exceptions.AuthorizationError: (
        Misconfigured,
        "Braintree does not let these keys do this; check the API user's role.",
    ),
    exceptions.UpgradeRequiredError: (
        Misconfigured,
        "Braintree wants a newer version of its SDK; upgrade it.",
    ),
    exceptions.NotFoundError: (
        NotFound,
        "Braintree has no such transaction under this merchant; check the keys and the payment.",
    ),
}
"""SDK exceptions that prove that nothing was done and that only people can mend, in words."""

Answer = TypeVar("Answer")
Receipt = TypeVar("Receipt")


class BraintreeGateway:
    """Braintree as a :class:`~flask_refunds.gateways.base.RefundGateway`.

    Safe for threads, and across ``fork()``: each process builds its own SDK object, since two
    that share a connection get each other's answers.

    **Request keys.** The key goes out as ``api_request_key`` with every refund and void. An
    account without the feature refuses it (915231) before any money moves; then keys are off
    for this instance (``capabilities`` says so) and the call is repeated once without one,
    after a look whether the refund is already there.
    """

    name = "braintree"

    def __init__(self, settings: BraintreeSettings) -> None:
        self.capabilities = Capabilities(idempotency_key=True, late_window=60.0)
        self._settings = settings
        self._built: tuple[int, Any] | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the gateway from ``REFUNDS_BRAINTREE_*`` and ``REFUNDS_GATEWAY_TIMEOUT``.

        Raises :exc:`~flask_refunds.errors.ConfigurationError` naming a setting and its remedy.
        """
        return cls(BraintreeSettings.from_config(config))

    def inspect(self, charge_id: str) -> ChargeReceipt:
        """Return the sale as it is now; moves no money.

        Voidable while authorized or submitted for settlement, refundable while settling or
        settled. A void may be refused all the same (hidden settling): then a refund is due.
        """

        def ask(sdk: Any) -> ChargeReceipt:
            transaction = sdk.transaction.find(charge_id)
            if transaction.id != charge_id:
                raise Unreadable("the answer is about another sale")
            return answers.charge(transaction)

        return self._read(ask)

    def refund(
        self, charge_id: str, amount: int, currency: str, *, key: str, reference: str
    ) -> RefundReceipt:
        """Pay *amount* minor units of *currency* back on *charge_id*. MOVES MONEY.

        *reference* becomes the refund's ``order_id``. Braintree takes the sale's currency,
        whatever *currency* says: compare it with :meth:`inspect` first.
        """
        asked = Asked(charge_id=charge_id, amount=amount, currency=currency, reference=reference)
        try:
            fields = {"amount": str(to_decimal(amount, currency)), "order_id": reference}
        except ValueError as error:
            raise Rejected(str(error)) from None

        def act(sdk: Any, keyed: dict[str, str]) -> Any:
            return sdk.transaction.refund(charge_id, fields | keyed)

        return self._move(key, act, lambda result: answers.conclude_refund(result, asked))

    def void(self, charge_id: str, *, key: str) -> VoidReceipt:
        """Cancel the whole unsettled sale. MOVES MONEY (it never arrives).

        :exc:`NotYet` (91504) is also the answer for a sale that is voided already: inspect.
        """

        def act(sdk: Any, keyed: dict[str, str]) -> Any:
            return sdk.transaction.void(charge_id, keyed or None)

        return self._move(key, act, lambda result: answers.conclude_void(result, charge_id))

    def find(self, charge_id: str, *, reference: str, amount: int, currency: str) -> FindResult:
        """Look among the sale's own refunds for *reference*; moves no money.

        Refunds that took no money do not count. One that carries our reference with another
        amount is ambiguous, like several: nobody but us uses that reference.
        """
        ours = [
            refund
            for refund in self._refunds_of(charge_id)
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
            transaction = sdk.transaction.find(refund_id)
            if transaction.id != refund_id:
                raise Unreadable("the answer is about another refund")
            if transaction.type == "sale":
                raise Rejected(f"{refund_id} is a sale, not a refund")
            return answers.refund(transaction)

        return self._read(ask)

    def refunds_since(
        self, since: datetime, until: datetime
    ) -> Iterator[RefundReceipt | VoidReceipt]:
        """Yield what was refunded or voided from *since* to *until* (UTC), whoever did it."""
        found = search.receipts(self._sdk(), braintree.TransactionSearch, since, until)
        while (receipt := self._read(lambda _sdk: next(found, None))) is not None:
            yield receipt

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Return what a signed notification says; raises :exc:`InvalidWebhook` and nothing else.

        *body* is the form that Braintree posts (``bt_signature``, ``bt_payload``). There is no
        notification of a card refund that settled: only of one that failed.
        """
        try:
            form = parse_qs(body.decode("ascii"), strict_parsing=True)
            notification = self._sdk().webhook_notification.parse(
                form["bt_signature"][0], form["bt_payload"][0]
            )
            event = webhook_event(notification)
        except Exception as error:  # noqa: BLE001 - strangers post here; all else is junk
            problem = InvalidWebhook(type(error).__name__)
        else:
            return (event,)
        raise problem

    def _refunds_of(self, charge_id: str) -> list[RefundReceipt]:
        """Return all refunds of a sale; that one is listed but cannot be read is passing."""
        refund_ids = self.inspect(charge_id).refund_ids
        try:
            return [self.fetch(refund_id) for refund_id in refund_ids]
        except Rejected as error:
            problem = Unavailable(f"a refund of the sale cannot be read: {error.message}")
        raise problem

    def _move(
        self,
        key: str,
        act: Callable[[Any, dict[str, str]], Any],
        conclude: Callable[[Any], Receipt],
    ) -> Receipt:
        """Move money by *act* and return what *conclude* reads in the answer.

        An account that takes no keys says so before any money moves: :exc:`Unavailable`, and the
        next call of this process goes without. Never twice in one call, which would outlast the
        time in which others count on it to end.
        """
        keyed = {"api_request_key": key} if self.capabilities.idempotency_key else {}
        result = self._guard(lambda: act(self._sdk(), keyed), Unknown)
        if keyed and KEY_NOT_ALLOWED in codes_of(result):
            self.capabilities = replace(self.capabilities, idempotency_key=False)
            raise Unavailable("the account takes no request keys", code=KEY_NOT_ALLOWED)
        return self._guard(lambda: conclude(result), Unknown)

    def _read(self, ask: Callable[[Any], Receipt]) -> Receipt:
        return self._guard(lambda: ask(self._sdk()), Unavailable)

    @staticmethod
    def _guard(act: Callable[[], Answer], otherwise: type[GatewayError]) -> Answer:
        """Return what *act* returns; every error becomes one of ours, *otherwise* at worst.

        The SDK's own error is not chained: it holds the request, and with it the keys.
        """
        try:
            return act()
        except GatewayError:
            raise
        except Exception as error:  # noqa: BLE001 - also RQ's time-out, which the SDK wraps
            problem = _certain(error) or otherwise(_describe(error))
        raise problem

    def _sdk(self) -> Any:
        """Return this process's own SDK object."""
        pid = os.getpid()
        if self._built is None or self._built[0] != pid:
            self._built = (pid, braintree.BraintreeGateway(self._configuration()))
        return self._built[1]

    def _configuration(self) -> Any:
        settings = self._settings
        if settings.address is None:
            environment = braintree.Environment.parse_environment(settings.environment)
        else:
            host, port, verified = settings.address
            environment = braintree.Environment(
                "custom", host, str(port), settings.url, verified, True if verified else None
            )
        return braintree.Configuration(
            environment=environment,
            merchant_id=settings.merchant_id,
            public_key=settings.public_key,
            private_key=settings.private_key,
            timeout=settings.timeout,
            wrap_http_exceptions=True,
        )


def _certain(error: Exception) -> GatewayError | None:
    """Return our error for an SDK exception that proves that nothing was done."""
    for kind, (certain, words) in _CERTAIN.items():
        if isinstance(error, kind):
            return certain(words, raw_status=type(error).__name__)
    if isinstance(error, exceptions.TooManyRequestsError | ConnectTimeoutError):
        return Unavailable(_describe(error))
    if isinstance(error, SdkConnectionError) and never_connected(error):
        return Unavailable(_describe(error))
    return None


def _describe(error: Exception) -> str:
    """Return words for operators. Only what cannot hold a key: names, and our own text."""
    if isinstance(error, Unreadable):
        return f"the answer was not understood: {error}"
    names = [type(error).__name__]
    if type(error) is exceptions.UnexpectedError and isinstance(error.args[0], str):
        names.append(error.args[0])
    elif error.args and isinstance(error.args[0], Exception):
        names.append(type(error.args[0]).__name__)
    return ": ".join(names)
