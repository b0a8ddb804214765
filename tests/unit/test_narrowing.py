"""Which of a host's SELECTs may be narrowed by a key: told from the statement alone."""

from typing import Any

import pytest
from sqlalchemy import String, cast, func, literal, literal_column, select, sql, text
from sqlalchemy.orm import Bundle, DeclarativeBase, Mapped, aliased, mapped_column

from flask_refunds.figures.narrowing import may_narrow


class Host(DeclarativeBase):
    """A shop."""


class Sale(Host):
    __tablename__ = "sale"

    line: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]
    cents: Mapped[int]


NUMBER = select(Sale.number.label("key"), func.sum(Sale.cents).label("cents"))
ROWS = select(Sale.line.label("key"), Sale.cents)
EXPRESSION = Sale.number + "/" + cast(Sale.line, String)
OF_ONE_SALE = select(Sale.number).where(Sale.line == 1).scalar_subquery()


@pytest.mark.parametrize(
    "statement",
    [
        NUMBER.group_by(Sale.number),
        NUMBER.group_by("key"),
        NUMBER.group_by(Sale.line, Sale.number),
        NUMBER.group_by(Sale.number).having(func.sum(Sale.cents) > 0),
        NUMBER.group_by(Sale.number, func.rollup(Sale.line)),
        select(EXPRESSION.label("key"), func.sum(Sale.cents)).group_by(EXPRESSION),
        ROWS,
        ROWS.add_columns(func.coalesce(Sale.number, "").label("number")),
        ROWS.add_columns(select(func.max(Sale.cents)).scalar_subquery()),
        select(Sale.line.label("key"), Sale),
        select(aliased(Sale).line.label("key")),
        select(Sale.line.label("key"), Bundle("more", Sale.number, Sale.cents)),
        select(*ROWS.union_all(ROWS).subquery().c),
        select(*ROWS.limit(5).cte().c),
        select(OF_ONE_SALE.label("key"), Sale.cents),
    ],
)
def test_may_where_every_row_has_one_value(statement: Any) -> None:
    assert may_narrow(statement, "key")


@pytest.mark.parametrize(
    "statement",
    [
        NUMBER,
        NUMBER.having(func.sum(Sale.cents) > 0),
        NUMBER.group_by(Sale.line),
        NUMBER.group_by(text("1")),
        NUMBER.group_by(func.rollup(Sale.number)),
        NUMBER.group_by(func.grouping_sets(Sale.number, Sale.line)),
        NUMBER.group_by(Sale.number).suffix_with("WITH ROLLUP"),
        NUMBER.group_by(Sale.number).with_statement_hint("SOMETHING"),
        ROWS.prefix_with("DISTINCT"),
        ROWS.having(literal(1) == 1),
        ROWS.add_columns(func.count().over().label("rows")),
        NUMBER.group_by(Sale.number).add_columns(func.rank().over().label("rank")),
        ROWS.add_columns(func.string_agg(Sale.number, ",").label("all")),
        ROWS.add_columns(func.my_own(Sale.number).label("all")),
        ROWS.add_columns((func.max(Sale.cents) + 1).label("more")),
        ROWS.add_columns(literal_column("sum(cents)").label("all")),
        ROWS.add_columns(text("sum(cents)")),
        select(func.max(Sale.line).label("key"), Sale.number).group_by(Sale.number),
        select(func.unnest(Sale.number).column_valued("key")),
    ],
)
def test_may_not_where_rows_are_put_together_otherwise_or_it_cannot_be_told(
    statement: Any,
) -> None:
    assert not may_narrow(statement, "key")


def test_may_not_with_a_clause_that_an_extension_brings() -> None:
    if not hasattr(sql, "SyntaxExtension"):
        pytest.skip("SQLAlchemy 2.0 has no extensions of its syntax")

    class Qualify(sql.SyntaxExtension, sql.ClauseElement):
        def apply_to_select(self, statement: Any) -> None:
            statement.apply_syntax_extension_point(lambda _: [self], "post_criteria")

    assert not may_narrow(ROWS.ext(Qualify()), "key")
