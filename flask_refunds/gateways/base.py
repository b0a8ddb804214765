"""What a payment gateway must offer, in terms of what is *known* after each call.

A gateway returns frozen receipts and raises the errors of this module. It never sees a model,
a session or a request. ``docs/gateways.md`` explains how to write one; the conformance suite in
:mod:`flask_refunds.testing.conformance` tests it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable


class ReceiptState(StrEnum):
    """How far the gateway has come with a refund or a void."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a gateway can do beyond refunding.

    ``idempotency_key``: an identical call with the same key returns the first one's result.
    ``late_window``: seconds after a call's start in which it may still land although no answer
    came (the gateway's own request limit); before that "not there" proves nothing.
    """

    idempotency_key: bool
    late_window: float = 60.0


@dataclass(frozen=True, kw_only=True)
class ChargeReceipt:
    """A sale as the gateway sees it now. ``amount`` in minor units of ``currency``.

    ``voidable`` and ``refundable`` say what the gateway would accept now; neither means that
    the sale has to settle first (``settling_soon``) or that nothing can be done any more.
    ``disputed``: the customer's bank has taken money of it back for them, or may.
    """

    id: str
    amount: int
    currency: str
    raw_status: str
    voidable: bool
    refundable: bool
    voided: bool
    settling_soon: bool
    refund_ids: Sequence[str] = field(default_factory=tuple)
    disputed: bool = False


@dataclass(frozen=True, kw_only=True)
class RefundReceipt:
    """A refund at the gateway. ``amount`` in minor units; ``at`` is the gateway's own UTC time."""

    id: str
    charge_id: str
    amount: int
    currency: str
    reference: str | None
    state: ReceiptState
    raw_status: str
    code: str | None = None
    message: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class VoidReceipt:
    """A sale that was cancelled before it settled. ``amount`` in minor units, always the whole.

    ``captured`` is false when it had been authorized only: then there was nothing to give back.
    """

    charge_id: str
    amount: int
    currency: str
    raw_status: str
    at: datetime | None = None
    captured: bool = True


@dataclass(frozen=True, kw_only=True)
class Found:
    """:meth:`RefundGateway.find` saw the refund."""

    receipt: RefundReceipt


@dataclass(frozen=True, kw_only=True)
class NotThere:
    """The gateway was asked and has no such refund (at the moment of asking)."""


@dataclass(frozen=True, kw_only=True)
class Ambiguous:
    """More than one refund fits; a person must decide. ``ids`` are the gateway's."""

    ids: Sequence[str]


FindResult = Found | NotThere | Ambiguous


@dataclass(frozen=True, kw_only=True)
class GatewayEvent:
    """What a webhook told: ``kind`` is the gateway's own word for it."""

    kind: str
    refund_id: str | None
    charge_id: str | None
    state: ReceiptState | None
    at: datetime | None = None


class GatewayError(Exception):
    """Base of what a gateway call may raise. Says what is known, not what went wrong inside.

    ``code`` is the gateway's code, ``message`` its words (for operators, never for customers),
    ``refund_id`` the record that the gateway made of a refused refund, if it made one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        raw_status: str | None = None,
        refund_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.raw_status = raw_status
        self.refund_id = refund_id


class Declined(GatewayError):
    """The gateway or the bank decided no; nothing moved. A person decides; a new key."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        raw_status: str | None = None,
        refund_id: str | None = None,
        hard: bool = True,
    ) -> None:
        super().__init__(message, code=code, raw_status=raw_status, refund_id=refund_id)
        self.hard = hard


class Rejected(GatewayError):
    """Refused before money moved, and will not change by itself."""


class NotYet(Rejected):
    """Refused because the sale's state does not allow this operation *now*. A new key."""


class NotFound(Rejected):
    """The gateway has no such sale or refund: it is another merchant's, or the keys are."""


class AlreadyRefunded(Rejected):
    """The gateway says that nothing is left to refund. May be our own refund: look first."""


class Unavailable(GatewayError):
    """Certainly not done (never connected, or turned away at the door). Same key, later."""


class Misconfigured(Unavailable):
    """Certainly not done, nor will anything be until people mend the gateway's settings."""


class Unknown(GatewayError):
    """It may have been done. Never a new key before the gateway was asked."""


class KeySpent(Unknown):
    """The key belongs to a request that made no refund, or to another one.

    Look, as for any unknown outcome; when nothing is there, only a new key can help.
    """


class InvalidWebhook(GatewayError):
    """The webhook's signature or body is wrong. Nothing in it may be believed."""


@runtime_checkable
class RefundGateway(Protocol):
    """A payment gateway. One instance serves a whole process and all of its threads."""

    name: str
    capabilities: Capabilities

    def inspect(self, charge_id: str) -> ChargeReceipt:
        """Return the sale *charge_id* as it is now. Moves no money.

        Raises :exc:`NotFound` when there is no such sale, another :exc:`Rejected` when it is no
        sale, :exc:`Misconfigured` when the keys are wrong, and :exc:`Unavailable` for anything
        passing (reading again is always safe).
        """

    def refund(
        self, charge_id: str, amount: int, currency: str, *, key: str, reference: str
    ) -> RefundReceipt:
        """Pay *amount* minor units of *currency* back on *charge_id*. MOVES MONEY.

        *key* is the idempotency key, *reference* our own unique name of this refund. The
        receipt is checked to be about this charge, amount and reference; otherwise
        :exc:`Unknown` is raised.
        """

    def void(self, charge_id: str, *, key: str) -> VoidReceipt:
        """Cancel the whole unsettled sale *charge_id*. MOVES MONEY (it never arrives)."""

    def find(self, charge_id: str, *, reference: str, amount: int, currency: str) -> FindResult:
        """Look whether the refund that we call *reference* exists on *charge_id*. Moves no money.

        Only refunds that took effect count: a declined record of ours is :class:`NotThere`.
        Raises like :meth:`inspect`.
        """

    def fetch(self, refund_id: str) -> RefundReceipt:
        """Return the refund *refund_id* as it is now. Moves no money.

        Raises like :meth:`inspect`.
        """

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Return what the webhook says. Raises :exc:`InvalidWebhook` and nothing else."""


@runtime_checkable
class ListsRefunds(Protocol):
    """What a gateway offers beyond :class:`RefundGateway` for ``flask refunds sync``."""

    def refunds_since(
        self, since: datetime, until: datetime
    ) -> Iterator[RefundReceipt | VoidReceipt]:
        """Yield what was refunded or voided from *since* to *until* (UTC), whoever did it.

        Refunds that took no money are yielded too, with their state. Raises like
        :meth:`RefundGateway.inspect`.
        """
