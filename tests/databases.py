"""A fresh, empty database for every test, on each of the three kinds."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

KINDS = ("sqlite", "postgresql", "mariadb")

_numbers = itertools.count(1)


def sqlite(folder: Path) -> str:
    """Return the URL of a database file that does not exist yet."""
    return f"sqlite:///{folder / f'shop{next(_numbers)}.sqlite'}"


@contextlib.contextmanager
def created(server: str) -> Iterator[str]:
    """Create an empty database on *server* (a URL with the right to), and drop it afterwards.

    Connections that a test left open do not keep it: PostgreSQL is told so, MariaDB does not mind.
    """
    url = make_url(server)
    name = f"refunds_{os.getpid()}_{next(_numbers)}"
    if url.get_backend_name() == "postgresql":
        create, drop = f"CREATE DATABASE {name}", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
    else:
        create = f"CREATE DATABASE {name} CHARACTER SET utf8mb4"
        drop = f"DROP DATABASE IF EXISTS {name}"
    engine = administrator(url)
    with engine.connect() as connection:
        connection.execute(text(create))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(drop))


def administrator(url: URL) -> Engine:
    """Return an engine without transactions or a pool, for statements about databases."""
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
