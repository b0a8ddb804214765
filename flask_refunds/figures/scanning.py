"""What one long read of the ledger asks of the three databases, in the words of each.

The read goes by the index ``(posted_at, id)`` from one position to the next, so that no cursor and
no transaction stays open between two chunks of it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from flask_refunds.models import Posting


class utc_text(FunctionElement[str]):  # noqa: N801 - reads as a function of SQL
    """A UTC time column as the text ``2026-01-31 12:30:00.123456``, or with fewer decimals.

    The databases make it faster than Python makes an aware time of what they send.
    """

    name = "utc_text"
    type = String()
    inherit_cache = True


class off_index(FunctionElement[Any]):  # noqa: N801
    """A column in a condition that SQLite must not choose its index by.

    It prefers the index of a range to that of the order, and then sorts the whole period again
    for each chunk. PostgreSQL and MariaDB weigh the limit, and are let choose.
    """

    name = "off_index"
    inherit_cache = True

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = column.type


def beyond(at: datetime, number: int) -> ColumnElement[bool]:
    """Return the condition that a posting comes after the one *number* of the time *at* (UTC).

    The first half is for PostgreSQL and SQLite, which range over no OR; MariaDB makes two exact
    ranges of the second, and would range over no row comparison.
    """
    return and_(
        Posting.posted_at >= at,
        or_(Posting.posted_at > at, and_(Posting.posted_at == at, Posting.id > number)),
    )


@compiles(utc_text)
@compiles(off_index)
def _as_it_is(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(utc_text, "postgresql")
def _to_char(element: utc_text, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"


@compiles(utc_text, "mysql", "mariadb")
def _cast(element: utc_text, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS CHAR)"


@compiles(off_index, "sqlite")
def _plus(element: off_index, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"
