"""What a person may do about a transfer: retry, pay by other means instead, take back."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds import errors, ledger, lifecycle
from flask_refunds.accounts import lock, recount, voided_by_another
from flask_refunds.deciding import DISPUTED
from flask_refunds.entitlement import Entitlement
from flask_refunds.looking import earlier_calls, require_unpaid
from flask_refunds.models import LARGEST_ID, Account, Allocation, Attempt, Event, Transfer
from flask_refunds.outcomes import Earlier
from flask_refunds.policy import Actor
from flask_refunds.recording import new_generation
from flask_refunds.runtime import Runtime
from flask_refunds.sharing import Components
from flask_refunds.standings import standing_of
from flask_refunds.states import Detail, Method, TransferState
from flask_refunds.storefront.reading import read_bundle


@dataclass(frozen=True, kw_only=True)
class _Failed:
    """A failed transfer, with the calls of it that may have landed all the same."""

    transfer_id: int
    gateway: str
    charge_id: str
    reference: str
    amount: int
    currency: str
    earlier: Earlier | None


def retry(
    runtime: Runtime,
    transfer_id: int,
    actor: Actor,
    *,
    why: str = "",
    generation: int | None = None,
    despite_dispute: bool = False,
) -> bool:
    """Start a failed card transfer again, with a new key; return whether a worker was woken.

    The money is reserved afresh. *generation* is the failed one that the actor saw: when a retry
    has come between, nothing is done, even if that one has failed too by now. Raises
    :exc:`~flask_refunds.errors.WrongState` then and unless it is Failed, and the refusals of
    issuing when the money or the lines are not left any more. One that failed since the sale is
    disputed needs *despite_dispute*, the actor's word that it is to be refunded all the same;
    without it :exc:`~flask_refunds.errors.DisputeNotAccepted` is raised. The word is for this
    time: another retry needs it again. Raises :exc:`~flask_refunds.errors.InConflict` while money
    may have moved beside the books.
    """

    def work(session: Session, transfer: Transfer) -> None:
        _require(transfer, Method.CARD, TransferState.FAILED)
        if generation is not None and transfer.generation != generation:
            raise errors.WrongState(state=transfer.state)
        _require_calm(transfer, despite_dispute)
        _divide_again(session, runtime, transfer)
        new_generation(transfer)
        transfer.dispute_accepted_at = runtime.now() if despite_dispute else None
        transfer.failure_code = transfer.failure_message = transfer.failed_at = None
        transfer.gateway_refund_id = transfer.gateway_status = transfer.gateway_at = None
        transfer.completed_at = transfer.settled_at = transfer.waiting_since = None
        transfer.attempts = transfer.polls = 0
        transfer.next_attempt_at = runtime.now()
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.STARTED,
            now=runtime.now(),
            actor=actor,
            action="retried",
            why=why,
            data={"despite_dispute": True} if despite_dispute else None,
        )

    with_transfer(runtime, transfer_id, work)
    return runtime.queue.wake(transfer_id)


def pay_otherwise(
    runtime: Runtime,
    transfer_id: int,
    actor: Actor,
    *,
    kind: str,
    reference: str = "",
    why: str = "",
    despite_dispute: bool = False,
) -> None:
    """Record that the money of a failed card transfer went back by other means instead.

    The new transfer carries what the failed one carried and is linked to it. When a call of the
    failed one had no certain end, the gateway is asked first, and must know none of them: raises
    :exc:`~flask_refunds.errors.PaidAlready`, :exc:`~flask_refunds.errors.TooEarly` and
    :exc:`~flask_refunds.errors.GatewaySilent`. Raises like :func:`retry` too, and
    :exc:`~flask_refunds.errors.OtherMeansMissing`.
    """
    if kind not in runtime.config.other_means:
        raise errors.OtherMeansMissing(kind)
    looked_for = _require_unpaid(runtime, transfer_id)

    def work(session: Session, transfer: Transfer) -> None:
        _require(transfer, Method.CARD, TransferState.FAILED)
        _require_calm(transfer, despite_dispute)
        if _may_have_landed(session, transfer) != looked_for:
            raise errors.WorkerHasIt()
        _divide_again(session, runtime, transfer)
        now = runtime.now()
        instead = Transfer(
            order_ref=transfer.order_ref,
            position=len(transfer.refund.transfers),
            method=Method.OTHER,
            currency=transfer.currency,
            amount=transfer.amount,
            generation=1,
            created_at=now,
            replaces_id=transfer.id,
            other_kind=kind,
            other_reference=reference[:255],
        )
        instead.allocations = [
            Allocation(line_id=row.line_id, **vars(ledger.components_of(row)))
            for row in transfer.allocations
        ]
        transfer.refund.transfers.append(instead)
        lifecycle.change(
            session,
            runtime,
            instead,
            TransferState.COMPLETED,
            now=now,
            actor=actor,
            action="paid_otherwise",
            why=why,
            data={"despite_dispute": True} if despite_dispute else None,
        )

    with_transfer(runtime, transfer_id, work)


def reverse(runtime: Runtime, transfer_id: int, actor: Actor, *, why: str) -> None:
    """Take back the record of a transfer by other means that was a mistake; *why* is required.

    Postings dated now undo its figures. Raises :exc:`~flask_refunds.errors.WrongState`.
    """
    if not why.strip():
        raise errors.ReasonMissing()

    def work(session: Session, transfer: Transfer) -> None:
        _require(transfer, Method.OTHER, TransferState.COMPLETED)
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.REVERSED,
            now=runtime.now(),
            actor=actor,
            action="reversed",
            why=why,
        )

    with_transfer(runtime, transfer_id, work)


def with_transfer(
    runtime: Runtime, transfer_id: int, work: Callable[[Session, Transfer], None]
) -> None:
    """Do *work* on the transfer, in one transaction and under the lock of its order."""
    order_ref = runtime.sessions.read(lambda session: _transfer(session, transfer_id).order_ref)

    def locked(session: Session) -> None:
        lock(session, order_ref)
        work(session, session.get_one(Transfer, transfer_id, populate_existing=True))

    runtime.sessions.transact(locked)


def _transfer(session: Session, transfer_id: int) -> Transfer:
    transfer = session.get(Transfer, transfer_id) if transfer_id <= LARGEST_ID else None
    if transfer is None:
        raise errors.UnknownRefund(str(transfer_id))
    return transfer


def _require(transfer: Transfer, method: Method, state: TransferState) -> None:
    replaced = transfer.id not in {t.id for t in lifecycle.current_transfers(transfer.refund)}
    if transfer.method != method or transfer.state != state or replaced:
        raise errors.WrongState(state="replaced" if replaced else transfer.state)


def _require_calm(transfer: Transfer, despite_dispute: bool) -> None:
    """Refuse what may give the money of a failed transfer back twice."""
    if transfer.detail == Detail.CONFLICT:
        raise errors.InConflict()
    if transfer.failure_code == DISPUTED and not despite_dispute:
        raise errors.DisputeNotAccepted()


def _require_unpaid(runtime: Runtime, transfer_id: int) -> Earlier | None:
    """Refuse unless no call of the transfer has paid; return which were looked for."""

    def read(session: Session) -> _Failed:
        transfer = _transfer(session, transfer_id)
        _require(transfer, Method.CARD, TransferState.FAILED)
        assert transfer.gateway is not None
        assert transfer.charge_id is not None
        assert transfer.reference is not None
        return _Failed(
            transfer_id=transfer.id,
            gateway=transfer.gateway,
            charge_id=transfer.charge_id,
            reference=transfer.reference,
            amount=transfer.amount,
            currency=transfer.currency,
            earlier=_may_have_landed(session, transfer),
        )

    failed = runtime.sessions.read(read)
    if failed.earlier is not None:
        try:
            gateway = runtime.gateways.get(failed.gateway)
        except errors.ConfigurationError as error:
            raise errors.GatewaySilent(str(error)) from None
        require_unpaid(runtime, gateway, failed, failed.earlier)
    return failed.earlier


def _may_have_landed(session: Session, transfer: Transfer) -> Earlier | None:
    """Return the calls of a failed transfer that may have paid.

    One that the gateway accepted and declined later has certainly not, and a void that another
    refund has is not by a call of this one.
    """
    attempts = session.scalars(
        select(Attempt).where(Attempt.transfer_id == transfer.id).order_by(Attempt.id)
    )
    ends = select(Event.data).where(
        Event.transfer_id == transfer.id, Event.action == lifecycle.FAILED_LATE
    )
    declined = {data.get("gateway_refund_id") for data in session.scalars(ends)} - {None}
    earlier = earlier_calls(transfer, [a for a in attempts if a.gateway_refund_id not in declined])
    if earlier is not None and earlier.void and voided_by_another(session, transfer):
        return replace(earlier, void=False)
    return earlier


def _divide_again(session: Session, runtime: Runtime, transfer: Transfer) -> None:
    """Check that what *transfer* carries is still left, and divide it anew.

    Other refunds may have come between, so that its tax and discount are worked out again: the
    last part must close. What was captured is never lowered here, and an order that the host has
    deleted is still owed its money: then the balance alone guards. What was adopted above that
    is no room for anything: it is gone.
    """
    account = session.get_one(Account, transfer.order_ref)
    try:
        bundle = read_bundle(session, runtime.storefront, transfer.order_ref)
    except errors.UnknownOrder:
        recount(account)
        return
    standing = standing_of(session, runtime, bundle, account)
    account.captured, account.prior = max(account.captured, standing.captured), standing.prior
    recount(account)
    items: dict[tuple[str, str], Entitlement] = {(i.kind, i.ref): i for i in standing.items}
    for row in transfer.allocations:
        item = items.get((row.line.kind, row.line.line_ref))
        if item is not None:  # else an adjustment, or a line that is gone from the host's order
            _take(row, _divide(row, item, transfer.currency))


def _divide(row: Allocation, item: Entitlement, currency: str) -> Components:
    left = item.left
    if row.paid > left.paid:
        raise errors.AboveLine(line=item.ref, asked=row.paid, left=left.paid, currency=currency)
    if row.quantity > left.quantity:
        raise errors.AboveQuantity(line=item.ref, asked=row.quantity, left=left.quantity)
    return item.part(paid=row.paid, quantity=row.quantity)


def _take(row: Allocation, components: Components) -> None:
    """Have *row* carry *components*, and its line and refund with it."""
    change = components - ledger.components_of(row)
    for target in (row, row.line):
        for name, difference in vars(change).items():
            setattr(target, name, getattr(target, name) + difference)
    row.line.refund.tax += change.tax
