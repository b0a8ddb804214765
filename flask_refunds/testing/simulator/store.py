"""Where the simulator keeps its transactions: one SQLite file, so that a restart loses nothing."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask_refunds.testing.simulator.records import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, sale_id TEXT,
  order_id TEXT, status TEXT NOT NULL, created_at TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS record_sale ON record (sale_id);
CREATE INDEX IF NOT EXISTS record_order ON record (order_id);
CREATE TABLE IF NOT EXISTS request_key (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, record_id TEXT, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS request (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, operation TEXT NOT NULL, transaction_id TEXT,
  status INTEGER, fault TEXT);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """Thread-safe storage: one connection, and every use of it inside :meth:`transaction`."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file. Waits for a transaction that is running."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block alone, and keep all of its writes or none. May be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def now(self) -> datetime:
        """Return the simulator's clock: the real one plus what the control endpoint added."""
        return datetime.now(UTC) + timedelta(seconds=float(self.setting("clock_offset", "0")))

    def setting(self, name: str, default: str) -> str:
        """Return the setting *name*."""
        rows = self._rows("SELECT value FROM setting WHERE name = ?", name)
        return str(rows[0][0]) if rows else default

    def set_setting(self, name: str, value: str) -> None:
        """Keep the setting *name*."""
        self._rows("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)

    def save(self, record: Record) -> None:
        """Insert or update *record*."""
        self._rows(
            "INSERT INTO record (id, type, sale_id, order_id, status, created_at, doc) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "order_id = excluded.order_id, status = excluded.status, doc = excluded.doc",
            record.id, record.type, record.refunded_transaction_id, record.order_id,
            record.status, record.created_at, json.dumps(record.to_json()),
        )  # fmt: skip

    def find(self, record_id: str) -> Record | None:
        """Return the transaction *record_id*."""
        found = self._records("WHERE id = ?", record_id)
        return found[0] if found else None

    def refunds_of(self, sale_id: str) -> list[Record]:
        """Return the credits that refund *sale_id*, oldest first, declined ones too."""
        return self._records("WHERE sale_id = ? ORDER BY seq", sale_id)

    def all(self) -> list[Record]:
        """Return every transaction, oldest first."""
        return self._records("ORDER BY seq")

    def with_order_id(self, order_id: str) -> list[Record]:
        """Return the transactions that carry *order_id*."""
        return self._records("WHERE order_id = ? ORDER BY seq", order_id)

    def _records(self, where: str, *values: Any) -> list[Record]:
        rows = self._rows(f"SELECT doc FROM record {where}", *values)  # noqa: S608 - own constants
        return [Record(**json.loads(row[0])) for row in rows]

    def request_key(self, key: str) -> tuple[str, str | None, str] | None:
        """Return (request, record id, time) that *key* was used for."""
        rows = self._rows("SELECT request, record_id, at FROM request_key WHERE key = ?", key)
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def keep_request_key(self, key: str, request: str, record_id: str | None) -> None:
        """Remember that *key* stands for *request*, which made the record *record_id* or none."""
        self._rows(
            "INSERT OR REPLACE INTO request_key VALUES (?, ?, ?, ?)",
            key, request, record_id, self.now().isoformat(),
        )  # fmt: skip

    def log(self, operation: str, transaction_id: str | None, fault: str) -> int:
        """Note a request that reached us and return its number."""
        with self._lock:
            return int(
                self._connection.execute(
                    "INSERT INTO request (at, operation, transaction_id, fault) "
                    "VALUES (?, ?, ?, ?)",
                    (self.now().isoformat(), operation, transaction_id, fault),
                ).lastrowid
                or 0
            )

    def log_answer(self, number: int, status: int) -> None:
        """Note the HTTP *status* that request *number* was answered with; 0 for none."""
        self._rows("UPDATE request SET status = ? WHERE seq = ?", status, number)

    def requests(self) -> list[dict[str, Any]]:
        """Return the log, oldest first."""
        names = ("at", "operation", "transaction_id", "status", "fault")
        rows = self._rows(f"SELECT {', '.join(names)} FROM request ORDER BY seq")  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in rows]

    def request_counts(self) -> dict[str, int]:
        """Return how many requests of each operation came."""
        rows = self._rows("SELECT operation, count(*) FROM request GROUP BY operation")
        return {str(name): int(count) for name, count in rows}

    def reset(self) -> None:
        """Forget everything."""
        with self.transaction():
            for table in ("record", "request_key", "request", "setting"):
                self._rows(f"DELETE FROM {table}")  # noqa: S608 - own constants
