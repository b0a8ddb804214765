"""The shop's database handle."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

#: The shop's own Alembic scripts.
MIGRATIONS = Path(__file__).with_name("migrations")


class Base(DeclarativeBase):
    """The declarative base of the shop's tables, with names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base  # the class that ``db.Model`` derives from, which a type checker cannot see
else:
    Model = db.Model


def utc_now() -> datetime:
    """Return the present moment in UTC, without a zone, as the shop's tables store it."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
