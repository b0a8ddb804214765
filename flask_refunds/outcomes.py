"""What is known after an attempt of a transfer, as values.

``answered`` says of each whether the gateway is there: ``False`` when it gave no answer, ``None``
when the attempt does not tell (it was not asked, or only looked at).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import (
    ChargeReceipt,
    Declined,
    GatewayError,
    KeySpent,
    NotFound,
    ReceiptState,
    RefundReceipt,
    VoidReceipt,
)
from flask_refunds.states import Detail

VOID = "void"
REFUND = "refund"
UNKNOWN = "unknown"
KEY_SPENT = "key_spent"
ACCEPTED = "accepted"
UNRESOLVED = frozenset({None, UNKNOWN, KEY_SPENT, ACCEPTED})
"""Outcomes of an attempt after which the refund may be at the gateway: look before calling again.

An accepted one is among them when its answer came after the lease and was only kept.
"""


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """Calls of a transfer without a certain end, to be looked for before a new one is made.

    ``void``: one of them was a void. ``called_at`` is when the last of them began (UTC).
    ``key_spent``: the current key is of no more use, should nothing be found.
    """

    references: tuple[str, ...]
    void: bool
    called_at: datetime
    key_spent: bool = False


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One worker's hold on a transfer, with all that it needs to call the gateway.

    ``refusal`` is how it had failed before it was opened again, only to be looked for.
    ``despite_dispute``: a person wants the sale refunded although it is disputed.
    """

    transfer_id: int
    attempt_id: int
    order_ref: str
    token: str
    gateway: str
    charge_id: str
    amount: int
    currency: str
    key: str
    reference: str
    earlier: Earlier | None = None
    refusal: "Refused | None" = None
    despite_dispute: bool = False


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The gateway gave the money back, or will: a refund or a void."""

    operation: str
    gateway_refund_id: str
    raw_status: str
    settled: bool
    at: datetime | None
    code: str | None = None
    message: str | None = None
    answered: ClassVar[bool | None] = True

    @classmethod
    def by_refund(cls, receipt: RefundReceipt) -> Self:
        return cls(
            operation=REFUND,
            gateway_refund_id=receipt.id,
            raw_status=receipt.raw_status,
            settled=receipt.state is ReceiptState.SUCCEEDED,
            at=receipt.at,
            code=receipt.code,
            message=receipt.message,
        )

    @classmethod
    def by_void(cls, receipt: VoidReceipt) -> Self:
        return cls(
            operation=VOID,
            gateway_refund_id=receipt.charge_id,
            raw_status=receipt.raw_status,
            settled=True,
            at=receipt.at,
        )

    @classmethod
    def by_charge(cls, charge: ChargeReceipt) -> Self:
        return cls(
            operation=VOID,
            gateway_refund_id=charge.id,
            raw_status=charge.raw_status,
            settled=True,
            at=None,
        )


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Certainly not done, and it will not happen by itself."""

    code: str | None
    message: str
    outcome: str = "rejected"
    answered: bool | None = True

    @classmethod
    def of(cls, error: GatewayError) -> Self:
        return cls(
            code=error.code,
            message=error.message,
            outcome="declined" if isinstance(error, Declined) else "rejected",
            # "No such sale" is also what a proxy says, or the gateway to another merchant's keys.
            answered=not isinstance(error, NotFound),
        )


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Certainly not done, and worth trying again later; ``new_key`` after a definite refusal."""

    detail: Detail
    code: str | None = None
    message: str = ""
    new_key: bool = False
    answered: bool | None = True

    @classmethod
    def for_settlement(cls, error: GatewayError) -> Self:
        return cls(
            detail=Detail.WAITING_FOR_SETTLEMENT,
            code=error.code,
            message=error.message,
            new_key=True,
        )

    @classmethod
    def with_new_key(cls) -> Self:
        """Nothing of the spent key is at the gateway: the next attempt takes a new one."""
        return cls(
            detail=Detail.NONE,
            message="The key was spent and nothing is at the gateway; a new key is used.",
            new_key=True,
        )

    @classmethod
    def for_gateway(cls, error: GatewayError) -> Self:
        return cls(
            detail=Detail.GATEWAY_UNAVAILABLE,
            code=error.code,
            message=error.message,
            answered=error.code is not None,
        )

    @classmethod
    def for_suspicion(cls, refused: Refused) -> Self:
        """A gateway that has just not answered others: what it says of this one proves little."""
        return cls(
            detail=Detail.GATEWAY_UNAVAILABLE,
            code=refused.code,
            message=refused.message,
            answered=False,
        )

    @classmethod
    def for_configuration(cls, error: ConfigurationError) -> Self:
        """A worker without the gateway's settings must not fail what another one could do."""
        return cls(
            detail=Detail.GATEWAY_UNAVAILABLE,
            code="configuration",
            message=str(error),
            answered=None,
        )


@dataclass(frozen=True, kw_only=True)
class Look:
    """Nobody knows; the gateway must be asked before anything else.

    ``detail`` says whether asking again can help, or only a person can tell.
    """

    code: str | None = None
    message: str = ""
    outcome: str = UNKNOWN
    detail: Detail = Detail.OUTCOME_UNKNOWN
    answered: bool | None = None

    @classmethod
    def after(cls, error: GatewayError) -> Self:
        return cls(
            code=error.code,
            message=error.message,
            outcome=KEY_SPENT if isinstance(error, KeySpent) else UNKNOWN,
            answered=error.code is not None,
        )

    @classmethod
    def that_failed(cls, error: GatewayError) -> Self:
        """The looking itself failed: what we look for is as unknown as before."""
        answered = None if isinstance(error, NotFound) else False  # of this sale, not of others
        return cls(code="look_failed", message=error.message, answered=answered)

    @classmethod
    def for_person(cls, code: str, message: str) -> Self:
        """The gateway has answered, and its answers do not tell whether the money moved."""
        return cls(code=code, message=message, detail=Detail.UNDECIDED)


Outcome = Accepted | Refused | Wait | Look
