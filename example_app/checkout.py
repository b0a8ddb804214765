"""How an order is put together: its lines, its shipping, its total, its payments."""

from collections.abc import Sequence
from datetime import datetime

from example_app.models import Order, OrderItem, Payment, Product, User

#: Tax in the prices, in hundredths of a percent, by currency.
TAX_RATES = {"USD": 800, "EUR": 2100}
#: From this quantity on, a line of the same article is ten percent cheaper.
MULTI_BUY = 4
FREE_SHIPPING_FROM = 10000
SHIPPING, FREIGHT = 690, 4900


def tax_within(cents: int, currency: str) -> int:
    """Return the tax contained in ``cents``, rounded half up to a cent."""
    rate = TAX_RATES[currency]
    return (2 * cents * rate + 10000 + rate) // (2 * (10000 + rate))


def tax_upon(cents: int, currency: str) -> int:
    """Return the tax to add to ``cents``, rounded half up to a cent."""
    return (cents * TAX_RATES[currency] + 5000) // 10000


def item(product: Product, quantity: int, currency: str) -> OrderItem:
    """Return a line; four or more of one article below 200.00 get the multi-buy offer."""
    listed = product.price_cents * quantity
    offer = listed // 10 if quantity >= MULTI_BUY and product.price_cents < 20000 else 0
    return OrderItem(
        product=product,
        sku=product.sku,
        name=product.name,
        quantity=quantity,
        unit_price_cents=product.price_cents,
        list_cents=listed,
        total_cents=listed - offer,
        tax_cents=tax_within(listed - offer, currency),
    )


def order(
    *,
    basket: Sequence[tuple[Product, int]],
    currency: str,
    placed_at: datetime,
    status: str,
    customer: User | None = None,
    guest: tuple[str, str] | None = None,
    discount: int = 0,
    shipping: int | None = None,
) -> Order:
    """Return a new order without payments, its number still to be given.

    Arguments:
        basket: products with their quantities.
        currency: ``USD`` or ``EUR``.
        placed_at: UTC, without a zone.
        status: one of ``STATUSES``.
        customer: the user who placed it, if not a guest.
        guest: name and e-mail address, for an order without a customer.
        discount: cents off the whole order, at most what the lines cost.
        shipping: cents without tax; worked out from the basket when not given.
    """
    items = [item(product, quantity, currency) for product, quantity in basket]
    goods = sum(line.total_cents for line in items)
    if shipping is None:
        shipping = shipping_for(basket, goods)
    shipping_tax = tax_upon(shipping, currency)
    name, email = guest or (None, None)
    return Order(
        user=customer,
        guest_name=name,
        guest_email=email,
        placed_at=placed_at,
        currency=currency,
        status=status,
        items=items,
        discount_cents=min(discount, goods),
        shipping_cents=shipping,
        shipping_tax_cents=shipping_tax,
        total_cents=goods - min(discount, goods) + shipping + shipping_tax,
    )


def shipping_for(basket: Sequence[tuple[Product, int]], goods: int) -> int:
    """Return the shipping in cents without tax: bicycles by freight, small orders by parcel."""
    if any(product.category == "Bicycles" for product, _ in basket):
        return FREIGHT
    return SHIPPING if goods < FREE_SHIPPING_FROM else 0


def pay(
    order: Order,
    kind: str,
    amount: int,
    label: str | None = None,
    status: str = "captured",
    gateway: str | None = None,
) -> Payment:
    """Add a payment of ``amount`` cents to ``order`` and return it."""
    payment = Payment(
        kind=kind,
        gateway=gateway,
        amount_cents=amount,
        currency=order.currency,
        status=status,
        card_label=label,
        created_at=order.placed_at,
    )
    order.payments.append(payment)
    return payment
