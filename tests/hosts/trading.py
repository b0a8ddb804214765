"""Hosts that keep the same trade in different ways, for figures that must be the same in all.

Each kind has its own tables on its own metadata: how keys, money, pointers and times are kept is
what differs. :class:`Trade` stores orders that a test describes in minor units and UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_DNS, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Double,
    Engine,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    insert,
)

from flask_refunds import Charge, Customers, Lines, Orders, Payments, PriorRefunds, Storefront
from flask_refunds.money import to_decimal
from flask_refunds.storefront import major, minor
from flask_refunds.storefront.facts import LineTax


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line in minor units; ``listed`` is the price before its own discount."""

    sku: str
    quantity: int
    listed: int
    total: int
    tax: int
    category: str = ""


@dataclass(frozen=True, kw_only=True)
class Pay:
    """A payment in minor units; ``sale`` is its id at the gateway."""

    amount: int
    captured: bool = True
    sale: str | None = None


@dataclass(frozen=True, kw_only=True)
class Before:
    """A refund that the host made itself."""

    amount: int
    at: datetime
    succeeded: bool = True
    item: int | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deal:
    """An order in minor units; ``placed_at`` is aware."""

    placed_at: datetime
    currency: str
    total: int
    paid: bool = True
    items: Sequence[Item] = ()
    pays: Sequence[Pay] = ()
    before: Sequence[Before] = ()
    discount: int = 0
    everywhere: int = 0
    shipping: int = 0
    shipping_tax: int = 0
    fee: int = 0
    sales_tax: int = 0


CHARGES = ("discount", "everywhere", "shipping", "shipping_tax", "fee", "sales_tax")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a host keeps things: the types of its columns, and how values get into them."""

    key: Callable[[], Any]
    as_key: Callable[[int], Any]
    money: Callable[[], Any]
    as_money: Callable[[int, str], Any]
    unit: Callable[[Any], Any]
    composite: bool = False
    by_number: bool = False
    timezone: str = "UTC"
    aware: bool = False


KINDS: Mapping[str, Kind] = {
    "cents": Kind(
        key=Integer,
        as_key=lambda n: n,
        money=Integer,
        as_money=lambda amount, _: amount,
        unit=minor,
    ),
    "floats": Kind(
        key=Integer,
        as_key=lambda n: n,
        money=Double,
        as_money=lambda amount, currency: float(to_decimal(amount, currency)),
        unit=major,
        by_number=True,
        timezone="Europe/Berlin",
    ),
    "uuids": Kind(
        key=Uuid,
        as_key=lambda n: uuid5(NAMESPACE_DNS, str(n)),
        money=lambda: Numeric(18, 4),
        as_money=lambda amount, currency: Decimal(to_decimal(amount, currency)),
        unit=major,
        aware=True,
    ),
    "composite": Kind(
        key=lambda: String(20),
        as_key=lambda n: f"k{n:05}",
        money=Integer,
        as_money=lambda amount, _: amount,
        unit=minor,
        composite=True,
    ),
}


@dataclass
class Trade:
    """A host of one kind, with its tables and its mapping. ``refs`` are its orders', in order."""

    kind: Kind
    line_tax: LineTax = "before_discount"
    metadata: MetaData = field(default_factory=MetaData)
    stored: int = 0
    lines: int = 0

    def __post_init__(self) -> None:
        kind, m = self.kind, self.metadata
        shop = [Column("shop", Integer, primary_key=True)] if kind.composite else []
        at = DateTime(timezone=kind.aware)
        amounts = [Column(name, kind.money()) for name in ("total", *CHARGES)]
        self.orders = Table(
            "trade_order",
            m,
            *shop,
            Column("id", kind.key(), primary_key=True, autoincrement=False),
            Column("number", String(20)),
            Column("customer", Integer),
            Column("placed_at", at),
            Column("currency", String(8)),
            Column("paid", Boolean),
            *amounts,
        )

        def pointer() -> list[Column[Any]]:
            shop = [Column("order_shop", Integer)] if kind.composite else []
            return [*shop, Column("order", String(20) if kind.by_number else kind.key())]

        self.items = Table(
            "trade_item",
            m,
            Column("id", kind.key(), primary_key=True, autoincrement=False),
            *pointer(),
            Column("sku", String(40)),
            Column("name", String(80)),
            Column("category", String(40)),
            Column("quantity", Integer),
            *(Column(name, kind.money()) for name in ("listed", "total", "tax")),
        )
        self.payments = Table(
            "trade_payment",
            m,
            Column("id", Integer, primary_key=True),
            *pointer(),
            Column("sale", String(40)),
            Column("captured", Boolean),
            Column("amount", kind.money()),
        )
        self.before = Table(
            "trade_refund",
            m,
            Column("id", Integer, primary_key=True),
            *pointer(),
            Column("item", kind.key(), nullable=True),
            Column("at", at),
            Column("succeeded", Boolean),
            Column("gateway_id", String(40)),
            Column("amount", kind.money()),
        )
        self.customers = Table(
            "trade_customer", m, Column("id", Integer, primary_key=True), Column("name", String(40))
        )

    def storefront(self) -> Storefront:
        """Return the mapping of this host."""
        o, i, p, b, unit = (
            self.orders.c, self.items.c, self.payments.c, self.before.c, self.kind.unit,
        )  # fmt: skip

        def order_of(table: Any) -> Any:
            return (table.order_shop, table.order) if self.kind.composite else table.order

        of = o.number if self.kind.by_number else None
        return Storefront(
            orders=Orders(
                key=(o.shop, o.id) if self.kind.composite else o.id,
                number=o.number,
                customer=o.customer,
                placed_at=o.placed_at,
                currency=o.currency,
                total=unit(o.total),
                paid=o.paid,
                charges=[
                    Charge(name="discount", kind="spread", amount=unit(o.discount)),
                    Charge(
                        name="shipping",
                        kind="row",
                        amount=unit(o.shipping),
                        tax=unit(o.shipping_tax),
                    ),
                    Charge(
                        name="everywhere",
                        kind="spread",
                        over="lines+rows",
                        amount=unit(o.everywhere),
                    ),
                    Charge(name="fee", kind="row", amount=unit(o.fee)),
                    Charge(
                        name="sales_tax",
                        kind="spread",
                        effect="tax",
                        over="lines+rows",
                        amount=unit(o.sales_tax),
                    ),
                ],
            ),
            lines=Lines(
                key=i.id,
                order=order_of(i),
                of=of,
                sku=i.sku,
                description=i.name,
                quantity=i.quantity,
                list=unit(i.listed),
                total=unit(i.total),
                tax=unit(i.tax),
                dimensions={"category": i.category},
            ),
            payments=Payments(
                key=p.id,
                order=order_of(p),
                of=of,
                gateway="memory",
                transaction=p.sale,
                captured=p.captured,
                amount=unit(p.amount),
            ),
            customers=Customers(key=self.customers.c.id, name=self.customers.c.name),
            prior_refunds=PriorRefunds(
                key=b.id,
                order=order_of(b),
                of=of,
                at=b.at,
                amount=unit(b.amount),
                succeeded=b.succeeded,
                gateway_id=b.gateway_id,
                line=b.item,
            ),
            line_tax=self.line_tax,
            timezone=self.kind.timezone,
        )

    def ref(self, number: int) -> str:
        """Return our reference of the order *number*, counted from 1."""
        key = self.kind.as_key(number)
        return f'["{number % 3}","{key}"]' if self.kind.composite else str(key)

    def store(self, engine: Engine, deals: Sequence[Deal]) -> list[str]:
        """Write *deals* to the host's tables; return our references of their orders."""
        refs = []
        with engine.begin() as connection:
            for deal in deals:
                self.stored += 1
                number = self.stored
                refs.append(self.ref(number))
                key = self.kind.as_key(number)
                shop = {"shop": number % 3} if self.kind.composite else {}
                of = self._pointer(number)

                def money(amount: int, currency: str = deal.currency) -> Any:
                    return self.kind.as_money(amount, currency)

                order = {
                    "id": key,
                    "number": f"N{number}",
                    "customer": None,
                    "placed_at": self.moment(deal.placed_at),
                    "currency": deal.currency,
                    "paid": deal.paid,
                    "total": money(deal.total),
                    **{name: money(getattr(deal, name)) for name in CHARGES},
                }
                connection.execute(insert(self.orders).values({**shop, **order}))
                items = []
                for item in deal.items:
                    self.lines += 1
                    items.append(self.kind.as_key(self.lines))
                    row = {
                        "id": items[-1],
                        "sku": item.sku,
                        "name": f"Item {item.sku}",
                        "category": item.category,
                        "quantity": item.quantity,
                        "listed": money(item.listed),
                        "total": money(item.total),
                        "tax": money(item.tax),
                    }
                    connection.execute(insert(self.items).values({**of, **row}))
                for pay in deal.pays:
                    row = {
                        "sale": pay.sale,
                        "captured": pay.captured,
                        "amount": money(pay.amount),
                    }
                    connection.execute(insert(self.payments).values({**of, **row}))
                for before in deal.before:
                    of_item = items[before.item] if before.item is not None else None
                    values = {**of, **self._refund(before, deal.currency, of_item)}
                    connection.execute(insert(self.before).values(values))
        return refs

    def note_refund(self, engine: Engine, number: int, before: Before, currency: str) -> None:
        """Write a refund of the order *number* to the host's own table of them."""
        values = {**self._pointer(number), **self._refund(before, currency, None)}
        with engine.begin() as connection:
            connection.execute(insert(self.before).values(values))

    def _pointer(self, number: int) -> dict[str, Any]:
        key = self.kind.as_key(number)
        of = {"order": f"N{number}" if self.kind.by_number else key}
        return of | ({"order_shop": number % 3} if self.kind.composite else {})

    def _refund(self, before: Before, currency: str, item: Any) -> dict[str, Any]:
        return {
            "at": self.moment(before.at),
            "succeeded": before.succeeded,
            "gateway_id": before.gateway_id,
            "amount": self.kind.as_money(before.amount, currency),
            "item": item,
        }

    def moment(self, at: datetime) -> datetime:
        """Return an aware time as this host keeps it."""
        if self.kind.aware:
            return at
        return at.astimezone(ZoneInfo(self.kind.timezone)).replace(tzinfo=None)
