"""The bazaar's tables, as a shop that grew in a hurry has them.

No foreign keys and no relationships; moments are the local time of the shop, without a zone; an
order has no total but a property that adds its lines up in Python.
"""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Numeric, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ZONE = "Europe/Berlin"


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


def local_now() -> datetime:
    return datetime.now(ZoneInfo(ZONE)).replace(tzinfo=None, microsecond=0)


class Member(Model):
    __tablename__ = "member"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str] = mapped_column(String(120))


class Purchase(Model):
    __tablename__ = "purchase"

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int | None] = mapped_column(index=True)
    placed_at: Mapped[datetime] = mapped_column(DateTime, default=local_now)
    postage: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=0)

    @property
    def total(self) -> Decimal:
        """What the purchase costs, its postage included."""
        things = db.session.scalars(select(Thing).where(Thing.purchase_id == self.id))
        return sum((thing.price * thing.pieces for thing in things), self.postage)


class Thing(Model):
    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    purchase_id: Mapped[int] = mapped_column(index=True)
    sku: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(80))
    pieces: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))


class Receipt(Model):
    __tablename__ = "receipt"

    id: Mapped[int] = mapped_column(primary_key=True)
    purchase_id: Mapped[int] = mapped_column(index=True)
    means: Mapped[str] = mapped_column(String(10))
    card_sale: Mapped[str | None] = mapped_column(String(40), index=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))


class Wish(Model):
    """A list that has nothing to do with money, in the admin like everything else."""

    __tablename__ = "wish"

    member_id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(20), primary_key=True)
