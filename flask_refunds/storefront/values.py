"""Host values in a mapping: SQL expressions, amounts with their unit, and keys as text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, cast, get_args
from uuid import UUID

from sqlalchemy import Select, String, and_, false, literal, or_
from sqlalchemy.orm import InstrumentedAttribute, RelationshipProperty
from sqlalchemy.sql import ClauseElement, ColumnElement

from flask_refunds import money
from flask_refunds.errors import MappingError
from flask_refunds.models import REF_LENGTH


@dataclass(frozen=True)
class Amount:
    """An amount of the host with its unit said: see :func:`minor` and :func:`major`."""

    value: Any
    unit: Literal["minor", "major"]

    def read(self, raw: Any, currency: str) -> int:
        """Return *raw*, as the database gave it, in minor units of *currency*.

        A binary float is read by the fifteen digits that it is exact to.
        """
        if raw is None:
            return 0
        if self.unit == "minor":
            return int(raw)
        exact = Decimal(f"{raw:.15g}") if isinstance(raw, float) else Decimal(raw)
        return money.round_to_minor(exact, currency)


def minor(value: Any) -> Amount:
    """Say that *value* holds integer minor units (cents) of the row's own currency."""
    return Amount(value, "minor")


def major(value: Any) -> Amount:
    """Say that *value* holds whole units with decimals (a Numeric or Float, such as 12.34)."""
    return Amount(value, "major")


def expression(value: Any, name: str) -> ColumnElement[Any]:
    """Return *value* as a SQL expression, or say what is wrong with the attribute *name*."""
    if isinstance(value, property) or callable(value):
        raise MappingError(
            f"{name} is a plain Python {type(value).__name__}, which the database cannot compute. "
            "Pass a mapped column, a SQLAlchemy expression or a hybrid_property with an expression."
        )
    if isinstance(value, InstrumentedAttribute):
        if isinstance(value.property, RelationshipProperty):
            raise MappingError(
                f"{name} is the relationship {value}. Pass the column that holds the key instead."
            )
        return cast(ColumnElement[Any], value)
    if isinstance(value, Select):
        return value.scalar_subquery()
    if isinstance(value, ColumnElement):
        return value
    element = getattr(value, "__clause_element__", None)
    if element is not None:
        return cast(ColumnElement[Any], element())
    if isinstance(value, ClauseElement | Amount | type) or value is None:
        raise MappingError(
            f"{name} is {value!r}. Pass a mapped column, a labelled expression, a scalar subquery "
            "or a literal."
        )
    return literal(value)


def condition(value: Any, name: str) -> ColumnElement[Any]:
    """Return *value* as a condition; a text column is none, whatever it says."""
    made = expression(value, name)
    if isinstance(made.type, String):
        raise MappingError(
            f"{name} is a text, not a condition. Write one, such as Order.status == 'paid'."
        )
    return made


def one_of(name: str, value: Any, words: Any) -> None:
    """Refuse a *value* that is not among the *words* of a ``Literal``."""
    if value not in get_args(words):
        listed = ", ".join(map(repr, get_args(words)))
        raise MappingError(f"{name} is {value!r}. Pass one of {listed}.")


def amount_expression(value: Any, name: str) -> ColumnElement[Any]:
    """Return the expression of an :class:`Amount`, or ask for its unit."""
    if not isinstance(value, Amount):
        raise MappingError(
            f"{name} has no unit. Write minor({_words(value)}) if it holds integer cents, or "
            f"major({_words(value)}) if it holds whole units with decimals."
        )
    return expression(value.value, name)


def _words(value: Any) -> str:
    return str(value) if isinstance(value, InstrumentedAttribute) else "…"


class Key:
    """A host key of one or several columns, and its one canonical text.

    The text is the Python bind value's own (``str`` of an integer or UUID, ISO of a date); a
    composite key is a JSON list of such texts. Comparison converts our text to the host's type
    and never casts a host column, so that its indexes serve.
    """

    def __init__(self, value: Any, name: str) -> None:
        values = value if isinstance(value, tuple) else (value,)
        if isinstance(value, str):
            raise MappingError(f"{name} is the text {value!r}. Pass the column that holds the key.")
        self.name = name
        self.attributes = values
        self.columns: tuple[ColumnElement[Any], ...] = tuple(expression(v, name) for v in values)
        self.types = tuple(_python_type(column) for column in self.columns)

    def labelled(self, prefix: str) -> list[ColumnElement[Any]]:
        """Return the columns labelled ``prefix0``, ``prefix1``, …"""
        return [column.label(f"{prefix}{i}") for i, column in enumerate(self.columns)]

    def raw(self, row: Any, prefix: str) -> tuple[Any, ...] | None:
        """Return the values of :meth:`labelled` columns in *row*; ``None`` if any is NULL."""
        values = tuple(getattr(row, f"{prefix}{i}") for i in range(len(self.columns)))
        return None if any(value is None for value in values) else values

    def to_ref(self, values: Sequence[Any]) -> str:
        """Return the canonical text of *values*."""
        texts = [_to_text(value) for value in values]
        ref = texts[0] if len(texts) == 1 else json.dumps(texts, separators=(",", ":"))
        if len(ref) > REF_LENGTH:
            raise MappingError(f"{self.name}: the key {ref[:40]}… is longer than {REF_LENGTH}")
        return ref

    def from_ref(self, ref: str) -> tuple[Any, ...]:
        """Return the values that *ref* stands for; :exc:`ValueError` if it cannot be one."""
        if len(self.types) == 1:
            return (_from_text(ref, self.types[0]),)
        texts = json.loads(ref)
        if not isinstance(texts, list) or len(texts) != len(self.types):
            raise ValueError(f"{ref!r} is no key of {self.name}")
        return tuple(_from_text(str(t), kind) for t, kind in zip(texts, self.types, strict=True))

    def equals(self, values: Sequence[Any]) -> ColumnElement[bool]:
        """Return the condition that the key is *values*."""
        return and_(*(c == value for c, value in zip(self.columns, values, strict=True)))

    def among(self, many: Sequence[Sequence[Any]]) -> ColumnElement[bool]:
        """Return the condition that the key is one of *many*."""
        if not many:
            return false()
        if len(self.columns) == 1:
            return self.columns[0].in_([values[0] for values in many])
        return or_(*(self.equals(values) for values in many))

    def of_instance(self, row: Any) -> str | None:
        """Return the canonical text of a host model instance's key, read from its attributes."""
        if not all(isinstance(a, InstrumentedAttribute) for a in self.attributes):
            return None
        values = [getattr(row, attribute.key) for attribute in self.attributes]
        return None if any(value is None for value in values) else self.to_ref(values)


def model_of(value: Any) -> type | None:
    """Return the mapped class that the attribute *value* belongs to, if it is one."""
    first = value[0] if isinstance(value, tuple) else value
    if isinstance(first, InstrumentedAttribute):
        return cast(type, first.class_)
    return None


def _python_type(column: ColumnElement[Any]) -> type:
    try:
        return column.type.python_type
    except NotImplementedError:
        return str


def _to_text(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _from_text(text: str, kind: type) -> Any:
    if kind is int:
        return int(text)
    if kind is UUID:
        return UUID(text)
    if kind is Decimal:
        return Decimal(text)
    if kind is bytes:
        return bytes.fromhex(text)
    if kind in {datetime, date}:
        return kind.fromisoformat(text)
    return text
