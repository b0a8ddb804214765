"""What the URL of a report asks for: a period, a date to go by, and what the report adds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_refunds.admin.words import gettext
from flask_refunds.figures.periods import Basis, Choice, Period, Preset, choose

PRESETS: Mapping[Preset, str] = {
    Preset.TODAY: "Today",
    Preset.YESTERDAY: "Yesterday",
    Preset.LAST_7_DAYS: "Last 7 days",
    Preset.LAST_30_DAYS: "Last 30 days",
    Preset.THIS_MONTH: "This month",
    Preset.LAST_MONTH: "Last month",
    Preset.THIS_QUARTER: "This quarter",
    Preset.LAST_QUARTER: "Last quarter",
    Preset.THIS_YEAR: "This year",
    Preset.LAST_YEAR: "Last year",
    Preset.ALL: "All",
}
BASES: Mapping[Basis, str] = {"refund": "Refund date", "order": "Order date"}

_ERRORS = {
    "missing": "Give both dates.",
    "not_a_date": "Dates are written like 2026-01-31.",
    "out_of_range": "This date is out of range.",
    "before_start": "The last day is before the first one.",
    "unknown": "There is no such choice.",
}
_LONGEST = 190


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a URL asks for, valid or not.

    ``more`` has the report's own choices and texts by name, the default where nothing valid was
    asked for; ``errors`` words by field.
    """

    choice: Choice
    more: Mapping[str, str]
    choices: Mapping[str, Mapping[str, str]]
    errors: Mapping[str, str]

    @property
    def basis(self) -> Basis:
        return self.choice.basis

    @property
    def period(self) -> Period:
        """The period; only to be asked for when there are no errors."""
        assert self.choice.period is not None
        return self.choice.period

    @property
    def state(self) -> dict[str, str]:
        """The query arguments beside the period, without those that are the default."""
        kept = {n: v for n, v in self.more.items() if v != _default(self.choices.get(n, {}))}
        return kept | ({"basis": self.basis} if self.basis != "refund" else {})

    @property
    def span(self) -> dict[str, str]:
        """The query arguments that say the period."""
        return self.choice.args

    @property
    def here(self) -> dict[str, str]:
        """The query arguments that ask for all of this again, whatever day it is."""
        return self.state | self.span


def ask(
    args: Mapping[str, str],
    *,
    now: datetime,
    zone: ZoneInfo,
    choices: Mapping[str, Mapping[str, str]],
    texts: tuple[str, ...] = (),
) -> Asked:
    """Return what *args* ask for.

    *choices* are the report's own: words by value, by name, the first value being the default;
    *texts* the names of what may be typed freely.
    """
    choice = choose(args, now=now, zone=zone)
    errors = {name: error_text(code) for name, code in choice.errors.items()}
    more = {name: _default(values) for name, values in choices.items()}
    for name, values in choices.items():
        value = args.get(name) or more[name]
        if value in values:
            more[name] = value
        else:
            errors[name] = error_text("unknown")
    for name in texts:
        more[name] = args.get(name, "").replace("\0", "").strip()[:_LONGEST]
    return Asked(choice=choice, more=more, choices=choices, errors=errors)


def _default(values: Mapping[str, str]) -> str:
    return next(iter(values), "")


def error_text(code: str) -> str:
    """Return in words what is wrong with a field."""
    return gettext(_ERRORS[code])


def translated(words: Mapping[Any, str]) -> dict[str, str]:
    """Return *words*, such as :data:`PRESETS`, in the language of the request."""
    return {str(value): gettext(text) for value, text in words.items()}


def basis_text(basis: Basis) -> str:
    """Return in a sentence by which day a report goes."""
    if basis == "order":
        return gettext(
            "By order date: refunds count on the day on which their order was placed. So past days "
            "change when more is refunded of their orders."
        )
    return gettext("By refund date: refunds count on the day on which they were completed.")
