"""Reading hosts that differ as real ones do, on real databases, without writing a row."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import JSON, Engine, Float, Numeric, String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flask_refunds import Customers, Lines, Orders, Payments, PriorRefunds, Storefront, major
from flask_refunds.errors import MappingError, UnknownOrder
from flask_refunds.storefront.charges import read_orders_of_charges
from flask_refunds.storefront.reading import read_bundle, read_customer, read_page


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(String(40))
    email: Mapped[str] = mapped_column(String(40))


class Purchase(Base):
    """Lines and payments point to the number, not to the key."""

    __tablename__ = "purchase"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    person_id: Mapped[uuid.UUID | None]
    email: Mapped[str] = mapped_column(String(40), default="")
    placed_at: Mapped[datetime]
    currency: Mapped[str] = mapped_column(String(3))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    state: Mapped[str] = mapped_column(String(10), default="done")


class Article(Base):
    __tablename__ = "article"
    purchase_number: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(40))
    pieces: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    price: Mapped[float] = mapped_column(Float(53))
    deleted: Mapped[bool] = mapped_column(default=False)


class Money(Base):
    __tablename__ = "money"
    id: Mapped[int] = mapped_column(primary_key=True)
    purchase_number: Mapped[str] = mapped_column(String(20))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    ok: Mapped[bool]
    data: Mapped[dict[str, str]] = mapped_column(JSON)


class Refund(Base):
    """A host may have a Refund of its own, in a table of that name."""

    __tablename__ = "refund"
    id: Mapped[int] = mapped_column(primary_key=True)
    purchase_number: Mapped[str] = mapped_column(String(20))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    at: Mapped[datetime]
    ok: Mapped[bool]


STOREFRONT = Storefront(
    orders=Orders(
        key=Purchase.id,
        number=Purchase.number,
        customer=Purchase.person_id,
        guest_email=Purchase.email,
        placed_at=Purchase.placed_at,
        currency=Purchase.currency,
        total=major(Purchase.total),
        paid=Purchase.state == "done",
    ),
    lines=Lines(
        key=(Article.purchase_number, Article.position),
        order=Article.purchase_number,
        of=Purchase.number,
        description=Article.title,
        quantity=Article.pieces,
        total=major(Article.price),
        where=Article.deleted.is_(False),
    ),
    payments=Payments(
        key=Money.id,
        order=Money.purchase_number,
        of=Purchase.number,
        amount=major(Money.amount),
        gateway="braintree",
        transaction=Money.data["id"].as_string(),
        captured=Money.ok,
    ),
    customers=Customers(key=Person.id, name=Person.name, email=Person.email),
    prior_refunds=PriorRefunds(
        key=Refund.id,
        order=Refund.purchase_number,
        of=Purchase.number,
        amount=major(Refund.amount),
        at=Refund.at,
        succeeded=Refund.ok,
    ),
    timezone="Europe/Berlin",
)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC).replace(tzinfo=None)  # the host's time is naive


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


def fill(session: Session, *, count: int = 1, currency: str = "KWD") -> Person:
    """Add a person with *count* purchases of 3.5, each with two lines, the newest last."""
    person = Person(name="Ada", email="ada@example.com")
    session.add(person)
    session.flush()
    for i in range(count):
        number = f"N-{i:03}"
        session.add_all(
            [
                Purchase(
                    number=number,
                    person_id=person.id,
                    placed_at=NOON + timedelta(minutes=i // 2),
                    currency=currency,
                    total=Decimal("3.5"),
                ),
                Article(
                    purchase_number=number, position=1, title="Pen", pieces=Decimal(2), price=1.234
                ),
                Article(
                    purchase_number=number, position=2, title="Ink", pieces=Decimal(1), price=2.266
                ),
                Article(
                    purchase_number=number,
                    position=3,
                    title="Gone",
                    pieces=Decimal(1),
                    price=9,
                    deleted=True,
                ),
                Money(purchase_number=number, amount=Decimal("3.5"), ok=True, data={"id": f"t{i}"}),
                Money(purchase_number=number, amount=Decimal(9), ok=False, data={"id": "x"}),
                Refund(purchase_number=number, amount=Decimal("0.5"), at=NOON, ok=True),
                Refund(purchase_number=number, amount=Decimal("0.7"), at=NOON, ok=False),
            ]
        )
    session.commit()
    return person


def test_reads_an_order_with_all_that_belongs_to_it(session: Session) -> None:
    person = fill(session)
    key = str(session.query(Purchase.id).scalar())
    bundle = read_bundle(session, STOREFRONT, key)
    assert bundle.order.ref == key
    assert bundle.order.customer_ref == str(person.id)
    assert bundle.order.customer_name == "Ada"
    assert bundle.order.placed_at == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert bundle.order.total == 3500
    assert [(line.ref, line.quantity, line.total) for line in bundle.lines] == [
        ('["N-000","1"]', 2, 1234),
        ('["N-000","2"]', 1, 2266),
    ]
    assert [(p.charge_id, p.amount, p.captured) for p in bundle.payments] == [
        ("t0", 3500, True),
        ("x", 9000, False),
    ]
    assert (bundle.captured, bundle.prior_total) == (3500, 500)


@pytest.mark.parametrize("spelling", [str.upper, lambda ref: ref.replace("-", ""), lambda _: "x"])
def test_another_spelling_of_a_key_is_no_order(session: Session, spelling: object) -> None:
    fill(session)
    purchase = session.query(Purchase).one()
    purchase.id = uuid.UUID("abcdefab-cdef-abcd-efab-cdefabcdefab")
    session.commit()
    assert callable(spelling)
    read_bundle(session, STOREFRONT, str(purchase.id))
    with pytest.raises(UnknownOrder):
        read_bundle(session, STOREFRONT, spelling(str(purchase.id)))


def test_pages_are_newest_first_without_gap_or_repeat(session: Session) -> None:
    person = fill(session, count=7)
    seen: list[str] = []
    cursor, pages = None, 0
    while True:
        page = read_page(session, STOREFRONT, limit=3, customer_ref=str(person.id), after=cursor)
        seen += [bundle.order.number for bundle in page.bundles]
        pages += 1
        cursor = page.next
        if cursor is None:
            break
    assert pages == 3
    assert sorted(seen) == [f"N-{i:03}" for i in range(7)]
    moments = [int(number[2:]) // 2 for number in seen]
    assert moments == sorted(moments, reverse=True)


def test_a_page_takes_as_many_queries_for_one_order_as_for_many(session: Session) -> None:
    person = str(fill(session, count=9).id)
    counts = []
    for limit in (1, 9):
        statements: list[str] = []

        def note(*args: object, into: list[str] = statements) -> None:
            into.append(str(args[2]))

        engine = session.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        read_page(session, STOREFRONT, limit=limit, customer_ref=person)
        event.remove(engine, "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts == [5, 5]


def test_a_page_narrows_to_order_numbers_that_begin_so(session: Session) -> None:
    person = fill(session, count=3)
    for typed, found in {"N-00": 3, "n-001": 1, "%": 0, "_": 0}.items():
        page = read_page(session, STOREFRONT, limit=9, customer_ref=str(person.id), number=typed)
        assert len(page.bundles) == found, typed


def test_a_guest_is_found_by_address_and_a_customer_is_no_guest(session: Session) -> None:
    fill(session)
    session.query(Purchase).update({"email": "ada@example.com"})
    session.add(
        Purchase(
            number="G-1",
            email="ada@example.com",
            placed_at=NOON,
            currency="USD",
            total=Decimal(1),
        )
    )
    session.commit()
    page = read_page(session, STOREFRONT, limit=9, guest_email="ada@example.com")
    assert [bundle.order.number for bundle in page.bundles] == ["G-1"]


def test_finds_a_customer_by_the_canonical_key_only(session: Session) -> None:
    person = fill(session)
    found = read_customer(session, STOREFRONT, str(person.id))
    assert found is not None
    assert found.name == "Ada"
    assert read_customer(session, STOREFRONT, "x") is None
    assert read_customer(session, STOREFRONT, str(uuid.uuid4())) is None


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("currency", "??", "Orders.currency of order .* is not an ISO 4217"),
        ("pieces", Decimal("1.5"), "Lines.quantity of order N-000 is .*1.5.* no number of pieces"),
    ],
)
def test_a_row_that_cannot_be_read_names_the_order_and_the_remedy(
    session: Session, column: str, value: object, words: str
) -> None:
    fill(session)
    model = Purchase if column == "currency" else Article
    session.query(model).update({column: value})
    session.commit()
    with pytest.raises(MappingError, match=words):
        read_bundle(session, STOREFRONT, str(session.query(Purchase.id).scalar()))


def test_rounds_each_row_to_the_currency_before_anything_is_added(session: Session) -> None:
    fill(session, currency="JPY")
    bundle = read_bundle(session, STOREFRONT, str(session.query(Purchase.id).scalar()))
    assert [line.total for line in bundle.lines] == [1, 2]


def test_finds_the_orders_of_sales_by_the_gateways_id(session: Session) -> None:
    fill(session, count=3)
    keys = {number: str(id_) for number, id_ in session.query(Purchase.number, Purchase.id)}
    statements: list[str] = []
    event.listen(
        session.connection(),
        "before_cursor_execute",
        lambda _c, _k, statement, *_: statements.append(statement),
    )

    found = read_orders_of_charges(session, STOREFRONT, "braintree", ["t0", "t2", "x", "T1", "t9"])

    assert found == {
        "t0": (keys["N-000"],),
        "t2": (keys["N-002"],),
        "x": tuple(sorted(keys.values())),
    }
    assert len(statements) == 2
    assert read_orders_of_charges(session, STOREFRONT, "stripe", ["t0"]) == {}
    assert read_orders_of_charges(session, STOREFRONT, "braintree", []) == {}
    assert STOREFRONT.payments is not None
    numbered = replace(STOREFRONT, payments=replace(STOREFRONT.payments, transaction=Money.id))
    assert read_orders_of_charges(session, numbered, "braintree", ["1", "no number"]) == {
        "1": (keys["N-000"],)
    }
    cash = replace(STOREFRONT, payments=None)
    assert read_orders_of_charges(session, cash, "braintree", ["t0"]) == {}
