"""Our minor units in the host's unit, and net figures in the type that the host's had."""

from decimal import Decimal
from typing import Any, Literal

from moneyed import list_all_currencies
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Float,
    Integer,
    Numeric,
    TypeDecorator,
    case,
    cast,
    func,
    literal_column,
    type_coerce,
)
from sqlalchemy.types import NullType, TypeEngine

from flask_refunds.figures.refusing import CannotNet
from flask_refunds.money import exponent

Unit = Literal["minor", "major"]
"""What a host's money column holds: integer minor units (cents), or whole units with decimals."""

_DIGITS = 38
_SCALE = 4  # no currency of ISO 4217 has more decimals


class Exact(TypeDecorator[Decimal]):
    """A figure in whole units with at least so many decimals, and more where it needs them."""

    impl = Numeric
    cache_ok = True

    def __init__(self, least: int) -> None:
        super().__init__(_DIGITS, max(least, _SCALE))
        self.least = least

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        short = round(value, self.least)
        return short if short == value else value.normalize()


def unit_of(label: str, kind: TypeEngine[Any], said: Unit | None) -> Unit:
    """Return the unit of the host's measure *label*: as *said*, else as its type *kind* tells."""
    if not isinstance(kind, Integer | Float | Numeric | Exact | NullType):
        raise CannotNet(f"The measure {label!r} is of type {kind!r}; measures are numbers.")
    if said is not None:
        return said
    if isinstance(kind, Integer):
        return "minor"
    if isinstance(kind, Float) or (isinstance(kind, Numeric | Exact) and kind.scale):
        return "major"
    raise CannotNet(
        f"The type of the measure {label!r}, {kind!r}, does not tell what its money is in. Pass "
        "unit='minor' for integer minor units (cents), unit='major' for whole units with decimals."
    )


def in_unit(amount: ColumnElement[int], currency: ColumnElement[str], unit: Unit) -> Any:
    """Return *amount*, minor units of *currency*, as the host's *unit* counts it."""
    if unit == "minor":
        return amount
    return cast(amount, Numeric(_DIGITS, 0)) / _divisor(currency)


def as_host(figure: ColumnElement[Any], kind: TypeEngine[Any], unit: Unit) -> ColumnElement[Any]:
    """Return *figure* rounded to its cents, as a column of the host's type *kind*.

    An integer stays one (some databases answer a SUM with a decimal); a float is rounded as a
    decimal, so that 0.3 less 0.3 is 0; a decimal has more than the host's where its currency does.
    """
    if isinstance(kind, Float):
        exact = func.round(cast(figure, Numeric(_DIGITS, _SCALE + 2)), _SCALE)
        return type_coerce(exact, kind)
    if isinstance(kind, Exact):
        return cast(func.round(figure, kind.scale), kind)
    if isinstance(kind, Numeric):
        scale = _SCALE if kind.scale is None else kind.scale
        if unit == "major" and kind.asdecimal:
            return as_host(figure, Exact(max(scale, 2)), unit)
        scale = scale if unit == "minor" else max(scale, _SCALE)
        shown: Numeric[Any] = Numeric(_DIGITS, scale)
        shown.asdecimal = kind.asdecimal
        return cast(func.round(figure, scale), shown)
    if unit == "minor":
        return cast(figure, BigInteger)
    return cast(func.round(figure, _SCALE), Numeric(_DIGITS, _SCALE))


def _divisor(currency: ColumnElement[str]) -> ColumnElement[Any]:
    """Return how many minor units one unit of *currency* has."""
    by_digits: dict[int, list[str]] = {}
    for known in list_all_currencies():
        by_digits.setdefault(exponent(known.code), []).append(known.code)
    by_digits.pop(2)
    return case(
        *(
            (currency.in_(sorted(codes)), literal_column(f"{10**digits}.0", Numeric(9, 1)))
            for digits, codes in sorted(by_digits.items())
        ),
        else_=literal_column("100.0", Numeric(9, 1)),
    )
