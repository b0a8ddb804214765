"""The Items Report: what of each item was sold, given back, and kept."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import abort, request
from sqlalchemy.orm import Session

from flask_refunds.admin.access import HostAccess
from flask_refunds.admin.words import gettext
from flask_refunds.figures.items import ITEM, ORDERS, SORTS, ItemFigures, ordering
from flask_refunds.figures.scope import Scope
from flask_refunds.reports.choosing import Asked
from flask_refunds.reports.columns import Column
from flask_refunds.reports.page import FiledReportMixin
from flask_refunds.reports.sources import ITEMS, Query, Source

_PAGES = 10_000

KINDS = {
    "adjustment": "Adjustments: what lines and charges do not explain",
    "unallocated": "Refunded by the shop itself, without naming an item",
}


class ItemsReportMixin(FiledReportMixin):
    """The Items Report over a host's own base view."""

    report_name = "Items Report"
    report_endpoint = "refunds_items"
    template = "refunds/items_report.html"
    source: ClassVar[Source] = ITEMS
    columns: ClassVar[tuple[Column, ...]] = ITEMS.columns
    texts = ("q",)
    labels: ClassVar[Mapping[str, str]] = {"by": "Group by", "q": "SKU or name"}
    rows_per_page: ClassVar[int] = 100

    def choices(self) -> Mapping[str, Mapping[str, str]]:
        dimensions = self.runtime.storefront.lines.dimensions
        by = {ITEM: gettext("Item")}
        by |= {name: gettext(name.replace("_", " ").capitalize()) for name in dimensions}
        return {"by": by, "sort": {order: order for order in ORDERS}}

    def query(self, asked: Asked) -> Query:
        return Query(
            period=asked.period,
            basis=asked.basis,
            by=asked.more["by"],
            text=asked.more["q"],
            sort=asked.more["sort"],
        )

    def read(self, session: Session, asked: Asked) -> Mapping[str, Any]:
        page = request.args.get("page", 1, type=int)
        if not 1 <= page <= _PAGES:
            abort(404)
        scope = Scope.of(session, self.runtime.storefront, asked.period, asked.basis)
        blocks = ItemFigures(scope, by=asked.more["by"], text=asked.more["q"]).read(
            session,
            page=page - 1,
            limit=self.rows_per_page,
            **ordering(asked.more["sort"]),
        )
        last = max((-(-block.count // self.rows_per_page) for block in blocks), default=1)
        return {
            "blocks": blocks,
            "page_number": page,
            "last_page": last,
            "kinds": {kind: gettext(words) for kind, words in KINDS.items()},
            "sortable": SORTS,
        }


class ItemsReport(HostAccess, ItemsReportMixin):
    """The Items Report, ready-made from the mapping: open to whoever may open the orders."""
