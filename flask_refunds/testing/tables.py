"""Our tables in the database of a host's tests: made before a test, and as if never there after."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import Engine, delete, inspect, select, text

from flask_refunds import migrating, wired
from flask_refunds.models import Account, Base, Refund


class NotEmpty(Exception):
    """There are refunds already, which are not ours to delete; the message names the database."""


@contextmanager
def made(app: Flask) -> Iterator[None]:
    """Have our tables in the database of *app*, empty, until the end.

    Those that were there are emptied then, all others dropped. Raises :exc:`NotEmpty` when there
    are refunds in them: that may be a database that somebody needs.
    """
    with app.app_context():
        here = wired.current()
        engine = here.runtime.sessions.engine
        found = inspect(engine).has_table(Refund.__tablename__)
        if found:
            _require_empty(engine)
        else:
            here.extension.create_all()
            migrating.stamp(engine)
    yield
    with app.app_context():
        if found:
            _empty(engine)
        else:
            drop(engine)


def _require_empty(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.scalar(select(Account.order_ref).limit(1)) is not None:
            raise NotEmpty(
                f"There are refunds in {engine.url.render_as_string()}. A test empties the tables "
                "when it ends: give your tests a database of their own, or empty it yourself."
            )


def drop(engine: Engine) -> None:
    """Drop our tables and the note of their revision: the package itself never does."""
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)
        connection.execute(text(f"DROP TABLE IF EXISTS {migrating.VERSION_TABLE}"))


def _empty(engine: Engine) -> None:
    """Delete all rows, those that point to others of their table first: MariaDB checks each row."""
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            for column in table.columns:
                if any(key.column.table is table for key in column.foreign_keys):
                    connection.execute(delete(table).where(column.is_not(None)))
            connection.execute(delete(table))
