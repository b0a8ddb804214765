"""A report as a file: its columns, its rows chunk by chunk, and what it says of itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask_refunds.figures.periods import Basis, Period
from flask_refunds.reports.columns import Column, value_of
from flask_refunds.reports.sources import Query, Source
from flask_refunds.reports.tables import Field, Table
from flask_refunds.runtime import Runtime

BASIS = Field("basis", "code")
"""The last column of every report's file: by which date it goes."""


def report_table(
    runtime: Runtime,
    source: Source,
    query: Query,
    *,
    columns: Sequence[Column] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Table:
    """Return the file of *source* for *query*, with the *columns* that files have.

    Nothing is read yet. *notes* say what else was asked for.
    """
    filed = [column for column in columns or source.columns if column.filed]
    fields = [Field(column.key, column.kind) for column in filed]

    def chunks() -> Iterator[Sequence[Sequence[Any]]]:
        for rows in source.chunks(runtime, query):
            yield [(*(_written(row, column) for column in filed), query.basis) for row in rows]

    return Table(
        name=file_name(source.name, query.period, query.basis),
        fields=[*fields, BASIS],
        chunks=chunks(),
        zone=runtime.config.zone,
        title=source.title,
        made_at=runtime.now(),
        notes={**notes_of(query.period, query.basis), **(notes or {})},
    )


def file_name(report: str, period: Period, basis: Basis) -> str:
    """Return a file's name without its ending: ``items_2026-01-01_2026-01-31_by-refund``."""
    days = "all" if period.first is None else f"{period.first}_{period.last}"
    return f"{report}_{days}_by-{basis}"


def notes_of(period: Period, basis: Basis) -> dict[str, str]:
    """Return what a file says of its days."""
    days = "all" if period.first is None else f"{period.first} to {period.last}"
    notes = {"Basis": f"by {basis} date", "Period": days}
    if basis == "order":
        notes["Note"] = "Past days change when more is refunded of their orders."
    return notes


def _written(row: Any, column: Column) -> Any:
    """Return what *row* has in *column*, as files hold it: an id or a state is its text."""
    value = value_of(row, column)
    return str(value) if column.kind in {"text", "code"} and value is not None else value
