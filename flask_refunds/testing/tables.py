"""Our tables in the database of a host's tests: made before a test, and as if never there after."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import Engine, delete, inspect, select, update

from flask_refunds import migrating, wired
from flask_refunds.models import Account, Base, Refund, Transfer


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
            migrating.drop(engine)


def _require_empty(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.scalar(select(Account.order_ref).limit(1)) is not None:
            raise NotEmpty(
                f"There are refunds in {engine.url.render_as_string()}. A test empties the tables "
                "when it ends: give your tests a database of their own, or empty it yourself."
            )


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(Transfer).values(replaces_id=None))
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(delete(table))
