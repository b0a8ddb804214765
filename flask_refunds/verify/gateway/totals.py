"""The ledger's card postings and what the gateway has for them, by day and currency. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask_refunds.figures.periods import Period
from flask_refunds.outcomes import REFUND, VOID
from flask_refunds.verify.findings import Finding
from flask_refunds.verify.gateway.facts import Answers, Books, took_effect

Cell = tuple[date, str, str]
"""A day, a currency and an operation."""


@dataclass(frozen=True, kw_only=True)
class Total:
    """What was given back by card on one day of the store, in minor units, net of reversals.

    ``operation`` is ``refund`` or ``void``. ``ledger`` is what was posted, ``gateway`` what the
    gateway has for it, ``timing`` what it has declined and we have not booked yet,
    ``not_compared`` what it could not be asked about.
    """

    day: date
    currency: str
    operation: str
    ledger: int = 0
    gateway: int = 0
    timing: int = 0
    not_compared: int = 0

    @property
    def explained(self) -> int:
        """What the ledger should have, of what the gateway could be asked about."""
        return self.gateway + self.timing

    @property
    def ties(self) -> bool:
        """Whether the ledger has what the gateway has."""
        return self.ledger == self.explained + self.not_compared


class _Table:
    """The totals in the making, one for each day, currency and operation of a period."""

    def __init__(self, period: Period, zone: ZoneInfo) -> None:
        self._period, self._zone = period, zone
        self._cells: dict[Cell, Counter[str]] = {}

    def add(self, at: datetime, currency: str, operation: str, **amounts: int) -> None:
        """Add *amounts* to the total of the day of *at*, if the period has it."""
        start, end = self._period.start, self._period.end
        if (start is not None and at < start) or (end is not None and at >= end):
            return
        cell = (at.astimezone(self._zone).date(), currency, operation)
        self._cells.setdefault(cell, Counter()).update(amounts)

    def all(self) -> tuple[Total, ...]:
        """Return the totals by day."""
        return tuple(
            Total(day=day, currency=currency, operation=operation, **amounts)
            for (day, currency, operation), amounts in sorted(self._cells.items())
        )


def totals(books: Books, answers: Answers, zone: ZoneInfo) -> tuple[Total, ...]:
    """Return the totals of the period of *books*, by day of *zone*.

    What the gateway has counts on the day on which the audit trail says that we completed it;
    what it declined later is taken off again on the day on which we booked that.
    """
    table = _Table(books.period, zone)
    moves = {move.transfer_id: move for move in books.moves}
    for posted in books.postings:
        move = moves.get(posted.transfer_id)
        compared = move is None or move.sale in answers.seen
        table.add(
            posted.at,
            posted.currency,
            posted.operation,
            ledger=posted.amount,
            not_compared=0 if compared else posted.amount,
        )
    owners: dict[tuple[str, str], int] = {}
    for booking in books.bookings:
        move = moves[booking.transfer_id]
        seen = answers.seen.get(move.sale)
        given = seen.given(booking.gateway_id) if seen is not None else None
        if seen is None or given is None:
            continue
        if owners.setdefault((move.sale.gateway, given.id), move.transfer_id) != move.transfer_id:
            continue  # booked twice, and there once
        operation = VOID if given.id == seen.charge.id else REFUND
        table.add(booking.completed_at, given.currency, operation, gateway=given.amount)
        if took_effect(given):
            continue
        late = given.amount if booking.failed_at is None and move.poll_due else 0
        table.add(
            booking.failed_at or booking.completed_at,
            given.currency,
            operation,
            gateway=-given.amount,
            timing=late,
        )
    return table.all()


def untied(found: tuple[Total, ...]) -> Iterator[Finding]:
    """Yield the totals that do not tie."""
    for total in found:
        if not total.ties:
            yield Finding(
                code="gateway_total",
                what="The card postings of a day are what the gateway has for them",
                refs=(
                    ("day", total.day.isoformat()),
                    ("currency", total.currency),
                    ("operation", total.operation),
                ),
                expected=total.ledger - total.not_compared,
                found=total.explained,
                currency=total.currency,
            )
