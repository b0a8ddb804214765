"""Recording what is known after an attempt: only with the claim's token, once."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds import lifecycle
from flask_refunds.accounts import booked_by, lock, recount
from flask_refunds.backoff import backoff
from flask_refunds.errors import AboveBalance
from flask_refunds.models import NAME_LENGTH, Account, Attempt, Transfer
from flask_refunds.outcomes import ACCEPTED, VOID, Accepted, Claim, Look, Outcome, Refused, Wait
from flask_refunds.policy import SYSTEM, Actor
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, Detail, TransferState

MADE_MEANWHILE = "An answer that came late says that the gateway has made it."


def record(session: Session, runtime: Runtime, claim: Claim, outcome: Outcome) -> None:
    """Record *outcome* on the attempt of *claim* and, if the claim still holds, on its transfer.

    An answer that comes after the lease was taken over is kept on its attempt and starts a
    reconciliation; it changes no state by itself.
    """
    lock(session, claim.order_ref)
    transfer = session.get_one(Transfer, claim.transfer_id, populate_existing=True)
    attempt = session.get_one(Attempt, claim.attempt_id, populate_existing=True)
    now = runtime.now()
    outcome = _once(session, transfer, outcome)
    _finish(attempt, outcome, now)
    if transfer.claim_token != claim.token:
        _keep_late_answer(session, runtime, transfer, attempt, outcome, now)
    elif isinstance(outcome, Accepted):
        accept(session, runtime, transfer, outcome, now)
        if _accepted_meanwhile(session, attempt) - {outcome.gateway_refund_id}:
            flag(session, runtime, transfer, now, "The gateway has made it more than once.")
    elif isinstance(outcome, Refused) and _accepted_meanwhile(session, attempt):
        _hold(session, runtime, transfer, Look(code="late_answer", message=MADE_MEANWHILE), now)
    elif isinstance(outcome, Refused):
        transfer.failure_code, transfer.failure_message = _short(outcome.code), outcome.message
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


def _once(session: Session, transfer: Transfer, outcome: Outcome) -> Outcome:
    """Return *outcome*, unless it is a record of the gateway that another transfer has."""
    if not isinstance(outcome, Accepted):
        return outcome
    other = booked_by(session, transfer, outcome.gateway_refund_id)
    if other is None:
        return outcome
    booked = f"{outcome.gateway_refund_id} is recorded for transfer {other.id} already."
    return Look.for_person("booked", booked)


def _accepted_meanwhile(session: Session, attempt: Attempt) -> set[str | None]:
    """Return what the gateway made by the answers that came late since *attempt* began."""
    made = select(Attempt.gateway_refund_id).where(
        Attempt.transfer_id == attempt.transfer_id,
        Attempt.id != attempt.id,
        Attempt.outcome == ACCEPTED,
        Attempt.finished_at >= attempt.started_at,
    )
    return set(session.scalars(made))


def accept(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    outcome: Accepted,
    now: datetime,
    *,
    actor: Actor = SYSTEM,
    action: str = "",
    why: str = "",
) -> None:
    """Record that the gateway has *transfer*: Completed now, or when it settles (the setting)."""
    action = action or ("voided" if outcome.operation == VOID else "refunded")
    data = {"gateway_refund_id": outcome.gateway_refund_id, "status": outcome.raw_status}
    transfer.operation = outcome.operation
    transfer.gateway_refund_id = outcome.gateway_refund_id
    transfer.gateway_status = _short(outcome.raw_status)
    transfer.gateway_at = outcome.at
    transfer.failure_code = transfer.failure_message = None
    transfer.settled_at = now if outcome.settled else None
    transfer.waiting_since = None if outcome.settled else now
    if not outcome.settled:
        transfer.poll_at = now + timedelta(seconds=runtime.config.settle_interval)
    if outcome.settled or runtime.config.complete_on == "accepted":
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.COMPLETED,
            now=now,
            actor=actor,
            action=action,
            detail=Detail.SETTLED if outcome.settled else Detail.ACCEPTED,
            why=why or outcome.message or "",
            data=data,
        )
        return
    transfer.claim_token = transfer.lease_until = transfer.next_attempt_at = None
    transfer.detail = Detail.ACCEPTED
    lifecycle.record(
        session,
        runtime,
        transfer.refund,
        transfer,
        now=now,
        actor=actor,
        action="accepted" if actor is SYSTEM else action,
        why=why,
        data=data,
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


def _short(text: str | None) -> str | None:
    """Return a gateway's word as our columns hold it."""
    return text[:NAME_LENGTH] if text is not None else None


def _finish(attempt: Attempt, outcome: Outcome, now: datetime) -> None:
    if attempt.outcome is not None:
        return
    attempt.finished_at = now
    attempt.code = _short(outcome.code)
    attempt.message = outcome.message
    if isinstance(outcome, Accepted):
        attempt.outcome = ACCEPTED
        attempt.gateway_refund_id = outcome.gateway_refund_id
        attempt.gateway_status = _short(outcome.raw_status)
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
    transfer.waiting_since = transfer.waiting_since or now
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
    transfer.detail = outcome.detail
    transfer.next_attempt_at = now + backoff(runtime.config.retry_interval, transfer.attempts)
    transfer.waiting_since = transfer.waiting_since or now
    lifecycle.record(
        session,
        runtime,
        transfer.refund,
        transfer,
        now=now,
        actor=SYSTEM,
        action=outcome.detail,
        why=outcome.message,
        data={"code": outcome.code},
    )


def _keep_late_answer(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    attempt: Attempt,
    outcome: Outcome,
    now: datetime,
) -> None:
    """Note an answer that came after its worker's lease, and have the gateway asked again."""
    lifecycle.record(
        session,
        runtime,
        transfer.refund,
        transfer,
        now=now,
        actor=SYSTEM,
        action="late_answer",
        why="An answer came after its worker's lease; it is kept on the attempt.",
        data={"outcome": type(outcome).__name__.lower()},
    )
    if transfer.state in IN_FLIGHT and transfer.gateway_refund_id is None:
        if transfer.claim_token is None:
            transfer.next_attempt_at = now
    elif isinstance(outcome, Accepted):
        known = transfer.gateway_refund_id == outcome.gateway_refund_id
        if not known and transfer.state == TransferState.FAILED:
            reopen(session, runtime, transfer, now)
        elif not known:
            flag(
                session,
                runtime,
                transfer,
                now,
                f"The gateway also made {outcome.gateway_refund_id}.",
                data={"gateway_refund_id": outcome.gateway_refund_id},
            )
    elif (
        isinstance(outcome, Look)
        and transfer.state == TransferState.FAILED
        and attempt.called_at is not None  # else it has called nothing
    ):
        reopen(session, runtime, transfer, now)


def reopen(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    now: datetime,
    *,
    why: str = "An answer that came late says that the money may have gone back after all.",
    data: dict[str, Any] | None = None,
) -> None:
    """Have a failed transfer looked at again: its money has moved after all, or may have.

    It is looked for and not sent: found nowhere, it fails as it had failed. When it was replaced,
    its money was given back another way, or a person has to settle it already, that person does.
    """
    if transfer.detail == Detail.CONFLICT:
        flag(session, runtime, transfer, now, why, data=data)
        return
    if transfer not in lifecycle.current_transfers(transfer.refund):
        flag(
            session,
            runtime,
            transfer,
            now,
            "It was replaced, and the gateway may have paid it too.",
            data=data,
        )
        return
    new_generation(transfer)
    recount(session.get_one(Account, transfer.order_ref))
    try:
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.STARTED,
            now=now,
            actor=SYSTEM,
            action="reopened",
            detail=Detail.OUTCOME_UNKNOWN,
            why=why,
            data=data,
        )
    except AboveBalance:
        flag(
            session,
            runtime,
            transfer,
            now,
            "The gateway may have paid what was given back otherwise.",
            data=data,
        )
        return
    transfer.failed_at = transfer.gateway_refund_id = transfer.settled_at = None
    transfer.dispute_accepted_at = None
    transfer.waiting_since = now


def flag(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    now: datetime,
    why: str,
    *,
    data: dict[str, Any] | None = None,
) -> None:
    """Mark money that moved beside the books, for a person to settle."""
    transfer.detail, transfer.waiting_since = Detail.CONFLICT, now
    lifecycle.record(
        session,
        runtime,
        transfer.refund,
        transfer,
        now=now,
        actor=SYSTEM,
        action=lifecycle.CONFLICT,
        why=why,
        data=data,
    )
