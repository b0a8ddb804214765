"""What only a person can end: it was refunded, it was not, or it was looked into.

When the gateway's answers do not tell whether money moved, nothing is called again by itself. A
person who has looked in the gateway's panel says what happened there; what they say is held
against what the gateway says now, as far as it says anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flask_refunds import errors, lifecycle
from flask_refunds.correcting import with_transfer
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import (
    Found,
    GatewayError,
    NotFound,
    NotThere,
    ReceiptState,
    Rejected,
)
from flask_refunds.looking import earlier_calls, window_ends
from flask_refunds.models import LARGEST_ID, Attempt, Transfer
from flask_refunds.outcomes import Accepted, Earlier
from flask_refunds.policy import Actor
from flask_refunds.recording import accept, new_generation
from flask_refunds.runtime import Runtime
from flask_refunds.states import Detail, TransferState

OPEN = frozenset({Detail.OUTCOME_UNKNOWN, Detail.UNDECIDED})
"""Details of a transfer of which nobody knows whether its money moved."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A transfer without a known outcome, as it was when somebody began to look into it."""

    id: int
    gateway: str
    charge_id: str
    amount: int
    currency: str
    attempts: int
    earlier: Earlier | None


def adopt(
    runtime: Runtime, transfer_id: int, actor: Actor, *, gateway_refund_id: str, why: str = ""
) -> None:
    """Record that the money of the transfer went back as *gateway_refund_id*.

    The gateway is asked: the refund must be of the same sale, amount and currency, and not be
    booked on another transfer. The sale's own id stands for a void. One that does not carry our
    reference is somebody else's doing, and taken only when ours can land no more. Raises
    :exc:`~flask_refunds.errors.NotThisRefund`, :exc:`~flask_refunds.errors.GatewaySilent`,
    :exc:`~flask_refunds.errors.WorkerHasIt`, :exc:`~flask_refunds.errors.WrongState`, and like
    :func:`try_again`.
    """
    case = _open_case(runtime, transfer_id)
    outcome, is_ours = _ask_for(runtime, case, gateway_refund_id.strip())
    if not is_ours:
        _require_not_there(runtime, case)

    def work(session: Session, transfer: Transfer) -> None:
        now = _require_open(runtime, transfer, case)
        if _is_booked(session, transfer, outcome.gateway_refund_id):
            raise errors.NotThisRefund(reason="booked", found=outcome.gateway_refund_id)
        accept(
            session, runtime, transfer, outcome, now, actor=actor, action="found_by_person", why=why
        )

    with_transfer(runtime, transfer_id, work)


def try_again(runtime: Runtime, transfer_id: int, actor: Actor, *, why: str) -> bool:
    """Record that the money did not move, and start again with a new key; *why* is required.

    Refused while a late request may still land, while the gateway has a refund with our
    reference, and while it cannot be asked. A gateway that does not know the sale any more leaves
    the person's word alone. Without a gateway of that name in this shop any more the transfer
    fails instead, and its money is released. Returns whether a worker was woken.
    Raises :exc:`~flask_refunds.errors.TooEarly`, :exc:`~flask_refunds.errors.GatewayHasIt`, and
    like :func:`adopt`.
    """
    if not why.strip():
        raise errors.ReasonMissing()
    case = _open_case(runtime, transfer_id)
    there_is_one = case.gateway in runtime.gateways
    if there_is_one:
        _require_not_there(runtime, case)

    def work(session: Session, transfer: Transfer) -> None:
        now = _require_open(runtime, transfer, case)
        transfer.claim_token = transfer.lease_until = None
        new_generation(transfer)
        transfer.certain_before = transfer.generation
        if not there_is_one:
            transfer.failure_code = "not_done"
            transfer.failure_message = "It was not done, and its gateway is not set up any more."
        transfer.next_attempt_at, transfer.waiting_since = now, None
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.STARTED if there_is_one else TransferState.FAILED,
            now=now,
            actor=actor,
            action="declared_not_done",
            why=why,
        )

    with_transfer(runtime, transfer_id, work)
    return there_is_one and runtime.queue.wake(transfer_id)


def acknowledge(runtime: Runtime, transfer_id: int, actor: Actor, *, why: str) -> None:
    """Record that somebody has settled a conflict beside the books; *why* is required.

    Raises :exc:`~flask_refunds.errors.WrongState` unless the transfer is in conflict.
    """
    if not why.strip():
        raise errors.ReasonMissing()

    def work(session: Session, transfer: Transfer) -> None:
        if transfer.detail != Detail.CONFLICT:
            raise errors.WrongState(state=transfer.state)
        now, transfer.detail = runtime.now(), _calm(transfer)
        transfer.waiting_since = now if transfer.detail is Detail.ACCEPTED else None
        lifecycle.record(
            session,
            runtime,
            transfer.refund,
            transfer,
            now=now,
            actor=actor,
            action="acknowledged",
            why=why,
        )

    with_transfer(runtime, transfer_id, work)


def _open_case(runtime: Runtime, transfer_id: int) -> _Case:
    """Return what is to be looked into. Raises ``WrongState`` when the outcome is known."""

    def read(session: Session) -> _Case:
        transfer = session.get(Transfer, transfer_id) if transfer_id <= LARGEST_ID else None
        if transfer is None:
            raise errors.UnknownRefund(str(transfer_id))
        if not _is_open(transfer):
            raise errors.WrongState(state=transfer.state)
        assert transfer.gateway is not None
        assert transfer.charge_id is not None
        attempts: Sequence[Attempt] = session.scalars(
            select(Attempt).where(Attempt.transfer_id == transfer.id).order_by(Attempt.id)
        ).all()
        return _Case(
            id=transfer.id,
            gateway=transfer.gateway,
            charge_id=transfer.charge_id,
            amount=transfer.amount,
            currency=transfer.currency,
            attempts=transfer.attempts,
            earlier=earlier_calls(transfer, attempts),
        )

    return runtime.sessions.read(read)


def _is_open(transfer: Transfer) -> bool:
    return transfer.state == TransferState.PROCESSING and transfer.detail in OPEN


def _require_open(runtime: Runtime, transfer: Transfer, case: _Case) -> datetime:
    """Refuse when the outcome is known by now or a worker has tried meanwhile; return the time."""
    now = runtime.now()
    if not _is_open(transfer):
        raise errors.WrongState(state=transfer.state)
    claimed = transfer.lease_until is not None and transfer.lease_until > now
    if claimed or transfer.attempts != case.attempts:
        raise errors.WorkerHasIt()
    return now


def _ask_for(runtime: Runtime, case: _Case, gateway_refund_id: str) -> tuple[Accepted, bool]:
    """Return the refund or void that a person named, and whether it is by a call of ours."""
    earlier = case.earlier
    try:
        gateway = runtime.gateways.get(case.gateway)
        if gateway_refund_id == case.charge_id:
            charge = gateway.inspect(case.charge_id)
            if not charge.voided:
                raise errors.NotThisRefund(reason="not_voided")
            _require_same(case, charge.id, charge.amount, charge.currency)
            return Accepted.by_charge(charge), earlier is not None and earlier.void
        receipt = gateway.fetch(gateway_refund_id)
    except Rejected as error:
        raise errors.NotThisRefund(reason="unknown", found=error.message) from None
    except (GatewayError, ConfigurationError) as error:
        raise errors.GatewaySilent(str(error)) from None
    _require_same(case, receipt.charge_id, receipt.amount, receipt.currency)
    if receipt.state is ReceiptState.FAILED:
        raise errors.NotThisRefund(reason="failed", found=receipt.raw_status)
    ours = () if earlier is None else earlier.references
    return Accepted.by_refund(receipt), receipt.reference in ours


def _require_same(case: _Case, charge_id: str, amount: int, currency: str) -> None:
    if charge_id != case.charge_id:
        raise errors.NotThisRefund(reason="other_sale", found=charge_id)
    if (amount, currency) != (case.amount, case.currency):
        raise errors.NotThisRefund(reason="other_amount", found=f"{amount} {currency}")


def _is_booked(session: Session, transfer: Transfer, gateway_refund_id: str) -> bool:
    """Return whether another transfer has this record of the gateway, or may have."""
    booked = (
        select(Transfer.id)
        .outerjoin(Attempt, Attempt.transfer_id == Transfer.id)
        .where(
            Transfer.id != transfer.id,
            Transfer.gateway == transfer.gateway,
            or_(
                Transfer.gateway_refund_id == gateway_refund_id,
                Attempt.gateway_refund_id == gateway_refund_id,
            ),
        )
    )
    return session.scalar(booked.limit(1)) is not None


def _require_not_there(runtime: Runtime, case: _Case) -> None:
    """Refuse unless a late request can land no more and the gateway knows none of ours."""
    if case.earlier is None:
        return
    try:
        gateway = runtime.gateways.get(case.gateway)
    except ConfigurationError as error:
        raise errors.GatewaySilent(str(error)) from None
    ends = window_ends(runtime, gateway, case.earlier)
    if runtime.now() < ends:
        raise errors.TooEarly(until=ends)
    try:
        for reference in case.earlier.references:
            found = gateway.find(
                case.charge_id, reference=reference, amount=case.amount, currency=case.currency
            )
            if isinstance(found, Found):
                raise errors.GatewayHasIt(ids=(found.receipt.id,))
            if not isinstance(found, NotThere):
                raise errors.GatewayHasIt(ids=found.ids)
        if case.earlier.void:
            charge = gateway.inspect(case.charge_id)
            if charge.voided and charge.amount == case.amount:
                raise errors.GatewayHasIt(ids=(charge.id,))
    except NotFound:  # another merchant's by now, say; the next attempt will hear the same
        return
    except GatewayError as error:
        raise errors.GatewaySilent(error.message) from None


def _calm(transfer: Transfer) -> Detail:
    if transfer.state != TransferState.COMPLETED:
        return Detail.NONE
    return Detail.SETTLED if transfer.settled_at is not None else Detail.ACCEPTED
