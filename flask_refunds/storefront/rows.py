"""The host's rows as facts: one query for each part, however many orders it is for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select
from sqlalchemy.orm import Session

from flask_refunds import money
from flask_refunds.errors import MappingError
from flask_refunds.storefront.facts import (
    ChargeFacts,
    CustomerFacts,
    LineFacts,
    OrderBundle,
    OrderFacts,
    PaymentFacts,
    PriorFacts,
)
from flask_refunds.storefront.mapping import Storefront
from flask_refunds.storefront.values import Key


@dataclass(frozen=True)
class OrderRow:
    """An order with the raw values that its lines, payments and prior refunds point to."""

    facts: OrderFacts
    line_of: tuple[Any, ...]
    payment_of: tuple[Any, ...]
    prior_of: tuple[Any, ...]


def order_rows(session: Session, storefront: Storefront, statement: Select[Any]) -> list[OrderRow]:
    """Return the orders that *statement* selects, with their customers' names: two queries."""
    rows = [order_row(storefront, row) for row in session.execute(statement)]
    return with_customers(session, storefront, rows)


def order_row(storefront: Storefront, row: Any) -> OrderRow:
    """Return one row of the mapping's orders as facts, without its customer's name."""
    orders = storefront.orders
    key = storefront.order_key.raw(row, "key")
    if key is None:
        raise MappingError("Orders.key is NULL on a row; map a key that every order has.")
    ref = storefront.order_key.to_ref(key)
    currency = str(row.currency or "").strip().upper()
    try:
        money.exponent(currency)
    except ValueError as error:
        raise MappingError(f"Orders.currency of order {ref}: {error}.") from None
    customer_ref = None
    if orders.customer is not None:
        customer_key = Key(orders.customer, "Orders.customer")
        customer = customer_key.raw(row, "customer")
        customer_ref = customer_key.to_ref(customer) if customer is not None else None
    facts = OrderFacts(
        ref=ref,
        number=str(row.number),
        customer_ref=customer_ref,
        customer_name=row.guest_name or "",
        customer_email=row.guest_email or "",
        placed_at=as_utc(row.placed_at, storefront, "Orders.placed_at"),
        currency=currency,
        total=orders.total.read(row.total, currency),
        is_paid=bool(row.paid),
        charges=tuple(
            ChargeFacts(
                name=charge.name,
                label=charge.title,
                kind=charge.kind,
                effect=charge.effect,
                over=charge.over,
                amount=charge.amount.read(getattr(row, f"charge{i}"), currency),
                tax=charge.tax.read(getattr(row, f"charge_tax{i}"), currency)
                if charge.tax is not None
                else 0,
            )
            for i, charge in enumerate(orders.charges)
            if getattr(row, f"charge{i}")
        ),
    )

    def pointed(part: Any, prefix: str) -> tuple[Any, ...]:
        if part is None or part.of is None:
            return key
        return Key(part.of, "of").raw(row, prefix) or ()

    return OrderRow(
        facts,
        pointed(storefront.lines, "line_of"),
        pointed(storefront.payments, "payment_of"),
        pointed(storefront.prior_refunds, "prior_of"),
    )


def with_customers(
    session: Session, storefront: Storefront, rows: list[OrderRow]
) -> list[OrderRow]:
    """Fill in names and addresses of the orders that belong to a customer: one query."""
    key = storefront.customer_key
    refs = {row.facts.customer_ref for row in rows} - {None}
    if key is None or not refs:
        return rows
    values = [key.from_ref(ref) for ref in refs if ref is not None]
    found = session.execute(storefront.customers_statement().where(key.among(values)))
    by_ref = {c.ref: c for c in (customer_facts(key, row) for row in found)}
    filled = []
    for row in rows:
        customer = by_ref.get(row.facts.customer_ref or "")
        if customer is None:
            filled.append(row)
            continue
        named = replace(row.facts, customer_name=customer.name, customer_email=customer.email)
        filled.append(replace(row, facts=named))
    return filled


def customer_facts(key: Key, row: Any) -> CustomerFacts:
    """Return one row of the mapping's customers as facts."""
    values = key.raw(row, "key")
    assert values is not None
    return CustomerFacts(ref=key.to_ref(values), name=row.name or "", email=row.email or "")


def bundles_of(
    session: Session, storefront: Storefront, rows: Sequence[OrderRow]
) -> list[OrderBundle]:
    """Return each order with its lines, payments and prior refunds: three queries."""
    lines = _lines(session, storefront, rows)
    payments, mapped = _payments(session, storefront, rows)
    prior = _prior(session, storefront, rows)
    return [
        OrderBundle(
            order=row.facts,
            lines=tuple(lines[row.facts.ref]),
            payments=tuple(payments[row.facts.ref]),
            prior=tuple(prior[row.facts.ref]),
            has_payments=row.facts.ref in mapped,
        )
        for row in rows
    ]


def _owners(rows: Sequence[OrderRow], attribute: str) -> Mapping[tuple[Any, ...], OrderFacts]:
    return {getattr(row, attribute): row.facts for row in rows if getattr(row, attribute)}


def _lines(
    session: Session, storefront: Storefront, rows: Sequence[OrderRow]
) -> Mapping[str, list[LineFacts]]:
    p = storefront.lines
    key, order = Key(p.key, "Lines.key"), Key(p.order, "Lines.order")
    owners = _owners(rows, "line_of")
    found: dict[str, list[LineFacts]] = defaultdict(list)
    statement = storefront.lines_statement().where(order.among(list(owners)))
    for row in session.execute(statement.order_by(*key.columns)):
        owner = owners.get(order.raw(row, "order") or ())
        if owner is not None:  # a case-insensitive collation may match another order's text
            found[owner.ref].append(line_facts(storefront, row, owner))
    return found


def line_facts(storefront: Storefront, row: Any, owner: OrderFacts) -> LineFacts:
    """Return one row of the mapping's lines, which belongs to *owner*, as facts."""
    p = storefront.lines
    key = Key(p.key, "Lines.key")
    raw = key.raw(row, "key")
    if raw is None:
        raise MappingError("Lines.key is NULL on a row; map a key that every line has.")
    total = p.total.read(row.total, owner.currency)
    return LineFacts(
        ref=key.to_ref(raw),
        order_ref=owner.ref,
        sku=str(row.sku or ""),
        description=str(row.description or ""),
        quantity=_pieces(row.quantity, owner),
        list_price=p.list.read(row.list, owner.currency) if p.list else total,
        total=total,
        tax=p.tax.read(row.tax, owner.currency) if p.tax else 0,
        dimensions={name: getattr(row, f"dim_{name}") for name in p.dimensions},
    )


def _payments(
    session: Session, storefront: Storefront, rows: Sequence[OrderRow]
) -> tuple[Mapping[str, list[PaymentFacts]], set[str]]:
    p = storefront.payments
    found: dict[str, list[PaymentFacts]] = defaultdict(list)
    if p is None:
        return found, set()
    key, order = Key(p.key, "Payments.key"), Key(p.order, "Payments.order")
    owners = _owners(rows, "payment_of")
    statement = storefront.payments_statement().where(order.among(list(owners)))
    for row in session.execute(statement.order_by(*key.columns)):
        owner = owners.get(order.raw(row, "order") or ())
        if owner is not None:  # a case-insensitive collation may match another order's text
            found[owner.ref].append(payment_facts(storefront, row, owner))
    return found, set(found)


def payment_facts(storefront: Storefront, row: Any, owner: OrderFacts) -> PaymentFacts:
    """Return one row of the mapping's payments, which belongs to *owner*, as facts."""
    p = storefront.payments
    assert p is not None
    key = Key(p.key, "Payments.key")
    raw = key.raw(row, "key")
    if raw is None:
        raise MappingError("Payments.key is NULL on a row; map a key that every payment has.")
    currency = str(row.currency).strip().upper() if p.currency is not None else owner.currency
    return PaymentFacts(
        ref=key.to_ref(raw),
        order_ref=owner.ref,
        gateway=row.gateway or None if p.gateway is not None else None,
        charge_id=row.transaction or None if p.transaction is not None else None,
        amount=p.amount.read(row.amount, currency),
        currency=currency,
        captured=bool(row.captured),
        label=str(row.label or ""),
    )


def _prior(
    session: Session, storefront: Storefront, rows: Sequence[OrderRow]
) -> Mapping[str, list[PriorFacts]]:
    p = storefront.prior_refunds
    found: dict[str, list[PriorFacts]] = defaultdict(list)
    if p is None:
        return found
    key, order = Key(p.key, "PriorRefunds.key"), Key(p.order, "PriorRefunds.order")
    owners = _owners(rows, "prior_of")

    def named(row: Any, name: str) -> str | None:
        value = getattr(p, name)
        if value is None:
            return None
        pointer = Key(value, f"PriorRefunds.{name}")
        raw = pointer.raw(row, name)
        return pointer.to_ref(raw) if raw is not None else None

    statement = storefront.prior_statement().where(order.among(list(owners)))
    for row in session.execute(statement.order_by(*key.columns)):
        owner, raw = owners.get(order.raw(row, "order") or ()), key.raw(row, "key")
        if owner is None:  # a case-insensitive collation matched another order's text
            continue
        if raw is None:
            raise MappingError("PriorRefunds.key is NULL on a row; map a key that every one has.")
        amount = p.amount.read(row.amount, owner.currency)
        if amount < 0:
            raise MappingError(
                f"PriorRefunds.amount of order {owner.number} is {row.amount!r}, below zero. Map "
                "what was given back as a positive amount: minor(func.abs(...))."
            )
        found[owner.ref].append(
            PriorFacts(
                ref=key.to_ref(raw),
                order_ref=owner.ref,
                amount=amount,
                at=as_utc(row.at, storefront, "PriorRefunds.at"),
                succeeded=bool(row.succeeded),
                gateway_id=_id(row.gateway_id) if p.gateway_id is not None else None,
                line_ref=named(row, "line"),
                payment_ref=named(row, "payment"),
            )
        )
    return found


def as_utc(value: Any, storefront: Storefront, name: str) -> datetime:
    """Return *value*, a time of the host's from the attribute *name*, as an aware UTC time."""
    if not isinstance(value, datetime):
        raise MappingError(f"{name} gave {value!r}, which is no date and time. Map a DateTime.")
    if value.tzinfo is None:
        return value.replace(tzinfo=ZoneInfo(storefront.timezone)).astimezone(UTC)
    return value.astimezone(UTC)


def _id(raw: Any) -> str | None:
    """Return an id at the gateway, which a host may keep as a number."""
    return str(raw) if raw is not None else None


def _pieces(raw: Any, order: OrderFacts) -> int:
    if raw is None or raw != int(raw) or raw < 0:
        raise MappingError(
            f"Lines.quantity of order {order.number} is {raw!r}, which is no number of pieces. "
            "Map whole pieces, or the literal 1 for goods sold by weight."
        )
    return int(raw)
