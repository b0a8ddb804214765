"""Reporting > Refunds: what was given back between two days, as posted and as requested."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from flask import abort, request
from sqlalchemy.orm import Session

from flask_refunds.admin.access import HostAccess
from flask_refunds.admin.presenting import badge, reason_text
from flask_refunds.admin.words import gettext
from flask_refunds.desks import refund_number
from flask_refunds.figures import ledger_query, requests
from flask_refunds.figures.filters import Filters
from flask_refunds.figures.ledger_query import Group, Totals
from flask_refunds.figures.requests import Standing
from flask_refunds.figures.ways import Way
from flask_refunds.models import LARGEST_ID
from flask_refunds.reports.choosing import Asked
from flask_refunds.reports.columns import Column
from flask_refunds.reports.page import FiledReportMixin
from flask_refunds.reports.postings import postings_table
from flask_refunds.reports.sources import REQUESTS, Query, Source
from flask_refunds.reports.tables import Table
from flask_refunds.states import RefundState, TransferState

Part = Literal["postings", "requests"]

PARTS: Mapping[Part, str] = {"postings": "Completed", "requests": "Requests"}
ENTRIES = {"refund": "Refunded", "reversal": "Reversed"}
WAYS = {Way.CARD: "Card", Way.VOID: "Voided sale", Way.OTHER: "Other means"}

_CURSOR = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, kw_only=True)
class Block:
    """The figures of one currency: what is in the ledger, and what stands outside it now."""

    currency: str
    totals: Totals
    standings: Mapping[TransferState, Standing]
    reasons: tuple[Group, ...]
    operators: tuple[Group, ...]

    @property
    def in_flight(self) -> int:
        """What is on its way, in minor units; it is in no other figure."""
        return sum(
            self.standings[state].amount
            for state in (TransferState.STARTED, TransferState.PROCESSING)
            if state in self.standings
        )


class RefundsReportMixin(FiledReportMixin):
    """Reporting > Refunds over a host's own base view."""

    report_name = "Refunds"
    report_endpoint = "refunds_report"
    template = "refunds/report.html"
    source: ClassVar[Source] = REQUESTS
    columns: ClassVar[tuple[Column, ...]] = REQUESTS.columns
    """What the file of requests holds; that of postings never changes."""
    labels: ClassVar[Mapping[str, str]] = {
        "status": "Status",
        "method": "Means",
        "reason": "Reason",
        "operator": "Operator",
        "currency": "Currency",
    }
    rows_per_page: ClassVar[int] = 50

    def choices(self) -> Mapping[str, Mapping[str, str]]:
        every = {"": gettext("All")}
        operator = request.args.get("operator", "")
        reasons, operators, currencies = self.runtime.sessions.read(
            lambda session: (
                requests.reasons(session),
                requests.operators(session, operator),
                requests.currencies(session),
            )
        )
        known = dict.fromkeys([*self.runtime.config.reasons, *reasons])
        statuses = ENTRIES if request.args.get("part") != "requests" else _states()
        return {
            "part": {part: gettext(words) for part, words in PARTS.items()},
            "status": every | {value: gettext(words) for value, words in statuses.items()},
            "method": every | {way.value: gettext(words) for way, words in WAYS.items()},
            "reason": every | {code: reason_text(code) for code in known},
            "operator": every | {label: label for label in operators},
            "currency": every | {code: code for code in currencies},
        }

    def query(self, asked: Asked) -> Query:
        return Query(period=asked.period, basis=asked.basis, filters=filters_of(asked))

    def file(self, asked: Asked) -> Table:
        """Return the postings as a file, or what was requested."""
        if asked.more["part"] == "requests":
            return super().file(asked)
        return postings_table(
            self.runtime.sessions,
            asked.period,
            asked.basis,
            *filters_of(asked).of_postings(),
            zone=self.runtime.config.zone,
            made_at=self.runtime.now(),
            notes=self.notes(asked),
        )

    def read(self, session: Session, asked: Asked) -> Mapping[str, Any]:
        part, filters = asked.more["part"], filters_of(asked)
        after = _cursor(request.args.get("after"))
        where = (session, asked.period, asked.basis, filters)
        limit = self.rows_per_page + 1
        found: list[tuple[datetime, Any]]
        if part == "postings":
            postings = ledger_query.posting_page(*where, limit=limit, after=after)
            found = [(posting.posted_at, posting) for posting in postings]
        else:
            page = requests.request_page(*where, limit=limit, after=after)
            found = [(row.created_at, row) for row in page]
        shown = found[: self.rows_per_page]
        return {
            "blocks": self._blocks(session, asked, filters),
            "rows": [row for _, row in shown],
            "next": _token(*shown[-1]) if len(found) > len(shown) else None,
            "after": request.args.get("after"),
            "part": part,
            "number": refund_number,
            "reason_text": reason_text,
            "as_it_is": str,
            "filtered": [name for name in _FILTERS if asked.more[name]],
        }

    def _blocks(self, session: Session, asked: Asked, filters: Filters) -> tuple[Block, ...]:
        where = (session, asked.period, asked.basis, filters)
        totals = {row.currency: row for row in ledger_query.totals(*where)}
        standings: dict[str, dict[TransferState, Standing]] = {}
        for row in requests.standings(*where):
            standings.setdefault(row.currency, {})[row.state] = row
        reasons = ledger_query.groups(*where, "reason")
        operators = ledger_query.groups(*where, "operator")
        return tuple(
            Block(
                currency=currency,
                totals=totals.get(currency) or Totals(currency=currency),
                standings=standings.get(currency, {}),
                reasons=tuple(group for group in reasons if group.currency == currency),
                operators=tuple(group for group in operators if group.currency == currency),
            )
            for currency in sorted({*totals, *standings})
        )


class RefundsReport(HostAccess, RefundsReportMixin):
    """Reporting > Refunds, open to whoever may open the host's orders."""


_FILTERS = ("status", "method", "reason", "operator", "currency")


def filters_of(asked: Asked) -> Filters:
    """Return what a URL narrows the report to."""
    chosen = {name: asked.more[name] or None for name in _FILTERS}
    postings = asked.more["part"] == "postings"
    status, way = chosen["status"], chosen["method"]
    return Filters(
        entry=status if postings else None,
        state=RefundState(status) if status and not postings else None,
        way=Way(way) if way else None,
        reason=chosen["reason"],
        operator=chosen["operator"],
        currency=chosen["currency"],
    )


def _states() -> dict[str, str]:
    return {state.value: badge(state).text for state in RefundState}


def _token(moment: datetime, row: Any) -> str:
    return f"{moment.astimezone(UTC).strftime(_CURSOR)}-{row.id}"


def _cursor(token: str | None) -> tuple[datetime, int] | None:
    """Return the time and id that *token* stands for; 400 if it is none of ours."""
    if not token:
        return None
    moment, _, number = token.partition("-")
    try:
        at, row_id = datetime.strptime(moment, _CURSOR).replace(tzinfo=UTC), int(number)
    except ValueError:
        abort(400)
    if not 0 < row_id <= LARGEST_ID:
        abort(400)
    return at, row_id
