"""What the shop sold, in SQL: the same as reading each order and working it out in Python."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Double,
    Engine,
    Integer,
    MetaData,
    Numeric,
    Table,
    TypeDecorator,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Session

from flask_refunds.entitlement import entitle
from flask_refunds.figures.entitled import FIGURES, SoldItems
from flask_refunds.figures.host_sql import minor_units
from flask_refunds.figures.periods import ALL, Period
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.sold import SoldOrders
from flask_refunds.figures.spreading import LARGEST
from flask_refunds.models import Account, Base
from flask_refunds.storefront import Storefront, major
from flask_refunds.storefront.facts import LineTax, OrderBundle
from flask_refunds.storefront.reading import read_bundles
from flask_refunds.storefront.values import Key
from tests.hosts.trading import KINDS, Deal, Item, Pay, Trade

BERLIN = ZoneInfo("Europe/Berlin")
ORDERS = 120


def moment(chance: random.Random) -> datetime:
    """A time in the weeks round the end of the summer time of 2026."""
    start = datetime(2026, 10, 10, tzinfo=UTC)
    return start + timedelta(minutes=chance.randrange(30 * 24 * 60))


def deal(chance: random.Random, **facts: Any) -> Deal:
    """A random order of everything that a shop may have."""
    items = []
    for _ in range(chance.randrange(1, 5)):
        listed = chance.choice([0, 5, chance.randrange(1, 300_000)])
        total = chance.choice([listed, listed, listed - listed // 7, -chance.randrange(1, 900)])
        items.append(
            Item(
                sku=chance.choice(["MUG", "TEE", "HAT", "mug", ""]),
                quantity=chance.randrange(0, 5),
                listed=max(0, listed),
                total=total,
                tax=chance.choice([0, max(0, total) // 6, 10**6]),
                category=chance.choice(["A", "B"]),
            )
        )
    total = sum(item.total for item in items)

    def some(*choices: int) -> int:
        return chance.choice([0, 0, *choices])

    made: dict[str, Any] = {
        "placed_at": moment(chance),
        "currency": chance.choice(["USD", "EUR", "JPY", "KWD"]),
        "total": max(0, total),
        "paid": chance.random() < 0.8,
        "discount": some(chance.randrange(1, 5000), 10**7, -300),
        "everywhere": some(chance.randrange(1, 900)),
        "shipping": some(chance.randrange(1, 2500), 990, -250),
        "shipping_tax": some(158, 10**5),
        "fee": some(chance.randrange(1, 300)),
        "sales_tax": some(chance.randrange(1, 9999)),
    }
    made["pays"] = chance.choice(
        [
            (),
            (Pay(amount=max(1, total)),),
            (Pay(amount=500), Pay(amount=700), Pay(amount=10**5, captured=False)),
            (Pay(amount=900, captured=False),),
        ]
    )
    return Deal(items=items, **{**made, **facts})


@pytest.fixture(params=KINDS)
def trade(request: pytest.FixtureRequest) -> Trade:
    return Trade(KINDS[request.param])


def orders_of(engine: Engine, trade: Trade, deals: list[Deal]) -> list[OrderBundle]:
    """Store *deals* and return them as Python reads them."""
    trade.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    refs = trade.store(engine, deals)
    with Session(engine) as session:
        return read_bundles(session, trade.storefront(), refs)


def scope_of(engine: Engine, storefront: Storefront, period: Period) -> Scope:
    return Scope(storefront=storefront, dialect=engine.dialect.name, period=period)


def sold_in(engine: Engine, storefront: Storefront, period: Period) -> dict[str, Any]:
    """Return the sold orders of *period* by their reference, as SQL has them."""
    found = SoldOrders(scope_of(engine, storefront, period))
    with Session(engine) as session:
        rows = session.execute(select(found.rows)).all()
    return {storefront.order_key.to_ref(storefront.order_key.raw(r, "key")): r for r in rows}  # type: ignore[arg-type]


@pytest.mark.parametrize("line_tax", ["before_discount", "after_discount"])
def test_each_item_costs_what_the_quote_says(
    engine: Engine, trade: Trade, line_tax: LineTax
) -> None:
    trade.line_tax = line_tax
    chance = random.Random(f"{line_tax}")
    bundles = orders_of(engine, trade, [deal(chance) for _ in range(ORDERS)])
    storefront = trade.storefront()
    expected: dict[Any, list[Any]] = {}
    spread = 0
    for bundle in bundles:
        if bundle.captured <= 0:
            continue
        spread += any(c.kind == "spread" for c in bundle.order.charges)
        items = entitle(bundle.lines, bundle.order.charges, line_tax=line_tax)
        for item in items:
            w = item.whole
            figures = [w.quantity, w.list_price, w.discount, w.tax, w.paid]
            expected[bundle.order.ref, item.kind, item.ref] = [item.sku, item.description, *figures]

    sold = SoldItems(SoldOrders(scope_of(engine, storefront, ALL)))
    with Session(engine) as session:
        rows = session.execute(select(sold.rows)).all()
    order, line = Key(storefront.orders.key, ""), Key(storefront.lines.key, "")
    names = {n + 1: charge.name for n, charge in enumerate(storefront.orders.charges)}
    found = {}
    for row in rows:
        ref = order.to_ref(order.raw(row, "order_key") or ())
        key = line.raw(row, "item")
        item_ref = names[row.position] if key is None else line.to_ref(key)
        figures = [int(getattr(row, name)) for name in FIGURES]
        found[ref, row.kind, item_ref] = [row.sku, row.description, *figures]

    assert found == expected
    assert len(rows) == len(found) > ORDERS
    assert spread > ORDERS // 3


def test_an_order_is_sold_for_what_was_captured_of_it(engine: Engine, trade: Trade) -> None:
    chance = random.Random(7)
    bundles = orders_of(engine, trade, [deal(chance) for _ in range(ORDERS)])

    found = sold_in(engine, trade.storefront(), ALL)

    assert {ref: row.captured for ref, row in found.items()} == {
        b.order.ref: b.captured for b in bundles if b.captured > 0
    }
    assert {ref: row.currency for ref, row in found.items()} == {
        b.order.ref: b.order.currency for b in bundles if b.captured > 0
    }
    assert ORDERS // 4 < len(found) < ORDERS


def test_a_period_has_the_orders_that_were_placed_in_it(engine: Engine, trade: Trade) -> None:
    chance = random.Random(8)
    bundles = orders_of(engine, trade, [deal(chance, paid=True) for _ in range(ORDERS)])
    by_day: dict[date, set[str]] = defaultdict(set)
    for bundle in bundles:
        if bundle.captured > 0:
            by_day[bundle.order.placed_at.astimezone(BERLIN).date()].add(bundle.order.ref)

    for day in [date(2026, 10, 24), date(2026, 10, 25), date(2026, 10, 26), date(2026, 10, 30)]:
        period = Period.of_days(day, day, BERLIN)
        assert set(sold_in(engine, trade.storefront(), period)) == by_day[day]
    assert len(by_day) > 20


class OwnTime(TypeDecorator[datetime]):
    """A host's own type of a time: UTC without a zone in the database, aware in Python."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> Any:
        return value and value.astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize("kind", [DateTime(), OwnTime()])
@pytest.mark.parametrize("spelling", ["2026-03-10 00:00:00", "2026-03-10 00:00:00.000000"])
def test_midnight_belongs_to_its_day_however_it_was_written(
    engine: Engine, kind: Any, spelling: str
) -> None:
    storefront = Trade(KINDS["cents"]).storefront()
    table = Table("moment", MetaData(), Column("at", kind))
    table.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO moment VALUES ('{spelling}')"))
        found = {}
        for day in (date(2026, 3, 9), date(2026, 3, 10)):
            period = Period.of_days(day, day, ZoneInfo("UTC"))
            within = scope_of(engine, storefront, period).within_host(table.c.at)
            found[day.day] = connection.scalar(select(func.count()).where(*within))

    assert found == {9: 0, 10: 1}


def test_an_hour_that_the_clock_repeats_counts_as_the_mapping_reads_it(engine: Engine) -> None:
    trade = Trade(KINDS["floats"])
    turn = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    deals = [
        deal(random.Random(n), placed_at=turn + timedelta(minutes=30 * n), paid=True)
        for n in range(8)
    ]
    bundles = orders_of(engine, trade, deals)
    sold = {b.order.ref: b.order.placed_at for b in bundles if b.captured > 0}

    for minutes in range(0, 240, 15):
        edge = turn + timedelta(minutes=minutes)
        found = sold_in(engine, trade.storefront(), Period(start=edge))
        assert set(found) == {ref for ref, at in sold.items() if at >= edge}
    assert len(sold) > 4


def test_a_host_that_marks_a_refunded_order_takes_nothing_from_its_sales(
    engine: Engine, trade: Trade
) -> None:
    chance = random.Random(9)
    deals = [deal(chance, paid=False, pays=()) for _ in range(3)]
    bundles = orders_of(engine, trade, deals)
    storefront = trade.storefront()
    assert sold_in(engine, storefront, ALL) == {}
    refs = [bundle.order.ref for bundle in bundles]
    with Session(engine) as session:
        for ref, committed in zip(refs, (500, 0, 1), strict=True):
            session.add(Account(order_ref=ref, currency="USD", paid=900, committed=committed))
        session.commit()

    found = sold_in(engine, storefront, ALL)

    assert {ref: row.captured for ref, row in found.items()} == {refs[0]: 900, refs[2]: 900}


AMOUNTS = ["0", "1.005", "2.675", "1.0049", "0.125", "-1.005", "12.34", "0.1", "999999.995", "70.5"]


@pytest.mark.parametrize("column", [Double(), Numeric(14, 4)])
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_an_amount_is_rounded_half_away_from_zero_as_the_mapping_reads_it(
    engine: Engine, column: Any, currency: str
) -> None:
    table = Table("amount", MetaData(), Column("n", Integer), Column("amount", column))
    table.metadata.create_all(engine)
    make = float if isinstance(column, Double) else Decimal
    stored = [{"n": n, "amount": make(text)} for n, text in enumerate(AMOUNTS)]
    mapped = major(table.c.amount)
    in_sql = minor_units(table.c.amount, mapped, literal(currency))
    with engine.begin() as connection:
        connection.execute(insert(table), stored)
        rows = connection.execute(select(table.c.amount, in_sql).order_by(table.c.n)).all()

    read = [mapped.read(raw, currency) for raw, _ in rows]
    assert [int(minor) for _, minor in rows] == read
    assert (
        read[:4]
        == {
            "USD": [0, 101, 268, 100],
            "JPY": [0, 1, 3, 1],
            "KWD": [0, 1005, 2675, 1005],
        }[currency]
    )


def test_a_large_order_is_divided_exactly(engine: Engine) -> None:
    trade = Trade(KINDS["uuids"])
    huge, off = 9 * 10**11, 10**12 - 7  # their product has 80 bits
    items = [
        Item(sku=sku, quantity=1, listed=huge, total=huge - n, tax=huge // 6)
        for n, sku in enumerate("abc")
    ]
    deal = Deal(
        placed_at=datetime(2026, 1, 1, tzinfo=UTC),
        currency="USD",
        total=3 * huge,
        items=items,
        discount=off,
    )
    (bundle,) = orders_of(engine, trade, [deal])

    sold = SoldItems(SoldOrders(scope_of(engine, trade.storefront(), ALL)))
    with Session(engine) as session:
        rows = session.execute(select(sold.rows)).all()

    divided = entitle(bundle.lines, bundle.order.charges, line_tax="before_discount")
    assert sorted((row.sku, int(row.paid), int(row.tax)) for row in rows) == sorted(
        (item.sku, item.whole.paid, item.whole.tax) for item in divided
    )
    assert sum(int(row.paid) for row in rows) == 3 * huge - 3 - off
    assert 3 * huge < LARGEST
