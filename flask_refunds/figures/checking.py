"""What a host's SELECT must be to be netted, said before any SQL runs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import JSON, BindParameter, LargeBinary, Select, Uuid
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import Label, Over
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import ScalarSelect, SelectBase

from flask_refunds.figures.ledger_query import COMPONENTS
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.money import exponent

if TYPE_CHECKING:
    from flask_refunds.figures.net import Netting

AnySelect: TypeAlias = "Select[*tuple[Any, ...]]"
"""A SELECT of whatever columns."""

_AGGREGATES = frozenset({"sum", "max", "min", "count", "avg", "any_value", "group_concat"})


def check_statement(statement: Any) -> None:
    """Refuse a *statement* whose rows would be others once refunds are in it."""
    if not isinstance(statement, Select):
        raise CannotNet(
            f"net() takes a select(), not {type(statement).__name__}. Wrap it: "
            "select(*table.c) with table = statement.subquery()."
        )
    # SQLAlchemy has no public way to ask a Select for these.
    unfit = {
        "LIMIT": statement._limit_clause is not None,  # noqa: SLF001
        "OFFSET": statement._offset_clause is not None,  # noqa: SLF001
        "FETCH": statement._fetch_clause is not None,  # noqa: SLF001
        "DISTINCT": statement._distinct,  # noqa: SLF001
    }
    for word, found in unfit.items():
        if found:
            raise CannotNet(
                f"The SELECT has {word}: its rows are chosen before refunds are taken off, so the "
                f"net figures would be of the wrong rows. Net it without, and put {word} on the "
                "result; for DISTINCT use GROUP BY."
            )


def check_currency(statement: AnySelect, currency: Any) -> bool:
    """Return whether *currency* is a column of *statement*; refuse sums across currencies."""
    columns = statement.selected_columns
    if not isinstance(currency, str) or not currency:
        raise CannotNet(
            "Nothing is summed across currencies. Pass currency= the label of the SELECT's "
            "currency column, or the ISO code of the one currency that it is about."
        )
    if currency not in columns:
        try:
            exponent(currency)
        except ValueError:
            raise CannotNet(
                f"currency={currency!r} is neither a column of the SELECT "
                f"({_list(columns.keys())}) nor an ISO 4217 code."
            ) from None
        return False
    column = _bare(columns[currency])
    if isinstance(column, BindParameter):
        return True
    groups = statement._group_by_clauses  # noqa: SLF001  # no public way to ask
    grouped = any(_is_same(group, column, currency) for group in groups)
    if (groups and not grouped) or (not groups and any(map(_aggregates, columns))):
        raise CannotNet(
            f"The SELECT puts rows of different {currency!r} together. Add it to GROUP BY, or pass "
            "currency='USD' (say) for a SELECT that is about one currency only."
        )
    return True


def check_labels(said: "Netting", labels: Sequence[str], carried: Sequence[str]) -> None:
    """Refuse what *said* names but the SELECT, with its *labels*, does not have."""
    for what, names in (
        ("key", said.keys),
        ("measures", said.measures),
        ("sources", said.sources),
        ("bucket", said.buckets),
        ("fill", said.fill),
        ("other", said.other),
    ):
        for name in names:
            if name not in labels:
                raise CannotNet(
                    f"{what} names {name!r}, which the SELECT does not have. "
                    f"It has {_list(labels)}."
                )
    for label in said.fill:
        if label not in carried:
            raise CannotNet(f"fill names {label!r}, which is no carried column.")
    _check_measures(said, labels)


def check_carried(kinds: Mapping[str, Any]) -> None:
    """Refuse carried columns, by label and type, that not every database can take the MAX of."""
    for label, kind in kinds.items():
        if isinstance(kind, Uuid | JSON | LargeBinary):
            raise CannotNet(
                f"The column {label!r} is of type {kind!r}, of which databases have no MAX. Make "
                "it part of key=, or leave it out of the SELECT."
            )


def _check_measures(said: "Netting", labels: Sequence[str]) -> None:
    if not said.measures:
        raise CannotNet("measures= is empty: say which columns to take refunds off.")
    for label, component in said.measures.items():
        if component not in COMPONENTS:
            raise CannotNet(
                f"measures[{label!r}] is {component!r}. It is one of {_list(COMPONENTS)}."
            )
        if label in said.keys:
            raise CannotNet(f"{label!r} is both a key and a measure.")
        for taken in (f"{label}_gross", f"{label}_refunded"):
            if taken in labels:
                raise CannotNet(f"The SELECT has a column {taken!r} already; label it otherwise.")
    if said.unit not in {"minor", "major"}:
        raise CannotNet(
            f"unit is {said.unit!r}. Say 'minor' if the SELECT's money is in integer minor units "
            "(cents), 'major' if it is in whole units with decimals."
        )


def _list(names: Any) -> str:
    return ", ".join(map(repr, names))


def _bare(element: Any) -> Any:
    while isinstance(element, Label):
        element = element.element
    return element


def _is_same(group: Any, column: Any, label: str) -> bool:
    """Return whether *group*, a part of GROUP BY, is *column*, said as such or by its *label*."""
    inner = getattr(group, "element", group)
    if isinstance(inner, str):
        return inner == label
    inner = _bare(inner)
    return isinstance(inner, ClauseElement) and inner.compare(column)


def _aggregates(element: Any) -> bool:
    if isinstance(element, ScalarSelect | SelectBase | Over):
        return False
    if isinstance(element, FunctionElement) and element.name in _AGGREGATES:
        return True
    return any(map(_aggregates, element.get_children()))
