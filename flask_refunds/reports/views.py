"""Reporting > Refunds: what was given back between two days, on a page and as a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Response, abort, make_response, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.orm import Session

from flask_refunds.admin.pages import RefundsPage
from flask_refunds.admin.words import gettext
from flask_refunds.desks import refund_number
from flask_refunds.figures import ledger_query
from flask_refunds.figures.ledger_query import Standing, Totals
from flask_refunds.figures.periods import Basis, Choice, Period, Preset, choose
from flask_refunds.models import LARGEST_ID
from flask_refunds.reports.downloads import csv_response, xlsx_response
from flask_refunds.reports.postings import postings_table
from flask_refunds.reports.tables import Table
from flask_refunds.states import TransferState

Part = Literal["postings", "requests"]

PRESETS: Mapping[Preset, str] = {
    Preset.TODAY: "Today",
    Preset.YESTERDAY: "Yesterday",
    Preset.LAST_7_DAYS: "Last 7 days",
    Preset.LAST_30_DAYS: "Last 30 days",
    Preset.THIS_MONTH: "This month",
    Preset.LAST_MONTH: "Last month",
    Preset.THIS_QUARTER: "This quarter",
    Preset.THIS_YEAR: "This year",
    Preset.ALL: "All",
}
BASES: Mapping[Basis, str] = {"refund": "Refund date", "order": "Order date"}
PARTS: Mapping[Part, str] = {"postings": "Completed", "requests": "Requests"}

_ERRORS = {
    "missing": "Give both dates.",
    "not_a_date": "Dates are written like 2026-01-31.",
    "out_of_range": "This date is out of range.",
    "before_start": "The last day is before the first one.",
    "unknown": "There is no such choice.",
}
_CURSOR = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, kw_only=True)
class Block:
    """The figures of one currency: what is in the ledger, and what stands outside it now."""

    currency: str
    totals: Totals
    standings: Mapping[TransferState, Standing]

    @property
    def in_flight(self) -> int:
        """What is on its way, in minor units; it is in no other figure."""
        return sum(
            self.standings[state].amount
            for state in (TransferState.STARTED, TransferState.PROCESSING)
            if state in self.standings
        )


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one page of the report shows. ``next`` is the cursor of the following page, if any."""

    blocks: tuple[Block, ...]
    rows: tuple[Any, ...]
    next: str | None


class RefundsReport(RefundsPage):
    """Refunds by day: what was completed, as posted, and what was requested, as it stands."""

    rows_per_page = 50

    def __init__(self, **options: Any) -> None:
        given = {"name": gettext("Refunds"), "endpoint": "refunds_report", "category": "Reporting"}
        super().__init__(**{**given, **options})

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show the report."""
        chosen = self._chosen()
        if chosen.period is None:
            return self._page(chosen, None)
        part = self._part()
        after = _cursor(request.args.get("after"))
        period, basis = chosen.period, chosen.basis
        page = self.runtime.sessions.read(
            lambda session: self._read(session, period, basis, part, after)
        )
        return self._page(chosen, page)

    @expose("/csv")
    def csv(self) -> ResponseReturnValue:
        """Download the postings, streamed from the database as the client takes them."""
        return self._download(csv_response)

    @expose("/xlsx")
    def xlsx(self) -> ResponseReturnValue:
        """Download the postings as a workbook."""
        return self._download(xlsx_response)

    def _download(self, response: Callable[[Table], Response]) -> ResponseReturnValue:
        chosen = self._chosen()
        if chosen.period is None:
            return self._page(chosen, None)
        runtime = self.runtime
        table = postings_table(
            runtime.sessions,
            chosen.period,
            chosen.basis,
            zone=runtime.config.zone,
            made_at=runtime.now(),
        )
        return response(table)

    def _read(
        self,
        session: Session,
        period: Period,
        basis: Basis,
        part: Part,
        after: tuple[datetime, int] | None,
    ) -> Page:
        totals = {row.currency: row for row in ledger_query.totals(session, period, basis)}
        standings: dict[str, dict[TransferState, Standing]] = {}
        for row in ledger_query.standings(session, period, basis):
            standings.setdefault(row.currency, {})[row.state] = row
        limit = self.rows_per_page + 1
        if part == "postings":
            postings = ledger_query.posting_page(session, period, basis, limit=limit, after=after)
            found = [(posting.posted_at, posting) for posting in postings]
        else:
            requests = ledger_query.request_page(session, period, basis, limit=limit, after=after)
            found = [(row.created_at, row) for row in requests]  # type: ignore[misc]
        shown = found[: self.rows_per_page]
        return Page(
            blocks=tuple(
                Block(
                    currency=currency,
                    totals=totals.get(currency) or Totals(currency=currency),
                    standings=standings.get(currency, {}),
                )
                for currency in sorted({*totals, *standings})
            ),
            rows=tuple(row for _, row in shown),
            next=_token(*shown[-1]) if len(found) > len(shown) else None,
        )

    def _page(self, chosen: Choice, page: Page | None) -> ResponseReturnValue:
        state = {"basis": chosen.basis, "part": self._part()}
        span = chosen.period.args if chosen.period is not None else {}
        text = self.render(
            "refunds/report.html",
            chosen=chosen,
            page=page,
            part=self._part(),
            parts={part: gettext(words) for part, words in PARTS.items()},
            presets={preset: gettext(words) for preset, words in PRESETS.items()},
            bases={basis: gettext(words) for basis, words in BASES.items()},
            errors={name: gettext(_ERRORS[code]) for name, code in chosen.errors.items()},
            state=state,
            span=span,
            here={**state, **span},
            zone=self.runtime.config.timezone,
            after=request.args.get("after"),
            number=refund_number,
        )
        return make_response(text, 422 if chosen.errors else 200)

    def _chosen(self) -> Choice:
        return choose(request.args, now=self.runtime.now(), zone=self.runtime.config.zone)

    @staticmethod
    def _part() -> Part:
        return "requests" if request.args.get("part") == "requests" else "postings"


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
