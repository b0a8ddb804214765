"""The reports as rows: what a page shows, a file holds, a command exports and a host is fed.

Each yields rows whose attributes or keys its columns name; amounts are minor units of the row's
``currency``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from sqlalchemy.orm import Session

from flask_refunds.errors import ConfigurationError
from flask_refunds.figures.bounds import cut_up
from flask_refunds.figures.buckets import Span
from flask_refunds.figures.filters import EVERYTHING, Filters
from flask_refunds.figures.items import ITEM, ItemFigures, ordering
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.figures.requests import request_page
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.summary import Summary, read_blocks
from flask_refunds.reports.columns import Column
from flask_refunds.runtime import Runtime

_CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class Query:
    """What to read: the days, by which date they go, and what a report adds to that."""

    period: Period
    basis: Basis = "refund"
    by: str = ITEM
    text: str = ""
    sort: str = "-net"
    span: Span | None = None
    filters: Filters = EVERYTHING


class Source(Protocol):
    """One report as rows with columns."""

    name: str
    title: str
    columns: tuple[Column, ...]

    def chunks(self, runtime: Runtime, query: Query) -> Iterator[Sequence[Any]]:
        """Yield the rows, in order, each chunk of them read in a session of its own.

        Raises :exc:`~flask_refunds.errors.TooManyRows`.
        """


ITEMS_COLUMNS = (
    Column(key="currency", title="Currency", kind="code", shown=False),
    Column(key="kind", title="Kind", kind="code", shown=False),
    Column(key="sku", title="SKU", shown=False),
    Column(key="name", title="Item"),
    Column(key="units_sold", title="Units sold", kind="count"),
    Column(key="units_refunded", title="Units refunded", kind="count"),
    Column(key="units", title="Units net", kind="count"),
    Column(key="list_sold", title="List price", kind="money", shown=False),
    Column(key="discount_sold", title="Discount", kind="money", shown=False),
    Column(key="sold", title="Sold", kind="money", series="gross",
           hint="What customers paid: after discounts, tax included."),
    Column(key="refunded", title="Refunded", kind="money", series="refunds"),
    Column(key="net", title="Net", kind="money", series="net"),
    Column(key="rate", title="Refund rate", kind="rate", hint="Refunded, of what was sold."),
    Column(key="tax_sold", title="Tax sold", kind="money", shown=False),
    Column(key="tax_refunded", title="Tax refunded", kind="money", shown=False),
    Column(key="tax", title="Tax net", kind="money", shown=False),
)  # fmt: skip

SUMMARY_COLUMNS = (
    Column(key="currency", title="Currency", kind="code", shown=False),
    Column(key="first", title="From", kind="day"),
    Column(key="last", title="To", kind="day", shown=False),
    Column(key="orders", title="Orders", kind="count"),
    Column(key="gross", title="Gross", kind="money", hint="Items at list price."),
    Column(key="discounts", title="Discounts", kind="money"),
    Column(key="charges", title="Shipping", kind="money", hint="Shipping and fees."),
    Column(key="added", title="Tax on top", kind="money",
           hint="Tax that came on top of the prices."),
    Column(key="adjustments", title="Other", kind="money",
           hint="What was paid beside items, shipping and tax: tips, short payments."),
    Column(key="sales", title="Sales", kind="money", series="gross",
           hint="What customers paid: gross less discounts, plus shipping, tax added and other."),
    Column(key="card", title="To cards", kind="money", hint="Refunded to the cards that paid."),
    Column(key="void", title="Voids", kind="money",
           hint="Sales that were cancelled before they settled."),
    Column(key="other", title="Other means", kind="money"),
    Column(key="shop", title="By the shop", kind="money",
           hint="Refunds that the shop made without this plugin."),
    Column(key="refunds", title="Refunds", kind="money", series="refunds"),
    Column(key="net", title="Net sales", kind="money", series="net"),
    Column(key="tax", title="Tax", kind="money", hint="The tax in the net sales."),
    Column(key="tax_sold", title="Tax sold", kind="money", shown=False),
    Column(key="tax_refunded", title="Tax refunded", kind="money", shown=False),
    Column(key="average", title="Average", kind="money", hint="What an order sold for."),
)  # fmt: skip

REQUESTS_COLUMNS = (
    Column(key="id", title="Refund", kind="code"),
    Column(key="created_at", title="Issued", kind="time"),
    Column(key="order_number", title="Order"),
    Column(key="order_placed_at", title="Ordered", kind="time", shown=False),
    Column(key="customer_name", title="Customer"),
    Column(key="what", title="Lines"),
    Column(key="reason", title="Reason"),
    Column(key="method", title="Means"),
    Column(key="status", title="Card status"),
    Column(key="state", title="State", kind="code", shown=False),
    Column(key="actor_label", title="Operator"),
    Column(key="gateway_id", title="Gateway id"),
    Column(key="currency", title="Currency", kind="code", shown=False),
    Column(key="tax", title="Tax", kind="money"),
    Column(key="amount", title="Amount", kind="money"),
)


class ItemsSource:
    """What of each item was sold and given back."""

    name = "items"
    title = "Items Report"
    columns: tuple[Column, ...] = ITEMS_COLUMNS

    def chunks(self, runtime: Runtime, query: Query) -> Iterator[Sequence[Any]]:
        if query.by != ITEM and query.by not in runtime.storefront.lines.dimensions:
            known = ", ".join([ITEM, *runtime.storefront.lines.dimensions])
            raise ConfigurationError(f"Items cannot be grouped by {query.by!r}, only by {known}.")

        def read(session: Session) -> Sequence[Any]:
            scope = Scope.of(session, runtime.storefront, query.period, query.basis)
            blocks = ItemFigures(scope, by=query.by, text=query.text).read(
                session, **ordering(query.sort)
            )
            return [row for block in blocks for row in block.rows]

        yield runtime.sessions.read(read)


class SummarySource:
    """What was sold and given back in each day, week or month."""

    name = "summary"
    title = "Summary Report"
    columns: tuple[Column, ...] = SUMMARY_COLUMNS

    def chunks(self, runtime: Runtime, query: Query) -> Iterator[Sequence[Any]]:
        zone, now = runtime.config.zone, runtime.now()

        def read(session: Session) -> Sequence[Any]:
            _, buckets = cut_up(
                session,
                runtime.storefront,
                query.period,
                query.span,
                query.basis,
                now=now,
                zone=zone,
            )
            scope = Scope.of(session, runtime.storefront, query.period, query.basis, buckets)
            return [
                {"first": bucket.first, "last": bucket.last, **figures_of(summary)}
                for block in read_blocks(session, scope)
                for bucket, summary in block.rows
            ]

        yield runtime.sessions.read(read)


class RequestsSource:
    """Refunds by the day on which they were issued, as they stand now."""

    name = "requests"
    title = "Refunds requested"
    columns: tuple[Column, ...] = REQUESTS_COLUMNS

    def chunks(self, runtime: Runtime, query: Query) -> Iterator[Sequence[Any]]:
        after: tuple[datetime, int] | None = None
        while True:
            page = runtime.sessions.read(
                partial(
                    request_page,
                    period=query.period,
                    basis=query.basis,
                    filters=query.filters,
                    limit=_CHUNK,
                    after=after,
                )
            )
            yield page
            if len(page) < _CHUNK:
                return
            after = (page[-1].created_at, page[-1].id)


ITEMS, SUMMARY, REQUESTS = ItemsSource(), SummarySource(), RequestsSource()


def figures_of(summary: Summary) -> dict[str, Any]:
    """Return the figures of a summary's row by the keys of the columns."""
    names = {column.key for column in SUMMARY_COLUMNS} - {"first", "last"}
    return {name: getattr(summary, name) for name in names}
