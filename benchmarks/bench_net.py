"""Net Items beside the host's own gross query: the same orders, in one run."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, create_engine, insert
from sqlalchemy.orm import Session

from benchmarks import Result, benchmark
from example_app.database import db
from example_app.models import Order, OrderItem
from example_app.net_reports import NetItems
from example_app.reports import ItemsReport
from flask_refunds.figures.periods import Period
from flask_refunds.models import Account, Base, Line, Posting, Refund, Transfer

LINES, REFUNDED, PRODUCTS, ROUNDS = 200_000, 4_000, 500, 5
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@benchmark
def net_items_on_sqlite() -> Iterator[Result]:
    """Time the host's Items query, and the same with refunds taken off, one after the other."""
    gross = ItemsReport(name="Items").select(FIRST, LAST)
    net = NetItems.netting.apply(gross, period=Period.of_days(FIRST, LAST, ZoneInfo("UTC")))
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        db.metadata.create_all(engine)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            _fill(session)
            timed = [(_seconds(session, gross), _seconds(session, net)) for _ in range(ROUNDS)]
        engine.dispose()
    host, ours = (statistics.median(column) for column in zip(*timed, strict=True))
    yield Result(
        name=f"net items of {LINES} lines with {REFUNDED} refunded, SQLite",
        value=ours,
        unit="s",
        peer="the host's gross query",
        peer_value=host,
    )


def _seconds(session: Session, statement: Select[Any]) -> float:
    began = time.perf_counter()
    session.execute(statement).all()
    return time.perf_counter() - began


def _fill(session: Session) -> None:
    """Add orders of four lines, and one completed refund of a line of each of the first ones."""
    orders = range(1, LINES // 4 + 1)
    placed = NOON.replace(tzinfo=None)
    session.execute(
        insert(Order),
        [
            {"id": n, "number": str(n), "placed_at": placed, "currency": "USD", "status": "paid",
             "discount_cents": 0, "shipping_cents": 0, "shipping_tax_cents": 0,
             "total_cents": 4000}
            for n in orders
        ],
    )  # fmt: skip
    session.execute(
        insert(OrderItem),
        [
            {"id": i, "order_id": (i + 3) // 4, "sku": f"SKU-{i % PRODUCTS}", "name": "Item",
             "quantity": 1, "unit_price_cents": 1000, "list_cents": 1000, "total_cents": 1000,
             "tax_cents": 100}
            for i in range(1, LINES + 1)
        ],
    )  # fmt: skip
    session.add(Account(order_ref="1", currency="USD", paid=1000, committed=1000))
    refund = Refund(
        id=1, order_ref="1", order_number="1", order_placed_at=NOON, customer_name="",
        customer_email="", currency="USD", amount=1000, tax=100, reason="returned", note="",
        actor_id="1", actor_label="1", token="t", fingerprint="f", state="completed",
        created_at=NOON,
    )  # fmt: skip
    session.add(refund)
    session.flush()
    parts = {"quantity": 1, "list_price": 1000, "discount": 0, "tax": 100, "paid": 1000}
    session.add_all(
        [
            Line(id=1, refund_id=1, position=0, kind="line", line_ref="1", sku="SKU-1",
                 description="Item", dimensions={}, **parts),
            Transfer(id=1, refund_id=1, order_ref="1", position=0, method="other",
                     currency="USD", amount=1000, state="completed", generation=1,
                     other_kind="cash", created_at=NOON),
        ]
    )  # fmt: skip
    session.flush()
    session.execute(
        insert(Posting),
        [
            {"entry": "refund", "posted_at": NOON, "refund_id": 1, "transfer_id": 1,
             "line_id": 1, "generation": n, "order_ref": str(n), "order_number": str(n),
             "order_placed_at": NOON, "kind": "line", "line_ref": str(n),
             "sku": f"SKU-{n % PRODUCTS}", "description": "Item", "dimensions": {},
             "method": "other", "operation": "other", "reason": "returned",
             "actor_label": "1", "currency": "USD", **parts}
            for n in range(1, REFUNDED + 1)
        ],
    )  # fmt: skip
    session.commit()
