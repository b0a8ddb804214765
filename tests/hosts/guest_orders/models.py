"""What the kiosk sells to guests: orders that carry their payment, and its own refunds."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class Order(Model):
    """Placed by a guest; ``sale_id`` is the card payment at the gateway, NULL when paid in cash."""

    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str] = mapped_column(String(120))
    placed_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    status: Mapped[str] = mapped_column(String(20), default="paid")
    total_cents: Mapped[int]
    sale_id: Mapped[str | None] = mapped_column(String(40))
    card: Mapped[str | None] = mapped_column(String(40))
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="order")
    refunds: Mapped[list["Refund"]] = relationship(back_populates="order")


class OrderLine(Model):
    __tablename__ = "order_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
    sku: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(80))
    pieces: Mapped[int]
    cents: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines")


class Refund(Model):
    """What the kiosk gave back by its own script, before it had a plugin for that."""

    __tablename__ = "refund"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("order_line.id"))
    cents: Mapped[int]
    state: Mapped[str] = mapped_column(String(20), default="done")
    gateway_refund: Mapped[str | None] = mapped_column(String(40))
    made_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    order: Mapped[Order] = relationship(back_populates="refunds")
