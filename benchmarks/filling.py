"""Millions of rows for the example shop and for the ledger, made by SQL inside the database.

Orders of four lines at 10.00 USD, spread over the twelve months of :data:`YEAR`; postings that each
give back a whole line. They belong to one refund, so that reports find them right, and
``flask refunds verify`` does not.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    String,
    Table,
    case,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    table,
    text,
)
from sqlalchemy.orm import DeclarativeBase

from example_app.database import db
from example_app.models import Order, OrderItem
from flask_refunds.models import Account, Base, Line, Posting, Refund, Transfer

YEAR, PER_ORDER, PRODUCTS, CENTS, TAX_CENTS = 2026, 4, 500, 1000, 100


def make_tables(engine: Engine) -> None:
    """Make the shop's tables and ours."""
    db.metadata.create_all(engine)
    Base.metadata.create_all(engine)


def fill_orders(connection: Connection, lines: int) -> None:
    """Add *lines* lines, and an order for every four of them."""
    orders = lines // PER_ORDER
    n = numbers(connection, orders)
    _fill(
        connection,
        Order,
        {
            "id": n,
            "number": cast(n, String),
            "placed_at": _time(n, orders, None),
            "currency": "USD",
            "status": "paid",
            "total_cents": PER_ORDER * CENTS,
        },
    )
    n = numbers(connection, lines)
    _fill(
        connection,
        OrderItem,
        {
            "id": n,
            "order_id": _order_of(n),
            "sku": _sku(n),
            "name": "Item",
            "quantity": 1,
            "unit_price_cents": CENTS,
            "list_cents": CENTS,
            "total_cents": CENTS,
            "tax_cents": TAX_CENTS,
        },
    )


def fill_postings(connection: Connection, postings: int, *, lines: int) -> None:
    """Add *postings* postings, each of another one of *lines* lines, at equal distances."""
    _add_refund(connection)
    n = numbers(connection, postings)
    line = n * (lines // postings)
    at = _time(n, postings, UTC)
    _fill(
        connection,
        Posting,
        {
            "id": n,
            "entry": "refund",
            "posted_at": at,
            "refund_id": 1,
            "transfer_id": 1,
            "line_id": 1,
            "generation": n,
            "order_ref": cast(_order_of(line), String),
            "order_number": cast(_order_of(line), String),
            "order_placed_at": at,
            "kind": "line",
            "line_ref": cast(line, String),
            "sku": _sku(line),
            "description": "Item",
            "dimensions": {},
            "method": "other",
            "operation": "other",
            "reason": "returned",
            "actor_label": "1",
            "currency": "USD",
            "quantity": 1,
            "list_price": CENTS,
            "discount": 0,
            "tax": TAX_CENTS,
            "paid": CENTS,
        },
    )


def numbers(connection: Connection, count: int) -> ColumnElement[int]:
    """Return the column of the numbers from 1 to *count*, each database's own way."""
    match connection.dialect.name:
        case "postgresql":
            return func.generate_series(1, count).column_valued("n")
        case "mysql" | "mariadb":
            return table(f"seq_1_to_{count}", column("seq", Integer)).c.seq
    series = select(literal(1).label("n")).cte("series", recursive=True)
    return series.union_all(select(series.c.n + 1).where(series.c.n < count)).c.n


def _fill(connection: Connection, model: type[DeclarativeBase], values: Mapping[str, Any]) -> None:
    """Insert rows of *model*, and let the database look at how they are distributed."""
    into = model.__table__
    assert isinstance(into, Table)
    columns = [
        value if isinstance(value, ColumnElement) else literal(value, into.c[name].type)
        for name, value in values.items()
    ]
    connection.execute(insert(into).from_select(list(values), select(*columns)))
    connection.commit()
    name = connection.dialect.identifier_preparer.format_table(into)
    word = "TABLE " if connection.dialect.name in {"mysql", "mariadb"} else ""
    connection.execute(text(f"ANALYZE {word}{name}"))
    connection.commit()


def _add_refund(connection: Connection) -> None:
    """Add the one refund that all postings name."""
    now = datetime(YEAR, 1, 1, tzinfo=UTC)
    parts = {"quantity": 1, "list_price": CENTS, "discount": 0, "tax": TAX_CENTS, "paid": CENTS}
    account = {"order_ref": "1", "currency": "USD", "paid": CENTS, "committed": CENTS}
    refund = {
        "id": 1, "order_ref": "1", "order_number": "1", "order_placed_at": now,
        "customer_name": "", "customer_email": "", "currency": "USD", "amount": CENTS,
        "tax": TAX_CENTS, "reason": "returned", "note": "", "actor_id": "1", "actor_label": "1",
        "token": "t", "fingerprint": "f", "state": "completed", "created_at": now,
    }  # fmt: skip
    line = {
        "id": 1, "refund_id": 1, "position": 0, "kind": "line", "line_ref": "1", "sku": "SKU-1",
        "description": "Item", "dimensions": {}, **parts,
    }  # fmt: skip
    transfer = {
        "id": 1, "refund_id": 1, "order_ref": "1", "position": 0, "method": "other",
        "currency": "USD", "amount": CENTS, "state": "completed", "other_kind": "cash",
        "created_at": now,
    }  # fmt: skip
    for model, row in ((Account, account), (Refund, refund), (Line, line), (Transfer, transfer)):
        connection.execute(insert(model), row)


def _order_of(line: ColumnElement[int]) -> ColumnElement[int]:
    return cast((line + PER_ORDER - 1) // PER_ORDER, Integer)


def _sku(line: ColumnElement[int]) -> ColumnElement[str]:
    return literal("SKU-") + cast(line % PRODUCTS, String)


def _time(n: ColumnElement[int], count: int, zone: Any) -> ColumnElement[datetime]:
    """Return noon of the fifteenth of the month to which *n* of *count* falls, in order."""
    kind: Any = Order.placed_at.type if zone is None else Posting.posted_at.type
    noons = [datetime(YEAR, month, 15, 12, tzinfo=zone) for month in range(1, 13)]
    return case(
        *((n <= count * month // 12, literal(noons[month - 1], kind)) for month in range(1, 12)),
        else_=literal(noons[-1], kind),
    )
