"""What "all" means: every report about everything counts the same, whatever it is dated."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, String, Table, insert
from sqlalchemy.orm import Session

from flask_refunds import Lines, Orders, PriorRefunds, Storefront, minor
from flask_refunds.errors import TooManyRows
from flask_refunds.figures.bounds import cut_up
from flask_refunds.figures.buckets import Span
from flask_refunds.figures.items import ItemFigures
from flask_refunds.figures.periods import ALL, BASES, Basis
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.summary import read_blocks
from flask_refunds.figures.takings import read_takings
from flask_refunds.models import Base

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
HOST = MetaData()
ORDERS = Table(
    "orders",
    HOST,
    Column("id", Integer, primary_key=True),
    Column("placed_at", DateTime),
    Column("cents", Integer),
)
ITEMS = Table(
    "items",
    HOST,
    Column("id", Integer, primary_key=True),
    Column("order_id", Integer),
    Column("name", String(40)),
    Column("cents", Integer),
)
GIVEN = Table(
    "given",
    HOST,
    Column("id", Integer, primary_key=True),
    Column("order_id", Integer),
    Column("at", DateTime),
    Column("cents", Integer),
)
STOREFRONT = Storefront(
    orders=Orders(
        key=ORDERS.c.id,
        number=ORDERS.c.id,
        placed_at=ORDERS.c.placed_at,
        currency="USD",
        total=minor(ORDERS.c.cents),
        paid=True,
    ),
    lines=Lines(
        key=ITEMS.c.id,
        order=ITEMS.c.order_id,
        description=ITEMS.c.name,
        quantity=1,
        total=minor(ITEMS.c.cents),
    ),
    prior_refunds=PriorRefunds(
        key=GIVEN.c.id,
        order=GIVEN.c.order_id,
        at=GIVEN.c.at,
        amount=minor(GIVEN.c.cents),
    ),
)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A shop without any order yet."""
    HOST.create_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


def sell(session: Session, number: int, cents: int, placed_at: datetime | None) -> None:
    session.execute(insert(ORDERS).values(id=number, placed_at=placed_at, cents=cents))
    session.execute(insert(ITEMS).values(id=number, order_id=number, name="Mug", cents=cents))


def days(session: Session, basis: Basis = "refund", span: Span | None = None) -> tuple[date, date]:
    _, buckets = cut_up(session, STOREFRONT, ALL, span, basis, now=NOW, zone=ZoneInfo("UTC"))
    return buckets[0].first, buckets[-1].last


def counted(session: Session, basis: Basis) -> list[tuple[int, int]]:
    """Return sales and refunds of the Summary, the Items and the totals of everything."""
    _, buckets = cut_up(session, STOREFRONT, ALL, None, basis, now=NOW, zone=ZoneInfo("UTC"))
    [summary] = read_blocks(session, Scope.of(session, STOREFRONT, ALL, basis, buckets))
    whole = Scope.of(session, STOREFRONT, ALL, basis)
    [items] = ItemFigures(whole).read(session)
    [taken] = read_takings(session, whole).values()
    return [
        (summary.total.sales, summary.total.refunds),
        (items.total.sold, items.total.refunded),
        (taken.sales, taken.refunds),
    ]


@pytest.mark.parametrize("basis", BASES)
def test_all_counts_the_same_in_every_report(session: Session, basis: Basis) -> None:
    """Also an order of tomorrow, and a refund from before the first order that is left."""
    sell(session, 1, 1000, NOW - timedelta(days=5))
    sell(session, 2, 7777, NOW + timedelta(days=3))
    session.execute(insert(GIVEN).values(id=1, order_id=1, at=NOW - timedelta(days=40), cents=400))

    assert counted(session, basis) == [(8777, 400)] * 3
    first = date(2026, 2, 2) if basis == "refund" else date(2026, 3, 9)
    assert days(session, basis) == (first, date(2026, 3, 17))


@pytest.mark.parametrize("basis", BASES)
def test_an_order_that_was_never_placed_counts_nowhere(session: Session, basis: Basis) -> None:
    sell(session, 1, 1000, NOW - timedelta(days=5))
    sell(session, 2, 500, None)

    assert counted(session, basis) == [(1000, 0)] * 3
    assert days(session, basis) == (date(2026, 3, 9), date(2026, 3, 14))


def test_all_of_a_shop_without_orders_is_today(session: Session) -> None:
    assert days(session) == (date(2026, 3, 14), date(2026, 3, 14))


def test_a_date_out_of_range_is_in_the_row_at_the_end(session: Session) -> None:
    sell(session, 1, 1000, datetime(1950, 1, 1, tzinfo=UTC))
    sell(session, 2, 500, NOW)

    assert days(session)[0] == date(1970, 1, 1)
    assert counted(session, "refund") == [(1500, 0)] * 3


@pytest.mark.parametrize(("span", "year", "field"), [(Span.DAY, 2020, "by"), (None, 4000, "end")])
def test_more_rows_than_a_table_has_are_refused(
    session: Session, span: Span | None, year: int, field: str
) -> None:
    sell(session, 1, 1000, datetime(year, 1, 1, tzinfo=UTC))

    with pytest.raises(TooManyRows) as refused:
        days(session, span=span)
    assert (refused.value.field, refused.value.most) == (field, 1200)
