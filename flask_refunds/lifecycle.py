"""The one change of state: check, reserve or release, post or reverse, record, tell."""

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds import ledger, logs, signals
from flask_refunds.accounts import release, reserve
from flask_refunds.models import Account, Event, Refund, Transfer
from flask_refunds.policy import SYSTEM, Actor
from flask_refunds.runtime import Runtime
from flask_refunds.sessions import after_commit, lend, may_run_again
from flask_refunds.states import (
    RESERVING,
    Detail,
    Method,
    RefundState,
    TransferState,
    check_transition,
    derive_refund_state,
)

HOOK_RAN = "hook_ran"
CONFLICT = "conflict"
FAILED_LATE = "failed_late"


def change(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    after: TransferState,
    *,
    now: datetime,
    actor: Actor,
    action: str,
    detail: Detail = Detail.NONE,
    why: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Bring *transfer* to the state *after*, with everything that belongs to it.

    The account of the order must be locked in *session*'s transaction, and *now* (UTC) taken
    after that. Raises :exc:`~flask_refunds.errors.ForbiddenTransition`, and
    :exc:`~flask_refunds.errors.AboveBalance` when the money that a state reserves is not left.
    """
    before = TransferState(transfer.state) if transfer.state else None
    check_transition(Method(transfer.method), before, after)
    with session.no_autoflush:  # a new transfer has no state to flush yet
        account = session.get_one(Account, transfer.order_ref)
    if before not in RESERVING and after in RESERVING:
        reserve(account, transfer.amount)
    elif before in RESERVING and after not in RESERVING:
        release(account, transfer.amount)

    in_conflict = transfer.detail == Detail.CONFLICT  # until somebody has settled it
    transfer.state = after
    transfer.detail = Detail.CONFLICT if in_conflict else detail
    if after is not TransferState.PROCESSING:
        transfer.claim_token = transfer.lease_until = None
    if after in {TransferState.COMPLETED, TransferState.FAILED, TransferState.REVERSED}:
        transfer.next_attempt_at = None
    if after is TransferState.COMPLETED:
        transfer.completed_at = now
    if after is TransferState.FAILED:
        transfer.failed_at, transfer.poll_at = now, None
    if in_conflict:
        transfer.waiting_since = transfer.waiting_since or now
    elif after in {TransferState.FAILED, TransferState.REVERSED}:
        transfer.waiting_since = None
    session.flush()
    if after is TransferState.COMPLETED:
        ledger.post(session, transfer, now)
    elif before is TransferState.COMPLETED:
        ledger.reverse(session, transfer, now)

    record(
        session,
        runtime,
        transfer.refund,
        transfer,
        now=now,
        actor=actor,
        action=action,
        before=before,
        after=after,
        why=why,
        data=data,
    )
    _derive(session, runtime, transfer.refund, now)
    _tell(session, runtime, transfer, before, after)


def record(
    session: Session,
    runtime: Runtime,
    refund: Refund,
    transfer: Transfer | None,
    *,
    now: datetime,
    actor: Actor,
    action: str,
    before: TransferState | None = None,
    after: TransferState | None = None,
    why: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Append an event to the audit trail of *refund*; *action* is a stable code.

    After the commit the event is logged and ``event_recorded`` is sent.
    """
    session.add(
        Event(
            refund_id=refund.id,
            transfer_id=transfer.id if transfer is not None else None,
            at=now,
            action=action,
            before=before,
            after=after,
            actor_id=actor.id,
            actor_label=actor.label,
            why=why,
            data=data or {},
        )
    )
    told = {"refund_id": refund.id, "transfer_id": transfer.id if transfer is not None else None}
    after_commit(
        session,
        partial(
            logs.error if action == CONFLICT else logs.info,
            action,
            **told,
            before=before,
            after=after,
            detail=transfer.detail if transfer is not None else None,
            gateway=transfer.gateway if transfer is not None else None,
            code=(data or {}).get("code"),
        ),
    )
    after_commit(
        session, partial(signals.tell, signals.event_recorded, runtime, **told, action=action)
    )


def current_transfers(refund: Refund) -> list[Transfer]:
    """Return the transfers of *refund* that no other one replaces."""
    replaced = {transfer.replaces_id for transfer in refund.transfers}
    return [transfer for transfer in refund.transfers if transfer.id not in replaced]


def _derive(session: Session, runtime: Runtime, refund: Refund, now: datetime) -> None:
    before = refund.state
    after = derive_refund_state([TransferState(t.state) for t in current_transfers(refund)])
    refund.state = after
    if after is RefundState.COMPLETED and before != RefundState.COMPLETED:
        refund.completed_at = now
        _run_hook(session, runtime, refund, now)
        after_commit(
            session,
            partial(signals.tell, signals.refund_completed, runtime, refund_id=refund.id),
        )
    elif after is not RefundState.COMPLETED:
        refund.completed_at = None


def _run_hook(session: Session, runtime: Runtime, refund: Refund, now: datetime) -> None:
    """Run the host's hook, once in the life of a refund.

    In a session of its own on our transaction: what it does must not undo the record of money
    that has moved.
    """
    ran = select(Event.id).where(Event.refund_id == refund.id, Event.action == HOOK_RAN)
    if runtime.after_refund is None or session.scalar(ran) is not None:
        return
    why, action = "", HOOK_RAN
    try:
        with lend(session) as hosts:
            runtime.after_refund(hosts, hosts.get_one(Refund, refund.id))
    except Exception as error:  # the host's code may raise anything
        if may_run_again(error):
            raise
        logs.exception("after_refund_failed", error, refund_id=refund.id)
        why, action = f"after_refund raised {type(error).__name__}", "hook_failed"
    record(session, runtime, refund, None, now=now, actor=SYSTEM, action=action, why=why)


def _tell(
    session: Session,
    runtime: Runtime,
    transfer: Transfer,
    before: TransferState | None,
    after: TransferState,
) -> None:
    after_commit(
        session,
        partial(
            signals.tell,
            signals.transfer_changed,
            runtime,
            refund_id=transfer.refund_id,
            transfer_id=transfer.id,
            before=before,
            after=after,
        ),
    )
