"""``net`` against a naive count in Python, row by row, on every database and over any SELECT."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Date,
    Engine,
    Numeric,
    String,
    cast,
    create_engine,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from flask_refunds.figures.columns import Columns
from flask_refunds.figures.keys import Bucket
from flask_refunds.figures.net import Netting, net
from flask_refunds.figures.periods import ALL, BASES, Basis
from flask_refunds.figures.refusing import CannotNet
from flask_refunds.models import Posting
from tests.integration import trading
from tests.integration.trading import (
    EXPONENT,
    JANUARY,
    Sale,
    Sold,
    Trade,
    counted,
    posting,
    sale,
    store,
    utc,
)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        trading.make_tables(session)
        yield session


@pytest.fixture
def trade(session: Session) -> Trade:
    return trading.trade(session)


def utc_day(moment: Any) -> Any:
    return func.date(moment, type_=Date)


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


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key of one or more columns: in the shop, in the ledger, and as Python sees it."""

    columns: Mapping[str, Any]
    sources: Mapping[str, Any] = field(default_factory=dict)
    bucket: Mapping[str, Bucket] = field(default_factory=dict)
    of: Callable[[Sold, datetime], Any]
    lines_only: bool = True
    is_of_a_sale: bool = False


KEYS = {
    "category, text": Key(columns={"sku": Sale.sku}, of=lambda row, at: (row.sku,)),
    "category, integer": Key(
        columns={"product": Sale.product_id},
        sources={"product": "dimensions.product"},
        of=lambda row, at: (row.product_id,),
    ),
    "category, uuid": Key(
        columns={"brand": Sale.brand},
        sources={"brand": "dimensions.brand"},
        of=lambda row, at: (row.brand,),
    ),
    "day": Key(
        columns={"day": utc_day(Sale.placed_at)},
        bucket={"day": utc_day},
        of=lambda row, at: (at.date(),),
        lines_only=False,
    ),
    "category and day": Key(
        columns={"sku": Sale.sku, "day": utc_day(Sale.placed_at)},
        bucket={"day": utc_day},
        of=lambda row, at: (row.sku, at.date()),
    ),
    "line, integer": Key(
        columns={"line": Sale.line},
        sources={"line": "line_ref"},
        of=lambda row, at: (row.line,),
        is_of_a_sale=True,
    ),
    "line, text": Key(
        columns={"line_ref": cast(Sale.line, String(20))},
        of=lambda row, at: (row.line and str(row.line),),
        is_of_a_sale=True,
    ),
    "order, uuid": Key(
        columns={"order": Sale.order},
        sources={"order": "order_ref"},
        of=lambda row, at: (row.order,),
        lines_only=False,
        is_of_a_sale=True,
    ),
    "order, text": Key(
        columns={"number": Sale.number},
        sources={"number": Posting.order_number},
        of=lambda row, at: (row.number,),
        lines_only=False,
        is_of_a_sale=True,
    ),
    "order and category": Key(
        columns={"number": Sale.number, "sku": Sale.sku},
        sources={"number": "order_number"},
        of=lambda row, at: (row.number, row.sku),
        is_of_a_sale=True,
    ),
    "order, line and day": Key(
        columns={"order": Sale.order, "line": Sale.line, "day": utc_day(Sale.placed_at)},
        sources={"order": "order_ref", "line": "line_ref"},
        bucket={"day": utc_day},
        of=lambda row, at: (row.order, row.line, at.date()),
        is_of_a_sale=True,
    ),
}

MEASURES = {
    "units": "quantity",
    "cents": "list",
    "amount": "list",
    "floating": "list",
    "paid": "paid",
}


def sales_by(key: Key, *more: Any) -> Any:
    """The shop's report by *key*: what it counts in pieces, cents, decimals and floats."""
    columns = [column.label(label) for label, column in key.columns.items()]
    measures: dict[str, Any] = {
        "units": func.sum(Sale.quantity),
        "cents": func.sum(Sale.cents),
        "amount": func.sum(Sale.amount),
        "floating": func.sum(Sale.floating),
        "paid": func.sum(literal(0)),
    }
    return (
        select(
            *columns,
            Sale.currency.label("currency"),
            func.max(Sale.name).label("name"),
            *(value.label(label) for label, value in measures.items()),
            *more,
        )
        .where(Sale.placed_at >= utc(1, 1), Sale.placed_at < utc(2, 1))
        .group_by(*key.columns.values(), Sale.currency)
    )


def said_of(key: Key, **more: Any) -> Netting:
    return Netting(
        key=tuple(key.columns),
        sources=key.sources,
        bucket=key.bucket,
        currency="currency",
        **{"measures": MEASURES, **more},
    )


WAYS: Mapping[str, list[Any]] = {
    "of a sale": [],
    "grouped again": [func.count().over().label("rows")],
}
"""What makes a report go one way or the other: a window cannot be narrowed."""


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KEYS)
def test_is_what_a_count_row_by_row_gives(
    session: Session, trade: Trade, kind: str, way: str, basis: Basis
) -> None:
    key = KEYS[kind]
    report, said = sales_by(key, *WAYS[way]), said_of(key)
    is_narrowed = Columns(said, report).key_of_a_sale is not None
    assert is_narrowed == (key.is_of_a_sale and way == "of a sale")

    statement = said.apply(report, period=JANUARY, basis=basis)
    rows = session.execute(statement).mappings().all()

    expected = counted(trade, key.of, basis, lines_only=key.lines_only)
    assert len(rows) == len(expected)
    for row in rows:
        figures = expected[tuple(row[label] for label in key.columns), row["currency"]]
        for label, component in MEASURES.items():
            gross, back = figures[component]
            shown = [row[label], row[f"{label}_gross"], row[f"{label}_refunded"]]
            assert shown == [
                in_unit(label, count, row["currency"]) for count in (gross - back, gross, back)
            ]
            assert {type(figure) for figure in shown} == {TYPES.get(label, int)}


TYPES = {"amount": Decimal, "floating": float}


def in_unit(label: str, count: int, currency: str) -> Any:
    """Return *count*, pieces or minor units, as the column *label* has it."""
    if label not in TYPES:
        return count
    return TYPES[label](Decimal(count).scaleb(-EXPONENT[currency]))


def test_a_key_that_has_only_refunds_gets_its_row_and_its_name(session: Session) -> None:
    store(session, [sale(1)], [posting(1, sku="TEE", description="Tee", list_price=300)])
    statement = net(
        items(Sale.sku), key="key", sources={"key": "sku"}, measures={"revenue": "list"},
        currency="currency", period=JANUARY,
        fill={"name": Posting.description, "units": 0},
    )  # fmt: skip

    rows = session.execute(statement.order_by("key")).mappings().all()

    assert [(r["key"], r["name"], r["units"], r["revenue"]) for r in rows] == [
        ("MUG", "Mug", 1, 1000),
        ("TEE", "Tee", 0, -300),
    ]


@pytest.mark.parametrize("key", ["sku", "number"])
@pytest.mark.parametrize("name", ["Unsold", Posting.description])
def test_a_host_that_carries_nothing_is_not_filled(session: Session, key: str, name: Any) -> None:
    source = {"sku": "sku", "number": "order_number"}[key]
    postings = [
        posting(n, **{source: value}, list_price=100, description="Unsold")
        for n, value in enumerate(["MUG", "TEE"])
    ]
    store(session, [sale(1, **{key: "MUG"}), sale(2, **{key: "CUP"})], postings)
    column = getattr(Sale, key)
    rows = select(
        column.label("key"), func.nullif(func.max(Sale.name), "Mug").label("name"),
        func.sum(Sale.cents).label("cents"),
    ).group_by(column)  # fmt: skip
    statement = net(
        rows, key="key", sources={"key": source}, measures={"cents": "list"}, currency="USD",
        period=JANUARY, beside=(), fill={"name": name},
    )  # fmt: skip

    assert set(session.execute(statement)) == {
        ("MUG", None, 900),
        ("CUP", None, 1000),
        ("TEE", "Unsold", -100),
    }


@pytest.mark.parametrize("column", ["sku", "number"])
@pytest.mark.parametrize(
    ("admits", "own"),
    [(False, {"MUG"}), (Posting.reason == "mine", {"MUG", "TEE"}), (True, {"MUG", "TEE", "HAT"})],
)
def test_what_the_hosts_filter_leaves_out_is_one_row_and_the_total_ties(
    session: Session, column: str, admits: Any, own: set[str]
) -> None:
    source = {"sku": "sku", "number": "order_number"}[column]
    postings = [
        posting(n, **{source: key}, list_price=100, reason="mine" if key == "TEE" else "other")
        for n, key in enumerate(["MUG", "TEE", "HAT"])
    ]
    store(session, [sale(1, **{column: "MUG"}), sale(2, **{column: "CUP"})], postings)
    statement = net(
        items(getattr(Sale, column)), key="key", sources={"key": source},
        measures={"revenue": "list"}, currency="currency", period=JANUARY, admits=admits,
        other={"key": "", "name": "Other refunds"},
    )  # fmt: skip

    rows = session.execute(statement).mappings().all()

    assert sum(row["revenue"] for row in rows) == 1700
    others = [row for row in rows if row.get("refunds_other")]
    assert {row["key"] for row in rows if row not in others} == {"CUP", *own}
    assert [(r["key"], r["name"], r["revenue"], r["currency"]) for r in others] == (
        [("", "Other refunds", 100 * len(own) - 300, "USD")] if len(own) < 3 else []
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
    statement = net(gross, key=(), measures={"sales": "paid"}, currency="currency", period=ALL)

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
        [sale(1, in_shop=False), sale(2), sale(3, line=None), sale(4, line=None, cents=None)],
        [posting(1, list_price=250), posting(2, line_ref="shipping", kind="row", list_price=99)],
    )
    rows = select(Sale.id, Sale.line, Sale.in_shop, Sale.placed_at, Sale.currency, Sale.cents)
    statement = net(
        rows, key="line", sources={"line": "line_ref"}, measures={"cents": "list"},
        currency="currency", period=JANUARY,
    )  # fmt: skip

    assert session.execute(statement.order_by("id")).all() == [
        (1, 1, False, utc(1, 15, 12), "USD", 750, 1000, 250),
        (2, 2, True, utc(1, 15, 12), "USD", 1000, 1000, 0),
        (3, None, True, utc(1, 15, 12), "USD", 1000, 1000, 0),
        (4, None, True, utc(1, 15, 12), "USD", 0, 0, 0),
    ]


def test_a_refund_is_taken_off_once_where_several_rows_share_its_key(session: Session) -> None:
    number = {"number": "A-1"}
    store(session, [sale(1, **number), sale(2, **number)], [posting(1, order_number="A-1", paid=1)])
    rows = select(Sale.number, Sale.currency, Sale.cents)
    statement = net(
        rows, key="number", sources={"number": "order_number"}, measures={"cents": "paid"},
        currency="currency", period=JANUARY,
    )  # fmt: skip

    assert session.execute(statement).all() == [("A-1", "USD", 1999, 2000, 1)]


def test_a_refund_in_another_currency_than_its_sale_is_a_row_of_its_own(session: Session) -> None:
    store(session, [sale(1)], [posting(1, currency="KWD", list_price=250)])
    statement = said_of(KEYS["line, integer"], measures={"cents": "list"}, beside=()).apply(
        sales_by(KEYS["line, integer"]), period=JANUARY
    )

    rows = session.execute(statement.order_by("currency")).mappings().all()

    assert [(r["line"], r["currency"], r["cents"]) for r in rows] == [
        (1, "KWD", -250),
        (1, "USD", 1000),
    ]


@pytest.mark.parametrize("kind", ["category, text", "order, text"])
@pytest.mark.parametrize("spelling", ["usd", "USD", " Usd"])
def test_a_currency_is_the_same_however_the_host_spells_it(
    session: Session, kind: str, spelling: str
) -> None:
    postings = [
        posting(1, sku="A", order_number="A-1", list_price=400),
        posting(2, sku="C", order_number="A-3", list_price=50),
    ]
    store(session, [sale(1, sku="A"), sale(2, sku="B")], postings)
    key = KEYS[kind]
    rows = select(
        *(column.label(label) for label, column in key.columns.items()),
        literal(spelling).label("currency"),
        func.sum(Sale.cents).label("cents"),
    ).group_by(*key.columns.values())

    def spelt(**sources: Any) -> list[tuple[str, int]]:
        said = replace(
            said_of(key, measures={"cents": "list"}, beside=()),
            sources={**key.sources, **sources},
        )
        found = session.execute(said.apply(rows, period=JANUARY)).mappings()
        return sorted((row["currency"], row["cents"]) for row in found)

    assert spelt() == sorted([(spelling, 600), (spelling, 1000), ("USD", -50)])
    assert spelt(currency=func.lower(Posting.currency)) == sorted(
        [(spelling, 600), (spelling, 1000), ("usd", -50)]
    )


def test_rows_of_a_currency_may_be_grouped_by_its_lower_case(session: Session) -> None:
    store(session, [sale(1)], [posting(1, sku="MUG", list_price=400)])
    lower = func.lower(Sale.currency)
    rows = select(Sale.sku, lower.label("currency"), func.sum(Sale.cents).label("cents")).group_by(
        Sale.sku, lower
    )
    statement = net(
        rows, key="sku", measures={"cents": "list"}, currency="currency", period=JANUARY, beside=(),
    )  # fmt: skip

    assert session.execute(statement).all() == [("MUG", "usd", 600)]


NUMBERS = {
    "integer": (Sale.product_id, 7, "7"),
    "decimal": (Sale.amount, Decimal("1.5"), "1.500"),
    "uuid": (Sale.brand, UUID(int=7), str(UUID(int=7))),
}


NO_NUMBERS = ("", "A-7", "7a", "7.5.1", "-", '["7","1"]')


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        *((kind, other) for kind in NUMBERS for other in NO_NUMBERS),
        *((kind, "9" * 40) for kind in ("integer", "uuid")),  # a decimal of forty digits is one
    ],
)
def test_a_text_that_is_no_key_of_the_hosts_is_null(
    session: Session, kind: str, other: str
) -> None:
    column, key, ref = NUMBERS[kind]
    sales = [sale(1, product_id=7, brand=UUID(int=7), cents=1500), sale(2, product_id=0)]
    sales[0]["amount"] = Decimal("1.5")
    store(session, sales, [posting(1, sku=ref, paid=300), posting(2, sku=other, paid=50)])
    rows = select(column.label("key"), func.sum(Sale.cents).label("cents")).group_by(column)
    statement = net(
        rows, key="key", sources={"key": "sku"}, measures={"cents": "paid"}, currency="USD",
        period=JANUARY, beside=(),
    )  # fmt: skip

    found = {row.key: row.cents for row in session.execute(statement)}

    assert (found.pop(key), found.pop(None)) == (1200, -50)
    assert list(found.values()) == [1000]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_key_may_have_sixty_four_bits(session: Session, sign: int) -> None:
    largest = sign * (2**63 - 1)
    store(session, [sale(1, line=largest)], [posting(1, line_ref=str(largest), list_price=1)])
    rows = select(Sale.line, Sale.currency, Sale.cents)
    statement = net(
        rows, key="line", sources={"line": "line_ref"}, measures={"cents": "list"},
        currency="currency", period=JANUARY, beside=(),
    )  # fmt: skip

    assert session.execute(statement).all() == [(largest, "USD", 999)]


def test_a_key_of_several_columns_is_netted_by_its_parts(session: Session) -> None:
    store(
        session,
        [sale(1, product_id=5, line=1), sale(2, product_id=5, line=2)],
        [
            posting(1, order_ref='["5","A-1"]', line_ref='["5","1"]', paid=300),
            posting(2, order_ref='["5","A-2"]', line_ref="shipping", kind="row", paid=20),
        ],
    )
    measures = {"cents": "paid"}
    by_order = net(
        select(Sale.product_id.label("shop"), Sale.number, Sale.cents), key=("shop", "number"),
        sources={"shop": "order_ref.0", "number": "order_ref.1"}, measures=measures,
        currency="USD", period=JANUARY, beside=(),
    )  # fmt: skip
    by_line = net(
        select(Sale.product_id.label("shop"), Sale.line, Sale.cents), key=("shop", "line"),
        sources={"shop": "line_ref.0", "line": "line_ref.1"}, measures=measures,
        currency="USD", period=JANUARY, beside=(), only=Posting.paid > 0,
    )  # fmt: skip

    assert set(session.execute(by_order)) == {(5, "A-1", 700), (5, "A-2", 980)}
    assert set(session.execute(by_line)) == {(5, 1, 700), (5, 2, 1000), (None, None, -20)}


def test_charges_have_no_line_and_join_the_rows_without_one(session: Session) -> None:
    store(
        session,
        [sale(1), sale(2, line=None)],
        [posting(1, paid=250), posting(2, line_ref="shipping", kind="row", paid=99)],
    )
    said = said_of(KEYS["line, integer"], measures={"cents": "paid"}, only=Posting.paid > 0)
    statement = said.apply(sales_by(KEYS["line, integer"]), period=JANUARY)

    rows = session.execute(statement).mappings().all()

    assert {row["line"]: row["cents"] for row in rows} == {1: 750, None: 901}
    assert len(rows) == 2


def test_a_window_is_over_all_of_the_hosts_rows(session: Session) -> None:
    store(session, [sale(1), sale(2)], [posting(1, list_price=250)])
    rows = select(Sale.line, Sale.currency, Sale.cents, func.sum(Sale.cents).over().label("all"))
    statement = net(
        rows, key="line", sources={"line": "line_ref"}, measures={"cents": "list"},
        currency="currency", period=JANUARY, beside=(),
    )  # fmt: skip

    assert session.execute(statement.order_by("line")).all() == [
        (1, "USD", 750, 2000),
        (2, "USD", 1000, 2000),
    ]


@pytest.mark.parametrize("groups", [[Sale.currency], []])
def test_a_key_that_is_an_aggregate_is_netted_too(session: Session, groups: list[Any]) -> None:
    store(session, [sale(1), sale(2)], [posting(1, list_price=250), posting(2, list_price=9)])
    rows = select(func.max(Sale.line).label("line"), func.sum(Sale.cents).label("cents"))
    statement = net(
        rows.group_by(*groups), key="line", sources={"line": "line_ref"},
        measures={"cents": "list"}, currency="USD", period=JANUARY, beside=(),
    )  # fmt: skip

    assert session.execute(statement.order_by("line")).all() == [(1, -250), (2, 1991)]


def test_having_is_about_gross_figures(session: Session) -> None:
    number = {"number": "A-1"}
    store(
        session,
        [sale(1, **number), sale(2, **number), sale(3), sale(4)],
        [posting(1, order_number="A-1", paid=1500), posting(2, order_number="A-3", paid=7)],
    )
    rows = (
        select(Sale.number.label("number"), func.sum(Sale.cents).label("cents"))
        .group_by(Sale.number)
        .having(func.sum(Sale.cents) > 1000)
    )
    said = Netting(
        key="number", sources={"number": "order_number"}, measures={"cents": "paid"},
        currency="USD", beside=(),
    )  # fmt: skip

    assert Columns(said, rows).key_of_a_sale == "number"
    assert session.execute(said.apply(rows, period=JANUARY).order_by("number")).all() == [
        ("A-1", 500),
        ("A-3", -7),
    ]


def test_any_table_may_be_what_the_select_reads(session: Session) -> None:
    store(session, [sale(1), sale(2), sale(3)], [posting(n, list_price=250) for n in (2, 3)])
    one = select(Sale.line, Sale.cents).where(Sale.id == 1)
    more = select(Sale.line, Sale.cents).where(Sale.id != 1)
    tables = {
        "union": one.union_all(more).subquery(),
        "cte": select(Sale.line, Sale.cents).cte("refunds"),
    }
    for name, table in tables.items():
        said = Netting(
            key="line", sources={"line": "line_ref"}, measures={"cents": "list"},
            currency="USD", beside=(),
        )  # fmt: skip
        statement = said.apply(select(*table.c), period=JANUARY)

        assert Columns(said, select(*table.c)).key_of_a_sale == "line", name
        assert session.execute(statement.order_by("line")).all() == [(1, 1000), (2, 750), (3, 750)]


def test_two_nettings_may_meet_in_one_statement(session: Session) -> None:
    store(session, [sale(1), sale(2)], [posting(1, order_number="A-2", list_price=250)])
    lines = said_of(KEYS["line, integer"], measures={"cents": "list"}, beside=())
    orders = said_of(KEYS["order, text"], measures={"cents": "list"}, beside=())
    by_line = lines.apply(sales_by(KEYS["line, integer"]), period=JANUARY).subquery()
    by_order = orders.apply(sales_by(KEYS["order, text"]), period=JANUARY).subquery()

    both = select(by_line.c.line, by_line.c.cents, by_order.c.number, by_order.c.cents).where(
        by_line.c.cents == by_order.c.cents
    )

    assert set(session.execute(both)) == {(1, 750, "A-2", 750), (2, 1000, "A-1", 1000)}


@pytest.mark.parametrize("kind", ["line, integer", "order, uuid", "order, text"])
def test_keys_are_looked_up_by_an_index_on_sqlite(sqlite_url: str, kind: str) -> None:
    engine = create_engine(sqlite_url)
    with Session(engine) as session:
        trading.make_tables(session)
        said = said_of(KEYS[kind], measures={"cents": "list"})
        statement = said.apply(sales_by(KEYS[kind]), period=JANUARY)
        compiled = statement.compile(engine)
        values = tuple(str(compiled.params[name]) for name in compiled.positiontup or ())
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
        steps = "\n".join(step.detail for step in plan)

    (column,) = KEYS[kind].columns.values()
    assert "USING AUTOMATIC COVERING INDEX" in steps
    assert f"({column.expression.name}=?)" in steps


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


@pytest.mark.parametrize("column", ["sku", "number"])
def test_the_result_may_be_filtered_sorted_and_limited_again(session: Session, column: str) -> None:
    source = {"sku": "sku", "number": "order_number"}[column]
    store(
        session,
        [sale(n, **{column: name}) for n, name in enumerate(["MUG", "TEE", "HAT"], 1)],
        [
            posting(1, **{source: "MUG"}, list_price=1000),
            posting(2, **{source: "TEE"}, list_price=1),
        ],
    )
    statement = net(
        items(getattr(Sale, column)), key="key", sources={"key": source},
        measures={"revenue": "list"}, currency="currency", period=JANUARY,
    )  # fmt: skip

    revenue = statement.selected_columns.revenue
    kept = statement.where(revenue > 0).order_by(revenue)

    assert [row.key for row in session.execute(kept)] == ["TEE", "HAT"]
    assert [row.key for row in session.execute(kept.limit(1))] == ["TEE"]
    assert session.scalar(select(func.sum(statement.subquery().c.revenue))) == 1999


@pytest.mark.parametrize(
    ("beside", "more"),
    [
        ((), []),
        (("refunded",), ["revenue_refunded"]),
        (("gross", "refunded"), ["revenue_gross", "revenue_refunded"]),
    ],
)
@pytest.mark.parametrize("column", ["sku", "number"])
def test_what_stands_beside_is_chosen(
    session: Session, column: str, beside: Any, more: list[str]
) -> None:
    source = {"sku": "sku", "number": "order_number"}[column]
    store(session, [sale(1, **{column: "A"})], [posting(1, **{source: "A"}, list_price=1)])
    statement = net(
        items(getattr(Sale, column)), key="key", sources={"key": source},
        measures={"revenue": "list"}, currency="currency", period=JANUARY, beside=beside,
    )  # fmt: skip

    row = session.execute(statement).mappings().one()

    assert list(row) == ["key", "currency", "name", "units", "revenue", *more]
    assert row["revenue"] == 999


@pytest.mark.parametrize("unit", ["major", None])
def test_a_quantity_is_a_count_in_any_unit(session: Session, unit: Any) -> None:
    store(session, [sale(1, quantity=4)], [posting(1, sku="MUG", quantity=3, list_price=250)])
    pieces = items(Sale.sku, cast(func.sum(Sale.quantity), Numeric(12, 2)).label("pieces"))
    statement = net(
        pieces.add_columns(func.sum(Sale.amount).label("total")),
        key="key", sources={"key": "sku"}, measures={"pieces": "quantity", "total": "list"},
        currency="currency", period=JANUARY, unit=unit, beside=(),
    )  # fmt: skip

    row = session.execute(statement).mappings().one()

    assert (row["pieces"], row["total"]) == (1, Decimal("7.5"))


def test_a_host_may_have_the_labels_that_stand_beside(session: Session) -> None:
    store(session, [sale(1)], [posting(1, list_price=1)])
    rows = items(Sale.line, func.sum(Sale.cents).label("revenue_gross"))
    statement = net(
        rows, key="key", sources={"key": "line_ref"}, measures={"revenue": "list"},
        currency="currency", period=JANUARY, beside=("refunded",),
    )  # fmt: skip

    row = session.execute(statement).mappings().one()

    assert (row["revenue"], row["revenue_gross"], row["revenue_refunded"]) == (999, 1000, 1)


@pytest.mark.parametrize(
    ("measure", "unit", "net_of_one"),
    [
        (func.sum(Sale.cents), None, 999),
        (func.sum(Sale.amount), None, Decimal("9.99")),
        (func.sum(Sale.floating), None, 9.99),
        (func.sum(Sale.quantity), "major", Decimal("0.99")),
        (func.sum(cast(Sale.cents, Numeric(12, 2))), "minor", Decimal(999)),
    ],
)
def test_the_unit_is_told_by_the_type_or_said(
    session: Session, measure: Any, unit: Any, net_of_one: Any
) -> None:
    store(session, [sale(1)], [posting(1, list_price=1)])
    rows = items(Sale.sku, measure.label("total"))
    session.execute(update(Posting).values(sku="MUG"))
    statement = net(
        rows, key="key", sources={"key": "sku"}, measures={"total": "list"},
        currency="currency", period=JANUARY, unit=unit,
    )  # fmt: skip

    assert session.execute(statement).mappings().one()["total"] == net_of_one


@pytest.mark.parametrize("digits", [2, 3])
def test_a_currency_keeps_its_decimals_in_a_column_that_has_fewer(
    session: Session, digits: int
) -> None:
    kuwait = {"currency": "KWD", "cents": 1000}
    store(
        session,
        [sale(1), sale(2, sku="KEY"), sale(3, sku="TEE", **kuwait), sale(4, sku="HAT", **kuwait)],
        [
            posting(1, sku="MUG", list_price=250),
            posting(2, sku="TEE", currency="KWD", list_price=333),
            posting(3, sku="HAT", currency="KWD", list_price=300),
        ],
    )
    total = cast(func.sum(Sale.amount), Numeric(10, digits))
    statement = net(
        items(Sale.sku, total.label("total")), key="key", sources={"key": "sku"},
        measures={"total": "list"}, currency="currency", period=JANUARY, beside=("refunded",),
    )  # fmt: skip
    again = net(
        statement, key="key", sources={"key": "sku"}, measures={"total": "list"},
        currency="currency", period=JANUARY, beside=(), only=Posting.list_price < 0,
    )  # fmt: skip

    rows = session.execute(statement).mappings().all()

    zero = "0" * (digits - 2)
    assert {row["key"]: (str(row["total"]), str(row["total_refunded"])) for row in rows} == {
        "MUG": (f"7.50{zero}", f"2.50{zero}"),
        "KEY": (f"10.00{zero}", f"0.00{zero}"),
        "TEE": ("0.667", "0.333"),
        "HAT": (f"0.70{zero}", f"0.30{zero}"),
    }
    summed = session.scalar(select(func.sum(statement.subquery().c.total)))
    assert summed == Decimal("18.867")
    assert {str(row["total"]) for row in session.execute(again).mappings()} == {
        str(row["total"]) for row in rows
    }


SAID: dict[str, Any] = {
    "key": "key", "sources": {"key": "sku"}, "measures": {"revenue": "list"},
    "currency": "currency", "period": JANUARY,
}  # fmt: skip
BY_SKU = items(Sale.sku)


def distinct_on(statement: Any, column: Any) -> Any:
    """Return *statement* with PostgreSQL's DISTINCT ON, as the SQLAlchemy at hand says it."""
    try:
        from sqlalchemy.dialects.postgresql import distinct_on as extension
    except ImportError:
        return statement.distinct(column)
    return statement.ext(extension(column))


@pytest.mark.parametrize(
    ("statement", "said", "words"),
    [
        (BY_SKU.limit(5), {}, "LIMIT"),
        (BY_SKU.offset(5), {}, "OFFSET"),
        (BY_SKU.distinct(), {}, "DISTINCT"),
        (distinct_on(BY_SKU, Sale.sku), {}, "DISTINCT"),
        (BY_SKU.fetch(5), {}, "FETCH"),
        (BY_SKU.union_all(BY_SKU), {}, "takes a select"),
        (BY_SKU, {"currency": None}, "summed across currencies"),
        (BY_SKU, {"currency": "money"}, "neither a column"),
        (items(Sale.sku).group_by(None).group_by(Sale.sku), {}, "Add it to GROUP BY"),
        (items(Sale.sku).group_by(None), {}, "Add it to GROUP BY"),
        (BY_SKU, {"key": "sku"}, "does not have"),
        (BY_SKU, {"sources": {}}, "no counterpart in the ledger"),
        (BY_SKU, {"sources": {"key": "sku.0"}}, "no counterpart in the ledger"),
        (BY_SKU, {"measures": {}}, "measures= is empty"),
        (BY_SKU, {"measures": {"revenue": "gross"}}, "It is one of"),
        (BY_SKU, {"measures": {"income": "list"}}, "does not have"),
        (BY_SKU, {"measures": {"key": "list"}}, "both a key and a measure"),
        (BY_SKU, {"unit": "cents"}, "'minor'"),
        (items(Sale.sku, func.my_sum(Sale.cents).label("x")), {"measures": {"x": "list"}}, "unit="),
        (
            items(Sale.sku, cast(Sale.cents, Numeric).label("x")),
            {"measures": {"x": "list"}},
            "does not tell",
        ),
        (
            items(Sale.sku, cast(Sale.cents, Numeric(12, 0)).label("x")),
            {"measures": {"x": "list"}},
            "does not tell",
        ),
        (
            items(Sale.sku, func.max(Sale.name).label("x")),
            {"measures": {"x": "list"}, "unit": "minor"},
            "measures are numbers",
        ),
        (BY_SKU, {"beside": "gross"}, "tuple of any of"),
        (BY_SKU, {"beside": ("net",)}, "tuple of any of"),
        (BY_SKU, {"fill": {"units": 0, "key": ""}}, "no carried column"),
        (items(Sale.sku, Sale.brand.label("brand")), {}, "no MAX"),
        (items(Sale.sku, literal(1).label("revenue_gross")), {}, "has a column"),
        *(
            (items(Sale.sku, literal(1).label(name)), {}, "net\\(\\) needs")
            for name in ("refunds_own", "refunds_other", "refunds_currency")
        ),
        (items(utc_day(Sale.placed_at)), {}, "bucket="),
        (BY_SKU, {"key": ("key", "name"), "bucket": utc_day}, "which one is the time"),
    ],
)
def test_refuses_with_a_remedy(statement: Any, said: dict[str, Any], words: str) -> None:
    with pytest.raises(CannotNet, match=words):
        net(statement, **{**SAID, **said})
