"""``net``: a host's own SELECT, with what was refunded taken off its figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement

from flask_refunds.figures.checking import BESIDE, check_beside
from flask_refunds.figures.columns import Columns
from flask_refunds.figures.combining import Combination
from flask_refunds.figures.grouping import AnySelect
from flask_refunds.figures.keys import Bucket, Source
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.figures.refunded import Refunded
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.figures.units import Unit


@dataclass(frozen=True, kw_only=True)
class Netting:
    """What has to be said about a host's SELECT to net it; see :func:`net`."""

    key: str | tuple[str, ...]
    measures: Mapping[str, str]
    currency: str
    unit: Unit | None = None
    beside: Sequence[str] = BESIDE
    sources: Mapping[str, Source] = field(default_factory=dict)
    bucket: Bucket | Mapping[str, Bucket] = field(default_factory=dict)
    fill: Mapping[str, Any] = field(default_factory=dict)
    admits: bool | ColumnElement[bool] = True
    other: Mapping[str, Any] = field(default_factory=dict)
    only: ColumnElement[bool] | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The labels of the key."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)

    @property
    def buckets(self) -> Mapping[str, Bucket]:
        """The time keys' own expressions, by label."""
        if isinstance(self.bucket, Mapping):
            return self.bucket
        if len(self.keys) != 1:
            raise CannotNet("With several keys, say which one is the time: bucket={label: …}.")
        return {self.keys[0]: self.bucket}

    def apply(self, statement: AnySelect, *, period: Period, basis: Basis = "refund") -> AnySelect:
        """Return *statement*, netted; see :func:`net`."""
        check_beside(self.beside)
        columns = Columns(self, statement)
        return Combination(columns, Refunded(columns, period, basis)).statement()


def net(
    statement: AnySelect,
    *,
    key: str | tuple[str, ...],
    measures: Mapping[str, str],
    currency: str,
    period: Period,
    basis: Basis = "refund",
    unit: Unit | None = None,
    beside: Sequence[str] = BESIDE,
    sources: Mapping[str, Source] | None = None,
    bucket: Bucket | Mapping[str, Bucket] | None = None,
    fill: Mapping[str, Any] | None = None,
    admits: bool | ColumnElement[bool] = True,
    other: Mapping[str, Any] | None = None,
    only: ColumnElement[bool] | None = None,
) -> AnySelect:
    """Return the host's *statement* with what was refunded in *period* taken off its measures.

    The result has the host's labels in their order, the *measures* net, then the figures that
    stand *beside* them. It may be filtered, sorted and limited further.

    Arguments:
        statement: any SELECT without LIMIT, OFFSET or DISTINCT. Its own dates stay its own:
            give the same days as *period*.
        key: the label or labels that identify a row, beside the currency; ``()`` for none.
        measures: a component by the host's label: ``quantity``, ``list``, ``discount``, ``tax``
            or ``paid`` (which includes tax). All other columns are carried over.
        currency: the label of the host's currency column, or one ISO code if it sells in one.
        period: whose refunds to take off.
        basis: by which day a refund belongs to *period*: ``"refund"``, when it was completed or
            reversed, or ``"order"``, when its order was placed.
        unit: whether the host's money is ``"minor"`` (integer cents) or ``"major"`` (12.34). By
            default each measure's type tells: integers are minor units, floats and numerics with
            decimals whole ones. Quantities are counts either way.
        beside: which figures to add for each measure: ``gross`` (``<label>_gross``) and
            ``refunded`` (``<label>_refunded``, positive), or ``()`` for the host's labels only.
        sources: where a posting has a key that is not called as in the ledger: see
            :mod:`flask_refunds.figures.keys`.
        bucket: for a time key the host's own expression, as a function of a naive UTC time.
        fill: what carried columns hold in rows that have only refunds: an expression on
            ``Posting``, or a value. NULL otherwise.
        admits: whether keys that have only refunds get rows of their own: all, none, or those
            with a posting for which this condition on ``Posting`` holds. The rest is one row per
            currency, marked 1 in the column ``refunds_other``, so that totals still tie.
        other: what keys and carried columns hold in that row. NULL otherwise.
        only: which postings belong to the report at all. By default all, but only those of
            lines, not of charges and adjustments, where a key is a fact of a line.

    By a key that each sale has to itself (``line_ref``, ``order_ref`` or ``order_number``), the
    host's rows that no refund touches pass as they are, and only the others are grouped with the
    refunds: see :func:`~flask_refunds.figures.narrowing.may_narrow`.

    Raises :exc:`~flask_refunds.figures.refusing.CannotNet` with the remedy.
    """
    netting = Netting(
        key=key,
        measures=measures,
        currency=currency,
        unit=unit,
        beside=beside,
        sources=sources or {},
        bucket=bucket or {},
        fill=fill or {},
        admits=admits,
        other=other or {},
        only=only,
    )
    return netting.apply(statement, period=period, basis=basis)
