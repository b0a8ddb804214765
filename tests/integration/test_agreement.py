"""All reports and ``verify`` agree, to the cent, with a count row by row in Python.

For any shop that keeps the trade, whatever is refunded, fails, fails late and is corrected, by
both dates, in spans that a clock change lengthens, on the three databases.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Date, Engine, create_engine, func, select
from sqlalchemy.orm import Session

from flask_refunds.figures.buckets import Span, cut
from flask_refunds.figures.items import ITEM, SORTS, ItemFigures
from flask_refunds.figures.ledger_query import totals
from flask_refunds.figures.net import net
from flask_refunds.figures.periods import ALL, BASES, Basis, Period
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.summary import Block, read_blocks
from flask_refunds.figures.takings import read_takings
from flask_refunds.planning import Selection
from flask_refunds.states import Method, TransferState
from flask_refunds.verify import verify
from tests.hosts.trading import KINDS, Before, Deal, Item, Pay, Trade
from tests.integration.bookkeeping import Books, Entry

FIRST, LAST = date(2026, 10, 23), date(2026, 10, 28)  # on the 25th a day has 25 hours
DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}
UTC_ZONE = UTC

Chance = random.Random


def some_deal(chance: Chance, number: int) -> Deal:
    """An order with discounts, order-level tax, shipping, several payments, earlier refunds."""
    currency = chance.choice(list(DIGITS))
    items = []
    for _ in range(chance.randint(1, 3)):
        listed = chance.randint(1, 90_000)
        total = chance.choice([listed, listed, listed - listed // 5, 0])
        items.append(
            Item(
                sku=chance.choice(["MUG", "TEE", "mug", ""]),
                quantity=chance.randint(1, 4),
                listed=listed,
                total=total,
                tax=chance.choice([0, total // 6]),
                category=chance.choice(["A", "B"]),
            )
        )
    lines = sum(item.total for item in items)
    shipping = chance.choice([0, 990])
    discount = chance.choice([0, 0, chance.randint(1, 20_000)])
    sales_tax = chance.choice([0, 0, chance.randint(1, 5000)])
    due = max(0, lines - discount) + shipping + sales_tax
    due = max(1, due + chance.choice([0, 0, -1, 300]))
    placed_at = datetime(2026, 10, 22, tzinfo=UTC) + timedelta(minutes=chance.randint(0, 9000))
    before = []
    if chance.randint(0, 3) == 0:
        before.append(
            Before(
                amount=max(1, due // 10),
                at=placed_at + timedelta(hours=chance.randint(1, 90)),
                succeeded=chance.choice([True, True, False]),
                item=chance.choice([None, 0]),
            )
        )
    first = chance.choice([due, max(1, due // 3)])
    pays = [Pay(amount=first, sale=f"ch{number}a")]
    if first < due:
        pays.append(Pay(amount=due - first, sale=chance.choice([f"ch{number}b", None])))
    return Deal(
        placed_at=placed_at,
        currency=currency,
        total=due,
        paid=True,
        items=items,
        pays=chance.choice([pays, pays, ()]),
        before=before,
        discount=discount,
        shipping=shipping,
        shipping_tax=shipping // 6,
        sales_tax=sales_tax,
        everywhere=chance.choice([0, 0, 77]),
    )


def live(books: Books, chance: Chance, steps: int) -> None:
    """Let *steps* random things happen to the shop's orders."""
    bundles = books.bundles()
    for charge_id in books.gateway.charges:
        if chance.randint(0, 4) == 0:
            books.gateway.declining.add(charge_id)
        elif chance.randint(0, 4) == 0:
            books.gateway.unsettled.add(charge_id)
    for _ in range(steps):
        books.pass_time(timedelta(minutes=chance.randint(1, 1500)))
        done = [t for t in books.transfers() if t.state == TransferState.COMPLETED]
        failed = [t for t in books.transfers() if t.state == TransferState.FAILED]
        dice = chance.randint(0, 10)
        carded = [t for t in done if t.gateway_refund_id]
        refunded = [t for t in carded if t.operation == "refund"]
        otherwise = [t for t in done if t.method == Method.OTHER]
        if dice == 10 and carded:
            books.note_by_host(chance.choice(carded))
        elif dice == 0 and refunded:
            books.fail_late(chance.choice(refunded))
        elif dice == 1 and otherwise:
            books.correct("reverse", chance.choice(otherwise))
        elif dice in {2, 3} and failed:
            books.gateway.declining.clear()
            step = chance.choice(["retry", "pay_otherwise"])
            books.correct(step, chance.choice(failed))
        else:
            issue(books, chance, chance.randint(0, len(bundles) - 1))


def issue(books: Books, chance: Chance, number: int) -> None:
    bundle = next(b for b in books.bundles() if b.order.ref == books.refs[number])
    wishes: dict[str, Any] = {
        "reason": chance.choice(["returned", "damaged"]),
        "to_card": chance.choice([True, True, False]),
        "other_kind": "cash",
    }
    if chance.randint(0, 2) == 0:
        books.issue(number, everything=True, **wishes)
        return
    line = chance.choice(bundle.lines)
    part = {"quantity": chance.randint(0, line.quantity)}
    if chance.randint(0, 1):
        part["paid"] = chance.randint(0, max(1, line.total))
    selections = [Selection(kind="line", ref=line.ref, **part)]
    if bundle.order.charges and chance.randint(0, 2) == 0:
        selections.append(Selection(kind="row", ref="shipping", paid=chance.randint(1, 990)))
    adjustment = chance.choice([0, 0, 0, 5, -3])
    books.issue(number, selections=tuple(selections), adjustment=adjustment, **wishes)


def dated(entry: Entry, basis: Basis) -> datetime:
    return entry.at if basis == "refund" else entry.placed_at


def within(entries: Iterable[Entry], period: Period, basis: Basis) -> list[Entry]:
    return [
        entry
        for entry in entries
        if (period.start is None or dated(entry, basis) >= period.start)
        and (period.end is None or dated(entry, basis) < period.end)
    ]


def add(entries: Iterable[Entry], key: Callable[[Entry], Any], figure: str) -> dict[Any, int]:
    """Sum *figure* by *key*, row by row; what adds up to nothing is left out."""
    sums: dict[Any, int] = defaultdict(int)
    for entry in entries:
        sums[key(entry)] += getattr(entry, figure)
    return {found: amount for found, amount in sums.items() if amount}


class Expected:
    """The naive count of one period."""

    def __init__(self, books: Books, period: Period, basis: Basis) -> None:
        sold = books.sold()
        self.sold = within(sold, period, "order")
        self.posted = within(books.given, period, basis)
        self.given = self.posted + within(books.by_the_shop(), period, basis)


def check_takings(session: Session, books: Books, period: Period, basis: Basis) -> None:
    want = Expected(books, period, basis)
    scope = Scope.of(session, books.storefront, period, basis)
    found = {key[0]: taking for key, taking in read_takings(session, scope).items()}

    def figure(name: str) -> dict[str, int]:
        return {c: getattr(t, name) for c, t in found.items() if getattr(t, name)}

    currency = lambda entry: entry.currency  # noqa: E731
    assert figure("sales") == add(want.sold, currency, "paid")
    assert figure("refunds") == add(want.given, currency, "paid")
    for way in ("card", "void", "other", "shop"):
        assert figure(way) == add((e for e in want.given if e.way == way), currency, "paid")
    assert figure("tax_refunded") == add(want.given, currency, "tax")
    orders = {(e.currency, e.order) for e in want.sold}
    assert figure("orders") == dict(
        sorted((c, sum(o[0] == c for o in orders)) for c in {o[0] for o in orders})
    )
    posted = {t.currency: t.net for t in totals(session, period, basis) if t.net}
    assert posted == add(want.posted, currency, "paid")


def check_summary(
    session: Session, books: Books, period: Period, basis: Basis, span: Span
) -> list[Block]:
    want = Expected(books, period, basis)
    buckets = cut(period, span, books.runtime.config.zone)
    blocks = read_blocks(session, Scope.of(session, books.storefront, period, basis, buckets))

    def number(at: datetime) -> int:
        (n,) = [n for n, b in enumerate(buckets) if b.start <= at < b.end]
        return n

    def figure(name: str) -> dict[Any, int]:
        return {
            (block.currency, n): getattr(row, name)
            for block in blocks
            for n, (_, row) in enumerate(block.rows)
            if getattr(row, name)
        }

    sold_key = lambda e: (e.currency, number(e.at))  # noqa: E731
    back_key = lambda e: (e.currency, number(dated(e, basis)))  # noqa: E731
    lines = [e for e in want.sold if e.kind == "line"]
    rows = [e for e in want.sold if e.kind == "row"]
    assert figure("sales") == add(want.sold, sold_key, "paid")
    assert figure("gross") == add(lines, sold_key, "list_price")
    assert figure("charges") == add(rows, sold_key, "list_price")
    assert figure("discounts") == add(lines + rows, sold_key, "discount")
    assert figure("tax_sold") == add(lines + rows, sold_key, "tax")
    assert figure("adjustments") == add(
        (e for e in want.sold if e.kind == "adjustment"), sold_key, "paid"
    )
    assert figure("refunds") == add(want.given, back_key, "paid")
    assert figure("tax_refunded") == add(want.given, back_key, "tax")
    for block in blocks:
        for _, row in (*block.rows, (None, block.total)):
            assert row.sales == (
                row.gross - row.discounts + row.charges + row.added + row.adjustments
            )
            assert row.net == row.sales - row.refunds
    return blocks


def item_key(entry: Entry, by: str) -> tuple[str, str, str]:
    key = ""
    if entry.kind == "line":
        key = (entry.sku or entry.description) if by == ITEM else entry.category
    elif entry.kind == "row":
        key = entry.ref
    return entry.currency, entry.kind, key


def check_items(
    session: Session, books: Books, period: Period, basis: Basis, by: str, sort: str
) -> dict[str, tuple[int, int]]:
    want = Expected(books, period, basis)
    scope = Scope.of(session, books.storefront, period, basis)
    blocks = ItemFigures(scope, by=by).read(session, sort=sort)

    def figure(name: str) -> dict[Any, int]:
        return {
            (block.currency, row.kind, row.key): getattr(row, name)
            for block in blocks
            for row in block.rows
            if getattr(row, name)
        }

    key = lambda entry: item_key(entry, by)  # noqa: E731
    for ours, theirs in (
        ("units", "quantity"),
        ("list", "list_price"),
        ("discount", "discount"),
        ("tax", "tax"),
    ):
        assert figure(f"{ours}_sold") == add(want.sold, key, theirs)
        assert figure(f"{ours}_refunded") == add(want.given, key, theirs)
    assert figure("sold") == add(want.sold, key, "paid")
    assert figure("refunded") == add(want.given, key, "paid")
    for block in blocks:
        assert block.count == len(block.rows) == len({(r.kind, r.key) for r in block.rows})
        for name in ("sold", "refunded", "net", "units", "tax"):
            assert getattr(block.total, name) == sum(getattr(row, name) for row in block.rows)
    return {b.currency: (b.total.sold, b.total.refunded) for b in blocks}


def check_net(session: Session, books: Books, basis: Basis) -> None:
    """A report of the host's own, which cuts its days in UTC, is net by the same postings."""
    trade, kind = books.trade, books.trade.kind
    if kind.timezone != "UTC" or kind.unit.__name__ != "minor":
        return
    period = Period.of_days(FIRST, LAST, UTC_ZONE)  # type: ignore[arg-type]
    o = trade.orders.c

    def utc_day(moment: Any) -> Any:
        return func.date(moment, type_=Date)

    start, end = (datetime.combine(d, datetime.min.time()) for d in (FIRST, LAST))
    gross = (
        select(
            utc_day(o.placed_at).label("day"),
            o.currency.label("currency"),
            func.sum(o.total).label("sales"),
        )
        .where(o.placed_at >= start, o.placed_at < end + timedelta(days=1))
        .group_by(utc_day(o.placed_at), o.currency)
    )
    said = {"key": "day", "measures": {"sales": "paid"}, "currency": "currency", "unit": "minor"}
    statement = net(gross, bucket=utc_day, period=period, basis=basis, **said)  # type: ignore[arg-type]
    found = {
        (row["day"], row["currency"]): (int(row["sales_gross"]), int(row["sales_refunded"]))
        for row in session.execute(statement).mappings()
    }
    want: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for bundle in books.bundles():
        if FIRST <= bundle.order.placed_at.date() <= LAST:
            key = bundle.order.placed_at.date(), bundle.order.currency
            want[key][0] += bundle.order.total
    for entry in within(books.given, period, basis):
        want[dated(entry, basis).date(), entry.currency][1] += entry.paid
    assert found == {key: (gross, back) for key, (gross, back) in want.items()}


def check(books: Books, chance: Chance) -> None:
    """Compare everything, in a period, of all time, and by both dates."""
    zone = books.runtime.config.zone
    days = Period.of_days(FIRST, LAST, zone)
    with Session(books.engine) as session:
        for basis in BASES:
            for period in (days, ALL):
                check_takings(session, books, period, basis)
                by, sort = chance.choice([ITEM, "category"]), chance.choice(SORTS)
                items = check_items(session, books, period, basis, by, sort)
                assert items == taken(session, books, period, basis)
            blocks = check_summary(session, books, days, basis, chance.choice(list(Span)))
            summary = {b.currency: (b.total.sales, b.total.refunds) for b in blocks}
            assert summary == taken(session, books, days, basis)
            check_net(session, books, basis)
    assert verify(books.runtime) == []


def taken(
    session: Session, books: Books, period: Period, basis: Basis
) -> dict[str, tuple[int, int]]:
    """Return sales and refunds by currency, as the dashboard shows them."""
    found = read_takings(session, Scope.of(session, books.storefront, period, basis))
    return {currency: (t.sales, t.refunds) for (currency, _), t in found.items()}


@pytest.fixture
def database(database_url: str) -> Engine:
    return create_engine(database_url)


@pytest.mark.timeout(600)
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.generate],  # each example is a shop's whole life: shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(list(KINDS)),
    line_tax=st.sampled_from(["before_discount", "after_discount"]),
)
def test_reports_agree_with_a_count_row_by_row(
    database: Engine, seed: int, kind: str, line_tax: Any
) -> None:
    chance = random.Random(seed)
    books = Books(database, Trade(KINDS[kind], line_tax=line_tax))
    books.make_tables()
    books.sell(*(some_deal(chance, number) for number in range(6)))
    live(books, chance, 14)

    assert books.given
    check(books, chance)
