"""A wrong mapping is refused at start, with the attribute and the remedy in the message."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import ForeignKey, MetaData, String, func, select
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
)

from flask_refunds import Charge, Lines, Orders, Payments, Storefront, major, minor
from flask_refunds.errors import MappingError
from flask_refunds.storefront.values import Amount, Key


class Base(DeclarativeBase):
    pass


class Buyer(Base):
    __tablename__ = "buyer"
    id: Mapped[int] = mapped_column(primary_key=True)


class Sale(Base):
    __tablename__ = "sale"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    buyer_id: Mapped[int] = mapped_column(ForeignKey("buyer.id"))
    placed_at: Mapped[datetime]
    cents: Mapped[int]
    buyer: Mapped[Buyer] = relationship()

    @hybrid_property
    def gross(self) -> int:
        return self.cents + 1

    @property
    def total(self) -> int:
        return self.cents


class Row(Base):
    __tablename__ = "row"
    sale_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))
    pieces: Mapped[int]
    cents: Mapped[int]


class Elsewhere(DeclarativeBase):
    metadata = MetaData(info={"bind_key": "archive"})


class Receipt(Elsewhere):
    __tablename__ = "receipt"
    id: Mapped[int] = mapped_column(primary_key=True)
    sale_id: Mapped[uuid.UUID]
    cents: Mapped[int]


def orders(**wishes: Any) -> Orders:
    known: dict[str, Any] = {
        "key": Sale.id,
        "number": Sale.number,
        "placed_at": Sale.placed_at,
        "currency": "USD",
        "total": minor(Sale.cents),
        "paid": True,
        **wishes,
    }
    return Orders(**known)


def lines(**wishes: Any) -> Lines:
    known: dict[str, Any] = {
        "key": (Row.sale_id, Row.position),
        "order": Row.sale_id,
        "description": Row.title,
        "quantity": Row.pieces,
        "total": minor(Row.cents),
        **wishes,
    }
    return Lines(**known)


def test_a_mapping_may_be_columns_literals_expressions_and_subqueries() -> None:
    rows = select(func.sum(Row.cents)).where(Row.sale_id == Sale.id)
    storefront = Storefront(
        orders=orders(total=minor(rows), number=func.upper(Sale.number)), lines=lines()
    )
    assert storefront.order_model is Sale
    assert storefront.bind_keys() == {None}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (lambda: {"orders": orders(total=minor(Sale.total))}, "Orders.total is a plain Python"),
        (
            lambda: {"orders": orders(total=Sale.cents)},
            r"Orders.total has no unit. Write minor\(Sal",
        ),
        (lambda: {"orders": orders(customer=Sale.buyer)}, "Orders.customer is the relationship"),
        (lambda: {"orders": orders(paid=lambda: True)}, "Orders.paid is a plain Python function"),
        (lambda: {"lines": lines(key=Row)}, "Lines.key is"),
        (lambda: {"orders": orders(guest_name=Buyer.id)}, "Orders reads from .* Pass source="),
        (
            lambda: {"orders": orders(charges=[Charge(name="x", kind="row", amount=Sale.cents)])},
            r"Orders.charges\['x'\].amount has no unit",
        ),
        (
            lambda: {"orders": orders(charges=[Charge(name="x", kind="row", amount=minor(1))] * 2)},
            "two charges have the same name",
        ),
        (lambda: {"timezone": "Mars"}, "Storefront.timezone is 'Mars'"),
        (lambda: {"line_tax": "never"}, "Storefront.line_tax is 'never'. Pass one of"),
        (lambda: {"orders": orders(currency="XXQ")}, "Orders.currency: 'XXQ' is not an ISO"),
        (lambda: {"orders": orders(key="id")}, "Orders.key is the text 'id'"),
        (lambda: {"orders": orders(paid=Sale.number)}, "Orders.paid is a text, not a condition"),
        (
            lambda: {
                "orders": orders(charges=[Charge(name="x", kind="rows", amount=minor(1))])  # type: ignore[arg-type]
            },
            r"Orders.charges\['x'\].kind is 'rows'. Pass one of 'row', 'spread'",
        ),
        (
            lambda: {
                "orders": orders(
                    charges=[Charge(name="x", kind="row", amount=minor(1), effect="taxx")]  # type: ignore[arg-type]
                )
            },
            "effect is 'taxx'",
        ),
        (
            lambda: {
                "payments": Payments(
                    key=Receipt.id,
                    order=Receipt.sale_id,
                    amount=minor(Receipt.cents),
                    gateway=None,
                    transaction=None,
                )
            },
            "several binds",
        ),
    ],
)
def test_refuses_a_wrong_mapping_by_name(parts: Any, words: str) -> None:
    with pytest.raises(MappingError, match=words):
        Storefront(**{"orders": orders(), "lines": lines(), **parts()})


def test_a_hybrid_of_the_host_is_welcome() -> None:
    Storefront(orders=orders(total=minor(Sale.gross)), lines=lines())


@pytest.mark.parametrize(
    ("amount", "raw", "currency", "expected"),
    [
        (minor(1), 1234, "USD", 1234),
        (minor(1), Decimal(1234), "USD", 1234),
        (major(1), Decimal("12.34"), "USD", 1234),
        (major(1), 12.34, "USD", 1234),
        (major(1), 1.005, "USD", 101),
        (major(1), 1234, "JPY", 1234),
        (major(1), "1.234", "KWD", 1234),
        (major(1), None, "USD", 0),
    ],
)
def test_reads_amounts_in_their_own_unit(
    amount: Amount, raw: Any, currency: str, expected: int
) -> None:
    assert amount.read(raw, currency) == expected


@pytest.mark.parametrize(
    ("key", "values", "ref"),
    [
        (Buyer.id, (7,), "7"),
        (Sale.id, (uuid.UUID(int=1),), "00000000-0000-0000-0000-000000000001"),
        (Sale.number, ("A/7 ü",), "A/7 ü"),
        (
            (Row.sale_id, Row.position),
            (uuid.UUID(int=1), 2),
            '["00000000-0000-0000-0000-000000000001","2"]',
        ),
        (
            Sale.placed_at,
            (datetime(2026, 1, 2, tzinfo=UTC),),
            "2026-01-02T00:00:00+00:00",
        ),
    ],
)
def test_a_key_has_one_text_and_comes_back_as_the_hosts_own_type(
    key: Any, values: tuple[Any, ...], ref: str
) -> None:
    assert Key(key, "key").to_ref(values) == ref
    assert Key(key, "key").from_ref(ref) == values


@pytest.mark.parametrize("ref", ["", "x", '["1"]', "{}"])
def test_a_text_that_cannot_be_a_key_is_no_key(ref: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        Key((Row.sale_id, Row.position), "key").from_ref(ref)


def test_a_key_too_long_for_our_columns_is_refused() -> None:
    with pytest.raises(MappingError, match="longer than 190"):
        Key(Sale.number, "Orders.key").to_ref(("x" * 191,))
