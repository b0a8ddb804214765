"""Items by a mapped dimension of any type: what was sold and what came back are one row."""

import enum
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Engine,
    Enum,
    Integer,
    Numeric,
    String,
    Table,
    Uuid,
    insert,
    select,
)
from sqlalchemy.orm import Session

from flask_refunds import Storefront
from flask_refunds.figures.items import ItemFigures
from flask_refunds.figures.periods import ALL
from flask_refunds.figures.scope import Scope
from tests.hosts.trading import KINDS, Deal, Item, Trade
from tests.integration.bookkeeping import Books


class Category(enum.Enum):
    """A kind of goods, by whose name SQLAlchemy stores it."""

    BIKES = "bikes"
    HATS = "hats"


DIMENSIONS: Mapping[str, tuple[Any, Any]] = {
    "enum": (Enum(Category), Category.BIKES),
    "moment": (DateTime(), datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001  # as hosts keep it
    "day": (Date(), date(2026, 1, 2)),
    "decimal": (Numeric(6, 2), Decimal("1.50")),
    "whole_decimal": (Numeric(6, 2), Decimal(200)),
    "float": (Double(), 2.0),
    "large_float": (Double(), 1e22),
    "yes": (Boolean(), True),
    "no": (Boolean(), False),
    "integer": (Integer(), 7),
    "uuid": (Uuid(), UUID(int=7)),
    "text": (String(20), "A b"),
    "empty": (String(20), ""),
    "null": (String(20), None),
}


class Sorted(Trade):
    """A shop whose goods all have the same value of each dimension."""

    def __post_init__(self) -> None:
        super().__post_init__()
        columns = [Column(f"{name}_value", kind) for name, (kind, _) in DIMENSIONS.items()]
        self.sorting = Table("trade_sorting", self.metadata, *columns)

    def storefront(self) -> Storefront:
        made = super().storefront()
        dimensions = {name: select(self.sorting.c[f"{name}_value"]) for name in DIMENSIONS}
        return replace(made, lines=replace(made.lines, dimensions=dimensions))


@pytest.fixture
def books(engine: Engine) -> Books:
    trade = Sorted(KINDS["cents"])
    books = Books(engine, trade)
    books.make_tables()
    with engine.begin() as connection:
        values = {f"{name}_value": value for name, (_, value) in DIMENSIONS.items()}
        connection.execute(insert(trade.sorting).values(values))
    item = Item(sku="MUG", quantity=1, listed=1000, total=1000, tax=0)
    placed_at = datetime(2026, 10, 10, tzinfo=UTC)
    books.sell(Deal(placed_at=placed_at, currency="USD", total=1000, items=[item]))
    assert books.issue(0, everything=True, reason="returned", other_kind="cash")
    return books


def test_what_came_back_is_in_the_row_of_what_was_sold(books: Books) -> None:
    found = {}
    with Session(books.engine) as session:
        scope = Scope.of(session, books.storefront, ALL)
        for name in DIMENSIONS:
            (block,) = ItemFigures(scope, by=name).read(session)
            found[name] = [(row.sold, row.refunded) for row in block.rows]

    assert found == {name: [(1000, 1000)] for name in DIMENSIONS}
