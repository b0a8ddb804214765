"""Whether keys are there, are one row's, and come back from the text that we keep of them."""

from typing import Any

from flask_refunds.doctor.findings import Tally
from flask_refunds.errors import MappingError
from flask_refunds.storefront.values import Key


class KeyCheck:
    """Looks at the keys of one part's rows."""

    def __init__(self, tally: Tally, part: str, key: Key) -> None:
        self._tally, self._part, self._key = tally, part, key
        self._refs: set[str] = set()

    def ref(self, row: Any) -> str | None:
        """Return the key of *row* as we keep it; ``None``, with a finding, if it is not usable."""
        values = self._key.raw(row, "key")
        if values is None:
            self._tally.note("key_null", "", part=self._part)
            return None
        try:
            ref = self._key.to_ref(values)
            back: tuple[Any, ...] | None = self._key.from_ref(ref)
        except MappingError as error:
            self._tally.note("row_unreadable", error, part=self._part)
            return None
        except (ValueError, ArithmeticError):
            back = None
        if back != values:
            self._tally.note("key_round_trip", _of(self._part, ref), part=self._part)
            return None
        if ref in self._refs:
            self._tally.note("key_duplicate", _of(self._part, ref), part=self._part)
            return None
        self._refs.add(ref)
        return ref


def _of(part: str, ref: str) -> str:
    return f"{part.rstrip('s').lower()} {ref}"
