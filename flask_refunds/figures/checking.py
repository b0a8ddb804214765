"""What a host's SELECT must be to be netted, said before any SQL runs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BindParameter, LargeBinary, Select, Uuid

from flask_refunds.figures import grouping
from flask_refunds.figures.grouping import AnySelect
from flask_refunds.figures.ledger_query import COMPONENTS
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.money import exponent

if TYPE_CHECKING:
    from flask_refunds.figures.net import Netting

BESIDE = ("gross", "refunded")
"""The figures that may stand beside a net one."""

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
    if isinstance(grouping.bare(columns[currency]), BindParameter):
        return True
    if grouping.groups(statement):
        apart = grouping.is_grouped_by(statement, currency)
    else:
        apart = not any(_AGGREGATES.intersection(grouping.calls(column)) for column in columns)
    if not apart:
        raise CannotNet(
            f"The SELECT puts rows of different {currency!r} together. Add it to GROUP BY, or pass "
            "currency='USD' (say) for a SELECT that is about one currency only."
        )
    return True


def check_beside(beside: Sequence[str]) -> None:
    """Refuse figures *beside* the net ones that there are not."""
    if not set(beside) <= set(BESIDE):
        raise CannotNet(f"beside is {beside!r}. It is a tuple of any of {_list(BESIDE)}, or ().")


def check_labels(
    said: "Netting", labels: Sequence[str], carried: Sequence[str], *, ours: Sequence[str]
) -> None:
    """Refuse what *said* names but the SELECT, with its *labels*, does not have; and *ours*."""
    for name in ours:
        if name in labels:
            raise CannotNet(f"The SELECT has a column {name!r}, which net() needs. Rename it.")
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
    for taken in [f"{label}_{name}" for label in said.measures for name in said.beside]:
        if taken in labels:
            raise CannotNet(
                f"The SELECT has a column {taken!r} already. Label it otherwise, or say in "
                "beside= which figures you want beside the net ones."
            )
    if said.unit not in {None, "minor", "major"}:
        raise CannotNet(
            f"unit is {said.unit!r}. Say 'minor' if the SELECT's money is in integer minor units "
            "(cents), 'major' if it is in whole units with decimals, or leave it out."
        )


def _list(names: Any) -> str:
    return ", ".join(map(repr, names))
