"""Dividing an amount over the items of each order by the largest remainder, in SQL.

The same as :func:`flask_refunds.sharing.spread`, for many orders at once. Products are worked out
in two halves, so that 64 bits hold them: exact for orders below :data:`LARGEST` minor units.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, case, cast, func, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

LARGEST = 3 * 10**12
_HALF = 10**6

ZERO = literal_column("0", BigInteger)


class whole_quotient(FunctionElement[int]):  # noqa: N801  # a function in SQL
    """The quotient of two integers, cut to a whole number; NULL where the second is zero."""

    type = BigInteger()
    inherit_cache = True


@compiles(whole_quotient)
def _whole_quotient(element: Any, compiler: Any, **options: Any) -> str:
    above, below = (compiler.process(clause, **options) for clause in element.clauses)
    operator = "DIV" if compiler.dialect.name in {"mysql", "mariadb"} else "/"
    return f"(({above}) {operator} NULLIF({below}, 0))"


def quotient(
    amount: ColumnElement[int], weight: ColumnElement[int], total: ColumnElement[int]
) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return ``amount × weight ÷ total`` cut to a whole number, and the remainder.

    None of them is below zero. NULL where *total* is zero.
    """
    half = literal_column(str(_HALF), BigInteger)
    upper = amount * whole_quotient(weight, half)
    rest = (upper % func.nullif(total, 0)) * half + amount * (weight % half)
    whole = whole_quotient(upper, total) * half + whole_quotient(rest, total)
    return whole, rest % func.nullif(total, 0)


def spread(
    name: str,
    items: CTE,
    amount: ColumnElement[int],
    weight: ColumnElement[int],
    *,
    order: Sequence[str],
    by: Sequence[str],
    capped: bool = False,
) -> CTE:
    """Return *items* with a column ``share``: their part of *amount*, in minor units.

    Both are expressions on *items*: *amount* the same for all items of an order, negative too;
    *weight* not below zero. *order* labels the columns that an order's items have in common, *by*
    those in whose order a tie is broken. With no weight at all nothing can be placed: zero.
    *capped*: at most the weights are placed, and a column ``rest`` says what was not. *name*
    begins the names of the steps in SQL.
    """
    total = cast(func.sum(weight).over(partition_by=_of(items, order)), BigInteger)
    placed = case((amount > total, total), else_=amount) if capped else amount
    weighed = select(
        *items.c,
        weight.label("weight"),
        total.label("weights"),
        placed.label("placed"),
        (amount - placed).label("rest"),
    ).cte(f"refunds_{name}_weighed")
    w = weighed.c
    whole, over = quotient(func.abs(w.placed), w.weight, w.weights)
    cut = select(
        *w, func.coalesce(whole, ZERO).label("whole"), func.coalesce(over, ZERO).label("over")
    ).cte(f"refunds_{name}_cut")
    c = cut.c
    best_first = [c.over.desc(), *_of(cut, by)]
    ranked = select(
        *c,
        func.row_number().over(partition_by=_of(cut, order), order_by=best_first).label("place"),
        cast(func.sum(c.whole).over(partition_by=_of(cut, order)), BigInteger).label("wholes"),
    ).cte(f"refunds_{name}_ranked")
    r = ranked.c
    sign = case((r.placed < 0, -1), else_=1)
    one_more = case((r.place <= func.abs(r.placed) - r.wholes, 1), else_=0)
    share = case((r.weights == 0, ZERO), else_=sign * (r.whole + one_more))
    kept = [r[column.key] for column in items.c]
    return select(*kept, share.label("share"), r.rest).cte(f"refunds_{name}_shared")


def scaled_half_up(
    part: ColumnElement[int], of: ColumnElement[int], whole: ColumnElement[int]
) -> ColumnElement[int]:
    """Return ``part × of ÷ whole`` rounded half up; none below zero, NULL where *whole* is zero."""
    cut, rest = quotient(part, of, whole)
    return cut + case((2 * rest >= whole, 1), else_=0)


def _of(table: CTE, labels: Sequence[str]) -> list[ColumnElement[Any]]:
    return [table.c[label] for label in labels]
