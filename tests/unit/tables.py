"""Tables for the tests of the files that they become."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_refunds.reports.tables import Field, Table

MADE = datetime(2026, 2, 1, 8, 15, 30, tzinfo=UTC)


def table(
    fields: Sequence[Field],
    *chunks: Sequence[Sequence[Any]],
    zone: str = "UTC",
    endless: Iterable[Sequence[Sequence[Any]]] | None = None,
    **given: Any,
) -> Table:
    """Return a table of *chunks*, or of the *endless* ones."""
    return Table(
        **{
            "name": "file",
            "fields": fields,
            "chunks": chunks if endless is None else endless,
            "zone": ZoneInfo(zone),
            "title": "Refunds",
            "made_at": MADE,
            "notes": {"Basis": "by refund date"},
            **given,
        }
    )
