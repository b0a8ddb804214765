"""Narrowing a host's SELECT by its key, in its own WHERE, where its indexes serve."""

from typing import Any

from sqlalchemy import ColumnClause, ColumnElement, TextClause, exists, select

from flask_refunds.figures import grouping
from flask_refunds.figures.grouping import AnySelect

_ROW_BY_ROW = frozenset({"coalesce", "concat", "date", "lower", "nullif", "round", "trim", "upper"})


def with_key_in(statement: AnySelect, label: str, column: ColumnElement[Any]) -> AnySelect:
    """Return *statement* for the rows whose *label* is one of the values in *column*."""
    return statement.where(grouping.bare(statement.selected_columns[label]).in_(select(column)))


def without_key_in(statement: AnySelect, label: str, column: ColumnElement[Any]) -> AnySelect:
    """Return *statement* for all other rows, among them those whose *label* is NULL."""
    value = grouping.bare(statement.selected_columns[label])
    return statement.where(~exists().where(column == value))


def may_narrow(statement: AnySelect, label: str) -> bool:
    """Return whether narrowing *statement* by *label* changes no row that it keeps.

    A condition in WHERE comes before rows are put together. So the column has to be in GROUP BY,
    or nothing is put together at all: no aggregate, no window. What cannot be told from the
    statement, such as SQL as text, counts as no.
    """
    columns = [*statement.selected_columns, *statement._raw_columns]  # noqa: SLF001  # text, too
    called = {name for column in columns for name in grouping.calls(column)}
    if "over" in called or _has_more_clauses(statement) or any(map(_has_text, columns)):
        return False
    if grouping.groups(statement):
        return grouping.is_grouped_by(statement, label)
    return statement._having_criteria == () and called <= _ROW_BY_ROW  # noqa: SLF001


def _has_text(column: Any) -> bool:
    return any(
        isinstance(part, TextClause) or (isinstance(part, ColumnClause) and part.is_literal)
        for part in grouping.parts(column)
    )


def _has_more_clauses(statement: AnySelect) -> bool:
    """Return whether *statement* has clauses whose meaning only the database knows."""
    words = (statement._prefixes, statement._suffixes, statement._statement_hints)  # noqa: SLF001
    points = ("post_select", "pre_columns", "post_criteria", "post_body")  # of SQLAlchemy 2.1
    return any(words) or any(
        getattr(statement, f"_{point}_clause", None) is not None for point in points
    )
