"""``net`` against a naive count in Python, row by row, on every database and over any SELECT."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import (
    Date,
    DateTime,
    Double,
    Engine,
    Numeric,
    String,
    Uuid,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flask_refunds.figures.keys import Bucket
from flask_refunds.figures.net import net
from flask_refunds.figures.periods import ALL, BASES, Basis, Period
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.models import Account, Base, Line, Posting, Refund, Transfer

UTC_ZONE = ZoneInfo("UTC")
EXPONENT = {"USD": 2, "JPY": 0, "KWD": 3}
COMPONENTS = ("quantity", "list_price", "discount", "tax", "paid")
JANUARY = Period.of_days(date(2026, 1, 1), date(2026, 1, 31), UTC_ZONE)


def utc(month: int, day: int, hour: int = 0) -> datetime:
    """A time of 2026 as the host keeps it: UTC without a zone."""
    return datetime(2026, month, day, hour, tzinfo=UTC).replace(tzinfo=None)


class Host(DeclarativeBase):
    """A shop that keeps one row for each thing sold."""


class Sale(Host):
    __tablename__ = "sale"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(40))
    product_id: Mapped[int | None]
    brand: Mapped[UUID] = mapped_column(Uuid)
    in_shop: Mapped[bool]
    currency: Mapped[str] = mapped_column(String(3))
    placed_at: Mapped[datetime] = mapped_column(DateTime)
    quantity: Mapped[int]
    cents: Mapped[int]
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    floating: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True)
class Sold:
    """A sale, or what of it was refunded, as plain Python sees it."""

    sku: str
    product_id: int | None
    brand: UUID
    currency: str
    placed_at: datetime
    posted_at: datetime
    kind: str
    quantity: int
    list_price: int
    paid: int


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    Host.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
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
        yield session


def posting(number: int, **facts: Any) -> dict[str, Any]:
    """A posting of the one transfer; ``paid`` and the rest default to nothing."""
    moment = datetime(2026, 1, 15, 12, tzinfo=UTC)
    return {
        "entry": "refund", "posted_at": moment, "refund_id": 1, "transfer_id": 1, "line_id": 1,
        "generation": number, "order_ref": "1", "order_number": "1", "order_placed_at": moment,
        "kind": "line", "line_ref": str(number), "sku": "", "description": "", "dimensions": {},
        "method": "other", "operation": "other", "reason": "other", "actor_label": "x",
        "currency": "USD", **dict.fromkeys(COMPONENTS, 0), **facts,
    }  # fmt: skip


def sale(number: int, **facts: Any) -> dict[str, Any]:
    """A sale of one thing for 10.00 USD on 15 January."""
    row: dict[str, Any] = {
        "id": number, "sku": "MUG", "name": "Mug", "product_id": 1, "brand": UUID(int=1),
        "in_shop": True, "currency": "USD", "placed_at": utc(1, 15, 12), "quantity": 1,
        "cents": 1000, **facts,
    }  # fmt: skip
    exact = Decimal(row["cents"]).scaleb(-EXPONENT[row["currency"]])
    return row | {"amount": exact, "floating": float(exact)}


def store(session: Session, sales: list[dict[str, Any]], postings: list[dict[str, Any]]) -> None:
    if sales:
        session.execute(insert(Sale), sales)
    if postings:
        session.execute(insert(Posting), postings)
    session.commit()


@pytest.fixture
def trade(session: Session) -> tuple[list[Sold], list[Sold]]:
    """Random sales and postings of two months, in three currencies; some only refunded."""
    chance = random.Random(4711)
    skus = [f"SKU-{n}" for n in range(6)]
    brands = [uuid5(NAMESPACE_DNS, str(n)) for n in range(6)]
    sold, refunded = [], []
    sales, postings = [], []

    def moment() -> datetime:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        return start + timedelta(minutes=chance.randrange(60 * 24 * 59))

    for number in range(1, 121):
        n = chance.randrange(4)
        currency = chance.choice(list(EXPONENT))
        cents, at = chance.randrange(1, 99999), moment()
        pieces = chance.randrange(1, 5)
        sales.append(
            sale(number, sku=skus[n], name=f"Item {n}", product_id=n or None, brand=brands[n],
                 currency=currency, placed_at=at.replace(tzinfo=None), quantity=pieces, cents=cents)
        )  # fmt: skip
        sold.append(Sold(skus[n], n or None, brands[n], currency, at, at, "line", pieces, cents, 0))
    for number in range(1, 101):
        n = chance.randrange(6)
        currency = chance.choice(list(EXPONENT))
        sign = -1 if number % 9 == 0 else 1
        pieces, listed, paid = (sign * chance.randrange(0, k) for k in (3, 9999, 9999))
        placed, at = moment(), moment()
        kind = "row" if number % 7 == 0 else "line"
        postings.append(
            posting(number, kind=kind, sku=skus[n] if kind == "line" else "", quantity=pieces,
                    line_ref=str(number) if kind == "line" else "shipping",
                    dimensions={"product": n or None, "brand": str(brands[n])}, posted_at=at,
                    order_placed_at=placed, currency=currency, list_price=listed, paid=paid)
        )  # fmt: skip
        sku = skus[n] if kind == "line" else ""
        refunded.append(
            Sold(sku, n or None, brands[n], currency, placed, at, kind, pieces, listed, paid)
        )
    store(session, sales, postings)
    return sold, refunded


def naive(
    trade: tuple[list[Sold], list[Sold]],
    key: Callable[[Sold, datetime], Any],
    component: str,
    basis: Basis,
    *,
    lines_only: bool = True,
) -> dict[tuple[Any, str], tuple[int, int]]:
    """Gross and refunded by key and currency, counted row by row in Python."""
    sold, refunded = trade
    figures: dict[tuple[Any, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in sold:
        if JANUARY.start <= row.placed_at < JANUARY.end:  # type: ignore[operator]
            measure = row.quantity if component == "quantity" else row.list_price
            figures[key(row, row.placed_at), row.currency][0] += measure
    for row in refunded:
        at = row.posted_at if basis == "refund" else row.placed_at
        if not JANUARY.start <= at < JANUARY.end or (lines_only and row.kind != "line"):  # type: ignore[operator]
            continue
        counts = component != "quantity" or row.kind == "line"
        figures[key(row, at), row.currency][1] += getattr(row, component) if counts else 0
    return {found: (gross, back) for found, (gross, back) in figures.items()}


def items(column: Any, *more: Any) -> Any:
    return (
        select(
            column.label("key"),
            Sale.currency.label("currency"),
            func.max(Sale.name).label("name"),
            func.sum(Sale.quantity).label("units"),
            func.sum(Sale.cents).label("revenue"),
            *more,
        )
        .where(Sale.placed_at >= utc(1, 1), Sale.placed_at < utc(2, 1))
        .group_by(column, Sale.currency)
    )


def utc_day(moment: Any) -> Any:
    return func.date(moment, type_=Date)


KEYS: Mapping[str, tuple[Any, str | None, Bucket | None, Callable[[Sold, datetime], Any]]] = {
    "text": (Sale.sku, "sku", None, lambda row, at: row.sku),
    "integer": (Sale.product_id, "dimensions.product", None, lambda row, at: row.product_id),
    "uuid": (Sale.brand, "dimensions.brand", None, lambda row, at: row.brand),
    "day": (utc_day(Sale.placed_at), None, utc_day, lambda row, at: at.date()),
}


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("kind", KEYS)
def test_is_what_a_count_row_by_row_gives(
    session: Session, trade: tuple[list[Sold], list[Sold]], kind: str, basis: Basis
) -> None:
    column, source, bucket, key = KEYS[kind]
    statement = net(
        items(column),
        key="key",
        sources={"key": source} if source else {},
        bucket={"key": bucket} if bucket else {},
        measures={"units": "quantity", "revenue": "list"},
        currency="currency",
        unit="minor",
        period=JANUARY,
        basis=basis,
    )
    rows = session.execute(statement).mappings().all()

    for label, component in (("units", "quantity"), ("revenue", "list_price")):
        expected = naive(trade, key, component, basis, lines_only=kind != "day")
        found = {
            (row["key"], row["currency"]): (row[f"{label}_gross"], row[f"{label}_refunded"])
            for row in rows
        }
        assert found == expected
        for row in rows:
            gross, back = expected[row["key"], row["currency"]]
            assert row[label] == gross - back
            assert type(row[label]) is int


@pytest.mark.parametrize("column", ["amount", "floating"])
def test_converts_to_whole_units_by_each_currencys_own_decimals(
    session: Session, trade: tuple[list[Sold], list[Sold]], column: str
) -> None:
    statement = net(
        items(Sale.sku, func.sum(getattr(Sale, column)).label("total")),
        key="key",
        sources={"key": "sku"},
        measures={"total": "list"},
        currency="currency",
        unit="major",
        period=JANUARY,
    )
    rows = session.execute(statement).mappings().all()

    expected = naive(trade, lambda row, at: row.sku, "list_price", "refund")
    assert len(rows) == len(expected)
    for row in rows:
        gross, back = expected[row["key"], row["currency"]]
        exact = Decimal(gross - back).scaleb(-EXPONENT[row["currency"]])
        assert row["total"] == (float(exact) if column == "floating" else exact)


def test_a_key_that_has_only_refunds_gets_its_row_and_its_name(session: Session) -> None:
    store(session, [sale(1)], [posting(1, sku="TEE", description="Tee", list_price=300)])
    statement = net(
        items(Sale.sku), key="key", sources={"key": "sku"}, measures={"revenue": "list"},
        currency="currency", unit="minor", period=JANUARY,
        fill={"name": Posting.description, "units": 0},
    )  # fmt: skip

    rows = session.execute(statement.order_by("key")).mappings().all()

    assert [(r["key"], r["name"], r["units"], r["revenue"]) for r in rows] == [
        ("MUG", "Mug", 1, 1000),
        ("TEE", "Tee", 0, -300),
    ]


@pytest.mark.parametrize(
    ("admits", "own"),
    [(False, {"MUG"}), (Posting.sku == "TEE", {"MUG", "TEE"}), (True, {"MUG", "TEE", "HAT"})],
)
def test_what_the_hosts_filter_leaves_out_is_one_row_and_the_total_ties(
    session: Session, admits: Any, own: set[str]
) -> None:
    postings = [posting(n, sku=s, list_price=100) for n, s in enumerate(["MUG", "TEE", "HAT"])]
    store(session, [sale(1)], postings)
    statement = net(
        items(Sale.sku), key="key", sources={"key": "sku"}, measures={"revenue": "list"},
        currency="currency", unit="minor", period=JANUARY, admits=admits,
        other={"key": "", "name": "Other refunds"},
    )  # fmt: skip

    rows = session.execute(statement).mappings().all()

    assert sum(row["revenue"] for row in rows) == 700
    others = [row for row in rows if row.get("refunds_other")]
    assert {row["key"] for row in rows if row not in others} == own
    assert [(r["name"], r["revenue"], r["currency"]) for r in others] == (
        [("Other refunds", 100 * len(own) - 300, "USD")] if len(own) < 3 else []
    )


def test_without_a_key_there_is_one_row_for_each_currency(session: Session) -> None:
    store(
        session,
        [sale(1), sale(2, currency="JPY", cents=5)],
        [posting(1, paid=300, kind="row"), posting(2, paid=7, currency="KWD")],
    )
    gross = select(Sale.currency.label("currency"), func.sum(Sale.cents).label("sales")).group_by(
        Sale.currency
    )
    statement = net(
        gross, key=(), measures={"sales": "paid"}, currency="currency", unit="minor", period=ALL
    )

    rows = session.execute(statement.order_by("currency")).all()

    assert rows == [("JPY", 5, 5, 0), ("KWD", -7, 0, 7), ("USD", 700, 1000, 300)]


def test_one_currency_may_be_said_for_a_select_that_has_no_column_of_it(session: Session) -> None:
    store(session, [sale(1)], [posting(1, paid=300), posting(2, paid=7, currency="KWD")])
    gross = select(func.sum(Sale.cents).label("sales")).where(Sale.currency == "USD")

    def figures(statement: Any) -> list[tuple[Any, ...]]:
        netted = net(
            statement,
            key=(),
            measures={"sales": "paid"},
            currency="USD",
            unit="minor",
            period=JANUARY,
        )
        return [tuple(row) for row in session.execute(netted)]

    assert figures(gross) == [(700, 1000, 300)]
    assert figures(gross.where(Sale.id < 0)) == [(-300, 0, 300)]
    session.execute(text("DELETE FROM refunds_posting"))
    assert figures(gross) == [(1000, 1000, 0)]


def test_rows_that_are_not_aggregated_keep_what_they_carry(session: Session) -> None:
    store(
        session,
        [sale(1, in_shop=False), sale(2)],
        [posting(1, list_price=250), posting(2, line_ref="shipping", kind="row", list_price=99)],
    )
    rows = select(Sale.id, Sale.in_shop, Sale.placed_at, Sale.currency, Sale.cents.label("cents"))
    statement = net(
        rows, key="id", sources={"id": "line_ref"}, measures={"cents": "list"},
        currency="currency", unit="minor", period=JANUARY,
    )  # fmt: skip

    assert session.execute(statement.order_by("id")).all() == [
        (1, False, utc(1, 15, 12), "USD", 750, 1000, 250),
        (2, True, utc(1, 15, 12), "USD", 1000, 1000, 0),
    ]


def test_two_keys_identify_a_row_together(session: Session) -> None:
    day = timedelta(days=1)
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    store(
        session,
        [sale(1), sale(2, placed_at=utc(1, 16, 12))],
        [posting(1, sku="MUG", posted_at=noon + day, list_price=400)],
    )
    by_day = items(Sale.sku, utc_day(Sale.placed_at).label("day")).group_by(utc_day(Sale.placed_at))
    statement = net(
        by_day, key=("key", "day"), sources={"key": "sku"}, bucket={"day": utc_day},
        measures={"revenue": "list"}, currency="currency", unit="minor", period=JANUARY,
    )  # fmt: skip

    found = session.execute(statement.order_by("day")).mappings().all()

    assert [(row["key"], row["day"], row["revenue"]) for row in found] == [
        ("MUG", date(2026, 1, 15), 1000),
        ("MUG", date(2026, 1, 16), 600),
    ]


def test_the_result_may_be_filtered_sorted_and_limited_again(session: Session) -> None:
    store(session, [sale(1), sale(2, sku="TEE")], [posting(1, sku="MUG", list_price=1000)])
    statement = net(
        items(Sale.sku), key="key", sources={"key": "sku"}, measures={"revenue": "list"},
        currency="currency", unit="minor", period=JANUARY,
    )  # fmt: skip

    revenue = statement.selected_columns.revenue
    kept = session.execute(statement.where(revenue > 0).order_by(revenue.desc()).limit(1)).all()

    assert [row.key for row in kept] == ["TEE"]


SAID: dict[str, Any] = {
    "key": "key", "sources": {"key": "sku"}, "measures": {"revenue": "list"},
    "currency": "currency", "unit": "minor", "period": JANUARY,
}  # fmt: skip
BY_SKU = items(Sale.sku)


@pytest.mark.parametrize(
    ("statement", "said", "words"),
    [
        (BY_SKU.limit(5), {}, "LIMIT"),
        (BY_SKU.offset(5), {}, "OFFSET"),
        (BY_SKU.distinct(), {}, "DISTINCT"),
        (BY_SKU.union_all(BY_SKU), {}, "takes a select"),
        (BY_SKU, {"currency": None}, "summed across currencies"),
        (BY_SKU, {"currency": "money"}, "neither a column"),
        (items(Sale.sku).group_by(None).group_by(Sale.sku), {}, "Add it to GROUP BY"),
        (items(Sale.sku).group_by(None), {}, "Add it to GROUP BY"),
        (BY_SKU, {"key": "sku"}, "does not have"),
        (BY_SKU, {"sources": {}}, "no counterpart in the ledger"),
        (BY_SKU, {"measures": {}}, "measures= is empty"),
        (BY_SKU, {"measures": {"revenue": "gross"}}, "It is one of"),
        (BY_SKU, {"measures": {"income": "list"}}, "does not have"),
        (BY_SKU, {"measures": {"key": "list"}}, "both a key and a measure"),
        (BY_SKU, {"unit": "cents"}, "'minor'"),
        (BY_SKU, {"fill": {"units": 0, "key": ""}}, "no carried column"),
        (items(Sale.sku, Sale.brand.label("brand")), {}, "no MAX"),
        (items(Sale.sku, literal(1).label("revenue_gross")), {}, "has a column"),
        (items(utc_day(Sale.placed_at)), {}, "bucket="),
        (BY_SKU, {"key": ("key", "name"), "bucket": utc_day}, "which one is the time"),
    ],
)
def test_refuses_with_a_remedy(statement: Any, said: dict[str, Any], words: str) -> None:
    with pytest.raises(CannotNet, match=words):
        net(statement, **{**SAID, **said})
