"""A table to be taken away as a file: its fields, its rows, and what it says of itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

Kind = Literal["text", "code", "count", "money", "rate", "time", "day"]
"""What a field holds, and what a row gives for it (``None`` where it has nothing):

``text`` and ``code``: a ``str``, words of people and identifiers. ``count``: an ``int``.
``money``: an ``int``, minor units of the row's field ``currency``. ``rate``: a ``Decimal``, which
is 0.25 for 25 %. ``time``: an aware ``datetime``, or UTC as the text that
:class:`~flask_refunds.figures.scanning.utc_text` gives. ``day``: a ``date`` of the store's.
"""

CURRENCY = "currency"
"""The key of the field that has the code of ISO 4217 for the amounts of its row."""


@dataclass(frozen=True)
class Field:
    """One column: the ``key`` is its title in the file, and never changes."""

    key: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Table:
    """What :mod:`.csv_files` and :mod:`.xlsx_files` make a file of.

    ``chunks`` are sequences of rows, each written as soon as it is there; a row has a value for
    each of ``fields``. Times are shown in ``zone``. ``name`` is the file's, without its ending.
    ``title``, ``notes`` and ``made_at`` (UTC) tell what it is; a CSV has no place for them.
    Raises :exc:`ValueError` when there are amounts and no currency.
    """

    name: str
    fields: Sequence[Field]
    chunks: Iterable[Sequence[Sequence[Any]]]
    zone: ZoneInfo
    title: str
    made_at: datetime
    notes: Mapping[str, str]

    def __post_init__(self) -> None:
        amounts = [field.key for field in self.fields if field.kind == "money"]
        if amounts and self.place(CURRENCY) is None:
            raise ValueError(f"{amounts[0]!r} is money: add a field {CURRENCY!r} of kind 'code'")

    def place(self, key: str) -> int | None:
        """Return the index of the field *key* in a row, if there is one."""
        return next((i for i, field in enumerate(self.fields) if field.key == key), None)
