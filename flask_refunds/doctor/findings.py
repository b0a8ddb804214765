"""What the doctor finds: a code, how many, an example and the remedy; and counting it."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_refunds.doctor.codes import CODES
from flask_refunds.doctor.kinds import Part, Severity

FEW = 10
"""What is wrong with fewer than one in so many rows is the rows' doing, not the mapping's."""

_PRIVATE = re.compile(r"@|\d{12}")
_LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong or worth knowing.

    ``code`` is stable; ``count`` of ``of`` rows (``None``: it is not about rows) are so, and
    ``example`` names one of them by its key, or says what the program that was asked said.
    """

    part: Part
    code: str
    severity: Severity
    what: str
    count: int = 1
    of: int | None = None
    example: str = ""
    remedy: str


def finding(
    code: str, *, count: int = 1, of: int | None = None, example: object = "", **words: Any
) -> Finding:
    """Return the finding called *code*, with *words* filled into its text.

    One that may be the rows' doing is only a note while it is about few of the *of* rows.
    """
    known = CODES[code]
    few = known.by_share and of is not None and count * FEW < of
    return Finding(
        part=known.part,
        code=code,
        severity=Severity.NOTE if few else known.severity,
        what=known.what.format(**words),
        count=count,
        of=of,
        example=shown(example),
        remedy=known.remedy.format(**words),
    )


def shown(value: object) -> str:
    """Return *value* for people, in one line, unless it may hold an address or a card's number."""
    text = " ".join(str(value).split())
    if _PRIVATE.search(text):
        return f"(a text of {len(text)} characters)"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class Tally:
    """Counts what was looked at and what was found, and keeps the first example of each."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._counts: Counter[tuple[str, tuple[tuple[str, Any], ...]]] = Counter()
        self._examples: dict[tuple[str, tuple[tuple[str, Any], ...]], object] = {}

    def look(self, rows: str, number: int = 1) -> None:
        """Note that *number* more of *rows* ("orders", …) were looked at."""
        self._seen[rows] += number

    def seen(self, rows: str) -> int:
        """Return how many of *rows* were looked at."""
        return self._seen[rows]

    def note(self, code: str, example: object, **words: Any) -> None:
        """Count one more *code*; *words* make findings of one code differ."""
        key = code, tuple(sorted(words.items()))
        self._counts[key] += 1
        self._examples.setdefault(key, example)

    def count(self, code: str) -> int:
        """Return how many of *code* were counted, whatever their words."""
        return sum(number for (name, _), number in self._counts.items() if name == code)

    def findings(self) -> list[Finding]:
        """Return all that was counted, in the order of the codes."""
        places = {code: place for place, code in enumerate(CODES)}
        return [
            finding(
                code,
                count=self._counts[code, words],
                of=self._of(code, dict(words)),
                example=self._examples[code, words],
                **dict(words),
            )
            for code, words in sorted(self._counts, key=lambda key: (places[key[0]], key[1]))
        ]

    def _of(self, code: str, words: Mapping[str, Any]) -> int | None:
        rows = CODES[code].rows
        return self._seen[rows.format(**words)] if rows else None
