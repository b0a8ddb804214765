"""A shop that keeps one row for each thing sold, two months of its trade, and its naive count."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, DateTime, Double, Numeric, String, Uuid, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flask_refunds.figures.periods import Basis, Period
from flask_refunds.models import Account, Base, Line, Posting, Refund, Transfer

EXPONENT = {"USD": 2, "JPY": 0, "KWD": 3}
COMPONENTS = ("quantity", "list_price", "discount", "tax", "paid")
JANUARY = Period.of_days(date(2026, 1, 1), date(2026, 1, 31), ZoneInfo("UTC"))
LARGE = 2**40
"""Keys above it are more than 32 bits."""


def utc(month: int, day: int, hour: int = 0) -> datetime:
    """A time of 2026 as the host keeps it: UTC without a zone."""
    return datetime(2026, month, day, hour, tzinfo=UTC).replace(tzinfo=None)


class Host(DeclarativeBase):
    """The tables of the shop."""


class Sale(Host):
    __tablename__ = "sale"

    id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    order: Mapped[UUID | None] = mapped_column("order_key", Uuid, index=True)
    number: Mapped[str | None] = mapped_column(String(20), index=True)
    sku: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(40))
    product_id: Mapped[int | None] = mapped_column(BigInteger)
    brand: Mapped[UUID] = mapped_column(Uuid)
    in_shop: Mapped[bool]
    currency: Mapped[str] = mapped_column(String(3))
    placed_at: Mapped[datetime] = mapped_column(DateTime)
    quantity: Mapped[int]
    cents: Mapped[int | None]
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    floating: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True, kw_only=True)
class Sold:
    """A sale, or what of it was refunded, as plain Python sees it."""

    line: int | None
    order: UUID | None
    number: str | None
    sku: str
    product_id: int | None
    brand: UUID
    currency: str
    placed_at: datetime
    posted_at: datetime
    kind: str = "line"
    quantity: int
    list_price: int
    paid: int = 0


Trade = tuple[list[Sold], list[Sold]]
"""What was sold, and what of it was refunded."""

Figures = dict[tuple[Any, str], dict[str, tuple[int, int]]]
"""Gross and refunded of each component, by key and currency."""


def make_tables(session: Session) -> None:
    """Make the shop's tables and ours, with the one refund that all postings name."""
    engine = session.get_bind()
    Host.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    session.add(Account(order_ref="1", paid=10**9))
    refund = Refund(
        order_ref="1", order_number="1", order_placed_at=now, customer_name="", tax=0,
        customer_email="", currency="USD", amount=1, reason="other", note="", actor_id="1",
        actor_label="x", token="t", fingerprint="f", state="completed", created_at=now,
    )  # fmt: skip
    session.add(refund)
    session.flush()
    line = Line(
        refund=refund, position=0, kind="line", line_ref="1", sku="", description="",
        dimensions={}, quantity=0, list_price=0, discount=0, tax=0, paid=0,
    )  # fmt: skip
    transfer = Transfer(
        refund=refund, order_ref="1", position=0, method="other", currency="USD", amount=1,
        state="completed", other_kind="cash", created_at=now,
    )  # fmt: skip
    session.add_all([line, transfer])
    session.commit()


def posting(number: int, /, **facts: Any) -> dict[str, Any]:
    """A posting of the one transfer; ``paid`` and the rest default to nothing."""
    moment = datetime(2026, 1, 15, 12, tzinfo=UTC)
    return {
        "entry": "refund", "posted_at": moment, "refund_id": 1, "transfer_id": 1, "line_id": 1,
        "generation": number, "order_ref": "1", "order_number": "1", "order_placed_at": moment,
        "kind": "line", "line_ref": str(number), "sku": "", "description": "", "dimensions": {},
        "method": "other", "operation": "other", "reason": "other", "actor_label": "x",
        "currency": "USD", **dict.fromkeys(COMPONENTS, 0), **facts,
    }  # fmt: skip


def sale(number: int, /, **facts: Any) -> dict[str, Any]:
    """A sale of one thing for 10.00 USD on 15 January, an order of its own."""
    row: dict[str, Any] = {
        "id": number, "line": number, "order": UUID(int=number), "number": f"A-{number}",
        "sku": "MUG", "name": "Mug", "product_id": 1, "brand": UUID(int=1), "in_shop": True,
        "currency": "USD", "placed_at": utc(1, 15, 12), "quantity": 1, "cents": 1000, **facts,
    }  # fmt: skip
    exact = Decimal(row["cents"] or 0).scaleb(-EXPONENT[row["currency"]])
    return row | {"amount": exact, "floating": float(exact)}


def store(session: Session, sales: list[dict[str, Any]], postings: list[dict[str, Any]]) -> None:
    """Add *sales* to the shop and *postings* to the ledger."""
    if sales:
        session.execute(insert(Sale), sales)
    if postings:
        session.execute(insert(Posting), postings)
    session.commit()


def trade(session: Session) -> Trade:
    """Store random sales and postings of two months, in three currencies; some only refunded.

    Orders have up to three lines. Some lines have no key, some orders none; some refunds are in
    another currency than the sale.
    """
    chance = random.Random(4711)
    skus = [f"SKU-{n}" for n in range(6)]
    brands = [uuid5(NAMESPACE_DNS, str(n)) for n in range(6)]
    sold, refunded = [], []
    sales, postings = [], []

    def moment() -> datetime:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        return start + timedelta(minutes=chance.randrange(60 * 24 * 59))

    def keys(number: int) -> dict[str, Any]:
        order = number // 3
        return {
            "line": LARGE + number if number % 10 else None,
            "order": uuid5(NAMESPACE_DNS, f"order {order}") if order % 7 else None,
            "number": f"A-{order}" if order % 7 else None,
        }

    for number in range(1, 121):
        n = chance.randrange(4)
        currency, cents, at = chance.choice(list(EXPONENT)), chance.randrange(1, 99999), moment()
        facts = {"sku": skus[n], "brand": brands[n], "currency": currency, **keys(number)}
        facts |= {"product_id": LARGE + n if n else None, "quantity": chance.randrange(1, 5)}
        sales.append(
            sale(number, name=f"Item {n}", placed_at=at.replace(tzinfo=None), cents=cents, **facts)
        )
        sold.append(Sold(**facts, placed_at=at, posted_at=at, list_price=cents))
    for number in range(1, 101):
        n = chance.randrange(6)
        thing = chance.choice([i for i in range(30, 150) if i % 10 and i // 3 % 7])
        is_line = number % 7 != 0
        sign = -1 if number % 9 == 0 else 1
        pieces, listed, paid = (sign * chance.randrange(0, k) for k in (3, 9999, 9999))
        row = Sold(
            **{**keys(thing), "line": LARGE + thing if is_line else None},
            sku=skus[n] if is_line else "", product_id=LARGE + n if n else None, brand=brands[n],
            currency=chance.choice(list(EXPONENT)), placed_at=moment(), posted_at=moment(),
            kind="line" if is_line else "row", quantity=pieces, list_price=listed, paid=paid,
        )  # fmt: skip
        refunded.append(row)
        postings.append(
            posting(number, kind=row.kind, sku=row.sku, quantity=pieces, list_price=listed,
                    paid=paid, line_ref=str(row.line) if is_line else "shipping",
                    order_ref=str(row.order), order_number=row.number,
                    dimensions={"product": row.product_id, "brand": str(row.brand)},
                    posted_at=row.posted_at, order_placed_at=row.placed_at, currency=row.currency)
        )  # fmt: skip
    store(session, sales, postings)
    return sold, refunded


def counted(
    trade: Trade, key: Callable[[Sold, datetime], Any], basis: Basis, *, lines_only: bool = True
) -> Figures:
    """Count January row by row in Python."""
    sold, refunded = trade
    figures: Figures = defaultdict(lambda: dict.fromkeys(("quantity", "list", "paid"), (0, 0)))

    def add(row: Sold, at: datetime, back: int) -> None:
        found = figures[key(row, at), row.currency]
        pieces = row.quantity if row.kind == "line" else 0
        for name, value in {"quantity": pieces, "list": row.list_price, "paid": row.paid}.items():
            gross, refunded = found[name]
            found[name] = (gross + (1 - back) * value, refunded + back * value)

    for row in within_january(sold, "order"):
        add(row, row.placed_at, 0)
    for row in within_january(refunded, basis):
        if row.kind == "line" or not lines_only:
            add(row, row.posted_at if basis == "refund" else row.placed_at, 1)
    return dict(figures)


def within_january(rows: Iterable[Sold], basis: Basis) -> list[Sold]:
    """Return those of *rows* that belong to January by *basis*."""
    start, end = JANUARY.start, JANUARY.end
    assert start is not None
    assert end is not None
    return [
        row
        for row in rows
        if start <= (row.posted_at if basis == "refund" else row.placed_at) < end
    ]
