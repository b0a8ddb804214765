"""A year of made-up trade, the same for the same seed and moment."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from example_app.catalogue import ARTICLES
from example_app.checkout import order, pay
from example_app.models import STATUSES, Order, Product, User
from example_app.till import CARDS

DAYS = 365
TERMINAL = "(terminal)"


class History:
    """Makes up orders of a year that ends at ``now`` (UTC, without a zone)."""

    def __init__(
        self,
        random: Random,
        now: datetime,
        products: Sequence[Product],
        customers: Sequence[User],
        guests: Sequence[tuple[str, str]],
    ) -> None:
        self._random = random
        self._now = now
        self._products = products
        self._customers = customers
        self._guests = guests
        self._demand = [article.demand for article in ARTICLES]
        self._gift = products[-1]
        self._loyalty = [random.paretovariate(3) for _ in customers]
        # A customer stays with one currency.
        self._home = [random.choices(("USD", "EUR"), (72, 28))[0] for _ in customers]

    def orders(self, count: int) -> Iterator[Order]:
        """Yield ``count`` orders with their payments, in no order."""
        for _ in range(count):
            yield self._order(self._moment())

    def _moment(self) -> datetime:
        """Return a moment of the year; trade grows slowly and happens mostly by day."""
        day = DAYS * (1 - self._random.random() ** 0.8)
        hour = self._random.gauss(14, 4) % 24
        midnight = (self._now - timedelta(days=day)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        moment = midnight + timedelta(seconds=int(hour * 3600))
        return moment if moment <= self._now else moment - timedelta(days=1)

    def _order(self, placed_at: datetime) -> Order:
        random = self._random
        customer, guest, currency = None, None, "USD"
        if random.random() < 0.78:
            index = random.choices(range(len(self._customers)), self._loyalty)[0]
            customer, currency = self._customers[index], self._home[index]
        else:
            guest, currency = random.choice(self._guests), random.choice(("USD", "USD", "EUR"))
        basket = self._basket()
        made = order(
            basket=basket,
            currency=currency,
            placed_at=placed_at,
            status=self._status(placed_at),
            customer=customer,
            guest=guest,
            discount=self._discount(basket),
        )
        self._pay(made)
        return made

    def _basket(self) -> list[tuple[Product, int]]:
        random = self._random
        size = random.choices((1, 2, 3, 4, 5), (40, 28, 17, 10, 5))[0]
        chosen = dict.fromkeys(random.choices(self._products, self._demand, k=size))
        basket = [(product, self._quantity(product)) for product in chosen]
        if random.random() < 0.12:
            basket.append((self._gift, 1))
        return basket

    def _quantity(self, product: Product) -> int:
        if product.price_cents > 20000:
            return 1
        return self._random.choices((1, 2, 3, 4, 6), (70, 18, 6, 4, 2))[0]

    def _discount(self, basket: Sequence[tuple[Product, int]]) -> int:
        """Return the order's discount in cents: a percentage, a coupon, or all of it."""
        goods = sum(product.price_cents * quantity for product, quantity in basket)
        return self._random.choices((0, goods // 10, 500, 2000, goods), (85, 7, 5, 2, 1))[0]

    def _status(self, placed_at: datetime) -> str:
        age = self._now - placed_at
        # In the order of STATUSES: pending, paid, shipped, cancelled.
        weights = (10, 60, 20, 10) if age < timedelta(days=3) else (2, 3, 90, 5)
        return self._random.choices(STATUSES, weights)[0]

    def _pay(self, made: Order) -> None:
        """Add the payments that suit the order's status. Cards are the terminal's at first."""
        random, total = self._random, made.total_cents
        card = f"{random.choices(tuple(CARDS.values()), (60, 30, 10))[0]} {TERMINAL}"
        if made.status in ("pending", "cancelled"):
            if random.random() < 0.4:
                pay(made, "card", total, card, random.choice(("authorized", "declined")))
            return
        if total == 0:
            return
        if random.random() < 0.03:
            pay(made, "card", total, card, "declined")
        way = random.choices(
            ("card", "bank", "cash", "voucher", "both", "cards", "differs"),
            (64, 15, 11, 2, 4, 3, 1),
        )[0]
        if way == "both" and total > 3000:
            pay(made, "voucher", 2500, "Gift voucher")
            pay(made, "card", total - 2500, card)
        elif way == "cards" and total > 2000:
            pay(made, "card", total // 3, card)
            pay(made, "card", total - total // 3, f"{CARDS['5555555555554444']} {TERMINAL}")
        elif way == "differs" and total > 2000:
            # A price agreed on the phone, or a tip for the workshop.
            pay(made, "card", total + random.choice((-500, -250, 300)), card)
        elif way in ("bank", "cash", "voucher"):
            labels = {"bank": "Bank transfer", "cash": "Cash", "voucher": "Gift voucher"}
            pay(made, way, total, labels[way])
        else:
            pay(made, "card", total, card)
