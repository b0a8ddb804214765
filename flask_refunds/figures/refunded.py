"""The ledger's side of a netting: what was refunded, by the keys of the host's SELECT."""

from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, literal, select

from flask_refunds.figures import units
from flask_refunds.figures.columns import CODE, OWN, Columns
from flask_refunds.figures.grouping import AnySelect
from flask_refunds.figures.keys import bucketed, is_of_lines, sourced
from flask_refunds.figures.ledger_query import COMPONENTS, posted
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.models import Posting


class Refunded:
    """What was refunded in *period*, to be put below the host's rows with their *columns*."""

    def __init__(self, columns: Columns, period: Period, basis: Basis) -> None:
        self.columns = columns
        self.period = period
        self.basis = basis
        self.keys = {key: self._key(key) for key in columns.keys}
        self.only = columns.said.only
        if self.only is None and is_of_lines(list(self.keys.values())):
            self.only = Posting.kind == "line"

    def statement(self) -> AnySelect:
        """Return one row for each key and currency, refunded figures in the host's units."""
        columns, c = self.columns, self._postings().c
        shown: list[ColumnElement[Any]] = [c[key] for key in columns.keys]
        shown += [func.max(c[name]).label(name) for name in columns.filled.values()]
        for label in columns.measures:
            total = func.coalesce(func.sum(c[columns.refunded[label]]), 0)
            figure = units.in_unit(total, c[CODE], columns.units[label])
            shown.append(figure.label(columns.refunded[label]))
        groups = [*(c[key] for key in columns.keys), c[CODE]]
        return select(*shown, c[CODE], func.max(c[OWN]).label(OWN)).group_by(*groups)

    def _postings(self) -> Subquery:
        """Return the postings that count, each with its key and components."""
        columns, said = self.columns, self.columns.said
        shown: list[Any] = [value.label(key) for key, value in self.keys.items()]
        shown.append(Posting.currency.label(CODE))
        shown += [said.fill[label].label(name) for label, name in columns.filled.items()]
        for label, component in columns.measures.items():
            shown.append(_component(component).label(columns.refunded[label]))
        shown.append(self._admitted().label(OWN))
        where = posted(self.period, self.basis)
        if self.only is not None:
            where.append(self.only)
        if not columns.grouped_currency:
            where.append(Posting.currency == said.currency)
        return select(*shown).where(*where).subquery("postings")

    def _admitted(self) -> ColumnElement[int]:
        admits = self.columns.said.admits
        if isinstance(admits, bool):
            return literal(int(admits))
        return case((admits, 1), else_=0)

    def _key(self, label: str) -> ColumnElement[Any]:
        said = self.columns.said
        if label in said.buckets:
            return bucketed(said.buckets[label], self.basis)
        if label == said.currency and label not in said.sources:
            return Posting.currency.expression
        return sourced(label, said.sources.get(label), self.columns.host.c[label].type)


def _component(name: str) -> ColumnElement[int]:
    if name == "quantity":  # a charge is no piece of anything
        return case((Posting.kind == "line", Posting.quantity), else_=0)
    return COMPONENTS[name].expression
