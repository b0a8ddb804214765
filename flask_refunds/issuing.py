"""Issuing a refund: the quote that a person sees, and the issue under the order's lock."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flask_refunds import errors, lifecycle, signals
from flask_refunds.accounts import lock
from flask_refunds.models import (
    DESCRIPTION_LENGTH,
    REF_LENGTH,
    Account,
    Allocation,
    Line,
    Refund,
    Transfer,
)
from flask_refunds.planning import (
    Plan,
    PlannedLine,
    PlannedTransfer,
    RefundRequest,
    Standing,
    plan,
)
from flask_refunds.policy import Actor
from flask_refunds.runtime import Runtime
from flask_refunds.sessions import after_commit
from flask_refunds.sharing import Components
from flask_refunds.standings import read_standing, standing_of
from flask_refunds.states import Method, RefundState, TransferState
from flask_refunds.storefront.facts import OrderFacts
from flask_refunds.storefront.reading import read_bundle


@dataclass(frozen=True, kw_only=True)
class Quote:
    """How an order stands, and what a request would do if it were issued now."""

    standing: Standing
    plan: Plan | None = None


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A recorded refund.

    ``replayed``: the same form had been sent before. ``woken`` is false when the queue was down:
    the refund stands, and the sweep will pick it up.
    """

    refund_id: int
    replayed: bool
    woken: bool = True
    transfer_ids: tuple[int, ...] = field(default=())


def quote(runtime: Runtime, order_ref: str, request: RefundRequest | None = None) -> Quote:
    """Return how the order *order_ref* stands and what *request* would do. Writes nothing.

    Raises the :exc:`~flask_refunds.errors.Refusal` that issuing *request* now would raise, and
    :exc:`~flask_refunds.errors.UnknownOrder`.
    """
    standing = runtime.sessions.read(lambda session: read_standing(session, runtime, order_ref))
    if request is None:
        return Quote(standing=standing)
    return Quote(standing=standing, plan=plan(standing, request, runtime.config))


def issue(
    runtime: Runtime,
    request: RefundRequest,
    actor: Actor,
    *,
    permit: Callable[[int, str], object] | None = None,
) -> Issued:
    """Record the refund that *request* asks for, in the name of *actor*, and wake a worker up.

    *permit* is asked under the lock with the amount (minor units) and currency that would go
    back, and raises :exc:`~flask_refunds.errors.NotAllowed` to refuse. The money is reserved and
    the intent committed before anything is enqueued. The same token with the same content returns
    the same refund. Raises a :exc:`~flask_refunds.errors.Refusal` (nothing was written), or
    :exc:`~flask_refunds.errors.Busy`.
    """
    if not request.token:
        raise errors.MissingToken()
    if len(request.order_ref) > REF_LENGTH:
        raise errors.UnknownOrder(request.order_ref[:40])
    work = partial(_issue, runtime=runtime, request=request, actor=actor, permit=permit)
    try:
        issued = runtime.sessions.transact(work)
    except IntegrityError:  # the same token raced us on another order: it is there now
        issued = runtime.sessions.transact(work)
    if issued.replayed:
        return issued
    woken = [runtime.queue.wake(transfer_id) for transfer_id in issued.transfer_ids]
    return Issued(
        refund_id=issued.refund_id,
        replayed=False,
        woken=all(woken),
        transfer_ids=issued.transfer_ids,
    )


def new_reference(generation: int = 1) -> str:
    """Return a new unique name for a transfer at the gateway: short, printable, ours."""
    return f"RF-{secrets.token_hex(8).upper()}-{generation}"


def _issue(
    session: Session,
    *,
    runtime: Runtime,
    request: RefundRequest,
    actor: Actor,
    permit: Callable[[int, str], object] | None,
) -> Issued:
    account = lock(session, request.order_ref)
    token = hashlib.sha256(request.token.encode()).hexdigest()
    earlier = session.scalar(select(Refund).where(Refund.token == token))
    if earlier is not None:
        return _replay(earlier, request, actor)

    bundle = read_bundle(session, runtime.storefront, request.order_ref)
    if account.committed and account.currency != bundle.order.currency:
        raise errors.CurrencyChanged(before=account.currency, now=bundle.order.currency)
    if request.customer_ref is not None and request.customer_ref != bundle.order.customer_ref:
        raise errors.OrderOfAnotherCustomer(bundle.order.number)
    standing = standing_of(session, runtime, bundle, account)
    planned = plan(standing, request, runtime.config)
    if permit is not None:
        permit(planned.amount, standing.order.currency)
    now = runtime.now()
    take_over(account, standing)
    refund = _document(standing, planned, request, actor, token, now)
    session.add(refund)
    lines = add_lines(refund, planned.lines)
    session.flush()
    lifecycle.record(
        session, runtime, refund, None, now=now, actor=actor, action="issued", why=request.note
    )
    for position, target in enumerate(planned.transfers):
        transfer = _transfer(refund, target, position, request, now)
        for line, carried in zip(lines, target.carried, strict=True):
            if carried != Components():
                transfer.allocations.append(Allocation(line=line, **vars(carried)))
        lifecycle.change(
            session,
            runtime,
            transfer,
            TransferState.STARTED if target.method is Method.CARD else TransferState.COMPLETED,
            now=now,
            actor=actor,
            action="started" if target.method is Method.CARD else "recorded",
            data={"despite_dispute": True} if transfer.dispute_accepted_at else None,
        )
    after_commit(
        session, partial(signals.tell, signals.refund_issued, runtime, refund_id=refund.id)
    )
    return Issued(
        refund_id=refund.id,
        replayed=False,
        transfer_ids=tuple(t.id for t in refund.transfers if t.method == Method.CARD),
    )


def _replay(earlier: Refund, request: RefundRequest, actor: Actor) -> Issued:
    same = (
        earlier.order_ref == request.order_ref
        and earlier.actor_id == actor.id
        and earlier.fingerprint == _fingerprint(request)
    )
    if not same:
        raise errors.TokenReused(request.order_ref)
    return Issued(refund_id=earlier.id, replayed=True)


def take_over(account: Account, standing: Standing) -> None:
    """Write to the account what the host says now; what is committed already stays covered."""
    account.currency = standing.order.currency
    account.captured = standing.captured
    account.prior = standing.prior
    account.paid = max(standing.captured, standing.prior + account.committed)


def of_order(order: OrderFacts) -> Mapping[str, Any]:
    """Return what a refund keeps of its *order*."""
    return {
        "order_ref": order.ref,
        "order_number": order.number[:REF_LENGTH],
        "order_placed_at": order.placed_at,
        "customer_ref": order.customer_ref,
        "customer_name": order.customer_name[:255],
        "customer_email": order.customer_email[:255],
        "currency": order.currency,
    }


def _document(
    standing: Standing,
    planned: Plan,
    request: RefundRequest,
    actor: Actor,
    token: str,
    now: datetime,
) -> Refund:
    return Refund(
        **of_order(standing.order),
        amount=planned.amount,
        tax=planned.tax,
        reason=request.reason,
        note=request.note,
        actor_id=actor.id,
        actor_label=actor.label[:255],
        token=token,
        fingerprint=_fingerprint(request),
        state=RefundState.STARTED,
        created_at=now,
    )


def add_lines(refund: Refund, planned: Sequence[PlannedLine]) -> list[Line]:
    """Give *refund* the *planned* lines, with a snapshot of what they are, and return them."""
    lines = [
        Line(
            position=position,
            kind=line.item.kind,
            line_ref=line.item.ref,
            sku=line.item.sku[:REF_LENGTH],
            description=line.item.description[:DESCRIPTION_LENGTH],
            dimensions=dict(line.item.dimensions),
            **vars(line.components),
        )
        for position, line in enumerate(planned)
    ]
    refund.lines.extend(lines)
    return lines


def _transfer(
    refund: Refund, target: PlannedTransfer, position: int, request: RefundRequest, now: datetime
) -> Transfer:
    transfer = Transfer(
        order_ref=refund.order_ref,
        position=position,
        method=target.method,
        currency=refund.currency,
        amount=target.amount,
        generation=1,
        created_at=now,
    )
    if target.card is not None:
        transfer.gateway = target.card.gateway
        transfer.payment_ref = target.card.ref
        transfer.charge_id = target.card.charge_id
        transfer.card_label = target.card.label[:REF_LENGTH]
        transfer.request_key = secrets.token_hex(16)
        transfer.reference = new_reference()
        transfer.next_attempt_at = now
        transfer.dispute_accepted_at = now if request.despite_dispute else None
    else:
        transfer.other_kind = request.other_kind
        transfer.other_reference = request.other_reference[:255]
    refund.transfers.append(transfer)
    return transfer


def _fingerprint(request: RefundRequest) -> str:
    content = {name: value for name, value in asdict(request).items() if name != "token"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
