"""The read-only mapping of the host's tables: what a developer declares, and its validation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Select, Table, select
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.visitors import iterate

from flask_refunds import money
from flask_refunds.errors import MappingError
from flask_refunds.storefront.facts import ChargeEffect, ChargeKind, ChargeOver, LineTax
from flask_refunds.storefront.texts import exact_text
from flask_refunds.storefront.values import (
    Key,
    amount_expression,
    condition,
    expression,
    model_of,
    one_of,
)


@dataclass(frozen=True, kw_only=True)
class Charge:
    """Something on an order beside its lines.

    ``kind="row"``: shipping or a fee, refundable as a row of its own, with its ``tax``.
    ``kind="spread"``: what belongs to the lines and is divided over them by largest remainder:
    ``effect="discount"`` (amount positive, taken off), ``"tax"`` (order-level sales tax, added) or
    ``"price"``. ``over`` says whether charge rows bear their share too. ``name`` is the row's
    stable key in our tables.
    """

    name: str
    kind: ChargeKind
    amount: Any
    tax: Any = None
    label: str = ""
    effect: ChargeEffect = "discount"
    over: ChargeOver = "lines"

    @property
    def title(self) -> str:
        """What people call it: the label, or the name in words."""
        return self.label or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, kw_only=True)
class Orders:
    """The host's orders. ``customer`` may be NULL (guest); ``paid`` is a predicate.

    ``total`` counts as paid where ``paid`` holds and the order has no mapped payment.
    """

    key: Any
    number: Any
    placed_at: Any
    currency: Any
    total: Any
    paid: Any
    customer: Any = None
    guest_name: Any = ""
    guest_email: Any = ""
    charges: Sequence[Charge] = ()
    source: Any = None
    where: Any = None
    model: type | None = None


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The lines of orders. ``total`` includes ``tax``; ``list`` is before the order's discount.

    ``order`` holds the value of ``of``, an expression on the order (default: its key).
    ``dimensions`` are report keys (product, category) that are kept with each refunded line, as the
    text that the database makes of them.
    """

    key: Any
    order: Any
    description: Any
    quantity: Any
    total: Any
    list: Any = None
    tax: Any = None
    sku: Any = ""
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    of: Any = None
    source: Any = None
    where: Any = None


@dataclass(frozen=True, kw_only=True)
class Payments:
    """The payments of orders. ``gateway`` names one of the configured gateways, or is NULL."""

    key: Any
    order: Any
    amount: Any
    gateway: Any
    transaction: Any
    currency: Any = None
    captured: Any = True
    label: Any = ""
    of: Any = None
    source: Any = None
    where: Any = None


@dataclass(frozen=True, kw_only=True)
class Customers:
    """The host's customers."""

    key: Any
    name: Any
    email: Any = ""
    source: Any = None
    where: Any = None
    model: type | None = None


@dataclass(frozen=True, kw_only=True)
class PriorRefunds:
    """Refunds that the host made before us or beside us; they count where ``succeeded``."""

    key: Any
    order: Any
    amount: Any
    at: Any
    succeeded: Any = True
    gateway_id: Any = None
    line: Any = None
    payment: Any = None
    of: Any = None
    source: Any = None
    where: Any = None


@dataclass(frozen=True, kw_only=True)
class Storefront:
    """Everything that we read of a shop. We never write its rows.

    ``line_tax`` says whether the host's line tax was computed before or after the order's
    discount; ``timezone`` in which zone its naive times are (default UTC).
    """

    orders: Orders
    lines: Lines
    payments: Payments | None = None
    customers: Customers | None = None
    prior_refunds: PriorRefunds | None = None
    line_tax: LineTax = "before_discount"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        self._check_words()
        for part, _, statement in self.statements():
            froms = statement.get_final_froms()
            if len(froms) > 1:
                names = ", ".join(str(f) for f in froms)
                raise MappingError(
                    f"{part} reads from {names} at once. Pass source=, a join that connects them."
                )
        charges = [charge.name for charge in self.orders.charges]
        if len(set(charges)) < len(charges):
            raise MappingError("Orders.charges: two charges have the same name; make them unique.")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise MappingError(
                f"Storefront.timezone is {self.timezone!r}. Pass an IANA name, as 'Europe/Paris'."
            ) from None
        binds = self.bind_keys()
        if len(binds) > 1:
            raise MappingError(
                f"The storefront's tables are on several binds ({sorted(map(str, binds))}). All of "
                "its parts must be in one database, so that one transaction can lock and read them."
            )

    def _check_words(self) -> None:
        one_of("Storefront.line_tax", self.line_tax, LineTax)
        for charge in self.orders.charges:
            name = f"Orders.charges[{charge.name!r}]"
            one_of(f"{name}.kind", charge.kind, ChargeKind)
            one_of(f"{name}.effect", charge.effect, ChargeEffect)
            one_of(f"{name}.over", charge.over, ChargeOver)
        if isinstance(self.orders.currency, str):
            try:
                money.exponent(self.orders.currency)
            except ValueError as error:
                raise MappingError(
                    f"Orders.currency: {error}. Pass a column, or a code such as 'EUR'."
                ) from None

    @cached_property
    def order_key(self) -> Key:
        return Key(self.orders.key, "Orders.key")

    @cached_property
    def customer_key(self) -> Key | None:
        return Key(self.customers.key, "Customers.key") if self.customers else None

    @property
    def order_model(self) -> type | None:
        """The host's order class, if it can be told from the mapping."""
        return self.orders.model or model_of(self.orders.key)

    @property
    def customer_model(self) -> type | None:
        """The host's customer class, if it can be told from the mapping."""
        if self.customers is None:
            return None
        return self.customers.model or model_of(self.customers.key)

    def tables(self) -> Iterator[Table]:
        """Yield all mapped tables, each as often as it is mentioned."""
        for _, _, statement in self.statements():
            for element in iterate(statement):
                if isinstance(element, Table):
                    yield element

    def bind_keys(self) -> set[str | None]:
        """Return the Flask-SQLAlchemy bind keys of all mapped tables."""
        return {table.metadata.info.get("bind_key") for table in self.tables()}

    def statements(self) -> Iterator[tuple[str, Any, Select[Any]]]:
        """Yield each mapped part's name, declaration and select, validating every value."""
        yield "Orders", self.orders, self.orders_statement()
        yield "Lines", self.lines, self.lines_statement()
        if self.payments is not None:
            yield "Payments", self.payments, self.payments_statement()
        if self.customers is not None:
            yield "Customers", self.customers, self.customers_statement()
        if self.prior_refunds is not None:
            yield "PriorRefunds", self.prior_refunds, self.prior_statement()

    def orders_statement(self) -> Select[Any]:
        o = self.orders
        columns = self.order_key.labelled("key")
        if o.customer is not None:
            columns += Key(o.customer, "Orders.customer").labelled("customer")
        columns += _plain(o, "Orders", "number placed_at currency guest_name guest_email")
        columns.append(condition(o.paid, "Orders.paid").label("paid"))
        columns.append(amount_expression(o.total, "Orders.total").label("total"))
        for i, charge in enumerate(o.charges):
            name = f"Orders.charges[{charge.name!r}]"
            columns.append(amount_expression(charge.amount, f"{name}.amount").label(f"charge{i}"))
            if charge.tax is not None:
                columns.append(amount_expression(charge.tax, f"{name}.tax").label(f"charge_tax{i}"))
        for prefix, part in (
            ("line_of", self.lines),
            ("payment_of", self.payments),
            ("prior_of", self.prior_refunds),
        ):
            if part is not None and part.of is not None:
                columns += Key(part.of, f"{type(part).__name__}.of").labelled(prefix)
        return _select(o, columns)

    def lines_statement(self) -> Select[Any]:
        p = self.lines
        columns = Key(p.key, "Lines.key").labelled("key")
        columns += Key(p.order, "Lines.order").labelled("order")
        columns += _plain(p, "Lines", "description quantity sku")
        columns += _amounts(p, "Lines", "total list tax")
        columns += [
            exact_text(expression(value, f"Lines.dimensions[{name!r}]")).label(f"dim_{name}")
            for name, value in p.dimensions.items()
        ]
        return _select(p, columns)

    def payments_statement(self) -> Select[Any]:
        p = self.payments
        assert p is not None
        columns = Key(p.key, "Payments.key").labelled("key")
        columns += Key(p.order, "Payments.order").labelled("order")
        columns += _plain(p, "Payments", "gateway transaction currency label")
        columns.append(condition(p.captured, "Payments.captured").label("captured"))
        columns += _amounts(p, "Payments", "amount")
        return _select(p, columns)

    def customers_statement(self) -> Select[Any]:
        p = self.customers
        assert p is not None
        columns = Key(p.key, "Customers.key").labelled("key")
        return _select(p, columns + _plain(p, "Customers", "name email"))

    def prior_statement(self) -> Select[Any]:
        p = self.prior_refunds
        assert p is not None
        columns = Key(p.key, "PriorRefunds.key").labelled("key")
        columns += Key(p.order, "PriorRefunds.order").labelled("order")
        columns += _plain(p, "PriorRefunds", "at gateway_id")
        columns.append(condition(p.succeeded, "PriorRefunds.succeeded").label("succeeded"))
        for name in ("line", "payment"):
            if getattr(p, name) is not None:
                columns += Key(getattr(p, name), f"PriorRefunds.{name}").labelled(name)
        return _select(p, columns + _amounts(p, "PriorRefunds", "amount"))


def _plain(part: Any, part_name: str, names: str) -> list[ColumnElement[Any]]:
    """Return the labelled expressions of the attributes that are set."""
    return [
        expression(getattr(part, name), f"{part_name}.{name}").label(name)
        for name in names.split()
        if getattr(part, name) is not None
    ]


def _amounts(part: Any, part_name: str, names: str) -> list[ColumnElement[Any]]:
    return [
        amount_expression(getattr(part, name), f"{part_name}.{name}").label(name)
        for name in names.split()
        if getattr(part, name) is not None
    ]


def _select(part: Any, columns: list[ColumnElement[Any]]) -> Select[Any]:
    statement = select(*columns)
    if part.source is not None:
        statement = statement.select_from(part.source)
    if part.where is not None:
        statement = statement.where(part.where)
    return statement
