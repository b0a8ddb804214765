"""The columns of a report's table and file: what a developer changes to show something else."""

from dataclasses import dataclass
from typing import Any

from flask_refunds.reports.tables import Kind


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: the attribute of the rows that it shows, its title, and its kind.

    Kinds are those of :mod:`.tables`. On the page the title is shown; in files the key is.

    ``hint`` explains it on the page. ``series`` is the name by which a chart draws it. ``shown``
    is false for what stands in files only, ``filed`` for what stands on the page only.
    """

    key: str
    title: str
    kind: Kind = "text"
    hint: str = ""
    series: str = ""
    shown: bool = True
    filed: bool = True

    @property
    def is_figure(self) -> bool:
        """Whether it is a figure, aligned to the right."""
        return self.kind in {"count", "money", "rate"}


def value_of(row: Any, column: Column) -> Any:
    """Return what *row*, a mapping or an object, has in *column*."""
    return row[column.key] if isinstance(row, dict) else getattr(row, column.key)
