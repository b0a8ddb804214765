"""What is known after an attempt, and recording it: only with the claim's token, once."""

import logging
import random
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy.orm import Session

from flask_refunds import lifecycle
from flask_refunds.accounts import lock
from flask_refunds.errors import AboveBalance
from flask_refunds.gateways.base import (
    ChargeReceipt,
    Declined,
    GatewayError,
    KeySpent,
    ReceiptState,
    RefundReceipt,
    VoidReceipt,
)
from flask_refunds.models import Attempt, Transfer
from flask_refunds.policy import SYSTEM
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, Detail, TransferState

log = logging.getLogger("flask_refunds")

LONGEST_WAIT = 3600.0
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
class Claim:
    """One worker's hold on a transfer, with all that it needs to call the gateway.

    ``resumes``: an earlier call with this key may have landed; ``called_at`` is when the last
    such call began, ``operation`` what it was.
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
    operation: str | None
    resumes: bool
    called_at: datetime | None
    key_spent: bool = False


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

    @classmethod
    def of(cls, error: GatewayError) -> Self:
        outcome = "declined" if isinstance(error, Declined) else "rejected"
        return cls(code=error.code, message=error.message, outcome=outcome)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Certainly not done, and worth trying again later; ``new_key`` after a definite refusal."""

    detail: Detail
    code: str | None = None
    message: str = ""
    new_key: bool = False

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
        return cls(detail=Detail.GATEWAY_UNAVAILABLE, code=error.code, message=error.message)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Nobody knows; the gateway must be asked before anything else."""

    code: str | None = None
    message: str = ""
    outcome: str = UNKNOWN

    @classmethod
    def after(cls, error: GatewayError) -> Self:
        outcome = KEY_SPENT if isinstance(error, KeySpent) else UNKNOWN
        return cls(code=error.code, message=error.message, outcome=outcome)


Outcome = Accepted | Refused | Wait | Look


def record(session: Session, runtime: Runtime, claim: Claim, outcome: Outcome) -> None:
    """Record *outcome* on the attempt of *claim* and, if the claim still holds, on its transfer.

    An answer that comes after the lease was taken over is kept on its attempt and starts a
    reconciliation; it changes no state by itself.
    """
    lock(session, claim.order_ref)
    transfer = session.get_one(Transfer, claim.transfer_id, populate_existing=True)
    attempt = session.get_one(Attempt, claim.attempt_id, populate_existing=True)
    now = runtime.now()
    _finish(attempt, outcome, now)
    if transfer.claim_token != claim.token:
        _keep_late_answer(session, runtime, transfer, outcome, now)
    elif isinstance(outcome, Accepted):
        accept(session, runtime, transfer, outcome, now)
    elif isinstance(outcome, Refused):
        transfer.failure_code, transfer.failure_message = outcome.code, outcome.message
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.FAILED,
            now=now,
            actor=SYSTEM,
            action=outcome.outcome,
            why=outcome.message,
            data={"code": outcome.code},
        )
    elif isinstance(outcome, Wait):
        _wait(session, runtime, transfer, outcome, now)
    else:
        _hold(session, runtime, transfer, outcome, now)


def accept(
    session: Session, runtime: Runtime, transfer: Transfer, outcome: Accepted, now: datetime
) -> None:
    """Record that the gateway has *transfer*: Completed now, or when it settles (the setting)."""
    transfer.operation = outcome.operation
    transfer.gateway_refund_id = outcome.gateway_refund_id
    transfer.gateway_status = outcome.raw_status
    transfer.gateway_at = outcome.at
    transfer.failure_code = transfer.failure_message = None
    transfer.settled_at = now if outcome.settled else None
    if not outcome.settled:
        transfer.poll_at = now + timedelta(seconds=runtime.config.settle_interval)
    if outcome.settled or runtime.config.complete_on == "accepted":
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.COMPLETED,
            now=now,
            actor=SYSTEM,
            action="voided" if outcome.operation == VOID else "refunded",
            detail=Detail.SETTLED if outcome.settled else Detail.ACCEPTED,
            why=outcome.message or "",
            data={"gateway_refund_id": outcome.gateway_refund_id, "status": outcome.raw_status},
        )
        return
    transfer.claim_token = transfer.lease_until = transfer.next_attempt_at = None
    transfer.detail = Detail.ACCEPTED
    lifecycle.record(
        session,
        transfer.refund,
        transfer,
        now=now,
        actor=SYSTEM,
        action="accepted",
        data={"gateway_refund_id": outcome.gateway_refund_id, "status": outcome.raw_status},
    )


def refuse_uncalled(session: Session, runtime: Runtime, transfer: Transfer, now: datetime) -> None:
    """Fail a transfer that waited until the shop had given the money back another way."""
    transfer.failure_code = "balance_changed"
    transfer.failure_message = "The shop refunded this order another way while it was waiting."
    lifecycle.change(
        session,
        runtime,
        transfer,
        TransferState.FAILED,
        now=now,
        actor=SYSTEM,
        action="rejected",
        why=transfer.failure_message,
    )


def new_generation(transfer: Transfer) -> None:
    """Give *transfer* a new key and reference. Only after a definite refusal."""
    assert transfer.reference
    transfer.generation += 1
    transfer.request_key = secrets.token_hex(16)
    transfer.reference = f"{transfer.reference.rpartition('-')[0]}-{transfer.generation}"
    transfer.operation = None


def backoff(first: float, tries: int) -> timedelta:
    """Return how long to wait after *tries* tries: doubling from *first* seconds, with jitter."""
    longest = min(first * 2.0 ** min(tries - 1, 16), LONGEST_WAIT)
    return timedelta(seconds=longest * random.uniform(0.8, 1.0))  # noqa: S311 - jitter


def _finish(attempt: Attempt, outcome: Outcome, now: datetime) -> None:
    if attempt.outcome is not None:
        return
    attempt.finished_at = now
    attempt.code = outcome.code
    attempt.message = outcome.message
    if isinstance(outcome, Accepted):
        attempt.outcome = ACCEPTED
        attempt.gateway_refund_id = outcome.gateway_refund_id
        attempt.gateway_status = outcome.raw_status
    elif isinstance(outcome, Refused):
        attempt.outcome = outcome.outcome
    elif isinstance(outcome, Wait):
        attempt.outcome = "not_yet" if outcome.new_key else str(outcome.detail)
    else:
        attempt.outcome = outcome.outcome


def _wait(
    session: Session, runtime: Runtime, transfer: Transfer, outcome: Wait, now: datetime
) -> None:
    if outcome.new_key:
        new_generation(transfer)
    settling = outcome.detail is Detail.WAITING_FOR_SETTLEMENT
    first = runtime.config.settle_interval if settling else runtime.config.retry_interval
    transfer.next_attempt_at = now + backoff(first, transfer.attempts)
    lifecycle.change(
        session,
        runtime,
        transfer,
        TransferState.STARTED,
        now=now,
        actor=SYSTEM,
        action=outcome.detail or "new_key",
        detail=outcome.detail,
        why=outcome.message,
        data={"code": outcome.code},
    )


def _hold(
    session: Session, runtime: Runtime, transfer: Transfer, outcome: Look, now: datetime
) -> None:
    transfer.claim_token = transfer.lease_until = None
    transfer.detail = Detail.OUTCOME_UNKNOWN
    transfer.next_attempt_at = now + backoff(runtime.config.retry_interval, transfer.attempts)
    lifecycle.record(
        session,
        transfer.refund,
        transfer,
        now=now,
        actor=SYSTEM,
        action="outcome_unknown",
        why=outcome.message,
        data={"code": outcome.code},
    )


def _keep_late_answer(
    session: Session, runtime: Runtime, transfer: Transfer, outcome: Outcome, now: datetime
) -> None:
    lifecycle.record(
        session,
        transfer.refund,
        transfer,
        now=now,
        actor=SYSTEM,
        action="late_answer",
        why="An answer came after its worker's lease; it is kept on the attempt.",
        data={"outcome": type(outcome).__name__.lower()},
    )
    if isinstance(outcome, Accepted) and transfer.state == TransferState.FAILED:
        _reopen(session, runtime, transfer, now)
    if transfer.state in IN_FLIGHT and transfer.claim_token is None:
        transfer.next_attempt_at = now
    made = outcome.gateway_refund_id if isinstance(outcome, Accepted) else None
    if made and transfer.state not in IN_FLIGHT and transfer.gateway_refund_id != made:
        log.error(
            "refunds: transfer=%s is %s, and the gateway also made %s",
            transfer.id,
            transfer.state,
            made,
        )


def _reopen(session: Session, runtime: Runtime, transfer: Transfer, now: datetime) -> None:
    """Have a failed transfer looked at again, of which the gateway said too late that it is done.

    Its failure stands when it was replaced or its money was given back another way: then people
    have to settle it, and the log says so.
    """
    if transfer not in lifecycle.current_transfers(transfer.refund):
        return
    with suppress(AboveBalance):
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.STARTED,
            now=now,
            actor=SYSTEM,
            action="reopened",
            detail=Detail.OUTCOME_UNKNOWN,
            why="The gateway said after all that the money went back.",
        )
        transfer.failure_code = transfer.failure_message = transfer.failed_at = None
