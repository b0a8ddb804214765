"""Net Items beside the host's own gross query: by product and by line, on all three databases.

A year of a million order lines, two in a hundred refunded. The host's query and ours take turns,
and all rows are fetched. Ours has the host's columns; then, as results of their own, gross and
refunded figures beside each of its two measures, which the peer does not have.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, func, select

from benchmarks import Result, benchmark
from benchmarks.databases import NAMES, database
from benchmarks.filling import YEAR, fill_orders, fill_postings, make_tables
from example_app.models import SOLD, Order, OrderItem
from example_app.net_reports import NetItems
from example_app.reports import ItemsReport, placed_between, whole
from flask_refunds.figures.periods import Period
from flask_refunds.reports import Netting

LINES, POSTINGS = 1_000_000, 20_000
ROUNDS = {"sqlite": 7, "postgresql": 7, "mariadb": 3}
FIRST, LAST = date(YEAR, 1, 1), date(YEAR, 12, 31)
BESIDE: Mapping[str, tuple[str, ...]] = {
    "": (),
    ", gross and refunded beside": ("gross", "refunded"),
}


@dataclass(frozen=True, kw_only=True)
class Items:
    """A report of items in the host, and how it is netted."""

    gross: Select[*tuple[Any, ...]]
    netting: Netting


def items_by_product() -> Items:
    """Return the Items report of the example shop: by SKU."""
    return Items(gross=ItemsReport(name="Items").select(FIRST, LAST), netting=NetItems.netting)


def items_by_line() -> Items:
    """Return the same figures by the id of the order's line."""
    gross = (
        select(
            OrderItem.id.label("line"),
            func.max(OrderItem.name).label("name"),
            Order.currency.label("currency"),
            whole(func.sum(OrderItem.quantity)).label("units"),
            whole(func.sum(OrderItem.list_cents)).label("revenue_cents"),
        )
        .join(Order, Order.id == OrderItem.order_id)
        .where(Order.status.in_(SOLD), placed_between(FIRST, LAST))
        .group_by(OrderItem.id, Order.currency)
    )
    return Items(
        gross=gross, netting=replace(NetItems.netting, key="line", sources={"line": "line_ref"})
    )


@benchmark
def net_items_on_sqlite() -> Iterator[Result]:
    """Measure on SQLite."""
    return _results("sqlite")


@benchmark
def net_items_on_postgresql() -> Iterator[Result]:
    """Measure on PostgreSQL."""
    return _results("postgresql")


@benchmark
def net_items_on_mariadb() -> Iterator[Result]:
    """Measure on MariaDB."""
    return _results("mariadb")


def _results(kind: str) -> Iterator[Result]:
    period = Period.of_days(FIRST, LAST, ZoneInfo("UTC"))
    with database(kind) as engine, engine.connect() as connection:
        make_tables(engine)
        fill_orders(connection, LINES)
        fill_postings(connection, POSTINGS, lines=LINES)
        for what, items in {"product": items_by_product(), "line": items_by_line()}.items():
            for addition, beside in BESIDE.items():
                net = replace(items.netting, beside=beside).apply(items.gross, period=period)
                rounds = [_seconds(connection, items.gross, net) for _ in range(ROUNDS[kind])]
                host, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
                yield Result(
                    name=f"net items by {what} of {LINES} lines, {POSTINGS} refunded, "
                    f"{NAMES[kind]}{addition}",
                    value=ours,
                    unit="s",
                    peer="the host's gross query",
                    peer_value=host,
                )


def _seconds(connection: Connection, *statements: Select[Any]) -> list[float]:
    """Return how long each of *statements* took, which all have as many rows."""
    taken, counts = [], set()
    for statement in statements:
        began = time.perf_counter()
        counts.add(sum(1 for _ in connection.execute(statement)))
        taken.append(time.perf_counter() - began)
    if len(counts) != 1:
        raise RuntimeError(f"the host's query and ours have different numbers of rows: {counts}")
    return taken
