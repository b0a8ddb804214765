"""The keys of a host's report, as our postings have them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, DateTime, String, case, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import visitors
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from flask_refunds.figures.ledger_query import DATED
from flask_refunds.figures.periods import Basis
from flask_refunds.figures.refs import element_of, in_type
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.models import Posting

Bucket = Callable[[ColumnElement[datetime]], ColumnElement[Any]]
"""The host's own way from a time (naive UTC) to the time key of its report, in SQL."""

Source = str | ColumnElement[Any] | InstrumentedAttribute[Any]
"""Where a posting has a key: a name of :data:`NAMED`, ``dimensions.NAME``, or an expression.

``order_ref.0`` is the first part of a key of several columns, as it is for any other ``_ref``.
"""

NAMED: Mapping[str, InstrumentedAttribute[Any]] = {
    "line_ref": Posting.line_ref,
    "sku": Posting.sku,
    "order_ref": Posting.order_ref,
    "order_number": Posting.order_number,
    "customer_ref": Posting.customer_ref,
}
DIMENSION = "dimensions."

PER_SALE = ("line_ref", "order_ref", "order_number")
"""Those of :data:`NAMED` that each sale has to itself, the narrowest first."""

_OF_LINES = frozenset({"line_ref", "sku", "description", "dimensions"})


class naive_utc(FunctionElement[datetime]):  # noqa: N801  # a function in SQL
    """A time of ours as most hosts keep theirs: UTC without a zone."""

    name = "naive_utc"
    type = DateTime()
    inherit_cache = True


@compiles(naive_utc)
def _as_it_is(element: Any, compiler: Any, **options: Any) -> str:
    text: str = compiler.process(element.clauses, **options)
    return text


@compiles(naive_utc, "postgresql")
def _without_zone(element: Any, compiler: Any, **options: Any) -> str:
    return f"timezone('UTC', {compiler.process(element.clauses, **options)})"


class text_in_json(FunctionElement[str]):  # noqa: N801  # a function in SQL
    """A value in JSON as text, also one that was written as a number."""

    name = "text_in_json"
    type = String()
    inherit_cache = True


@compiles(text_in_json)
def _text_in_json(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(text_in_json, "sqlite")
def _text_in_json_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    # SQLAlchemy 2.0 leaves it a number, which is no text to compare and none that REGEXP takes.
    return f"CAST({compiler.process(element.clauses, **options)} AS TEXT)"


def bucketed(bucket: Bucket, basis: Basis) -> ColumnElement[Any]:
    """Return the time key of a posting, cut by the host's own *bucket*."""
    return bucket(naive_utc(DATED[basis]))


def name_of(label: str, source: Source | None) -> str | None:
    """Return by which name of :data:`NAMED` a posting has the key *label*; ``None`` if by none."""
    name = label if source is None else source
    if isinstance(name, str):
        return name if name in NAMED else None
    return next((known for known, column in NAMED.items() if column is name), None)


def sourced(label: str, source: Source | None, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """Return what a posting has for the key *label* of a report, in the host's type *kind*.

    Raises :exc:`~flask_refunds.figures.refusing.CannotNet` when that was not said or cannot be.
    """
    if source is None:
        source = label
    if not isinstance(source, str):
        return _as_expression(source)
    if source.startswith(DIMENSION):
        value = Posting.dimensions[source.removeprefix(DIMENSION)]
        return _converted(label, text_in_json(value.as_string()), kind)
    name, _, part = source.partition(".")
    if name not in NAMED or (part and not (name.endswith("_ref") and part.isdecimal())):
        raise CannotNet(
            f"The key {label!r} has no counterpart in the ledger. Say which in "
            f"sources={{{label!r}: …}}: one of {', '.join(NAMED)}, a part of a key of several "
            f"columns ('order_ref.0'), '{DIMENSION}NAME' of the mapping's Lines.dimensions, or an "
            f"expression on Posting; a time takes bucket={{{label!r}: …}}."
        )
    text = _as_expression(NAMED[name])
    if part:  # a charge's name is no list
        text = element_of(case((text.like("[%"), text)), literal_column(str(int(part))))
    return _converted(label, text, kind)


def is_of_lines(expressions: list[ColumnElement[Any]]) -> bool:
    """Return whether any of *expressions* is a fact of an order's line."""
    return any(
        isinstance(element, Column)
        and element.table is Posting.__table__
        and element.name in _OF_LINES
        for expression in expressions
        for element in visitors.iterate(expression)
    )


def _converted(label: str, text: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    converted = in_type(text, kind)
    if converted is not None:
        return converted
    raise CannotNet(
        f"The key {label!r} is of type {kind!r}, which a posting's text is not turned into. Pass "
        f"sources={{{label!r}: an expression on Posting}}, or bucket= if it is a time."
    )


def _as_expression(value: Any) -> ColumnElement[Any]:
    expression = value.__clause_element__() if hasattr(value, "__clause_element__") else value
    assert isinstance(expression, ColumnElement)
    return expression
