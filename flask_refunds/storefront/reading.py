"""Reading the host's rows through the mapping. A bounded number of queries, whatever the order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from flask_refunds.errors import MappingError, UnknownOrder
from flask_refunds.storefront.facts import CustomerFacts, OrderBundle
from flask_refunds.storefront.mapping import Storefront
from flask_refunds.storefront.rows import (
    bundles_of,
    customer_facts,
    order_row,
    order_rows,
    with_customers,
)
from flask_refunds.storefront.values import Key, expression


@dataclass(frozen=True, kw_only=True)
class Page:
    """One keyset page, newest first; ``next`` is the cursor of the following page, if any."""

    bundles: tuple[OrderBundle, ...]
    next: tuple[str, str] | None


def read_bundle(session: Session, storefront: Storefront, order_ref: str) -> OrderBundle:
    """Return the order *order_ref* with its lines, payments and prior refunds.

    At most five queries. Raises :exc:`~flask_refunds.errors.UnknownOrder`.
    """
    key = storefront.order_key
    try:
        values = key.from_ref(order_ref)
    except (ValueError, ArithmeticError):
        raise UnknownOrder(order_ref) from None
    statement = storefront.orders_statement().where(key.equals(values))
    rows = order_rows(session, storefront, statement.limit(2))
    if not rows or rows[0].facts.ref != order_ref:  # another spelling would be another account
        raise UnknownOrder(order_ref)
    if len(rows) > 1:
        raise MappingError(
            f"Orders.key: two rows have the key {order_ref!r}. Check source= for a join that "
            "multiplies orders."
        )
    return bundles_of(session, storefront, rows)[0]


def read_bundles(
    session: Session, storefront: Storefront, order_refs: Sequence[str]
) -> list[OrderBundle]:
    """Return those of *order_refs* that exist, newest first, with all that belongs to them.

    As many queries as for one order.
    """
    key = storefront.order_key
    values = []
    for ref in order_refs:
        try:
            values.append(key.from_ref(ref))
        except (ValueError, ArithmeticError):
            continue
    statement = storefront.orders_statement().where(key.among(values))
    rows = [
        row
        for row in order_rows(session, storefront, statement)
        if row.facts.ref in set(order_refs)
    ]
    rows.sort(key=lambda row: row.facts.placed_at, reverse=True)
    return bundles_of(session, storefront, rows)


def read_page(
    session: Session,
    storefront: Storefront,
    *,
    limit: int,
    customer_ref: str | None = None,
    guest_email: str | None = None,
    number: str = "",
    after: tuple[str, str] | None = None,
) -> Page:
    """Return one page of orders, newest first, with their lines, payments and prior refunds.

    Of one customer by *customer_ref*, or of one guest by *guest_email*, or of all. *number*
    narrows to order numbers that begin with it; *after* is the ``next`` of the page before.
    """
    orders = storefront.orders
    statement = storefront.orders_statement()
    if customer_ref is not None:
        statement = statement.where(_customer_is(storefront, customer_ref))
    elif guest_email is not None:
        statement = statement.where(
            expression(orders.guest_email, "Orders.guest_email") == guest_email
        )
        if orders.customer is not None:
            statement = statement.where(
                *(c.is_(None) for c in Key(orders.customer, "Orders.customer").columns)
            )
    if number:
        statement = statement.where(_begins_with(orders.number, number))
    placed_at = expression(orders.placed_at, "Orders.placed_at")
    keys = storefront.order_key.columns
    if after is not None:
        statement = statement.where(_before(storefront, placed_at, after))
    statement = statement.order_by(placed_at.desc(), *(k.desc() for k in keys)).limit(limit + 1)
    result = session.execute(statement).all()
    rows = [order_row(storefront, row) for row in result[:limit]]
    rows = with_customers(session, storefront, rows)
    cursor = None
    if len(result) > limit:
        cursor = (result[limit - 1].placed_at.isoformat(), rows[-1].facts.ref)
    return Page(bundles=tuple(bundles_of(session, storefront, rows)), next=cursor)


def read_customer(session: Session, storefront: Storefront, ref: str) -> CustomerFacts | None:
    """Return the customer *ref*, or ``None`` if the shop has no such customer."""
    key = storefront.customer_key
    if key is None:
        return None
    try:
        values = key.from_ref(ref)
    except ValueError:
        return None
    row = session.execute(
        storefront.customers_statement().where(key.equals(values)).limit(1)
    ).first()
    return customer_facts(key, row) if row is not None else None


def _customer_is(storefront: Storefront, ref: str) -> ColumnElement[bool]:
    key = Key(storefront.orders.customer, "Orders.customer")
    try:
        return key.equals(key.from_ref(ref))
    except ValueError:
        return key.among([])


def _begins_with(value: Any, text: str) -> ColumnElement[bool]:
    column = expression(value, "Orders.number")
    key = Key(value, "Orders.number")
    if key.types == (str,):
        return column.istartswith(text, autoescape=True)
    try:
        return key.equals(key.from_ref(text))
    except ValueError:
        return key.among([])


def _before(
    storefront: Storefront, placed_at: ColumnElement[Any], after: tuple[str, str]
) -> ColumnElement[bool]:
    """Return the keyset condition: strictly older, or as old with a smaller key."""
    try:
        at = datetime.fromisoformat(after[0])
        values = storefront.order_key.from_ref(after[1])
    except ValueError:
        return storefront.order_key.among([])
    older: list[ColumnElement[bool]] = [placed_at < at]
    same: list[ColumnElement[bool]] = [placed_at == at]
    for column, value in zip(storefront.order_key.columns, values, strict=True):
        older.append(and_(*same, column < value))
        same.append(column == value)
    return or_(*older)
