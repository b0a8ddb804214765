"""The newest orders with their lines and payments, row by row, each query bounded."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flask_refunds.errors import RefundsError
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.values import Key, expression

AT_ONCE = 250
"""Of how many orders one query reads the lines or the payments."""
ROWS_EACH = 40
"""So many lines or payments an order may have on average of those read at once."""

UNREADABLE = (RefundsError, SQLAlchemyError, ValueError, TypeError, LookupError, ArithmeticError)
"""What a query may raise whose mapping and rows do not fit, also while its rows are read."""


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """The rows of one part that point to the orders of a batch, by what they point with."""

    by_order: Mapping[tuple[Any, ...], Sequence[Any]]
    whole: bool
    """Whether these are all of them."""


def newest(statement: Select[Any], key: Key, placed_at: Any = None) -> Select[Any]:
    """Return *statement* in the order of its newest rows, as its indexes can give it.

    Keys that are integers grow; others are asked for by *placed_at*, where there is one.
    """
    if key.types == (int,):
        return statement.order_by(key.columns[0].desc())
    if placed_at is None:
        return statement
    return statement.order_by(placed_at.desc(), *(column.desc() for column in key.columns))


def newest_orders(storefront: Storefront) -> Select[Any]:
    """Return the select of all orders, newest first."""
    placed_at = expression(storefront.orders.placed_at, "Orders.placed_at")
    return newest(storefront.orders_statement(), storefront.order_key, placed_at)


def batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield *rows* by so many as one query asks for."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def belongings(
    session: Session,
    statement: Select[Any],
    order: Key,
    values: Sequence[tuple[Any, ...]],
) -> Belongings:
    """Return the rows of *statement* whose *order* is one of *values*: one query."""
    most = AT_ONCE * ROWS_EACH
    rows = session.execute(statement.where(order.among(values)).limit(most + 1)).all()
    by_order: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in rows[:most]:
        by_order[order.raw(row, "order") or ()].append(row)
    return Belongings(by_order=by_order, whole=len(rows) <= most)
