"""What only a person can end: it was refunded, it was not, or it was looked into.

When the gateway's answers do not tell whether money moved, nothing is called again by itself. A
person who has looked in the gateway's panel says what happened there; what they say is held
against what the gateway says now, as far as it says anything.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds import errors, lifecycle
from flask_refunds.accounts import booked_by, recount
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
from flask_refunds.models import LARGEST_ID, Account, Attempt, Transfer
from flask_refunds.outcomes import VOID, Accepted, Earlier
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
    earlier: Earlier | None

    def has_sent(self, outcome: Accepted, reference: str | None) -> bool:
        """Return whether a call of ours may have brought *outcome* about, under *reference*."""
        if self.earlier is None:
            return False
        return (
            self.earlier.void if outcome.operation == VOID else reference in self.earlier.references
        )


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
    outcome, reference = _ask_for(runtime, case, gateway_refund_id.strip())
    if not case.has_sent(outcome, reference):
        _require_not_there(runtime, case)

    def work(session: Session, transfer: Transfer) -> None:
        now = _require_unchanged(session, runtime, transfer, case)
        _take(session, runtime, transfer, outcome.gateway_refund_id, reference, actor)
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
        now = _require_unchanged(session, runtime, transfer, case)
        transfer.claim_token = transfer.lease_until = None
        new_generation(transfer)
        transfer.certain_before = transfer.generation
        transfer.failure_code = transfer.failure_message = None
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
    """Return what is to be looked into, unless its outcome is known or a worker has it."""

    def read(session: Session) -> _Case:
        transfer = session.get(Transfer, transfer_id) if transfer_id <= LARGEST_ID else None
        if transfer is None:
            raise errors.UnknownRefund(str(transfer_id))
        assert transfer.gateway is not None
        assert transfer.charge_id is not None
        return _Case(
            id=transfer.id,
            gateway=transfer.gateway,
            charge_id=transfer.charge_id,
            amount=transfer.amount,
            currency=transfer.currency,
            earlier=_require_open(session, runtime, transfer),
        )

    return runtime.sessions.read(read)


def _require_open(session: Session, runtime: Runtime, transfer: Transfer) -> Earlier | None:
    """Return the calls of *transfer* without a certain end.

    Refuses when its outcome is known, and while a worker may be about to call.
    """
    if transfer.state != TransferState.PROCESSING or transfer.detail not in OPEN:
        raise errors.WrongState(state=transfer.state)
    if transfer.lease_until is not None and transfer.lease_until > runtime.now():
        raise errors.WorkerHasIt()
    attempts = session.scalars(
        select(Attempt).where(Attempt.transfer_id == transfer.id).order_by(Attempt.id)
    ).all()
    return earlier_calls(transfer, attempts)


def _require_unchanged(
    session: Session, runtime: Runtime, transfer: Transfer, case: _Case
) -> datetime:
    """Refuse when something was tried since the *case* was opened; return the time."""
    if _require_open(session, runtime, transfer) != case.earlier:
        raise errors.WorkerHasIt()
    return runtime.now()


def _ask_for(runtime: Runtime, case: _Case, gateway_refund_id: str) -> tuple[Accepted, str | None]:
    """Return the refund or void that a person named, and the reference that it carries."""
    try:
        gateway = runtime.gateways.get(case.gateway)
        if gateway_refund_id == case.charge_id:
            charge = gateway.inspect(case.charge_id)
            if not charge.voided:
                raise errors.NotThisRefund(reason="not_voided")
            _require_same(case, charge.id, charge.amount, charge.currency)
            return Accepted.by_charge(charge), None
        receipt = gateway.fetch(gateway_refund_id)
    except Rejected as error:
        raise errors.NotThisRefund(reason="unknown", found=error.message) from None
    except (GatewayError, ConfigurationError) as error:
        raise errors.GatewaySilent(str(error)) from None
    _require_same(case, receipt.charge_id, receipt.amount, receipt.currency)
    if receipt.state is ReceiptState.FAILED:
        raise errors.NotThisRefund(reason="failed", found=receipt.raw_status)
    return Accepted.by_refund(receipt), receipt.reference


def _require_same(case: _Case, charge_id: str, amount: int, currency: str) -> None:
    if charge_id != case.charge_id:
        raise errors.NotThisRefund(reason="other_sale", found=charge_id)
    if (amount, currency) != (case.amount, case.currency):
        raise errors.NotThisRefund(reason="other_amount", found=f"{amount} {currency}")


def _take(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    id_: str,
    reference: str | None,
    actor: Actor,
) -> None:
    """Let *transfer* have the gateway's record *id_*, or refuse when another one has it.

    One that was found in the gateway's panel, and of which nobody has said yet for which items it
    was, gives way: this is what it was for.
    """
    if reference is not None and _was_sent_by_another(session, transfer, reference):
        raise errors.NotThisRefund(reason="booked", found=id_)
    other = booked_by(session, transfer, id_)
    if other is None:
        return
    if other.detail != Detail.OUTSIDE or other.order_ref != transfer.order_ref:
        raise errors.NotThisRefund(reason="booked", found=id_)
    other.poll_at = None
    lifecycle.change(
        session,
        runtime,
        other,
        TransferState.REVERSED,
        now=runtime.now(),
        actor=actor,
        action="in_shop",
        why=f"It is the refund {transfer.refund_id}.",
    )
    recount(session.get_one(Account, transfer.order_ref))


def _was_sent_by_another(session: Session, transfer: Transfer, reference: str) -> bool:
    """Return whether another transfer has sent something under this *reference*."""
    sent = select(Attempt.id).where(
        Attempt.transfer_id != transfer.id, Attempt.reference == reference
    )
    return session.scalar(sent.limit(1)) is not None


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
    if transfer.state == TransferState.FAILED or transfer.gateway_refund_id is None:
        return Detail.NONE
    return Detail.SETTLED if transfer.settled_at is not None else Detail.ACCEPTED
