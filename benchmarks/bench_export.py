"""The CSV of the postings beside Flask-Admin's own export of the same rows.

Each download is one request to the shop in a fresh process, which takes the answer piece by piece
and throws it away. The peer is a ``ModelView`` of the postings with all the columns that are the
table's own: ours has the customer's name too, from another table.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flask_admin.contrib.sqla import ModelView
from sqlalchemy import Engine, event, text

from benchmarks import Result, benchmark
from benchmarks.databases import NAMES, database
from example_app import create_app
from example_app.database import db
from example_app.models import User
from flask_refunds.models import Base, Posting

POSTINGS = 1_000_000
ROUNDS = 3
PEER_ROUNDS = 1
PEER = "Flask-Admin's CSV export"
EXPORTED = (
    "id posted_at entry reverses_id refund_id transfer_id order_number order_ref order_placed_at "
    "customer_ref kind line_ref sku description quantity currency list_price discount tax paid "
    "method operation gateway gateway_refund_id gateway_at reason actor_label"
).split()
PATHS = {
    "ours": "/admin/refunds_report/csv?start=2026-01-01&end=2026-12-31",
    "peer": "/admin/exported/export/csv/",
}


@dataclass(frozen=True, kw_only=True)
class Download:
    """One download: seconds in all, milliseconds from the first row to the first byte, MiB more."""

    rows: int
    seconds: float
    wait: float
    growth: float


@benchmark
def export_on_sqlite() -> Iterator[Result]:
    """Take the file of a million postings on SQLite."""
    return _results("sqlite")


@benchmark
def export_on_postgresql() -> Iterator[Result]:
    """Take the file of a million postings on PostgreSQL."""
    return _results("postgresql")


def _results(kind: str) -> Iterator[Result]:
    with database(kind) as engine:
        url = engine.url.render_as_string(hide_password=False)
        _fill(url)
        peers = [_download("peer", url) for _ in range(PEER_ROUNDS)]
        ours = [_download("ours", url) for _ in range(ROUNDS)]
    if {each.rows for each in (*ours, *peers)} != {POSTINGS}:
        raise RuntimeError(f"not all postings were exported: {[*ours, *peers]}")
    name = f"CSV of {POSTINGS} postings, {NAMES[kind]}"
    for what, unit, figure in (
        ("speed", "rows/s", lambda d: d.rows / d.seconds),
        ("first byte after the first row", "ms", lambda d: d.wait),
        ("growth of memory", "MiB", lambda d: d.growth),
    ):
        yield Result(
            name=f"{name}: {what}",
            value=statistics.median(map(figure, ours)),
            unit=unit,
            peer=PEER,
            peer_value=statistics.median(map(figure, peers)),
        )


def _download(side: str, url: str) -> Download:
    command = [sys.executable, "-m", "benchmarks.bench_export", side, url]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Download(**json.loads(done.stdout))


def take(side: str, url: str) -> Download:
    """Take the file of one *side* in this process, and return what it cost."""
    app, engine = _app(url)
    with app.app_context():
        client = _signed_in(app)
    client.get("/admin/refunds_report/?start=2025-01-01&end=2025-01-01")  # imports, templates
    first_row: list[float] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM refunds_posting" in statement and "count(" not in statement:
            first_row.append(time.perf_counter())

    event.listen(engine, "after_cursor_execute", note)
    before, began = _memory("VmRSS"), time.perf_counter()
    with client.get(PATHS[side], buffered=False) as answer:
        rows, first_byte = -1, 0.0
        for piece in answer.response:
            first_byte = first_byte or time.perf_counter()
            rows += bytes(piece).count(b"\r\n")
    return Download(
        rows=rows,
        seconds=time.perf_counter() - began,
        wait=1000 * (first_byte - first_row[0]),
        growth=_memory("VmHWM") - before,
    )


def _app(url: str) -> tuple[Any, Engine]:
    app = create_app(
        {
            "SQLALCHEMY_DATABASE_URI": url,
            "SECRET_KEY": "bench",
            "REFUNDS_REDIS_URL": None,
            "REFUNDS_BRAINTREE_URL": "http://127.0.0.1:9",  # never called
        }
    )

    class Exported(ModelView):  # type: ignore[misc]
        can_export = True
        export_max_rows = 0
        column_list = EXPORTED

    app.extensions["admin"][0].add_view(Exported(Posting, db, endpoint="exported"))
    with app.app_context():
        return app, db.engine


def _signed_in(app: Any) -> Any:
    user = db.session.scalars(db.select(User)).one()
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = str(user.id), True
    return client


def _memory(key: str) -> float:
    """Return what the kernel says of this process's memory, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(key)


def _fill(url: str) -> None:
    """Make the shop's tables with an administrator, and ours with all the postings of a year."""
    app, engine = _app(url)
    with app.app_context():
        db.create_all()
        db.session.add(User(name="admin", email="admin@example.com", role="admin"))
        db.session.commit()
        db.session.remove()
    fill_postings(engine, POSTINGS)
    engine.dispose()


def fill_postings(engine: Engine, count: int) -> None:
    """Make our tables and *count* postings, by the database itself (SQLite or PostgreSQL).

    One for every 31 seconds of 2026, four to a refund, in two currencies, of orders placed some
    time in the four weeks before.
    """
    Base.metadata.create_all(engine)
    postgresql = engine.dialect.name == "postgresql"

    def at(seconds: str) -> str:
        if postgresql:
            return f"timestamptz '2026-01-01 00:00+00' + ({seconds}) * interval '1 second'"
        start = "unixepoch('2026-01-01')"
        return f"strftime('%Y-%m-%d %H:%M:%f', {start} + ({seconds}), 'unixepoch') || '000'"

    def numbers(last: int) -> str:
        if postgresql:
            return f"(SELECT generate_series(1, {last}) AS n) AS numbers"
        more = f"SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}"
        return f"(WITH RECURSIVE numbers(n) AS ({more}) SELECT n FROM numbers)"

    def add(table: str, last: int, **columns: str) -> None:
        listed, values = ", ".join(columns), ", ".join(columns.values())
        insert = f"INSERT INTO {table} ({listed}) SELECT {values} FROM {numbers(last)}"
        connection.execute(text(insert.replace(":", r"\:")))

    parts = {
        "quantity": "1 + n % 3", "list_price": "1000 + n % 5000", "discount": "n % 100",
        "tax": "n % 777", "paid": "900 + n % 5000",
    }  # fmt: skip
    order = {"order_ref": "'1'", "order_number": "'2026-' || n", "customer_ref": "'' || (n % 9000)"}
    with engine.begin() as connection:
        add("refunds_account", 1, order_ref="'1'", currency="'USD'", paid="1000", captured="1000",
            prior="0", committed="1000", version="0")  # fmt: skip
        add("refunds_refund", count // 4, id="n", **order, order_placed_at=at("0"),
            customer_name="'Ada Lovelace ' || n", customer_email="''", currency="'USD'",
            amount="1000", tax="100", reason="'returned'", note="''", actor_id="'1'",
            actor_label="'1'", token="'t' || n", fingerprint="''", state="'completed'",
            created_at=at("0"))  # fmt: skip
        add("refunds_line", 1, id="1", refund_id="1", position="0", kind="'line'", line_ref="'1'",
            sku="''", description="''", dimensions="'{}'", **parts)  # fmt: skip
        add("refunds_transfer", 1, id="1", refund_id="1", order_ref="'1'", position="0",
            method="'other'", currency="'USD'", amount="1000", state="'completed'", detail="''",
            generation="1", other_kind="'cash'", other_reference="''", card_label="''",
            created_at=at("0"), attempts="0", polls="0")  # fmt: skip
        add("refunds_posting", count, id="n", entry="'refund'", posted_at=at("n * 31"),
            gateway_at=at("n * 31 - 2"), refund_id="(n + 3) / 4", transfer_id="1", line_id="1",
            generation="n", **order, order_placed_at=at("n * 31 - n % 997 * 2417"),
            kind="'line'", line_ref="'' || (n * 7)", sku="'SKU-' || (n % 500)",
            description="'Comfort saddle, brown, no. ' || (n % 900)", dimensions="'{}'",
            method="'card'", operation="'refund'", gateway="'braintree'",
            gateway_refund_id="'bt' || n", reason="'returned'", actor_label="'Anna Admin'",
            currency="CASE WHEN n % 3 = 0 THEN 'EUR' ELSE 'USD' END", **parts)  # fmt: skip
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


if __name__ == "__main__":
    print(json.dumps(asdict(take(*sys.argv[1:]))))
