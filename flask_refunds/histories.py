"""Account History: a customer's orders with what became of each line. Reads only.

A page costs the host's queries of :func:`~flask_refunds.storefront.reading.read_page` and two of
ours, however many orders and lines it has.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, Row, select
from sqlalchemy.orm import Session

from flask_refunds.errors import UnknownOrder
from flask_refunds.history_facts import (
    Carried,
    Failure,
    HistoryOrder,
    HistoryRefund,
    Moved,
    chronicle,
    given_by,
)
from flask_refunds.models import Allocation, Line, Refund, Transfer
from flask_refunds.planning import stand
from flask_refunds.runtime import Runtime
from flask_refunds.sharing import Components
from flask_refunds.states import RESERVING, Detail, Method, RefundState, TransferState
from flask_refunds.storefront.facts import OrderBundle
from flask_refunds.storefront.reading import (
    read_bundle,
    read_bundles,
    read_customer,
    read_page,
)


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose history it is: a customer, or the guest who placed the order ``order_ref``."""

    name: str
    email: str
    customer_ref: str | None = None
    order_ref: str | None = None


@dataclass(frozen=True, kw_only=True)
class History:
    """One page of an owner's orders, newest first. ``next`` is the cursor of the following page."""

    owner: Owner
    orders: tuple[HistoryOrder, ...]
    next: tuple[str, str] | None


def customer_history(
    runtime: Runtime, customer_ref: str, *, number: str = "", after: tuple[str, str] | None = None
) -> History | None:
    """Return the history of a customer; ``None`` if the shop has no such customer (any more).

    *number* narrows to order numbers that begin with it, *after* is the page before's ``next``.
    """

    def read(session: Session) -> History | None:
        customer = read_customer(session, runtime.storefront, customer_ref)
        if customer is None:
            return None
        owner = Owner(name=customer.name, email=customer.email, customer_ref=customer_ref)
        return _history(session, runtime, owner, number, after, None)

    return runtime.sessions.read(read)


def order_history(
    runtime: Runtime, order_ref: str, *, number: str = "", after: tuple[str, str] | None = None
) -> History:
    """Return the history of whoever placed the order *order_ref*, that order always in it.

    Raises :exc:`~flask_refunds.errors.UnknownOrder`.
    """

    def read(session: Session) -> History:
        bundle = read_bundle(session, runtime.storefront, order_ref)
        owner = Owner(
            name=bundle.order.customer_name,
            email=bundle.order.customer_email,
            customer_ref=bundle.order.customer_ref,
            order_ref=order_ref,
        )
        first = bundle if not number and after is None else None
        return _history(session, runtime, owner, number, after, first)

    return runtime.sessions.read(read)


def orders_now(runtime: Runtime, order_refs: Sequence[str]) -> tuple[HistoryOrder, ...]:
    """Return how the orders *order_refs* stand now; unknown ones are left out."""

    def read(session: Session) -> tuple[HistoryOrder, ...]:
        return _orders(session, runtime, read_bundles(session, runtime.storefront, order_refs))

    return runtime.sessions.read(read)


def order_now(runtime: Runtime, order_ref: str) -> HistoryOrder:
    """Return how the order stands now. Raises :exc:`~flask_refunds.errors.UnknownOrder`."""
    found = orders_now(runtime, [order_ref])
    if not found:
        raise UnknownOrder(order_ref)
    return found[0]


def _history(
    session: Session,
    runtime: Runtime,
    owner: Owner,
    number: str,
    after: tuple[str, str] | None,
    first: OrderBundle | None,
) -> History:
    if owner.customer_ref is None and not owner.email:  # a guest who left nothing to know them by
        assert owner.order_ref is not None
        bundles = [read_bundle(session, runtime.storefront, owner.order_ref)]
        return History(owner=owner, orders=_orders(session, runtime, bundles), next=None)
    page = read_page(
        session,
        runtime.storefront,
        limit=runtime.config.page_size,
        customer_ref=owner.customer_ref,
        guest_email=owner.email if owner.customer_ref is None else None,
        number=number,
        after=after,
    )
    bundles = list(page.bundles)
    if first is not None and first.order.ref not in {b.order.ref for b in bundles}:
        bundles.insert(0, first)
    return History(owner=owner, orders=_orders(session, runtime, bundles), next=page.next)


def _orders(
    session: Session, runtime: Runtime, bundles: Sequence[OrderBundle]
) -> tuple[HistoryOrder, ...]:
    refs = [bundle.order.ref for bundle in bundles]
    rows: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in session.execute(_transfers(refs)):
        rows[row.order_ref].append(row)
    carried: dict[int, list[Carried]] = defaultdict(list)
    if rows:
        for row in session.execute(_allocations(refs)):
            carried[row.transfer_id].append(_carried(row))
    return tuple(_order(runtime, b, rows[b.order.ref], carried) for b in bundles)


def _order(
    runtime: Runtime,
    bundle: OrderBundle,
    rows: Sequence[Row[Any]],
    carried: Mapping[int, Sequence[Carried]],
) -> HistoryOrder:
    replaced = {row.replaces_id for row in rows}
    moved = [
        Moved(
            refund_id=row.refund_id,
            method=Method(row.method),
            state=TransferState(row.state),
            detail=Detail(row.detail),
            amount=row.amount,
            payment_ref=row.payment_ref,
            replaced=row.id in replaced,
            failure=Failure(code=row.failure_code, message=row.failure_message),
            carried=tuple(carried.get(row.id, ())),
        )
        for row in rows
    ]
    refunds = {
        row.refund_id: HistoryRefund(
            id=row.refund_id,
            created_at=row.created_at,
            amount=row.refund_amount,
            state=RefundState(row.refund_state),
            reason=row.reason,
            actor_label=row.actor_label,
        )
        for row in rows
    }
    by_payment: dict[str, int] = defaultdict(int)
    for transfer in moved:
        if transfer.payment_ref is not None and transfer.state in RESERVING:
            by_payment[transfer.payment_ref] += transfer.amount
    standing = stand(
        bundle.without_prior(
            [r.gateway_refund_id for r in rows if r.state != TransferState.REVERSED]
        ),
        line_tax=runtime.storefront.line_tax,
        committed=sum(m.amount for m in moved if m.state in RESERVING),
        given=given_by(moved),
        by_payment=by_payment,
        gateways=runtime.gateways.usable(),
    )
    return chronicle(standing, moved, tuple(refunds.values()))


def _carried(row: Row[Any]) -> Carried:
    return Carried(
        kind=row.kind,
        line_ref=row.line_ref,
        sku=row.sku,
        description=row.description,
        components=Components(
            quantity=row.quantity,
            list_price=row.list_price,
            discount=row.discount,
            tax=row.tax,
            paid=row.paid,
        ),
    )


def _transfers(refs: Sequence[str]) -> Executable:
    return (
        select(
            Transfer.id,
            Transfer.refund_id,
            Transfer.order_ref,
            Transfer.method,
            Transfer.state,
            Transfer.detail,
            Transfer.amount,
            Transfer.payment_ref,
            Transfer.gateway_refund_id,
            Transfer.replaces_id,
            Transfer.failure_code,
            Transfer.failure_message,
            Refund.created_at,
            Refund.amount.label("refund_amount"),
            Refund.state.label("refund_state"),
            Refund.reason,
            Refund.actor_label,
        )
        .join(Refund, Refund.id == Transfer.refund_id)
        .where(Transfer.order_ref.in_(refs))
        .order_by(Transfer.refund_id.desc(), Transfer.position)
    )


def _allocations(refs: Sequence[str]) -> Executable:
    return (
        select(
            Allocation.transfer_id,
            Allocation.quantity,
            Allocation.list_price,
            Allocation.discount,
            Allocation.tax,
            Allocation.paid,
            Line.kind,
            Line.line_ref,
            Line.sku,
            Line.description,
        )
        .join(Line, Line.id == Allocation.line_id)
        .join(Transfer, Transfer.id == Allocation.transfer_id)
        .where(Transfer.order_ref.in_(refs))
    )
