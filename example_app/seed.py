"""Fills an empty shop with a year of trade."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from example_app import catalogue, showcase
from example_app.database import db, utc_now
from example_app.history import DAYS, TERMINAL, History
from example_app.models import SOLD, Order, Payment, User
from example_app.till import CARDS, ChargeRefused, Till

#: Of the sales made at the gateway, this many of the newest are left unsettled.
UNSETTLED = 10
#: The gateway's test answers depend on the amount, in cents; sales of these are refused.
REFUSED = ((200000, 300100), (400000, 10**12))


def seed(
    session: Session,
    *,
    now: datetime,
    orders: int = 3000,
    till: Till | None = None,
    sales: int = 150,
    say: Callable[[str], object] = print,
) -> None:
    """Fill the shop's empty tables and commit.

    Arguments:
        session: writes to the shop's database.
        now: the end of the year of trade, UTC without a zone. The same moment gives the same
            rows, but for the gateway's transaction ids.
        orders: how many orders to make up, beside the showcase.
        till: takes the newest card payments through the gateway; without one no payment has a
            transaction.
        sales: how many payments to take through the gateway, beside the showcase.
        say: is told what could not be done.
    """
    random = Random(1817)
    products = catalogue.products()
    ada = catalogue.ada()
    people = catalogue.names(90)
    customers = [User(name=name, email=email) for name, email in people[:60]]
    for person in [ada, *customers]:
        person.created_at = now - timedelta(days=random.randrange(DAYS, 2 * DAYS))
    team = catalogue.staff()
    for person in team:
        person.created_at = now - timedelta(days=2 * DAYS)

    history = History(random, now, products, customers, people[60:])
    stock = {product.sku: product for product in products}
    shown = showcase.orders(ada, stock, now)
    placed = sorted([*history.orders(orders), *shown], key=lambda order: order.placed_at)
    number(placed)
    if till:
        take(placed, shown, till, sales, say)

    session.add_all([*team, ada, *customers, *products])
    session.flush()
    session.add_all(placed)
    session.commit()


def number(placed: Sequence[Order]) -> None:
    """Give each order its number, counting anew each year; the shop was open before the first."""
    year, count = placed[0].placed_at.year, 1700
    for order in placed:
        if order.placed_at.year != year:
            year, count = order.placed_at.year, 0
        count += 1
        order.number = f"{year}-{count:06d}"


def take(
    placed: Sequence[Order],
    shown: Sequence[Order],
    till: Till,
    sales: int,
    say: Callable[[str], object],
) -> None:
    """Take the newest card payments through the gateway, and settle all but the last few.

    A payment that the gateway does not take stays one of the terminal's; one in a currency that
    it has no account for becomes a bank transfer.
    """
    newest = [payment for order in reversed(placed) for payment in chargeable(order)]
    wanted = newest[:sales]
    wanted += [payment for order in shown for payment in chargeable(order)]
    wanted = list(dict.fromkeys(wanted))
    cards = {label: card for card, label in CARDS.items()}

    def charge(payment: Payment) -> str | None:
        label = str(payment.card_label).removesuffix(f" {TERMINAL}")
        try:
            payment.transaction_id = till.charge(
                payment.amount_cents, payment.currency, payment.order.number, cards[label]
            )
        except ChargeRefused as refusal:
            return f"{payment.order.number}: {refusal}"
        payment.gateway, payment.card_label = "braintree", label
        return None

    first_euro = next((payment for payment in wanted if payment.currency == "EUR"), None)
    if first_euro and (refusal := charge(first_euro)):
        say(f"No sales in EUR at the gateway, which are bank transfers now. {refusal}")
        for payment in [payment for payment in wanted if payment.currency == "EUR"]:
            payment.kind, payment.card_label = "bank", "Bank transfer"
    rest = [payment for payment in wanted if payment.kind == "card" and not payment.transaction_id]
    with ThreadPoolExecutor(8) as threads:
        refusals = [refusal for refusal in threads.map(charge, rest) if refusal]
        taken = [str(payment.transaction_id) for payment in wanted if payment.transaction_id]
        settled = list(threads.map(till.settle, taken[UNSETTLED:]))
    if refusals:
        say(f"{len(refusals)} sales were refused by the gateway. {refusals[0]}")
    if not all(settled):
        say(f"{settled.count(False)} sales could not be settled and are left as they are.")


def chargeable(order: Order) -> list[Payment]:
    """Return the captured card payments of an order, when a gateway would take all of them."""
    captured = [p for p in order.payments if p.kind == "card" and p.status == "captured"]
    refused = any(low <= p.amount_cents < high for p in captured for low, high in REFUSED)
    return captured if order.status in SOLD and not refused else []


@click.command("seed")
@click.option("--orders", default=3000, show_default=True, help="How many orders to make up.")
@click.option("--sales", default=150, show_default=True, help="How many sales at the gateway.")
@with_appcontext
def command(orders: int, sales: int) -> None:
    """Fill the empty shop with a year of trade."""
    if db.session.scalar(select(func.count(Order.id))):
        click.echo("The shop has orders already; nothing was added.")
        return
    till = Till.from_config(current_app.config)
    seed(db.session(), now=utc_now(), orders=orders, till=till, sales=sales, say=click.echo)
    click.echo(f"Added {db.session.scalar(select(func.count(Order.id)))} orders.")
