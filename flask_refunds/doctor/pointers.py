"""Whether what the newest rows point to is there: the order of a line, the customer of an order."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from flask_refunds.doctor.findings import Tally
from flask_refunds.doctor.sampling import batches, newest
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.values import Key


def orders_of(
    session: Session, storefront: Storefront, tally: Tally, part: str, declared: Any, most: int
) -> None:
    """Look for the orders of the newest *most* rows of *part*.

    Orders that the mapping leaves out are there all the same. Rows of no order (a cart's, say)
    point to nothing.
    """
    key, order = Key(declared.key, f"{part}.key"), Key(declared.order, f"{part}.order")
    target = Key(declared.of, f"{part}.of") if declared.of is not None else storefront.order_key
    statement = _select(declared, key.labelled("key") + order.labelled("order"))
    if declared.where is not None:
        statement = statement.where(declared.where)
    rows = session.execute(newest(statement, key).limit(most)).all()
    pointing = [
        (values, key.raw(row, "key"))
        for row in rows
        if (values := order.raw(row, "order")) is not None
    ]
    there = _present(session, storefront.orders, target, [values for values, _ in pointing])
    tally.look(f"pointers_{part}", len(pointing))
    for values, own in pointing:
        if values not in there:
            example = f"{key.to_ref(own) if own else 'NULL'}, of order {order.to_ref(values)}"
            tally.note("order_missing", f"key {example}", part=part)


def customers_of(
    session: Session, storefront: Storefront, tally: Tally, rows: Sequence[Any]
) -> None:
    """Look for the customers of *rows* of orders."""
    key, pointer = storefront.customer_key, storefront.orders.customer
    if key is None or pointer is None:
        return
    customer = Key(pointer, "Orders.customer")
    pointing = [
        (values, row) for row in rows if (values := customer.raw(row, "customer")) is not None
    ]
    there = _present(session, storefront.customers, key, [values for values, _ in pointing])
    tally.look("orders_of_customers", len(pointing))
    for values, row in pointing:
        own = storefront.order_key.raw(row, "key")
        if values not in there and own is not None:
            tally.note("customer_missing", f"order {storefront.order_key.to_ref(own)}")


def _present(
    session: Session, part: Any, target: Key, wanted: Sequence[tuple[Any, ...]]
) -> set[tuple[Any, ...]]:
    """Return those of *wanted* that *target* has in the table of *part*, whatever it leaves out."""
    found: set[tuple[Any, ...]] = set()
    for some in batches(sorted(set(wanted), key=str)):
        statement = _select(part, target.labelled("key")).where(target.among(some))
        found.update(
            values for row in session.execute(statement) if (values := target.raw(row, "key"))
        )
    return found


def _select(part: Any, columns: Sequence[Any]) -> Select[Any]:
    statement = select(*columns)
    return statement if part.source is None else statement.select_from(part.source)
