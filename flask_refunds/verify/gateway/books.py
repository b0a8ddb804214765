"""Our side of the comparison: what the tables have of the sales that some days are about."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, func, or_, select, true
from sqlalchemy.orm import Session

from flask_refunds.figures.ledger_query import within
from flask_refunds.figures.periods import Period
from flask_refunds.models import AT_GATEWAY, Attempt, Event, Posting, Refund, Transfer
from flask_refunds.outcomes import UNRESOLVED, VOID
from flask_refunds.states import Detail, Method, TransferState
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.reading import read_bundles
from flask_refunds.verify.gateway.facts import Booking, Books, Move, Posted, Sale

ORDERS_AT_ONCE = 500


def read_books(session: Session, period: Period) -> Books:
    """Return all card transfers on the sales that those of *period* are about, and their money.

    A transfer is of a period when it was issued, completed, posted or failed in it. Four
    queries, to be read in one snapshot.
    """
    sales = _sales(period)
    return Books(
        period=period,
        moves=_moves(session, sales),
        bookings=_bookings(session, sales),
        postings=_postings(session, period),
    )


def known_to_host(
    session: Session, storefront: Storefront, order_refs: Collection[str]
) -> frozenset[str]:
    """Return the gateway's ids of what the host itself has refunded on the orders."""
    refs, found = sorted(order_refs), set()
    for start in range(0, len(refs), ORDERS_AT_ONCE):
        for bundle in read_bundles(session, storefront, refs[start : start + ORDERS_AT_ONCE]):
            found |= {prior.gateway_id for prior in bundle.prior if prior.gateway_id is not None}
    return frozenset(found)


def _sales(period: Period) -> Subquery:
    posted = select(Posting.transfer_id).where(*within(Posting.posted_at, period))
    times = (Transfer.created_at, Transfer.completed_at, Transfer.failed_at)
    touched = or_(Transfer.id.in_(posted), *(and_(true(), *within(t, period)) for t in times))
    statement = select(Transfer.gateway, Transfer.charge_id).where(_by_card(), touched)
    return statement.distinct().subquery("sales")


def _by_card() -> ColumnElement[bool]:
    return Transfer.method == Method.CARD


def _of(sales: Subquery) -> ColumnElement[bool]:
    return and_(
        _by_card(), Transfer.gateway == sales.c.gateway, Transfer.charge_id == sales.c.charge_id
    )


def _moves(session: Session, sales: Subquery) -> tuple[Move, ...]:
    references, doubts, voids = defaultdict(set), set(), set()
    for transfer_id, reference, operation, called_at, outcome in session.execute(
        select(
            Attempt.transfer_id,
            Attempt.reference,
            Attempt.operation,
            Attempt.called_at,
            Attempt.outcome,
        )
        .join(Transfer, Transfer.id == Attempt.transfer_id)
        .join(sales, _of(sales))
    ):
        references[transfer_id].add(reference)
        if called_at is not None and outcome in UNRESOLVED:
            doubts.add(transfer_id)
        if operation == VOID:
            voids.add(transfer_id)
    transfers = session.execute(
        select(Transfer, Refund.source)
        .join(sales, _of(sales))
        .join(Refund, Refund.id == Transfer.refund_id)
        .order_by(Transfer.id)
    )
    return tuple(
        Move(
            transfer_id=transfer.id,
            refund_id=transfer.refund_id,
            order_ref=transfer.order_ref,
            sale=Sale(transfer.gateway or "", transfer.charge_id or ""),
            state=TransferState(transfer.state),
            operation=transfer.operation,
            amount=transfer.amount,
            currency=transfer.currency,
            gateway_id=transfer.gateway_refund_id,
            references=frozenset({*references[transfer.id], transfer.reference or ""} - {""}),
            in_doubt=transfer.id in doubts,
            voiding=transfer.id in voids,
            poll_due=transfer.poll_at is not None,
            outside=source == AT_GATEWAY and transfer.generation == 1,
            unexplained=transfer.detail == Detail.OUTSIDE,
            completed_at=transfer.completed_at,
            gateway_at=transfer.gateway_at,
        )
        for transfer, source in transfers
    )


def _bookings(session: Session, sales: Subquery) -> tuple[Booking, ...]:
    """Return each time that a transfer became Completed, from the audit trail."""
    completed = TransferState.COMPLETED
    events = session.execute(
        select(Event.transfer_id, Event.at, Event.after, Event.data, Transfer.gateway_refund_id)
        .join(Transfer, Transfer.id == Event.transfer_id)
        .join(sales, _of(sales))
        .where(or_(Event.after == completed, Event.before == completed))
        .order_by(Event.transfer_id, Event.id)
    )
    found: list[Booking] = []
    for transfer_id, at, after, data, gateway_id in events:
        if after == completed:
            said: Any = (data or {}).get("gateway_refund_id")
            found.append(
                Booking(transfer_id=transfer_id, gateway_id=said or gateway_id, completed_at=at)
            )
        elif found and found[-1].transfer_id == transfer_id:
            found[-1] = replace(found[-1], failed_at=at)
    return tuple(found)


def _postings(session: Session, period: Period) -> tuple[Posted, ...]:
    keys = (Posting.transfer_id, Posting.posted_at, Posting.currency, Posting.operation)
    rows = session.execute(
        select(*keys, func.sum(Posting.paid))
        .where(Posting.method == Method.CARD, *within(Posting.posted_at, period))
        .group_by(*keys)
    )
    return tuple(
        Posted(
            transfer_id=transfer_id,
            at=at,
            currency=currency,
            operation=operation,
            amount=int(amount),
        )
        for transfer_id, at, currency, operation, amount in rows
    )
