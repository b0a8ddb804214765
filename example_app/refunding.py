"""Some refunds of the past months, issued as the shop's people would have, when they would have.

They go through the services of the extension, with a clock of their own: the ledger says the day
on which each was made.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from flask import Flask
from sqlalchemy import select

from example_app.database import db
from example_app.models import SOLD, Order, User
from example_app.till import Till
from flask_refunds import Actor, RefundRequest, Selection, issuing, processing, reconciling
from flask_refunds.errors import Refusal
from flask_refunds.models import Refund, Transfer
from flask_refunds.runtime import Runtime

CLERKS = (
    Actor(id="support", label="support@example.com"),
    Actor(id="admin", label="admin@example.com"),
)
REASONS = ("returned", "damaged", "not_received", "wrong_item", "goodwill")
WEIGHTS = (50, 20, 12, 10, 8)
SETTLES_WITHIN = timedelta(days=1)


def refund_some(app: Flask, say: Callable[[str], object], *, count: int = 160) -> None:
    """Refund about *count* orders of the last half year, unless there are refunds already."""
    with app.app_context():
        runtime: Runtime = app.extensions["refunds"].runtime
        if runtime.sessions.read(lambda session: session.scalar(select(Refund.id).limit(1))):
            return
        say("Giving some of it back.")
        random, now, till = Random(1871), runtime.now(), Till.from_config(app.config)
        for order in _orders(random, now, count):
            ago = now - order.placed_at.replace(tzinfo=UTC)
            later = order.placed_at.replace(tzinfo=UTC) + ago * random.uniform(0.05, 0.6)
            then = min(later, order.placed_at.replace(tzinfo=UTC) + timedelta(days=21))
            made = _refund(runtime, order, then, random)
            if till is not None and then < now - SETTLES_WITHIN:
                _settle(runtime, till, made, then + SETTLES_WITHIN)
        db.session.remove()


def _orders(random: Random, now: datetime, count: int) -> list[Order]:
    """Return orders of others than Ada, whose history is for the visitor to refund."""
    since = (now - timedelta(days=180)).replace(tzinfo=None)
    until = (now - timedelta(hours=6)).replace(tzinfo=None)
    found = db.session.scalars(
        select(Order)
        .outerjoin(User, User.id == Order.user_id)
        .where(Order.status.in_(SOLD), Order.placed_at.between(since, until), Order.total_cents > 0)
        .where((User.email != "ada@example.com") | User.email.is_(None))
        .order_by(Order.id)
    ).all()
    chosen = random.sample(list(found), min(count, len(found)))
    return sorted(chosen, key=lambda order: order.placed_at)


def _refund(runtime: Runtime, order: Order, then: datetime, random: Random) -> Sequence[int]:
    """Refund all or a line of *order* at the time *then*, to its card where a gateway has it.

    Returns the ids of the card transfers.
    """
    earlier = replace(runtime, clock=lambda: then)
    line = random.choice(order.items)
    to_card = any(p.gateway == "braintree" and p.status == "captured" for p in order.payments)
    whole = random.random() < 0.35
    request = RefundRequest(
        order_ref=str(order.id),
        token=f"demo-{order.id}",
        reason=random.choices(REASONS, WEIGHTS)[0],
        everything=whole,
        selections=()
        if whole
        else (Selection(kind="line", ref=str(line.id), quantity=random.randint(1, line.quantity)),),
        to_card=to_card,
        other_kind=random.choice(("bank_transfer", "store_credit", "cash")),
    )
    try:
        issued = issuing.issue(earlier, request, random.choices(CLERKS, (70, 30))[0])
    except Refusal:  # a free item, or one that was paid with a voucher only
        return ()
    for transfer_id in issued.transfer_ids:
        processing.process(earlier, transfer_id)
    return issued.transfer_ids


def _settle(runtime: Runtime, till: Till, transfer_ids: Sequence[int], then: datetime) -> None:
    """Have the refunds settle at the gateway, where that is a test server, and notice it *then*."""
    later = replace(runtime, clock=lambda: then)
    ids = runtime.sessions.read(
        lambda session: session.scalars(
            select(Transfer.gateway_refund_id).where(
                Transfer.id.in_(transfer_ids), Transfer.poll_at.is_not(None)
            )
        ).all()
    )
    if ids and all(till.settle(id_) for id_ in ids if id_ is not None):
        for transfer_id in transfer_ids:
            reconciling.poll(later, transfer_id)
