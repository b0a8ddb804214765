"""The postings of a period as CSV, streamed in constant memory.

UTF-8 without a byte order mark, a header row, RFC 4180 quoting, plain decimals beside their
currency, times in ISO with the offset of the store's zone. Only columns that never change, in
the order in which they were posted: the file of a closed period is the same for ever.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Result, Row, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from flask_refunds import money
from flask_refunds.figures.ledger_query import posted
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.models import Posting

COLUMNS: dict[str, InstrumentedAttribute[Any]] = {
    "posting": Posting.id,
    "posted_at": Posting.posted_at,
    "entry": Posting.entry,
    "reverses": Posting.reverses_id,
    "refund": Posting.refund_id,
    "transfer": Posting.transfer_id,
    "order": Posting.order_number,
    "order_key": Posting.order_ref,
    "order_placed_at": Posting.order_placed_at,
    "customer": Posting.customer_ref,
    "kind": Posting.kind,
    "line": Posting.line_ref,
    "sku": Posting.sku,
    "description": Posting.description,
    "quantity": Posting.quantity,
    "currency": Posting.currency,
    "list_price": Posting.list_price,
    "discount": Posting.discount,
    "tax": Posting.tax,
    "amount": Posting.paid,
    "method": Posting.method,
    "operation": Posting.operation,
    "gateway": Posting.gateway,
    "gateway_refund": Posting.gateway_refund_id,
    "gateway_at": Posting.gateway_at,
    "reason": Posting.reason,
    "operator": Posting.actor_label,
}
"""The columns of the file; ``amount`` includes ``tax``. One more, ``basis``, says by which day."""

HEADER = (*COLUMNS, "basis")
_MONEY = frozenset({"list_price", "discount", "tax", "amount"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_CHUNK = 500
_IN_MEMORY = 2**20


def file_name(period: Period, basis: Basis) -> str:
    """Return the name of the file of *period*: ``refunds_2026-01-01_2026-01-31_by-refund.csv``."""
    days = "all" if period.first is None else f"{period.first}_{period.last}"
    return f"refunds_{days}_by-{basis}.csv"


def read(session: Session, period: Period, basis: Basis) -> "Result[*tuple[Any, ...]]":
    """Return the rows of the file, fetched from the database as they are taken.

    To be closed before *session* is: a cursor of the server's may be open.
    """
    statement = (
        select(*COLUMNS.values())
        .where(*posted(period, basis))
        .order_by(Posting.posted_at, Posting.id)
    )
    return session.connection().execute(statement, execution_options={"yield_per": _CHUNK})


def lines(rows: Iterable[Row[Any]], basis: Basis, zone: ZoneInfo) -> Iterator[str]:
    """Yield the file in pieces, times in *zone*."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER)
    for number, row in enumerate(rows, 1):
        writer.writerow([*_cells(row, zone), basis])
        if number % _CHUNK == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


@contextmanager
def spooled(pieces: Iterable[str]) -> Iterator[Iterator[str]]:
    """Yield *pieces* again, from a temporary file that they were all written to first.

    For SQLite, where a reader that stands still, as a slow download does, keeps every writer out.
    """
    with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        yield iter(partial(file.read, _IN_MEMORY // 16), "")


def _cells(row: Row[Any], zone: ZoneInfo) -> Iterator[object]:
    values = dict(zip(COLUMNS, row, strict=True))
    for name, value in values.items():
        if name in _MONEY:
            yield money.plain(value, values["currency"])
        elif isinstance(value, datetime):
            yield value.astimezone(zone).isoformat(timespec="seconds")
        elif isinstance(value, str):
            yield safe(value)
        else:
            yield "" if value is None else value


def safe(text: str) -> str:
    """Return *text* so that a spreadsheet shows it, and does not run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
