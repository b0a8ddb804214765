"""The depot's trade: two databases, a schema of its own, and rows that are only marked deleted.

Notices for the staff are in the default database. What is sold is in the bind ``trade``, in the
schema ``sales``: a schema on PostgreSQL, an attached file on SQLite, and the database itself on
MariaDB.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, ForeignKey, String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.schema import CreateSchema

SCHEMA = "sales"


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class Notice(Model):
    """What the staff are told; the only table in the default database."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(200))


class Trade(Model):
    """What is common to all that is sold: where it is kept, and that nothing is ever deleted."""

    __abstract__ = True
    __bind_key__ = "trade"
    __table_args__ = ({"schema": SCHEMA},)

    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Client(Trade):
    __tablename__ = "client"

    id: Mapped[int] = mapped_column(primary_key=True)
    firm: Mapped[str] = mapped_column(String(80))
    email: Mapped[str] = mapped_column(String(120))


class Order(Trade):
    __tablename__ = "order"

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.client.id"))
    placed_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=lambda: datetime.now(UTC)
    )
    currency: Mapped[str] = mapped_column(String(3))
    cents: Mapped[int]
    positions: Mapped[list["Position"]] = relationship(back_populates="order")


class Position(Trade):
    """A line, known by its order's number and where it stands in the order."""

    __tablename__ = "position"

    order_number: Mapped[str] = mapped_column(
        ForeignKey(f"{SCHEMA}.order.number"), primary_key=True
    )
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    article: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(80))
    pieces: Mapped[int]
    cents: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="positions")


class Payment(Trade):
    __tablename__ = "payment"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(ForeignKey(f"{SCHEMA}.order.number"))
    provider: Mapped[str | None] = mapped_column(String(20))
    sale: Mapped[str | None] = mapped_column(String(40))
    cents: Mapped[int]


event.listen(
    Order.metadata,
    "before_create",
    CreateSchema(SCHEMA, if_not_exists=True).execute_if(dialect="postgresql"),
)
