"""What a person says about a refund that was made outside: for which items, or whose it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from flask_refunds import errors, lifecycle
from flask_refunds.accounts import lock, recount
from flask_refunds.issuing import add_lines, take_over
from flask_refunds.models import LARGEST_ID, Account, Allocation, Transfer
from flask_refunds.planning import RefundRequest, Selection, Standing, plan_lines
from flask_refunds.policy import Actor
from flask_refunds.runtime import Runtime
from flask_refunds.sharing import Components
from flask_refunds.standings import standing_of
from flask_refunds.states import Detail, TransferState
from flask_refunds.storefront.reading import read_bundle

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """For what it was: the lines and the signed ``adjustment`` add up to the refund's amount."""

    selections: tuple[Selection, ...] = ()
    adjustment: int = 0
    reason: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """How the order stands without the refund, and how that was divided for the time being."""

    standing: Standing
    selections: tuple[Selection, ...]
    adjustment: int


def read_proposal(runtime: Runtime, transfer_id: int) -> Proposal:
    """Return what there is to confirm of the transfer *transfer_id*, which was made outside.

    Raises :exc:`~flask_refunds.errors.UnknownRefund`, :exc:`~flask_refunds.errors.UnknownOrder`
    and :exc:`~flask_refunds.errors.WrongState`.
    """

    def read(session: Session) -> Proposal:
        transfer = _transfer(session, transfer_id)
        _require_outside(transfer)
        carried = [(row.line.kind, row.line.line_ref, row) for row in transfer.allocations]
        return Proposal(
            standing=_standing(session, runtime, transfer),
            selections=tuple(
                Selection(kind="row" if kind == "row" else "line", ref=ref, quantity=row.quantity,
                          paid=row.paid)
                for kind, ref, row in carried
                if kind != "adjustment"
            ),
            adjustment=sum(row.paid for kind, _, row in carried if kind == "adjustment"),
        )  # fmt: skip

    return runtime.sessions.read(read)


def confirm_outside(
    runtime: Runtime, transfer_id: int, actor: Actor, confirmation: Confirmation
) -> TransferState:
    """Record for which items the transfer *transfer_id* was, and complete it, dated now.

    With ``REFUNDS_COMPLETE_ON = "settled"`` it is completed when it settles. Returns its state;
    raises :exc:`~flask_refunds.errors.WrongState` unless it waits for that, the refusals of
    issuing for lines that have less left, and :exc:`~flask_refunds.errors.NotTheAmount`.
    """
    if confirmation.reason not in runtime.config.reasons:
        raise errors.UnknownReason(confirmation.reason)

    def work(session: Session, transfer: Transfer) -> TransferState:
        _divide(session, runtime, transfer, confirmation)
        refund, now = transfer.refund, runtime.now()
        refund.reason, refund.note = confirmation.reason, confirmation.note or refund.note
        told = {
            "gateway_refund_id": transfer.gateway_refund_id,
            "status": transfer.gateway_status,
        }
        transfer.claim_token = transfer.lease_until = transfer.next_attempt_at = None
        if transfer.settled_at is None and runtime.config.complete_on == "settled":
            transfer.detail = Detail.ACCEPTED
            lifecycle.record(
                session,
                runtime,
                refund,
                transfer,
                now=now,
                actor=actor,
                action="confirmed",
                why=confirmation.note,
                data=told,
            )
            return TransferState.PROCESSING
        if transfer.settled_at is not None:
            transfer.waiting_since = None
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.COMPLETED,
            now=now,
            actor=actor,
            action="confirmed",
            detail=Detail.ACCEPTED if transfer.settled_at is None else Detail.SETTLED,
            why=confirmation.note,
            data=told,
        )
        return TransferState.COMPLETED

    return _with_outside(runtime, transfer_id, work)


def disown(runtime: Runtime, transfer_id: int, actor: Actor, *, why: str) -> None:
    """Record that the shop's own books have the refund *transfer_id* already; *why* is required.

    Its money is released, nothing was or will be posted, and it is never adopted again. Raises
    :exc:`~flask_refunds.errors.WrongState` unless it waits for a person.
    """
    if not why.strip():
        raise errors.ReasonMissing()

    def work(session: Session, transfer: Transfer) -> None:
        transfer.poll_at = None
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.REVERSED,
            now=runtime.now(),
            actor=actor,
            action="in_shop",
            why=why,
        )
        account = session.get_one(Account, transfer.order_ref)
        try:
            bundle = read_bundle(session, runtime.storefront, transfer.order_ref)
        except errors.UnknownOrder:
            recount(account)
            return
        take_over(account, standing_of(session, runtime, bundle, account))

    _with_outside(runtime, transfer_id, work)


def _divide(
    session: Session, runtime: Runtime, transfer: Transfer, confirmation: Confirmation
) -> None:
    """Give the refund of *transfer* the lines that were confirmed; nothing was posted yet."""
    refund = transfer.refund
    request = RefundRequest(
        order_ref=refund.order_ref,
        token="",
        reason=confirmation.reason,
        selections=confirmation.selections,
        adjustment=confirmation.adjustment,
    )
    planned = plan_lines(_standing(session, runtime, transfer), request)
    amount = sum(line.components.paid for line in planned)
    if amount != transfer.amount:
        raise errors.NotTheAmount(asked=amount, amount=transfer.amount, currency=transfer.currency)
    for row in (*transfer.allocations, *refund.lines):
        session.delete(row)
    session.flush()
    session.expire(transfer, ["allocations"])
    session.expire(refund, ["lines"])
    rows = add_lines(refund, planned)
    refund.tax = sum(line.components.tax for line in planned)
    for row, line in zip(rows, planned, strict=True):
        if line.components != Components():
            transfer.allocations.append(Allocation(line=row, **vars(line.components)))
    session.flush()


def _standing(session: Session, runtime: Runtime, transfer: Transfer) -> Standing:
    bundle = read_bundle(session, runtime.storefront, transfer.order_ref)
    account = session.get_one(Account, transfer.order_ref)
    return standing_of(session, runtime, bundle, account, without=transfer)


def _with_outside(runtime: Runtime, transfer_id: int, work: Callable[[Session, Transfer], T]) -> T:
    order_ref = runtime.sessions.read(lambda session: _transfer(session, transfer_id).order_ref)

    def locked(session: Session) -> T:
        lock(session, order_ref)
        transfer = session.get_one(Transfer, transfer_id, populate_existing=True)
        _require_outside(transfer)
        return work(session, transfer)

    return runtime.sessions.transact(locked)


def _transfer(session: Session, transfer_id: int) -> Transfer:
    transfer = session.get(Transfer, transfer_id) if transfer_id <= LARGEST_ID else None
    if transfer is None:
        raise errors.UnknownRefund(str(transfer_id))
    return transfer


def _require_outside(transfer: Transfer) -> None:
    if transfer.state != TransferState.PROCESSING or transfer.detail != Detail.OUTSIDE:
        raise errors.WrongState(state=transfer.state)
