"""The host's values in SQL, read by the same rules as :mod:`flask_refunds.storefront.rows`.

Amounts become minor units row by row before any sum, times are compared in the zone and type in
which the host keeps them, texts compare byte by byte.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from moneyed import list_all_currencies
from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Subquery,
    TypeDecorator,
    case,
    cast,
    func,
    literal,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from flask_refunds.money import exponent
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.texts import exact_text
from flask_refunds.storefront.values import Amount

_DECIMALS = 10


class to_minor(FunctionElement[int]):  # noqa: N801  # a function in SQL
    """An amount in whole units times the units' parts, rounded half away from zero.

    In decimals: a binary float is read by the fifteen digits that it is exact to.
    """

    type = BigInteger()
    inherit_cache = True


@compiles(to_minor)
def _to_minor(element: Any, compiler: Any, **options: Any) -> str:
    amount, parts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(round(round({amount} * {parts}, 6)) AS BIGINT)"


@compiles(to_minor, "postgresql")
def _to_minor_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    amount, parts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(round(CAST({amount} AS NUMERIC) * {parts}) AS BIGINT)"


@compiles(to_minor, "mysql")
@compiles(to_minor, "mariadb")
def _to_minor_mariadb(element: Any, compiler: Any, **options: Any) -> str:
    amount, parts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(ROUND(CAST({amount} AS DECIMAL(38, {_DECIMALS})) * {parts}) AS SIGNED)"


def minor_units(
    value: ColumnElement[Any], amount: Amount | None, currency: ColumnElement[str]
) -> ColumnElement[int]:
    """Return *value*, an amount of the host as *amount* says, in minor units of *currency*.

    NULL, and an amount that is not mapped, are nothing.
    """
    if amount is None:
        return literal_column("0", BigInteger)
    if amount.unit == "major":
        return func.coalesce(to_minor(value, _parts(currency)), literal_column("0", BigInteger))
    whole = value if isinstance(value.type, Integer) else cast(value, BigInteger)
    return func.coalesce(whole, literal_column("0", BigInteger))


def currency_code(value: ColumnElement[Any]) -> ColumnElement[str]:
    """Return a currency of the host's as its ISO code."""
    return func.upper(func.trim(exact_text(value)))


def short_text(value: ColumnElement[Any], length: int) -> ColumnElement[str]:
    """Return a text of the host's cut to *length*, as our columns keep it; NULL is empty."""
    return func.substr(func.coalesce(exact_text(value), ""), 1, length)


def truth(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether a condition or flag of the host's holds; NULL does not."""
    if isinstance(value.type, Boolean):
        return value.is_(True)
    return func.coalesce(value, 0) != 0


def host_moment(
    column: ColumnElement[Any], moment: datetime, storefront: Storefront, dialect: str
) -> ColumnElement[datetime]:
    """Return *moment* (aware, UTC) as the host's time *column* would hold it, to compare with.

    A type of the host's own gets the aware time; a naive column its local time, such that the
    comparison goes as if each row were converted to UTC first (an hour that the clock repeats
    counts as its first pass, as when rows are read). SQLite compares texts: without its decimals a
    whole second is the least of what a host may write for it, ``12:00:00`` and ``12:00:00.000000``.
    """
    kind = column.type
    if isinstance(kind, TypeDecorator):
        held: ColumnElement[Any] = literal(moment, kind)
        is_text = isinstance(kind.impl_instance, DateTime)
    else:
        held, is_text = _plain_moment(kind, moment, storefront, dialect), True
    return func.replace(held, ".000000", "") if is_text and dialect == "sqlite" else held


def _plain_moment(
    kind: TypeEngine[Any], moment: datetime, storefront: Storefront, dialect: str
) -> ColumnElement[datetime]:
    if isinstance(kind, DateTime) and kind.timezone and dialect == "postgresql":
        return literal(moment, DateTime(timezone=True))
    return literal(_local(moment, ZoneInfo(storefront.timezone)), DateTime())


def columns_called(table: CTE | Subquery, prefix: str) -> list[ColumnElement[Any]]:
    """Return the columns of a statement of the mapping's that are labelled *prefix* and a number.

    Such are the parts of a key; none if the mapping has no such key.
    """
    return [column for column in table.c if column.key.rstrip("0123456789") == prefix]


def matching(
    left: Sequence[ColumnElement[Any]], right: Sequence[ColumnElement[Any]]
) -> list[ColumnElement[bool]]:
    """Return the conditions that the keys *left* and *right* are the same."""
    return [a == b for a, b in zip(left, right, strict=True)]


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    naive = local.replace(tzinfo=None, fold=0)
    while local.fold and naive.replace(tzinfo=zone).astimezone(UTC) < moment:
        naive += timedelta(minutes=1)
    return naive


def _parts(currency: ColumnElement[str]) -> ColumnElement[int]:
    """Return how many minor units one unit of *currency* has."""
    by_digits: dict[int, list[str]] = {}
    for known in list_all_currencies():
        by_digits.setdefault(exponent(known.code), []).append(known.code)
    by_digits.pop(2)
    return case(
        *(
            (currency.in_(sorted(codes)), literal_column(str(10**digits), BigInteger))
            for digits, codes in sorted(by_digits.items())
        ),
        else_=literal_column("100", BigInteger),
    )
