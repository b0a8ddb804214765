"""What a report is about: which shop and days, by which date, cut into which spans."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, literal, literal_column
from sqlalchemy.orm import Session

from flask_refunds.figures.buckets import Bucket, numbered
from flask_refunds.figures.host_sql import host_moment
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.models import UtcDateTime
from flask_refunds.storefront import Storefront


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The shop's *period*, by *basis*, cut into *buckets* (whole, when there are none).

    *dialect* is the name of the database's SQL: hosts' times are compared as it keeps them.
    """

    storefront: Storefront
    dialect: str
    period: Period
    basis: Basis = "refund"
    buckets: Sequence[Bucket] = ()

    @classmethod
    def of(
        cls,
        session: Session,
        storefront: Storefront,
        period: Period,
        basis: Basis = "refund",
        buckets: Sequence[Bucket] = (),
    ) -> "Scope":
        """Return the scope for the database of *session*."""
        return cls(
            storefront=storefront,
            dialect=session.get_bind().dialect.name,
            period=period,
            basis=basis,
            buckets=buckets,
        )

    def numbered(self, time: Any) -> ColumnElement[int]:
        """Return the number of the span of *time*, a column of ours within the period."""
        return self._number(time, lambda moment: literal(moment, UtcDateTime()))

    def numbered_host(self, time: ColumnElement[Any]) -> ColumnElement[int]:
        """Return the number of the span of *time*, a column of the host's within the period."""
        return self._number(time, lambda moment: self._of_host(time, moment))

    def within_host(self, time: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """Return the conditions that *time*, a column of the host's, is in the period.

        What has no time yet, such as a cart among the orders, is in none.
        """
        bounds: list[ColumnElement[bool]] = [time.is_not(None)]
        if self.period.start is not None:
            bounds.append(time >= self._of_host(time, self.period.start))
        if self.period.end is not None:
            bounds.append(time < self._of_host(time, self.period.end))
        return bounds

    def _of_host(self, time: ColumnElement[Any], moment: datetime) -> ColumnElement[datetime]:
        return host_moment(time, moment, self.storefront, self.dialect)

    def _number(self, time: Any, bound: Any) -> ColumnElement[int]:
        if not self.buckets:
            return literal_column("0", Integer)
        return numbered(time, self.buckets, bound)
