"""How a host's SELECT makes its rows, told from the statement alone."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from sqlalchemy import Select
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import ClauseList, Label, Over
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import ScalarSelect, SelectBase

AnySelect: TypeAlias = "Select[*tuple[Any, ...]]"
"""A SELECT of whatever columns."""


def bare(element: Any) -> Any:
    """Return *element* without the labels round it."""
    while isinstance(element, Label):
        element = element.element
    return element


def groups(statement: AnySelect) -> tuple[Any, ...]:
    """Return the parts of GROUP BY; SQLAlchemy has no public way to ask.

    A function among them it keeps as a list of one.
    """
    return tuple(
        part
        for group in statement._group_by_clauses  # noqa: SLF001
        for part in (group.clauses if isinstance(group, ClauseList) else (group,))
    )


def is_grouped_by(statement: AnySelect, label: str) -> bool:
    """Return whether GROUP BY has the column *label*, said as such or by its label."""
    column = bare(statement.selected_columns[label])
    return any(_is_same(group, column, label) for group in groups(statement))


def calls(element: Any) -> Iterator[str]:
    """Yield the names of the SQL functions that *element* calls, but for those of subqueries.

    A window function is called ``over``, whatever it computes.
    """
    for part in parts(element):
        if isinstance(part, Over):
            yield "over"
        elif isinstance(part, FunctionElement):
            yield str(getattr(part, "name", ""))


def parts(element: Any) -> Iterator[ClauseElement]:
    """Yield what *element* is made of, itself included; subqueries and windows as one piece."""
    yield element
    if not isinstance(element, ScalarSelect | SelectBase | Over):
        for child in element.get_children():
            yield from parts(child)


def _is_same(group: Any, column: Any, label: str) -> bool:
    inner = getattr(group, "element", group)
    if isinstance(inner, str):
        return inner == label
    inner = bare(inner)
    return isinstance(inner, ClauseElement) and inner.compare(column)
