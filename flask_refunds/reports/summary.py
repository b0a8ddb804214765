"""The Summary Report: sales and refunds of each day, week or month, and the period before."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from flask_refunds.admin.access import HostAccess
from flask_refunds.admin.words import gettext
from flask_refunds.figures.bounds import cut_up
from flask_refunds.figures.buckets import Span
from flask_refunds.figures.periods import Period
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.summary import Summary, read_blocks, read_summary
from flask_refunds.reports.choosing import Asked
from flask_refunds.reports.columns import Column
from flask_refunds.reports.page import FiledReportMixin
from flask_refunds.reports.sources import SUMMARY, Query, Source

SPANS: Mapping[str, str] = {
    "": "Automatic",
    Span.DAY.value: "Day",
    Span.WEEK.value: "Week",
    Span.MONTH.value: "Month",
}
OPTIONAL = ("added", "adjustments", "void", "other", "shop")
"""Columns of the page that are left out where nothing in the period has such an amount."""


class SummaryReportMixin(FiledReportMixin):
    """The Summary Report over a host's own base view."""

    report_name = "Summary Report"
    report_endpoint = "refunds_summary"
    template = "refunds/summary_report.html"
    source: ClassVar[Source] = SUMMARY
    columns: ClassVar[tuple[Column, ...]] = SUMMARY.columns
    labels: ClassVar[Mapping[str, str]] = {"by": "Rows"}
    optional: ClassVar[tuple[str, ...]] = OPTIONAL

    def choices(self) -> Mapping[str, Mapping[str, str]]:
        return {"by": {value: gettext(words) for value, words in SPANS.items()}}

    def query(self, asked: Asked) -> Query:
        by = asked.more["by"]
        return Query(period=asked.period, basis=asked.basis, span=Span(by) if by else None)

    def read(self, session: Session, asked: Asked) -> Mapping[str, Any]:
        storefront, zone = self.runtime.storefront, self.runtime.config.zone
        span, buckets = cut_up(
            session,
            storefront,
            asked.period,
            self.query(asked).span,
            asked.basis,
            now=self.runtime.now(),
            zone=zone,
        )
        scope = Scope.of(session, storefront, asked.period, asked.basis, buckets)
        blocks = read_blocks(session, scope)
        before = asked.choice.before(zone)
        return {
            "blocks": blocks,
            "span_words": gettext(SPANS[span]),
            "before": before,
            "totals_before": self._before(session, asked, before),
            "columns": [c for c in self.columns if c.shown and self._has(c, blocks)],
        }

    def _before(
        self, session: Session, asked: Asked, before: Period | None
    ) -> Mapping[str, Summary]:
        """Return the totals of the period before, by currency."""
        if before is None:
            return {}
        scope = Scope.of(session, self.runtime.storefront, before, asked.basis)
        return {currency: total for (currency, _), total in read_summary(session, scope).items()}

    def _has(self, column: Column, blocks: Any) -> bool:
        """Return whether *column* is to be shown: always, or because something has an amount."""
        if column.key not in self.optional:
            return True
        rows = (row for block in blocks for _, row in block.rows)
        return any(getattr(row, column.key) for row in rows)


class SummaryReport(HostAccess, SummaryReportMixin):
    """The Summary Report, ready-made from the mapping."""
