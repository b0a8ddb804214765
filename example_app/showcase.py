"""The orders of one customer, Ada Lovelace, with every way there is to pay."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from example_app.checkout import order, pay
from example_app.history import TERMINAL
from example_app.models import Order, Product, User
from example_app.till import CARDS

VISA = f"{CARDS['4111111111111111']} {TERMINAL}"
MASTERCARD = f"{CARDS['5555555555554444']} {TERMINAL}"


def orders(ada: User, stock: Mapping[str, Product], now: datetime) -> list[Order]:
    """Return Ada's orders with their payments, the newest last.

    Arguments:
        ada: the customer.
        stock: the catalogue by SKU.
        now: UTC, without a zone.
    """

    def placed(
        ago: timedelta,
        *basket: tuple[str, int],
        currency: str = "USD",
        discount: int = 0,
        shipping: int | None = None,
    ) -> Order:
        return order(
            basket=[(stock[sku], quantity) for sku, quantity in basket],
            currency=currency,
            placed_at=now - ago,
            status="shipped" if ago > timedelta(days=2) else "paid",
            customer=ada,
            discount=discount,
            shipping=shipping,
        )

    touring = placed(timedelta(days=21, hours=3), ("BIKE-TOUR", 1), ("KIT-E250", 1), shipping=0)
    pay(touring, "card", touring.total_cents, VISA)

    in_cash = placed(timedelta(days=17, hours=5), ("SADDLE-LEA", 1), ("LUBE-100", 1))
    pay(in_cash, "cash", in_cash.total_cents, "Cash")

    in_euros = placed(
        timedelta(days=13, hours=1), ("PANNIER-20", 2), ("LIGHT-SET", 1), currency="EUR"
    )
    pay(in_euros, "card", in_euros.total_cents, VISA)

    two_cards = placed(timedelta(days=10, hours=7), ("RAIN-JKT", 1), ("WHEEL-28", 2))
    pay(two_cards, "card", 10000, VISA)
    pay(two_cards, "card", two_cards.total_cents - 10000, MASTERCARD)

    discounted = placed(
        timedelta(days=7, hours=2),
        ("HELM-M", 1),
        ("GLOVE-WIN", 1),
        ("STICKER", 1),
        discount=2000,
        shipping=690,
    )
    pay(discounted, "card", discounted.total_cents, VISA)

    several = placed(
        timedelta(days=4, hours=6), ("BRAKE-PAD", 2), ("CHAIN-11", 1), ("SOCK-WOOL", 2)
    )
    pay(several, "card", several.total_cents, VISA)

    just_now = placed(timedelta(minutes=20), ("LIGHT-DYN", 1), ("REFLECT-4", 2))
    pay(just_now, "card", just_now.total_cents, VISA)

    return [touring, in_cash, in_euros, two_cards, discounted, several, just_now]
