"""Databases to measure on, each of them empty: a file, or on a server of our own."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine

from tests import databases
from tests.servers import OVERRIDES, STARTERS

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}

# psycopg prepares what it ran five times; then the server may plan it once for all values, and
# what ran more often is measured otherwise.
_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {"postgresql": {"prepare_threshold": None}}


@contextmanager
def database(kind: str) -> Iterator[Engine]:
    """Yield an engine on an empty database of *kind*; take everything away afterwards.

    PostgreSQL and MariaDB are started for it, or are those that the tests are told to use. Raises
    :exc:`~tests.servers.Missing` with the reason when one cannot run here.
    """
    with tempfile.TemporaryDirectory(prefix="refunds-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the servers' own users have to pass
        with _url(kind, folder) as url:
            engine = create_engine(url, connect_args=dict(_ARGUMENTS.get(kind, {})))
            try:
                yield engine
            finally:
                engine.dispose()


@contextmanager
def _url(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield databases.sqlite(folder)
    else:
        with _server(kind, folder) as server, databases.created(server) as url:
            yield url


@contextmanager
def _server(kind: str, folder: Path) -> Iterator[str]:
    given = os.environ.get(OVERRIDES[kind])
    if given:
        yield given
        return
    server, url = STARTERS[kind](folder / kind)
    try:
        yield url
    finally:
        server.stop()
