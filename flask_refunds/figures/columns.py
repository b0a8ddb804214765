"""What the columns of a host's SELECT are to its netting, and what our SQL calls them."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement

from flask_refunds.figures import checking, units
from flask_refunds.figures.grouping import AnySelect
from flask_refunds.figures.keys import PER_SALE, name_of
from flask_refunds.figures.narrowing import may_narrow

if TYPE_CHECKING:
    from flask_refunds.figures.net import Netting

OWN = "refunds_own"
"""Above 0 in rows whose key gets a row of its own, 0 in those of refunds not admitted only."""
HOST = 2
"""What :data:`OWN` is in the host's rows."""
OTHER = "refunds_other"
"""1 in the row of all refunds that are not admitted, 0 otherwise."""
CODE = "refunds_currency"
"""The ISO code of a row's currency, however the host spells it."""


class Columns:
    """The columns of a host's SELECT: each is a key, a measure, or carried over.

    ``host`` is the SELECT as a table, ``labels`` all its columns in their order; ``keys``
    includes the currency where that is a column (``grouped_currency``). ``gross``, ``refunded``
    and ``filled`` are the names that our SQL has for the figures of a measure and for what a
    carried column holds by SQL of ours: no host's label is in their way.

    Raises :exc:`~flask_refunds.figures.refusing.CannotNet` where what was *said* does not fit.
    """

    def __init__(self, said: "Netting", statement: AnySelect) -> None:
        checking.check_statement(statement)
        self.said = said
        self.statement = statement.order_by(None)
        self.host = self.statement.subquery("host")
        self.labels = list(self.host.c.keys())
        self.grouped_currency = checking.check_currency(statement, said.currency)
        self.keys = [label for label in said.keys if label != said.currency]
        if self.grouped_currency:
            self.keys.append(said.currency)
        self.measures = dict(said.measures)
        self.carried = [
            label for label in self.labels if label not in self.keys and label not in self.measures
        ]
        checking.check_labels(said, self.labels, self.carried, ours=(OWN, OTHER, CODE))
        checking.check_carried({label: self.host.c[label].type for label in self.carried})
        self.units = {label: self._unit(label) for label in self.measures}
        self.gross = {label: f"refunds_gross_{n}" for n, label in enumerate(self.measures)}
        self.refunded = {label: f"refunds_refunded_{n}" for n, label in enumerate(self.measures)}
        by_sql = [label for label in self.carried if is_sql(said.fill.get(label))]
        self.filled = {label: f"refunds_fill_{n}" for n, label in enumerate(by_sql)}

    @cached_property
    def key_of_a_sale(self) -> str | None:
        """The key by which the host's rows without refunds may be told apart, if there is one.

        Any key would do for the figures, since the rows of one value of it stay together. It pays
        where refunds have few of the values; and every posting must have one.
        """
        said = self.said
        named = {name_of(label, said.sources.get(label)): label for label in self.keys}
        if said.only is not None:  # charges may be asked for, which have no line
            named.pop("line_ref", None)
        found = (named[name] for name in PER_SALE if name in named)
        return next((key for key in found if may_narrow(self.statement, key)), None)

    @property
    def figures(self) -> list[str]:
        """The names of all figures, gross and refunded."""
        return [*self.gross.values(), *self.refunded.values()]

    def _unit(self, label: str) -> units.Unit:
        said = "minor" if self.measures[label] == "quantity" else self.said.unit
        return units.unit_of(label, self.host.c[label].type, said)


def is_sql(value: Any) -> bool:
    """Return whether *value* is an SQL expression, not a plain value."""
    return hasattr(value, "__clause_element__") or isinstance(value, ColumnElement)
