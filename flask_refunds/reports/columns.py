"""The columns of a report's table and file: what a developer changes to show something else."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "code", "count", "money", "rate", "day", "time"]
"""How a value is shown and written: ``money`` is in minor units of the row's currency, ``rate`` a
fraction, ``time`` aware UTC, ``code`` an id or number that nobody adds up."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: the attribute of the rows that it shows, its title, and how.

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
