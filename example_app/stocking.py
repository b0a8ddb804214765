"""Brings the demo's database up to date, and fills it when it is empty."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import flask_migrate
from sqlalchemy import func, inspect, select, text

from example_app import create_app, db
from example_app.database import utc_now
from example_app.models import Order, Payment
from example_app.seed import seed
from example_app.till import Till


def stock(say: Callable[[str], object]) -> None:
    """Migrate the shop's database and seed it if it has no orders.

    An SQLite file whose sales the gateway has never heard of is set aside first: it comes from a
    start with another gateway, and nothing in it could be given back through this one.
    """
    app = create_app()
    with app.app_context():
        till = Till.from_config(app.config)
        if till and not sales_are_known(till):
            set_aside(say)
        flask_migrate.upgrade()
        if db.engine.dialect.name == "sqlite":
            db.session.execute(text("PRAGMA journal_mode=WAL"))
            db.session.commit()
        if not db.session.scalar(select(func.count(Order.id))):
            say("Filling the shop with a year of trade.")
            seed(db.session(), now=utc_now(), till=till, say=say)
        db.session.remove()
        db.engine.dispose()


def sales_are_known(till: Till) -> bool:
    """Return whether the gateway knows the newest sale that the shop made with it, if any."""
    if not inspect(db.engine).has_table(Payment.__tablename__):
        return True
    newest = db.session.scalar(
        select(Payment.transaction_id)
        .where(Payment.gateway == "braintree")
        .order_by(Payment.id.desc())
        .limit(1)
    )
    db.session.remove()
    return newest is None or till.knows(newest)


def set_aside(say: Callable[[str], object]) -> None:
    """Rename an SQLite file, so that a new one is made; leave any other database alone."""
    file = db.engine.url.database
    db.engine.dispose()
    if db.engine.dialect.name != "sqlite" or not file:
        say("WARNING: the gateway does not know the sales in this database.")
        return
    old = Path(file)
    spare = old.with_name(f"{old.stem}-{utc_now():%Y%m%d-%H%M%S}{old.suffix}")
    say(f"The gateway does not know the sales in {old.name}, which is now called {spare.name}.")
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{old}{suffix}").rename(f"{spare}{suffix}")
