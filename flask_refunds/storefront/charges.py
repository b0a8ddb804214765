"""From the gateway's id of a sale to the orders that it paid for."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.orm import Session

from flask_refunds.storefront.mapping import Storefront
from flask_refunds.storefront.values import Key

AT_ONCE = 500
"""How many sales one query asks for."""


def read_orders_of_charges(
    session: Session, storefront: Storefront, gateway: str, charge_ids: Collection[str]
) -> Mapping[str, tuple[str, ...]]:
    """Return the refs of the orders that each of *charge_ids* of *gateway* paid for.

    Usually one; several where the shop has paid orders together, none where it knows no such
    sale. Two queries for each :data:`AT_ONCE` sales.
    """
    wanted = sorted(charge_ids)
    found: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(wanted), AT_ONCE):
        found.update(_read(session, storefront, gateway, wanted[start : start + AT_ONCE]))
    return found


def _read(
    session: Session, storefront: Storefront, gateway: str, charge_ids: list[str]
) -> Mapping[str, tuple[str, ...]]:
    p = storefront.payments
    if p is None:
        return {}
    transaction, pointer = (
        Key(p.transaction, "Payments.transaction"),
        Key(p.order, "Payments.order"),
    )
    statement = storefront.payments_statement()
    statement = statement.where(transaction.among(_values(transaction, charge_ids)))
    pointed: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for row in session.execute(statement):
        order = pointer.raw(row, "order")
        # A case-insensitive collation matches more than was asked for.
        if order is not None and row.gateway == gateway and str(row.transaction) in charge_ids:
            pointed[str(row.transaction)].add(order)
    refs = _refs(session, storefront, set().union(*pointed.values()))
    return {
        charge: tuple(sorted({ref for order in orders for ref in refs.get(order, ())}))
        for charge, orders in pointed.items()
    }


def _values(key: Key, texts: list[str]) -> list[tuple[Any, ...]]:
    """Return *texts* as the host keeps them; what cannot be one of its ids is left out."""
    values = []
    for text in texts:
        with suppress(ValueError, ArithmeticError):
            values.append(key.from_ref(text))
    return values


def _refs(
    session: Session, storefront: Storefront, pointed: set[tuple[Any, ...]]
) -> Mapping[tuple[Any, ...], set[str]]:
    """Return the orders by what their payments have of them."""
    assert storefront.payments is not None
    of = storefront.payments.of
    target = Key(of, "Payments.of") if of is not None else storefront.order_key
    prefix = "payment_of" if of is not None else "key"
    found: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in session.execute(storefront.orders_statement().where(target.among(list(pointed)))):
        values, key = target.raw(row, prefix), storefront.order_key.raw(row, "key")
        if values is not None and key is not None:
            found[values].add(storefront.order_key.to_ref(key))
    return found
