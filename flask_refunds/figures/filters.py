"""Narrowing the Refunds report: by how money went back, why, by whom, in which currency."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists

from flask_refunds.figures.ways import Way, way_of_posting
from flask_refunds.models import Posting, Refund, Transfer
from flask_refunds.states import Method, RefundState

ENTRIES = ("refund", "reversal")


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show only; ``None`` for all.

    ``entry`` narrows postings (``refund`` or ``reversal``), ``state`` requests; ``way`` is a
    :class:`~flask_refunds.figures.ways.Way` but the shop's own; ``operator`` the label of who
    issued the refund.
    """

    entry: str | None = None
    state: RefundState | None = None
    way: Way | None = None
    reason: str | None = None
    operator: str | None = None
    currency: str | None = None

    def of_postings(self) -> list[ColumnElement[bool]]:
        """Return the conditions on :class:`~flask_refunds.models.Posting`."""
        found: list[ColumnElement[bool]] = []
        if self.entry is not None:
            found.append(Posting.entry == self.entry)
        if self.way is not None:
            found.append(way_of_posting() == self.way.value)
        if self.reason is not None:
            found.append(Posting.reason == self.reason)
        if self.operator is not None:
            found.append(Posting.actor_label == self.operator)
        if self.currency is not None:
            found.append(Posting.currency == self.currency)
        return found

    def of_requests(self) -> list[ColumnElement[bool]]:
        """Return the conditions on :class:`~flask_refunds.models.Refund`."""
        found: list[ColumnElement[bool]] = []
        if self.state is not None:
            found.append(Refund.state == self.state)
        if self.way is not None:
            found.append(exists().where(Transfer.refund_id == Refund.id, *_of_way(self.way)))
        if self.reason is not None:
            found.append(Refund.reason == self.reason)
        if self.operator is not None:
            found.append(Refund.actor_label == self.operator)
        if self.currency is not None:
            found.append(Refund.currency == self.currency)
        return found


EVERYTHING = Filters()


def _of_way(way: Way) -> list[ColumnElement[bool]]:
    """Return the conditions that a transfer goes, or is to go, this *way*."""
    if way is Way.OTHER:
        return [Transfer.method == Method.OTHER]
    by_card = Transfer.method == Method.CARD
    if way is Way.VOID:
        return [by_card, Transfer.operation == "void"]
    return [by_card, Transfer.operation.is_(None) | (Transfer.operation != "void")]
