"""The shop's tables.

Money is stored in integer cents of the order's currency, ``USD`` or ``EUR``. Moments are UTC,
stored without a zone. Prices include tax. An order adds up like this::

    sum(items.total_cents) - discount_cents + shipping_cents + shipping_tax_cents = total_cents

An item's tax is the part of its total that is tax, worked out **before** the order's discount;
shipping is stored without its tax, which is added.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship
from werkzeug.security import check_password_hash, generate_password_hash

from example_app.database import Model, utc_now

ROLES = ("admin", "support", "viewer", "customer")
STATUSES = ("pending", "paid", "shipped", "cancelled")
SOLD = ("paid", "shipped")
CURRENCIES = ("USD", "EUR")


class Product(Model):
    """Something for sale. ``price_cents`` includes tax; the figure is the same in USD and EUR."""

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    category: Mapped[str] = mapped_column(String(40), index=True)
    price_cents: Mapped[int]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"


class Order(Model):
    """An order. One without a user was placed by a guest, whose name and e-mail it carries.

    ``discount_cents`` is positive and comes off the items' totals. ``shipping_cents`` is without
    tax, ``shipping_tax_cents`` is the tax on it.
    """

    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    guest_name: Mapped[str | None] = mapped_column(String(120))
    guest_email: Mapped[str | None] = mapped_column(String(190))
    placed_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(20), default="pending")
    discount_cents: Mapped[int] = mapped_column(default=0)
    shipping_cents: Mapped[int] = mapped_column(default=0)
    shipping_tax_cents: Mapped[int] = mapped_column(default=0)
    total_cents: Mapped[int]

    user: Mapped["User | None"] = relationship(back_populates="orders")
    items: Mapped[list["OrderItem"]] = relationship(
        back_populates="order", order_by="OrderItem.id", cascade="all, delete-orphan"
    )
    payments: Mapped[list["Payment"]] = relationship(
        back_populates="order", order_by="Payment.id", cascade="all, delete-orphan"
    )

    @property
    def customer_name(self) -> str:
        """The name of the user, or of the guest."""
        return self.user.name if self.user else self.guest_name or "Guest"

    @property
    def customer_email(self) -> str:
        """The e-mail address of the user, or of the guest."""
        return self.user.email if self.user else self.guest_email or ""

    def __str__(self) -> str:
        return self.number


class User(Model):
    """A customer or a member of staff, by ``role``."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(190), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255), default="")
    role: Mapped[str] = mapped_column(String(20), default="customer")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    orders: Mapped[list[Order]] = relationship(back_populates="user")
    orders_count: Mapped[int] = column_property(
        select(func.count(Order.id))
        .where(Order.user_id == id)  # noqa: A003  # the column above
        .correlate_except(Order)
        .scalar_subquery()
    )

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """Return what the session remembers of a signed-in user."""
        return str(self.id)

    @property
    def is_staff(self) -> bool:
        """Whether the admin is open to this user."""
        return self.role in ("admin", "support", "viewer")

    @property
    def may_edit(self) -> bool:
        """Whether this user may change what the admin shows."""
        return self.role in ("admin", "support")

    def set_password(self, password: str) -> None:
        """Store a hash of ``password``."""
        self.password_hash = generate_password_hash(password)

    def check_password(self, password: str) -> bool:
        """Return whether ``password`` is right; never true for a user who has not chosen one."""
        return bool(self.password_hash) and check_password_hash(self.password_hash, password)

    def __str__(self) -> str:
        return self.name


class OrderItem(Model):
    """A line of an order.

    ``unit_price_cents`` includes tax; ``list_cents`` is quantity times that; ``total_cents`` is
    the list price less a multi-buy offer on this line, before the order's discount;
    ``tax_cents`` is the part of ``total_cents`` that is tax.
    """

    __tablename__ = "order_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"), index=True)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    sku: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(120))
    quantity: Mapped[int]
    unit_price_cents: Mapped[int]
    list_cents: Mapped[int]
    total_cents: Mapped[int]
    tax_cents: Mapped[int]

    order: Mapped[Order] = relationship(back_populates="items")
    product: Mapped[Product | None] = relationship()

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"


class Payment(Model):
    """Money taken, or tried to be taken, for an order.

    ``kind`` is card, cash, bank or voucher; ``status`` captured, authorized or declined. A card
    payment that went through the gateway names it and its transaction; one that was taken on
    the terminal in the shop has neither.
    """

    __tablename__ = "payment"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    gateway: Mapped[str | None] = mapped_column(String(20))
    transaction_id: Mapped[str | None] = mapped_column(String(64), index=True)
    amount_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(20), default="captured")
    card_label: Mapped[str | None] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    order: Mapped[Order] = relationship(back_populates="payments")

    def __str__(self) -> str:
        return self.card_label or self.kind
