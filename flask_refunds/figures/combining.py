"""The SQL of netting: the host's aggregate and ours, one below the other, grouped again.

There is no FULL JOIN on MariaDB, and a UNION ALL needs none.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Subquery,
    case,
    func,
    literal,
    null,
    select,
    union_all,
)

from flask_refunds.figures import checking, units
from flask_refunds.figures.checking import AnySelect
from flask_refunds.figures.keys import bucketed, is_of_lines, sourced
from flask_refunds.figures.ledger_query import COMPONENTS, posted
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.models import Posting

if TYPE_CHECKING:
    from flask_refunds.figures.net import Netting

GROSS, REFUNDED, OTHER = "_gross", "_refunded", "refunds_other"


class Combination:
    """One netting in the making: the host's aggregate and ours, one below the other, grouped."""

    def __init__(
        self,
        said: "Netting",
        statement: AnySelect,
        period: Period,
        basis: Basis,
    ) -> None:
        checking.check_statement(statement)
        self.said = said
        self.period = period
        self.basis = basis
        self.host = statement.order_by(None).subquery("host")
        self.labels = list(self.host.c.keys())
        self.grouped_currency = checking.check_currency(statement, said.currency)
        self.keys = [label for label in said.keys if label != said.currency]
        if self.grouped_currency:
            self.keys.append(said.currency)
        self.measures = dict(said.measures)
        self.carried = [
            label for label in self.labels if label not in self.keys and label not in self.measures
        ]
        checking.check_labels(said, self.labels, self.carried)
        checking.check_carried({label: self.host.c[label].type for label in self.carried})

    def statement(self) -> AnySelect:
        grouped = self._grouped()
        if self.said.admits is True:
            return self._shown(grouped)
        return self._shown(self._with_other(grouped), OTHER)

    def _shown(self, table: Subquery, *more: str) -> AnySelect:
        """Return the host's labels with net figures, then gross and refunded, then *more*."""
        c = table.c
        shown: dict[str, ColumnElement[Any]] = {
            label: c[label] for label in self.labels if label not in self.measures
        }
        for label in self.measures:
            gross, refunded = c[label + GROSS], c[label + REFUNDED]
            shown[label] = self._as_host(label, gross - refunded)
            shown[label + GROSS] = self._as_host(label, gross)
            shown[label + REFUNDED] = self._as_host(label, refunded)
        beside = [label + suffix for label in self.measures for suffix in (GROSS, REFUNDED)]
        columns = [shown[label].label(label) for label in (*self.labels, *beside)]
        return select(*columns, *(c[label] for label in more))

    def _as_host(self, label: str, figure: ColumnElement[Any]) -> ColumnElement[Any]:
        return units.as_host(figure, self.host.c[label].type, self._unit(label))

    def _grouped(self) -> Subquery:
        """Return one row per key, from the host's rows and ours."""
        both = union_all(self._hosts(), self._ours()).subquery("both_sides")
        c = both.c
        columns: list[Any] = [c[key] for key in self.keys]
        columns += [self._filled(both, label).label(label) for label in self.carried]
        for label in self.measures:
            columns.append(func.sum(c[label + GROSS]).label(label + GROSS))
            columns.append(func.sum(c[label + REFUNDED]).label(label + REFUNDED))
        columns.append(func.max(c[OTHER]).label(OTHER))
        return select(*columns).group_by(*(c[key] for key in self.keys)).subquery("net")

    def _filled(self, both: Subquery, label: str) -> ColumnElement[Any]:
        largest = _largest(both.c[label])
        fill = self.said.fill.get(label)
        if fill is None:
            return largest
        ours = func.max(both.c["fill_" + label]) if _is_sql(fill) else literal(fill)
        return func.coalesce(largest, ours)

    def _hosts(self) -> AnySelect:
        c = self.host.c
        columns: list[Any] = [c[label] for label in (*self.keys, *self.carried)]
        columns += [null().label("fill_" + label) for label in self._filled_by_sql()]
        for label in self.measures:
            columns.append(func.coalesce(c[label], 0).label(label + GROSS))
            columns.append(literal(0).label(label + REFUNDED))
        return select(*columns, literal(1).label(OTHER))

    def _ours(self) -> AnySelect:
        postings = self._postings()
        c = postings.c
        currency = c.posting_currency
        columns: list[Any] = [c[key] for key in self.keys]
        columns += [null().label(label) for label in self.carried]
        columns += [func.max(c["fill_" + label]) for label in self._filled_by_sql()]
        for label in self.measures:
            columns.append(literal(0).label(label + GROSS))
            total = func.coalesce(func.sum(c[label]), 0)
            columns.append(units.in_unit(total, currency, self._unit(label)))
        groups = dict.fromkeys([*(c[key] for key in self.keys), currency])
        return select(*columns, func.max(c[OTHER])).group_by(*groups)

    def _postings(self) -> Subquery:
        """Return the postings that count, each with its key and components."""
        keys = {key: self._key(key) for key in self.keys if key != self.said.currency}
        only = self.said.only
        if only is None and is_of_lines(list(keys.values())):
            only = Posting.kind == "line"
        columns = [value.label(key) for key, value in keys.items()]
        if self.grouped_currency:
            columns.append(Posting.currency.label(self.said.currency))
        columns.append(Posting.currency.label("posting_currency"))
        columns += [self.said.fill[label].label("fill_" + label) for label in self._filled_by_sql()]
        columns += [_component(name).label(label) for label, name in self.measures.items()]
        columns.append(self._admitted().label(OTHER))
        where = posted(self.period, self.basis)
        if only is not None:
            where.append(only)
        if not self.grouped_currency:
            where.append(Posting.currency == self.said.currency)
        return select(*columns).where(*where).subquery("postings")

    def _admitted(self) -> ColumnElement[int]:
        """Return 1 for a posting that gives its key a row, 0 otherwise."""
        admits = self.said.admits
        if isinstance(admits, bool):
            return literal(int(admits))
        return case((admits, 1), else_=0)

    def _key(self, label: str) -> ColumnElement[Any]:
        if label in self.said.buckets:
            return bucketed(self.said.buckets[label], self.basis)
        return sourced(label, self.said.sources.get(label), self.host.c[label].type)

    def _with_other(self, grouped: Subquery) -> Subquery:
        """Return *grouped* with the rows that nothing admits put together, per currency."""
        c = grouped.c
        figures = [label + suffix for label in self.measures for suffix in (GROSS, REFUNDED)]
        texts = [label for label in (*self.keys, *self.carried) if label != self.said.currency]
        own = c[OTHER] == 1
        marked = select(
            *(case((own, c[label])).label(label) for label in texts),
            *([c[self.said.currency]] if self.grouped_currency else []),
            *(c[label] for label in figures),
            case((own, 0), else_=1).label(OTHER),
        ).subquery("marked")
        m = marked.c
        groups = [m[key] for key in self.keys]
        result = select(
            *groups,
            *(_largest(m[label]).label(label) for label in self.carried),
            *(func.sum(m[label]).label(label) for label in figures),
            m[OTHER],
        ).group_by(*groups, m[OTHER])
        if not self.said.other:
            return result.subquery("with_other")
        inner = result.subquery("collected")
        return select(
            *(
                case((inner.c[OTHER] == 1, literal(self.said.other[name])), else_=column).label(
                    name
                )
                if name in self.said.other
                else column
                for name, column in inner.c.items()
            )
        ).subquery("with_other")

    def _filled_by_sql(self) -> list[str]:
        return [label for label in self.carried if _is_sql(self.said.fill.get(label))]

    def _unit(self, label: str) -> units.Unit:
        return "minor" if self.measures[label] == "quantity" else self.said.unit


def _component(name: str) -> ColumnElement[int]:
    if name == "quantity":  # a charge is no piece of anything
        return case((Posting.kind == "line", Posting.quantity), else_=0)
    return COMPONENTS[name].expression


def _is_sql(value: Any) -> bool:
    return hasattr(value, "__clause_element__") or isinstance(value, ColumnElement)


def _largest(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the one value of *column* that is not NULL; PostgreSQL has no MAX of booleans."""
    if isinstance(column.type, Boolean):
        return func.max(case((column.is_(True), 1), (column.is_(False), 0))) == 1
    return func.max(column, type_=column.type)
