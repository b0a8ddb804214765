"""Finding the shop's own orders to refund, a guest's too, by number or e-mail address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds.models import Account
from flask_refunds.planning import Standing
from flask_refunds.runtime import Runtime
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.facts import OrderBundle
from flask_refunds.storefront.reading import read_page
from flask_refunds.storefront.values import Key, expression

MOST = 10
"""How many orders a search shows."""


@dataclass(frozen=True, kw_only=True)
class FoundOrder:
    """One order of the shop; ``total`` and what is left to refund of it in minor units."""

    order_ref: str
    number: str
    placed_at: datetime
    customer_ref: str | None
    customer_name: str
    customer_email: str
    currency: str
    total: int
    left: int


def find_orders(runtime: Runtime, text: str) -> tuple[FoundOrder, ...]:
    """Return the newest :data:`MOST` orders that *text* means.

    Their number begins with it, or it is the e-mail address of their customer or guest.
    """
    text = text.strip()
    if not text or (" " in text and "@" not in text):  # a name: customers have their own list
        return ()
    return runtime.sessions.read(lambda session: _find(session, runtime, text))


def _find(session: Session, runtime: Runtime, text: str) -> tuple[FoundOrder, ...]:
    shop = runtime.storefront
    if "@" in text:
        bundles = _of_address(session, shop, text)
    else:
        bundles = read_page(session, shop, limit=MOST, number=text).bundles
    bundles = sorted(bundles, key=lambda bundle: bundle.order.placed_at, reverse=True)[:MOST]
    committed = _committed(session, [bundle.order.ref for bundle in bundles])
    return tuple(_found(bundle, committed.get(bundle.order.ref, 0)) for bundle in bundles)


def _of_address(session: Session, shop: Storefront, address: str) -> Sequence[OrderBundle]:
    spellings = list(dict.fromkeys([address, address.lower()]))
    bundles: list[OrderBundle] = []
    for ref in _customers(session, shop, spellings):
        bundles += read_page(session, shop, limit=MOST, customer_ref=ref).bundles
    for spelling in spellings:
        bundles += read_page(session, shop, limit=MOST, guest_email=spelling).bundles
    return list({bundle.order.ref: bundle for bundle in bundles}.values())


def _customers(session: Session, shop: Storefront, spellings: Sequence[str]) -> Sequence[str]:
    if shop.customers is None:
        return []
    key = Key(shop.customers.key, "Customers.key")
    email = expression(shop.customers.email, "Customers.email")
    rows = session.execute(shop.customers_statement().where(email.in_(spellings)).limit(3))
    found = (key.raw(row, "key") for row in rows)
    return [key.to_ref(values) for values in found if values is not None]


def _committed(session: Session, order_refs: Sequence[str]) -> Mapping[str, int]:
    rows = session.execute(
        select(Account.order_ref, Account.committed).where(Account.order_ref.in_(order_refs))
    )
    return {row.order_ref: row.committed for row in rows}


def _found(bundle: OrderBundle, committed: int) -> FoundOrder:
    order = bundle.order
    standing = Standing(
        order=order,
        items=(),
        cards=(),
        captured=bundle.captured,
        prior=bundle.prior_total,
        committed=committed,
    )
    return FoundOrder(
        order_ref=order.ref,
        number=order.number,
        placed_at=order.placed_at,
        customer_ref=order.customer_ref,
        customer_name=order.customer_name,
        customer_email=order.customer_email,
        currency=order.currency,
        total=order.total,
        left=standing.balance,
    )
