"""Our own database sessions: fresh, short, and never the host's ``db.session``.

A unit of work runs in :meth:`Sessions.transact`, which commits once, re-runs the whole of it in
a new session when the database asks for that (40001, deadlock, lock time-out, SQLITE_BUSY), and
sends signals only after the commit.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from flask_refunds import logs
from flask_refunds.errors import Busy, NotMigrated

T = TypeVar("T")

MIGRATE = "The refunds tables are missing or old. Run: flask refunds upgrade"
TRIES = 8
PATIENCE = 10.0
"""No new try begins after this many seconds: a request must not wait for ever on a lock that,
on SQLite, its own uncommitted writes may hold."""

_RETRY_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
_RETRY_MYSQL = frozenset({1020, 1205, 1213, 1305})
"""1305, "SAVEPOINT does not exist": a deadlock has ended the transaction around it."""
_MISSING_MYSQL = frozenset({1054, 1146})
_AFTER_COMMIT = "refunds_after_commit"
_MAKE = "refunds_make_session"


class Sessions:
    """Makes sessions on one engine, with the host's own session class, so that its models work.

    *engine* and *factory* are asked for at each use, since they may need an application context.
    """

    def __init__(
        self, engine: Callable[[], Engine], factory: Callable[[], sessionmaker[Any]]
    ) -> None:
        self._engine = engine
        self._factory = factory
        self._process = os.getpid()
        self._migrated: set[URL] = set()

    @property
    def engine(self) -> Engine:
        engine = self._engine()
        if self._process != os.getpid():
            # Forked (RQ's work-horse, a preloading server): the parent's sockets are its own.
            self._process = os.getpid()
            engine.dispose(close=False)
        return engine

    @contextmanager
    def open(self, *, snapshot: bool = False) -> Iterator[Session]:
        """Yield a fresh session; what was not committed is rolled back at the end.

        With *snapshot* all of its queries see the database at one moment.
        """
        engine, factory = self.engine, self._factory()
        options = {**factory.kw, "expire_on_commit": False, "autoflush": True}
        kind: Any = factory.class_
        make: Callable[..., Session] = partial(_pinned(kind), **options)
        session = make(engine)
        session.info[_MAKE] = make
        try:
            if engine.dialect.name in {"postgresql", "mysql", "mariadb"}:
                level = "REPEATABLE READ" if snapshot else "READ COMMITTED"
                session.connection(execution_options={"isolation_level": level})
            elif snapshot and engine.dialect.name == "sqlite":
                _begin(session)
            yield session
        except (OperationalError, ProgrammingError) as error:
            if _table_is_missing(error):
                raise NotMigrated(MIGRATE) from error
            raise
        finally:
            session.close()

    def require_tables(self) -> None:
        """Raise :exc:`~flask_refunds.errors.NotMigrated` unless our tables are there."""
        engine = self.engine
        if engine.url not in self._migrated:
            if not inspect(engine).has_table("refunds_posting"):
                raise NotMigrated(MIGRATE)
            self._migrated.add(engine.url)

    def transact(self, work: Callable[[Session], T]) -> T:
        """Run *work* in a fresh session, commit, and return what it returned.

        Raises :exc:`~flask_refunds.errors.Busy` when the database stayed locked, and
        :exc:`~flask_refunds.errors.NotMigrated` when our tables are absent.
        """
        started = time.monotonic()
        for attempt in range(1, TRIES + 1):
            try:
                with self.open() as session:
                    result = work(session)
                    session.commit()
                    pending = session.info.get(_AFTER_COMMIT, [])
            except DBAPIError as error:
                if not _may_run_again(error):
                    raise
                if attempt == TRIES or time.monotonic() - started > PATIENCE:
                    raise Busy(
                        "The database stayed locked by another transaction; nothing was written."
                    ) from error
                jitter = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
                time.sleep(jitter * min(0.02 * 2**attempt, 0.5))
                continue
            for action in pending:
                try:
                    action()
                except Exception as error:  # what it tells of is committed
                    logs.exception("after_commit_failed", error)
            return result
        raise AssertionError("unreachable")

    def read(self, work: Callable[[Session], T], *, snapshot: bool = False) -> T:
        """Run *work*, which only reads, in a fresh session, and return what it returned.

        With *snapshot* all of its queries see the database at one moment.
        """
        with self.open(snapshot=snapshot) as session:
            return work(session)


def after_commit(session: Session, action: Callable[[], Any]) -> None:
    """Have *action* called once, after the transaction of *session* was committed."""
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


@contextmanager
def lend(session: Session) -> Iterator[Session]:
    """Yield a session for the host's code, inside the transaction of *session*.

    Its commits and roll-backs end a savepoint, never our transaction; what it left is kept when
    it ends well. Raises what the host's code raises, and lets the whole service run again when
    the database has ended our transaction with it (a deadlock on MariaDB).
    """
    session.flush()
    connection = session.connection()
    inner: Session = session.info[_MAKE](connection, join_transaction_mode="create_savepoint")
    try:
        yield inner
        inner.commit()
    finally:
        inner.close()


def may_run_again(error: BaseException) -> bool:
    """Return whether the database asks for the whole transaction to be run again."""
    return isinstance(error, DBAPIError) and _may_run_again(error)


class _PinnedSession(Session):
    """A session on one engine, whatever binds the host's session class would choose."""

    def __init__(self, on: Engine | Connection, **options: Any) -> None:
        super().__init__(**options)
        self._refunds_on = on

    def get_bind(self, *_args: Any, **_options: Any) -> Engine | Connection:
        return self._refunds_on


@cache
def _pinned(kind: type[Session]) -> Any:
    """Return the class of our sessions over the host's *kind*, made once: each would stay."""
    return type("RefundsSession", (_PinnedSession, kind), {})


def _begin(session: Session) -> None:
    """Begin a transaction where Python's driver would begin one at the first write only."""
    connection = session.connection()
    if not getattr(connection.connection.dbapi_connection, "in_transaction", True):
        connection.exec_driver_sql("BEGIN")


def _may_run_again(error: DBAPIError) -> bool:
    original: Any = error.orig
    if _sqlstate(original) in _RETRY_SQLSTATES:
        return True
    if getattr(original, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return True
    return _number(original) in _RETRY_MYSQL


def _table_is_missing(error: DBAPIError) -> bool:
    original: Any = error.orig
    text = str(original)
    if "refunds_" not in text and "refunds_" not in str(error.statement or ""):
        return False
    return (
        _sqlstate(original) in {"42P01", "42703"}
        or _number(original) in _MISSING_MYSQL
        or "no such table: refunds_" in text
        or "no such column" in text
    )


def _sqlstate(original: Any) -> str | None:
    """Return PostgreSQL's code: psycopg 3 calls it ``sqlstate``, psycopg2 ``pgcode``."""
    return getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)


def _number(original: Any) -> int | None:
    first = original.args[0] if original is not None and original.args else None
    return first if isinstance(first, int) else None
