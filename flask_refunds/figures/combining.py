"""The SQL of netting: the host's rows and ours, one below the other, grouped again.

There is no FULL JOIN on MariaDB, and a UNION ALL needs none. Where a key is a sale's own (a line,
an order) few of its many values have refunds: then only the host's rows that some refund touches
go this way, and all others pass as they are.
"""

from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Subquery,
    case,
    func,
    literal,
    null,
    select,
    union_all,
)

from flask_refunds.figures import units
from flask_refunds.figures.columns import CODE, HOST, OTHER, OWN, Columns, is_sql
from flask_refunds.figures.grouping import AnySelect
from flask_refunds.figures.host_sql import currency_code
from flask_refunds.figures.narrowing import with_key_in, without_key_in
from flask_refunds.figures.refunded import Refunded


class Combination:
    """One netting in the making, from the host's *columns* and what was *refunded*."""

    def __init__(self, columns: Columns, refunded: Refunded) -> None:
        self.columns = columns
        self.refunded = refunded
        self.said = columns.said
        self.host = columns.host

    def statement(self) -> AnySelect:
        """Return the host's labels with net figures, then those beside, then the mark."""
        key = self.columns.key_of_a_sale
        if key is None:
            return self._shown(self._netted(self.host, self.refunded.statement().subquery("ours")))
        ours = self.refunded.statement().cte()
        host, values = self.columns.statement, ours.c[key]
        touched = with_key_in(host, key, values).subquery("touched")
        untouched = without_key_in(host, key, values).subquery("untouched")
        rows = union_all(
            self._shown(self._gross(untouched)), self._shown(self._netted(touched, ours))
        ).subquery("net")
        return select(*rows.c)

    def _gross(self, host: FromClause) -> Subquery:
        """Return *host*'s rows as they are, with nothing refunded."""
        return self._hosts(host).add_columns(literal(0).label(OTHER)).subquery("gross")

    def _netted(self, host: FromClause, ours: FromClause) -> Subquery:
        """Return one row per key, from *host*'s rows and *ours*."""
        columns = self.columns
        hosts = self._hosts(host)
        if columns.grouped_currency:
            hosts = hosts.add_columns(currency_code(host.c[self.said.currency]).label(CODE))
        both = union_all(hosts, self._ours(ours)).subquery("both_sides")
        c = both.c
        groups = [c[CODE if key == self.said.currency else key] for key in columns.keys]
        keys = [
            self._spelt(both).label(key) if key == self.said.currency else c[key]
            for key in columns.keys
        ]
        carried = [self._filled(both, label).label(label) for label in columns.carried]
        figures = [func.sum(c[name]).label(name) for name in columns.figures]
        grouped = select(*keys, *carried, *figures, func.max(c[OWN]).label(OWN)).group_by(*groups)
        if self.said.admits is True:
            return grouped.subquery("netted")
        return self._with_other(grouped.subquery("grouped"))

    def _hosts(self, host: FromClause) -> AnySelect:
        columns, c = self.columns, host.c
        shown: list[Any] = [c[label] for label in (*columns.keys, *columns.carried)]
        shown += [null().label(name) for name in columns.filled.values()]
        for label in columns.measures:
            shown.append(func.coalesce(c[label], 0).label(columns.gross[label]))
            shown.append(literal(0).label(columns.refunded[label]))
        return select(*shown, literal(HOST).label(OWN))

    def _ours(self, ours: FromClause) -> AnySelect:
        columns, c = self.columns, ours.c
        shown: list[Any] = [c[label] for label in columns.keys]
        shown += [null() for _ in columns.carried]
        shown += [c[name] for name in columns.filled.values()]
        for refunded in columns.refunded.values():
            shown += [literal(0), c[refunded]]
        code = [c[CODE]] if columns.grouped_currency else []
        return select(*shown, c[OWN], *code)

    def _spelt(self, both: Subquery) -> ColumnElement[Any]:
        """Return the currency as the host has it, or as a refund has where the host has none."""
        c = both.c
        theirs = case((c[OWN] == HOST, c[self.said.currency]))
        return func.coalesce(func.max(theirs), func.max(c[self.said.currency]))

    def _filled(self, both: Subquery, label: str) -> ColumnElement[Any]:
        largest = _largest(both.c[label])
        fill = self.said.fill.get(label)
        if fill is None:
            return largest
        ours = func.max(both.c[self.columns.filled[label]]) if is_sql(fill) else literal(fill)
        return case((func.max(both.c[OWN]) == HOST, largest), else_=ours)

    def _with_other(self, grouped: Subquery) -> Subquery:
        """Return *grouped* with the rows that nothing admits put together, per currency."""
        columns, c = self.columns, grouped.c
        own = c[OWN] > 0
        facts = [label for label in columns.labels if label not in columns.measures]
        marked = select(
            *(
                (c[label] if label == self.said.currency else case((own, c[label]))).label(label)
                for label in facts
            ),
            *(c[name] for name in columns.figures),
            case((own, 0), else_=1).label(OTHER),
        ).subquery("marked")
        m = marked.c
        groups = [*(m[key] for key in columns.keys), m[OTHER]]
        collected = select(
            *groups,
            *(_largest(m[label]).label(label) for label in columns.carried),
            *(func.sum(m[name]).label(name) for name in columns.figures),
        ).group_by(*groups)
        if not self.said.other:
            return collected.subquery("with_other")
        c = collected.subquery("collected").c
        return select(
            *(
                case((c[OTHER] == 1, literal(self.said.other[name])), else_=column).label(name)
                if name in self.said.other
                else column
                for name, column in c.items()
            )
        ).subquery("with_other")

    def _shown(self, table: Subquery) -> AnySelect:
        """Return the host's labels with net figures, then those beside, then the mark."""
        columns, c = self.columns, table.c
        net, beside = {}, []
        for label in columns.measures:
            gross, refunded = c[columns.gross[label]], c[columns.refunded[label]]
            net[label] = self._as_host(label, gross - refunded).label(label)
            figures = {"gross": gross, "refunded": refunded}
            beside += [
                self._as_host(label, figures[name]).label(f"{label}_{name}")
                for name in self.said.beside
            ]
        mark = [] if self.said.admits is True else [c[OTHER]]
        shown = [net[label] if label in net else c[label] for label in columns.labels]
        return select(*shown, *beside, *mark)

    def _as_host(self, label: str, figure: ColumnElement[Any]) -> ColumnElement[Any]:
        return units.as_host(figure, self.host.c[label].type, self.columns.units[label])


def _largest(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the one value of *column* that is not NULL; PostgreSQL has no MAX of booleans."""
    if isinstance(column.type, Boolean):
        return func.max(case((column.is_(True), 1), (column.is_(False), 0))) == 1
    return func.max(column, type_=column.type)
