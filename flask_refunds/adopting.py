"""Taking up what was given back outside: refunds and voids of the gateway's own panel.

One order at a time, under its lock. What is adopted counts at once, and a person confirms later
for which items it was (:mod:`flask_refunds.confirming`).
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from flask_refunds import lifecycle, signals
from flask_refunds.accounts import lock
from flask_refunds.issuing import add_lines, new_reference, of_order, take_over
from flask_refunds.models import (
    AT_GATEWAY,
    NAME_LENGTH,
    REF_LENGTH,
    Account,
    Allocation,
    Refund,
    Transfer,
)
from flask_refunds.ours import known_to_us, token_of
from flask_refunds.outside import Found, Given, Outcome, age, is_nameless, match_by_amount
from flask_refunds.planning import PlannedLine
from flask_refunds.policy import SYSTEM
from flask_refunds.proposing import propose
from flask_refunds.runtime import Runtime
from flask_refunds.sessions import after_commit
from flask_refunds.sharing import Components
from flask_refunds.standings import standing_of
from flask_refunds.states import Detail, Method, RefundState, TransferState
from flask_refunds.storefront.facts import OrderBundle, PaymentFacts
from flask_refunds.storefront.reading import read_bundle

REASON = "other"
"""Until a person says why."""
PANEL = "Gateway"
"""Who made it, as far as anybody knows."""


def needs_all(bundle: OrderBundle, wanted: Sequence[Given]) -> bool:
    """Return whether all refunds of an order must be seen to tell which of *wanted* the shop has.

    Its books have one of the amount without the gateway's id, which stands for one refund only.
    """
    amounts = {given.amount for given in wanted}
    return any(is_nameless(prior) and prior.amount in amounts for prior in bundle.prior)


def take_up(
    session: Session,
    runtime: Runtime,
    order_ref: str,
    wanted: Sequence[Given],
    all_of_order: Sequence[Given],
    *,
    dry: bool,
) -> list[Found]:
    """Adopt those of *wanted* that nobody knows, and return what became of each.

    *all_of_order* are the refunds among which those of the shop's books are looked for. *dry*
    writes nothing. Raises :exc:`~flask_refunds.errors.UnknownOrder`.
    """
    account = session.get(Account, order_ref) if dry else lock(session, order_ref)
    bundle = read_bundle(session, runtime.storefront, order_ref)
    everything = {(each.gateway, each.id): each for each in (*all_of_order, *wanted)}
    ours, disowned = set(), set()
    for gateway in {name for name, _ in everything}:
        of_gateway = [each for each in everything.values() if each.gateway == gateway]
        known = known_to_us(session, gateway, of_gateway)
        ours |= {(gateway, id_) for id_ in known.ours}
        disowned |= {(gateway, id_) for id_ in known.disowned}
    named = {prior.gateway_id for prior in bundle.prior if prior.succeeded}
    free = [
        each
        for key, each in everything.items()
        if each.took_money and each.id not in named and (key not in ours or key in disowned)
    ]
    free.sort(key=lambda each: ((each.gateway, each.id) not in disowned, age(each)))
    matched = match_by_amount(bundle.prior, free, bundle.payments)
    found = []
    for given in sorted(wanted, key=age):
        if (given.gateway, given.id) in ours:
            continue
        payment = _payment(bundle, given)
        outcome = _judge(given, bundle, payment, account, named, matched)
        if outcome is Outcome.ADOPTED and not dry:
            assert account is not None
            assert payment is not None
            found.append(_adopt(session, runtime, account, bundle, payment, given))
        elif outcome is not None:
            found.append(Found(given=given, outcome=outcome, order_refs=(order_ref,)))
    return found


def _payment(bundle: OrderBundle, given: Given) -> PaymentFacts | None:
    for payment in bundle.payments:
        if payment.gateway == given.gateway and payment.charge_id == given.charge_id:
            return payment
    return None


def _judge(
    given: Given,
    bundle: OrderBundle,
    payment: PaymentFacts | None,
    account: Account | None,
    named: Collection[str | None],
    matched: Collection[str],
) -> Outcome | None:
    """Return what is to become of *given*; ``None``: it gave nothing back, and nobody minds."""
    if payment is None:
        return Outcome.UNKNOWN_SALE
    if not given.took_money:
        return Outcome.NEVER_CAPTURED if payment.captured else None
    if given.id in named:
        return Outcome.IN_SHOP
    if given.id in matched:
        return Outcome.MATCHED
    currencies = {given.currency, payment.currency, bundle.order.currency}
    if account is not None and account.committed:
        currencies.add(account.currency)
    return Outcome.ADOPTED if len(currencies) == 1 else Outcome.OTHER_CURRENCY


def _adopt(
    session: Session,
    runtime: Runtime,
    account: Account,
    bundle: OrderBundle,
    payment: PaymentFacts,
    given: Given,
) -> Found:
    now = runtime.now()
    standing = standing_of(session, runtime, bundle, account)
    take_over(account, standing)
    # The money is gone whatever was left of it: over-commitment is a flag, not a refusal.
    account.paid = max(account.paid, account.prior + account.committed + given.amount)
    lines = propose(standing, given.amount)
    refund = _document(bundle, lines, given, now)
    session.add(refund)
    rows = add_lines(refund, lines)
    session.flush()
    transfer = _transfer(runtime, payment, given, now)
    refund.transfers.append(transfer)
    for row, line in zip(rows, lines, strict=True):
        if line.components != Components():
            transfer.allocations.append(Allocation(line=row, **vars(line.components)))
    lifecycle.change(
        session,
        runtime,
        transfer,
        TransferState.PROCESSING,
        now=now,
        actor=SYSTEM,
        action="adopted",
        detail=Detail.OUTSIDE,
        data={"gateway_refund_id": given.id, "status": given.raw_status},
    )
    after_commit(
        session, partial(signals.tell, signals.refund_issued, runtime, refund_id=refund.id)
    )
    return Found(
        given=given,
        outcome=Outcome.ADOPTED,
        order_refs=(bundle.order.ref,),
        refund_id=refund.id,
        transfer_id=transfer.id,
    )


def _document(
    bundle: OrderBundle, lines: Sequence[PlannedLine], given: Given, now: datetime
) -> Refund:
    once = token_of(given)
    return Refund(
        **of_order(bundle.order),
        amount=given.amount,
        tax=sum(line.components.tax for line in lines),
        reason=REASON,
        note=f"Made in the gateway's own panel ({given.gateway} {given.id}).",
        actor_id=SYSTEM.id,
        actor_label=PANEL,
        token=once,
        fingerprint=once,
        state=RefundState.PROCESSING,
        source=AT_GATEWAY,
        created_at=now,
    )


def _transfer(runtime: Runtime, payment: PaymentFacts, given: Given, now: datetime) -> Transfer:
    return Transfer(
        order_ref=payment.order_ref,
        position=0,
        method=Method.CARD,
        currency=given.currency,
        amount=given.amount,
        gateway=given.gateway,
        payment_ref=payment.ref,
        charge_id=given.charge_id,
        card_label=payment.label[:REF_LENGTH],
        request_key=secrets.token_hex(16),
        reference=new_reference(),
        operation=given.operation,
        gateway_refund_id=given.id,
        gateway_status=given.raw_status[:NAME_LENGTH],
        gateway_at=given.at,
        settled_at=now if given.settled else None,
        poll_at=None if given.settled else now + timedelta(seconds=runtime.config.settle_interval),
        waiting_since=now,
        created_at=now,
    )
