"""The postings of a period as a table: columns that never change, in the order of posting.

So by refund date the file of a closed period is the same for ever, whatever is refunded, fails or
is reversed afterwards.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, literal, select
from sqlalchemy.orm import Session

from flask_refunds.figures.ledger_query import DATED, within
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.figures.scanning import beyond, off_index, utc_text
from flask_refunds.models import Posting, Refund
from flask_refunds.reports.filing import BASIS, file_name, notes_of
from flask_refunds.reports.tables import Field, Table
from flask_refunds.sessions import Sessions

_CUSTOMER_NAME = (
    select(Refund.customer_name).where(Refund.id == Posting.refund_id).scalar_subquery()
)

_COLUMNS: Mapping[Field, Any] = {
    Field("posting", "count"): Posting.id,
    Field("posted_at", "time"): utc_text(Posting.posted_at),
    Field("entry", "code"): Posting.entry,
    Field("reverses", "count"): Posting.reverses_id,
    Field("refund", "count"): Posting.refund_id,
    Field("transfer", "count"): Posting.transfer_id,
    Field("order", "code"): Posting.order_number,
    Field("order_key", "code"): Posting.order_ref,
    Field("order_placed_at", "time"): utc_text(Posting.order_placed_at),
    Field("customer", "code"): Posting.customer_ref,
    Field("customer_name", "text"): _CUSTOMER_NAME,
    Field("kind", "code"): Posting.kind,
    Field("line", "code"): Posting.line_ref,
    Field("sku", "code"): Posting.sku,
    Field("description", "text"): Posting.description,
    Field("quantity", "count"): Posting.quantity,
    Field("currency", "code"): Posting.currency,
    Field("list_price", "money"): Posting.list_price,
    Field("discount", "money"): Posting.discount,
    Field("tax", "money"): Posting.tax,
    Field("amount", "money"): Posting.paid,
    Field("method", "code"): Posting.method,
    Field("operation", "code"): Posting.operation,
    Field("gateway", "code"): Posting.gateway,
    Field("gateway_refund", "code"): Posting.gateway_refund_id,
    Field("gateway_at", "time"): utc_text(Posting.gateway_at),
    Field("reason", "code"): Posting.reason,
    Field("operator", "text"): Posting.actor_label,
}

FIELDS = (*_COLUMNS, BASIS)
"""The columns; ``amount`` includes ``tax``, and ``basis`` says by which day the period goes."""

FIRST, LARGEST = 250, 2_000
"""Rows of the first chunk, which is sent early, and of the largest; each is twice the last."""


def postings_table(
    sessions: Sessions,
    period: Period,
    basis: Basis,
    *conditions: ColumnElement[bool],
    zone: ZoneInfo,
    made_at: datetime,
    notes: Mapping[str, str] | None = None,
) -> Table:
    """Return the postings of *period* by *basis* that meet *conditions* on :class:`Posting`.

    Nothing is read yet. *notes* say what the conditions are.
    """
    return Table(
        name=file_name("refunds", period, basis),
        fields=FIELDS,
        chunks=read_chunks(sessions, period, basis, *conditions),
        zone=zone,
        title="Refunds",
        made_at=made_at,
        notes={**notes_of(period, basis), **(notes or {})},
    )


def read_chunks(
    sessions: Sessions, period: Period, basis: Basis, *conditions: ColumnElement[bool]
) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows of :data:`FIELDS`, oldest first, in chunks of at most :data:`LARGEST`.

    Each chunk is one short read in a session of its own, from the last row on: nothing is open
    between two of them, however slow the reader is, and a writer is never waited for.

    Postings are only ever added, dated after the lock on their account is taken. Of a period that
    ended longer ago than a transaction lasts, the rows are exactly its postings. Of one that is
    still open, they are what was posted before the read began, and of what is posted meanwhile
    whatever is dated after the row that was read last; a transaction that dated its postings
    before that row and commits after it is passed over. None comes twice.
    """
    size = FIRST
    after: tuple[datetime, int] | None = None
    while True:
        statement = _statement(period, basis, conditions, after).limit(size)
        rows = sessions.read(partial(_read, statement))
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = datetime.fromisoformat(f"{rows[-1].posted_at}+00:00"), rows[-1].posting
        size = min(2 * size, LARGEST)
        del rows  # not two chunks at a time: the garbage collector would look through both


def _read(statement: Select[Any], session: Session) -> Sequence[Row[Any]]:
    return session.connection().execute(statement).all()


def _statement(
    period: Period,
    basis: Basis,
    conditions: Sequence[ColumnElement[bool]],
    after: tuple[datetime, int] | None,
) -> Select[Any]:
    columns = [column.label(field.key) for field, column in _COLUMNS.items()]
    dated: Any = off_index(DATED[basis]) if basis == "order" else DATED[basis]
    if after is not None:
        conditions = [*conditions, beyond(*after)]
        if basis == "refund":  # of two lower bounds, SQLite may enter the index by the first
            period = replace(period, start=None)
    return (
        select(*columns, literal(basis).label("basis"))
        .where(*within(dated, period), *conditions)
        .order_by(Posting.posted_at, Posting.id)
    )
