"""How an order stands: the host's rows and ours, read together in one session."""

from collections.abc import Mapping

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from flask_refunds.accounts import own_gateway_ids
from flask_refunds.models import Account, Allocation, Line, Transfer
from flask_refunds.planning import Standing, stand
from flask_refunds.runtime import Runtime
from flask_refunds.sharing import Components
from flask_refunds.states import RESERVING, Method
from flask_refunds.storefront.facts import OrderBundle
from flask_refunds.storefront.reading import read_bundle


def read_standing(session: Session, runtime: Runtime, order_ref: str) -> Standing:
    """Return how the order stands, from the host's rows and ours, in *session*."""
    bundle = read_bundle(session, runtime.storefront, order_ref)
    account = session.get(Account, order_ref)
    return standing_of(session, runtime, bundle, account)


def standing_of(
    session: Session,
    runtime: Runtime,
    bundle: OrderBundle,
    account: Account | None,
    *,
    without: Transfer | None = None,
) -> Standing:
    """Return how the order of *bundle* stands, with its *account* if it has one.

    As if the reserving transfer *without* were not there, which is about to be divided anew.
    """
    order_ref = bundle.order.ref
    committed = account.committed if account is not None else 0
    return stand(
        bundle.without_prior(own_gateway_ids(session, order_ref) if account is not None else ()),
        line_tax=runtime.storefront.line_tax,
        committed=committed - (without.amount if without is not None else 0),
        given=_given(session, order_ref, without) if account is not None else {},
        by_payment=_by_payment(session, order_ref, without) if account is not None else {},
        gateways=runtime.gateways.usable(),
    )


def _reserving(order_ref: str, without: Transfer | None) -> ColumnElement[bool]:
    mine = and_(Transfer.order_ref == order_ref, Transfer.state.in_(RESERVING))
    return mine if without is None else and_(mine, Transfer.id != without.id)


def _given(
    session: Session, order_ref: str, without: Transfer | None
) -> Mapping[tuple[str, str], Components]:
    """Return what our reserving transfers carry, by kind and line: one query."""
    rows = session.execute(
        select(
            Line.kind,
            Line.line_ref,
            func.sum(Allocation.quantity).label("quantity"),
            func.sum(Allocation.list_price).label("list_price"),
            func.sum(Allocation.discount).label("discount"),
            func.sum(Allocation.tax).label("tax"),
            func.sum(Allocation.paid).label("paid"),
        )
        .join(Allocation, Allocation.line_id == Line.id)
        .join(Transfer, Transfer.id == Allocation.transfer_id)
        .where(_reserving(order_ref, without))
        .group_by(Line.kind, Line.line_ref)
    )
    return {
        (row.kind, row.line_ref): Components(
            quantity=int(row.quantity),
            list_price=int(row.list_price),
            discount=int(row.discount),
            tax=int(row.tax),
            paid=int(row.paid),
        )
        for row in rows
    }


def _by_payment(session: Session, order_ref: str, without: Transfer | None) -> Mapping[str, int]:
    rows = session.execute(
        select(Transfer.payment_ref, func.sum(Transfer.amount))
        .where(_reserving(order_ref, without), Transfer.method == Method.CARD)
        .group_by(Transfer.payment_ref)
    )
    return {ref: int(amount) for ref, amount in rows if ref is not None}
