"""Words for people: badges of states, amounts, times, and what waits.

Everything here can be translated through the catalogue of Flask-Admin, and reads as it is
without Flask-Babel. The refusals have a module of their own, :mod:`.refusals`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel.dates import format_date, format_time
from flask import Flask

from flask_refunds import money, wired
from flask_refunds.admin.words import gettext
from flask_refunds.config import Config
from flask_refunds.states import CardStatus, Detail, Method, RefundState, TransferState


@dataclass(frozen=True, kw_only=True)
class Badge:
    """A state as people see it: words, an icon of ``macros.html`` and a tone of ``refunds.css``."""

    text: str
    icon: str
    tone: str


_BADGES: dict[str, tuple[str, str, str]] = {
    CardStatus.NOT_REQUESTED: ("Not Requested by Administrator", "hand", "quiet"),
    CardStatus.STARTED: ("Started", "clock", "waiting"),
    CardStatus.PROCESSING: ("Processing", "arrows", "waiting"),
    CardStatus.COMPLETED: ("Completed", "check", "good"),
    CardStatus.FAILED: ("Failed", "cross", "bad"),
    RefundState.STARTED: ("Started", "clock", "waiting"),
    RefundState.PROCESSING: ("Processing", "arrows", "waiting"),
    RefundState.PARTLY_COMPLETED: ("Partly completed", "half", "waiting"),
    RefundState.COMPLETED: ("Completed", "check", "good"),
    RefundState.PARTLY_FAILED: ("Partly failed", "cross", "bad"),
    RefundState.FAILED: ("Failed", "cross", "bad"),
    RefundState.REVERSED: ("Reversed", "undo", "quiet"),
    "replaced": ("Replaced", "undo", "quiet"),
    "fully_refunded": ("Refunded", "undo", "red"),
    "partly_refunded": ("Partly refunded", "half", "red"),
    "asked": ("Refund failed", "cross", "red"),
    "unpaid": ("Not paid", "dash", "quiet"),
    "paid": ("Paid", "check", "good"),
    "in_flight": ("Refund in progress", "arrows", "waiting"),
    "refund_failed": ("Refund failed", "cross", "bad"),
}

_DETAILS: dict[str, str] = {
    Detail.WAITING_FOR_SETTLEMENT: "Waiting for the sale to settle; it will run by itself.",
    Detail.WAITING_FOR_SALE: "Waiting for another refund of the same sale.",
    Detail.GATEWAY_UNAVAILABLE: "The gateway cannot be reached; it will be tried again.",
    Detail.OUTCOME_UNKNOWN: "Outcome unknown: checking with the gateway.",
    Detail.UNDECIDED: "The gateway does not tell whether this was paid: a person must look.",
    Detail.OUTSIDE: "Made in the gateway's own panel: somebody has to say for which items.",
    Detail.ACCEPTED: "Accepted by the gateway; not settled yet.",
    Detail.SETTLED: "Settled at the gateway.",
    Detail.CONFLICT: "The gateway may have paid this beside the books: compare with its panel.",
}

_FAILURES: dict[str, str] = {
    "currency": "The sale at the gateway is in another currency.",
    "voided": "The sale was cancelled at the gateway already.",
    "disputed": (
        "The customer disputes this sale: the bank may be taking the money back already, and a"
        " refund would give it back twice."
    ),
    "not_refundable": "The gateway cannot refund this sale in its present state.",
    "configuration": "The gateway's settings are missing or wrong.",
    "not_done": "It was never made, and its gateway is not set up in this shop any more.",
    "balance_changed": "The shop gave the money back another way while this was waiting.",
}

_METHODS: dict[str, str] = {
    Method.CARD: "Card",
    Method.OTHER: "Other means",
}


def badge(status: str) -> Badge:
    """Return the badge of a card status, a refund's or transfer's state, or an order's mark.

    Card statuses keep the five labels that the client specified, to the letter.
    """
    text, icon, tone = _BADGES.get(str(status)) or (str(status), "dash", "quiet")
    return Badge(text=gettext(text), icon=icon, tone=tone)


def detail_text(detail: str) -> str:
    """Return in words what a transfer waits for, or what is known beyond its state."""
    text = _DETAILS.get(str(detail))
    return gettext(text) if text else ""


def failure_text(code: str | None, message: str | None) -> str:
    """Return in plain words why a transfer failed, from its failure code and message."""
    known = _FAILURES.get(code or "")
    if known:
        return gettext(known)
    words = message or gettext("The gateway gave no reason.")
    if code and code not in words:
        return gettext("%(words)s (code %(code)s)", words=words, code=code)
    return words


def method_text(method: str) -> str:
    """Return the words of a transfer's method."""
    return gettext(_METHODS.get(str(method), str(method)))


def reason_text(code: str) -> str:
    """Return the words of a reason for a refund, from ``REFUNDS_REASONS``."""
    return _config().reasons.get(code, code)


def means_text(code: str) -> str:
    """Return the words of an other means, from ``REFUNDS_OTHER_MEANS``."""
    return _config().other_means.get(code, code)


def money_text(minor: int, currency: str) -> str:
    """Return *minor* units of *currency* for people, in ``REFUNDS_LOCALE``."""
    return money.show(minor, currency, _config().locale)


def field_text(minor: int, currency: str) -> str:
    """Return *minor* units of *currency* as a person would type them in ``REFUNDS_LOCALE``."""
    return money.field_text(minor, currency, _config().locale)


def when_text(moment: datetime) -> str:
    """Return an aware time for people: the store's time zone and ``REFUNDS_LOCALE``."""
    config = _config()
    local = moment.astimezone(config.zone)
    return f"{format_date(local, 'medium', config.locale)}, {_clock(local, config.locale)}"


def since_text(moment: datetime) -> str:
    """Return an aware time for people: of today only the clock's."""
    config = _config()
    local, today = moment.astimezone(config.zone), wired.current().runtime.now()
    same_day = local.date() == today.astimezone(config.zone).date()
    return _clock(local, config.locale) if same_day else when_text(moment)


def day_text(moment: datetime) -> str:
    """Return the day of an aware time, in the store's time zone."""
    config = _config()
    return str(format_date(moment.astimezone(config.zone), "medium", config.locale))


def as_of_text() -> str:
    """Return the present time and its zone, for what is printed."""
    return f"{when_text(wired.current().runtime.now())} ({_config().timezone})"


def locale_tag() -> str:
    """Return ``REFUNDS_LOCALE`` as browsers write it: ``en-GB``."""
    return _config().locale.replace("_", "-")


def support_url() -> str | None:
    """Return where "contact support" leads, from ``REFUNDS_SUPPORT_URL``."""
    return _config().support_url


def transfer_status(method: str, state: str) -> str:
    """Return what :func:`badge` is asked for a single transfer: its card status, or its state."""
    if state == TransferState.REVERSED:
        return RefundState.REVERSED
    if method == Method.OTHER:
        return CardStatus.NOT_REQUESTED
    return CardStatus[str(state).upper()]


def add_filters(app: Flask) -> None:
    """Let templates of *app* use all this, as filters and functions called ``refunds_…``."""
    filters: dict[str, Callable[..., Any]] = {
        "refunds_badge": badge,
        "refunds_day": day_text,
        "refunds_detail": detail_text,
        "refunds_field": field_text,
        "refunds_means": means_text,
        "refunds_method": method_text,
        "refunds_money": money_text,
        "refunds_reason": reason_text,
        "refunds_since": since_text,
        "refunds_when": when_text,
        "refunds_iso": lambda moment: moment.isoformat(timespec="seconds"),
        "refunds_text": gettext,
    }
    for name, function in filters.items():
        app.add_template_filter(function, name)
    app.add_template_global(as_of_text, "refunds_as_of")
    app.add_template_global(locale_tag, "refunds_locale")


def _clock(local: datetime, locale: str) -> str:
    return str(format_time(local, "short", locale=locale))


def _config() -> Config:
    return wired.current().runtime.config
