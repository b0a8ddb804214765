"""The sweep: what was never picked up, what lost its worker, what waited, and what may settle."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from flask_refunds import breaker, lifecycle, logs
from flask_refunds.accounts import lock
from flask_refunds.backoff import backoff
from flask_refunds.errors import Busy, ConfigurationError, RefundsError
from flask_refunds.gateways.base import GatewayError, ReceiptState, RefundReceipt, Unavailable
from flask_refunds.models import Transfer
from flask_refunds.policy import SYSTEM
from flask_refunds.processing import Processed, process
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, Detail, Method, TransferState


@dataclass(frozen=True, kw_only=True)
class Due:
    """Ids of the transfers to process, and of those to ask the gateway about."""

    process: tuple[int, ...]
    poll: tuple[int, ...]


def due(runtime: Runtime, *, limit: int = 200) -> Due:
    """Return what there is to do now, longest waiting first, *limit* of each at most."""
    now = runtime.now()

    def read(session: Session) -> Due:
        return Due(
            process=tuple(
                session.scalars(
                    select(Transfer.id)
                    .where(to_process(now))
                    .order_by(Transfer.next_attempt_at, Transfer.id)
                    .limit(limit)
                )
            ),
            poll=tuple(
                session.scalars(
                    select(Transfer.id).where(to_poll(now)).order_by(Transfer.poll_at).limit(limit)
                )
            ),
        )

    return runtime.sessions.read(read)


def to_process(now: datetime) -> ColumnElement[bool]:
    """Return the condition on a transfer that is due to be brought forward at *now*.

    What the gateway has is never sent again: it is asked about instead (:func:`to_poll`).
    """
    ready = or_(Transfer.next_attempt_at.is_(None), Transfer.next_attempt_at <= now)
    return and_(
        Transfer.method == Method.CARD,
        Transfer.gateway_refund_id.is_(None),
        or_(
            and_(Transfer.state == TransferState.STARTED, ready),
            and_(Transfer.state == TransferState.PROCESSING, Transfer.lease_until <= now),
            and_(
                Transfer.state == TransferState.PROCESSING,
                Transfer.lease_until.is_(None),
                Transfer.next_attempt_at <= now,
            ),
        ),
    )


def to_poll(now: datetime) -> ColumnElement[bool]:
    """Return the condition on a transfer of which the gateway is due to be asked at *now*."""
    return Transfer.poll_at <= now


def soonest(runtime: Runtime) -> datetime | None:
    """Return when something that is not due yet will be, in UTC; ``None`` if nothing will."""
    now = runtime.now()
    waits = (
        (Transfer.next_attempt_at, Transfer.state.in_(IN_FLIGHT)),
        (Transfer.lease_until, Transfer.state == TransferState.PROCESSING),
        (Transfer.poll_at, None),
    )

    def read(session: Session) -> datetime | None:
        moments = [
            session.scalar(
                select(func.min(column)).where(column > now, *([] if only is None else [only]))
            )
            for column, only in waits
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    return runtime.sessions.read(read)


def sweep(runtime: Runtime, *, limit: int = 200) -> Due:
    """Do one round by itself, one transfer after the other; return what it did.

    One transfer that cannot be brought forward does not keep the others waiting.
    """
    found = due(runtime, limit=limit)
    for transfer_id in found.process:
        guarded(process, runtime, transfer_id)
    for transfer_id in found.poll:
        guarded(poll, runtime, transfer_id)
    return found


def guarded(step: Callable[[Runtime, int], object], runtime: Runtime, transfer_id: int) -> None:
    """Run one *step* on one transfer; log what goes wrong, and keep it back for a while.

    Kept back, one that fails every time costs the others nothing.
    """
    try:
        try:
            step(runtime, transfer_id)
        except Busy:
            logs.warning("database_busy", transfer_id=transfer_id)
        except RefundsError as error:
            logs.warning("not_now", transfer_id=transfer_id, error=type(error).__name__)
            _keep_back(runtime, transfer_id)
        except Exception as error:
            logs.exception("not_brought_forward", error, transfer_id=transfer_id)
            _keep_back(runtime, transfer_id)
    except Exception as error:
        logs.exception("not_kept_back", error, transfer_id=transfer_id)


def _keep_back(runtime: Runtime, transfer_id: int) -> None:
    """Make what is due of the transfer due a little later; its state and its claim stay."""
    order_ref = runtime.sessions.read(
        lambda session: session.scalar(select(Transfer.order_ref).where(Transfer.id == transfer_id))
    )
    if order_ref is None:
        return

    def work(session: Session) -> None:
        lock(session, order_ref)
        transfer = session.get_one(Transfer, transfer_id, populate_existing=True)
        now = runtime.now()
        later = now + backoff(runtime.config.retry_interval, transfer.attempts + 1)
        if transfer.lease_until is not None:
            if transfer.lease_until <= now:
                transfer.lease_until = later
        elif transfer.next_attempt_at is not None and transfer.next_attempt_at <= now:
            transfer.next_attempt_at = later
        if transfer.poll_at is not None and transfer.poll_at <= now:
            transfer.poll_at = later

    runtime.sessions.transact(work)


def forward(runtime: Runtime, transfer_id: int) -> Processed:
    """Bring the transfer one step further: process it if that is due, else poll it if that is."""
    done = process(runtime, transfer_id)
    if done is Processed.NOT_DUE and _is_poll_due(runtime, transfer_id):
        poll(runtime, transfer_id)
        return Processed.DONE
    return done


def _is_poll_due(runtime: Runtime, transfer_id: int) -> bool:
    query = select(Transfer.poll_at).where(Transfer.id == transfer_id)
    poll_at = runtime.sessions.read(lambda session: session.scalar(query))
    return poll_at is not None and poll_at <= runtime.now()


def poll(runtime: Runtime, transfer_id: int) -> None:
    """Ask the gateway whether an accepted refund has settled, and record the answer."""

    def read(session: Session) -> Transfer | None:
        return session.get(Transfer, transfer_id)

    transfer = runtime.sessions.read(read)
    if transfer is None or transfer.poll_at is None or not transfer.gateway_refund_id:
        return
    order_ref, asked_for, gateway = transfer.order_ref, transfer.poll_at, transfer.gateway or ""
    until = runtime.sessions.transact(
        lambda session: breaker.pause(session, runtime, gateway, runtime.now())
    )
    receipt = None
    if until is None:
        receipt = _fetch(runtime, transfer_id, gateway, transfer.gateway_refund_id)

    def work(session: Session) -> None:
        lock(session, order_ref)
        polled = session.get_one(Transfer, transfer_id, populate_existing=True)
        hinted = polled.poll_at if polled.poll_at != asked_for else None
        _record(session, runtime, polled, receipt, until)
        if hinted is not None and polled.state != TransferState.FAILED:
            polled.poll_at = hinted  # what it hints at may be newer than our answer

    runtime.sessions.transact(work)


def _fetch(
    runtime: Runtime, transfer_id: int, gateway: str, gateway_refund_id: str
) -> RefundReceipt | None:
    """Return the refund as the gateway has it now; ``None`` when it cannot be asked."""
    began, reason = runtime.now(), ""
    receipt: RefundReceipt | None = None
    answered: bool | None = None
    try:
        receipt = runtime.gateways.get(gateway).fetch(gateway_refund_id)
    except ConfigurationError as error:
        logs.warning("not_asked", transfer_id=transfer_id, gateway=gateway, reason=error)
    except GatewayError as error:
        logs.warning("not_answered", transfer_id=transfer_id, gateway=gateway, reason=error.message)
        reason = error.message
        answered = False if isinstance(error, Unavailable) else None
    else:
        # While something waits to be paid, only that can tell whether paying works again.
        answered = None if _something_waits(runtime, gateway) else True
    finally:
        breaker.note(runtime, gateway, answered=answered, reason=reason, began=began)
    return receipt


def _something_waits(runtime: Runtime, gateway: str) -> bool:
    waiting = select(Transfer.id).where(
        Transfer.gateway == gateway,
        Transfer.state.in_(IN_FLIGHT),
        Transfer.next_attempt_at.is_not(None),
        Transfer.detail != Detail.WAITING_FOR_SETTLEMENT,
    )
    return runtime.sessions.read(lambda session: session.scalar(waiting.limit(1))) is not None


def settle(
    session: Session, runtime: Runtime, transfer: Transfer, receipt: RefundReceipt, now: datetime
) -> None:
    """Record on *transfer*, whose account is locked, how far the gateway has come with it.

    One that was made outside is not completed by that: a person has to say for which items.
    What is known already is not recorded again.
    """
    transfer.gateway_status = receipt.raw_status
    if receipt.state is ReceiptState.SUCCEEDED:
        transfer.poll_at = None
        if transfer.settled_at is not None:
            return
        transfer.settled_at = now
        for_person = transfer.detail in {Detail.OUTSIDE, Detail.CONFLICT}
        if not for_person:
            transfer.waiting_since = None
        if transfer.state == TransferState.PROCESSING and transfer.detail != Detail.OUTSIDE:
            lifecycle.change(
                session,
                runtime,
                transfer,
                TransferState.COMPLETED,
                now=now,
                actor=SYSTEM,
                action="settled",
                detail=Detail.SETTLED,
            )
            return
        if not for_person:
            transfer.detail = Detail.SETTLED
        lifecycle.record(
            session, runtime, transfer.refund, transfer, now=now, actor=SYSTEM, action="settled"
        )
    elif receipt.state is ReceiptState.FAILED:
        transfer.failure_code = receipt.code or receipt.raw_status
        transfer.failure_message = receipt.message or "The gateway declined it at settlement."
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.FAILED,
            now=now,
            actor=SYSTEM,
            action=lifecycle.FAILED_LATE,
            why=transfer.failure_message,
            data={"code": transfer.failure_code, "gateway_refund_id": transfer.gateway_refund_id},
        )
    else:
        _ask_later(runtime, transfer, now)


def _record(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    receipt: RefundReceipt | None,
    until: datetime | None,
) -> None:
    """Record *receipt* on *transfer*; without one ask later, not before *until* if that is set."""
    now = runtime.now()
    if transfer.poll_at is None:  # somebody else was faster
        return
    if until is not None:
        transfer.poll_at = until
    elif receipt is None or receipt.id != transfer.gateway_refund_id:
        _ask_later(runtime, transfer, now)
    else:
        settle(session, runtime, transfer, receipt, now)


def _ask_later(runtime: Runtime, transfer: Transfer, now: datetime) -> None:
    transfer.polls += 1
    transfer.poll_at = now + max(
        backoff(runtime.config.settle_interval, transfer.polls), timedelta(seconds=1)
    )
