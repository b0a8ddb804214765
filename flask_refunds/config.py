"""The ``REFUNDS_*`` settings: declared once, with default and meaning, and checked at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError

from flask_refunds.errors import ConfigurationError

PREFIX = "REFUNDS_"

DEFAULT_REASONS = {
    "returned": "Returned",
    "damaged": "Damaged or faulty",
    "not_received": "Not received",
    "wrong_item": "Wrong item sent",
    "duplicate": "Duplicate order",
    "cancelled": "Cancelled by customer",
    "goodwill": "Goodwill",
    "other": "Other",
}
DEFAULT_OTHER_MEANS = {
    "bank_transfer": "Bank transfer",
    "cash": "Cash",
    "cheque": "Cheque",
    "store_credit": "Store credit",
    "other": "Other",
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings. Durations are seconds; the key is ``REFUNDS_`` and the upper-case name."""

    bind_key: str | None = None
    """Flask-SQLAlchemy bind of our tables; default: the orders' bind."""
    redis_url: str | None = "redis://127.0.0.1:6379/0"
    """Redis or Valkey for RQ; ``None``: no queue, ``flask refunds sweep`` does the work."""
    queue: str = "refunds"
    """Name of the RQ queue."""
    timezone: str = "UTC"
    """The store's zone: report days begin at its midnight."""
    locale: str = "en"
    """CLDR locale in which amounts are shown and typed."""
    support_url: str | None = None
    """Where "contact support" on a failed refund leads."""
    complete_on: Literal["accepted", "settled"] = "accepted"
    """Whether Completed means accepted by the gateway, or settled there."""
    reasons: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_REASONS))
    """Codes and words of the reasons for a refund."""
    other_means: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_OTHER_MEANS))
    """Codes and words of the other means by which money is given back."""
    page_size: int = 20
    """Rows on one page of Account History and of the desk."""
    gateway_timeout: float = 60.0
    """How long one gateway request may take; below 60 a late success is more likely."""
    late_window: float | None = None
    """How long after a time-out a request may still land; default: what the gateway says."""
    lease: float = 0.0
    """How long a worker's claim holds; default: three gateway time-outs and 30 seconds."""
    sale_pause: float = 5.0
    """How long to wait between two refunds of one sale; Braintree asks for 5 to 10 seconds."""
    sweep_interval: float = 15.0
    """How often a worker looks for what was never picked up, lost its worker or may settle."""
    settle_interval: float = 900.0
    """How long to wait before asking again whether a sale or refund has settled."""
    retry_interval: float = 30.0
    """First wait after an unavailable gateway; doubles up to an hour."""
    breaker_after: int = 3
    """Attempts in a row without an answer after which a gateway counts as down."""
    unsettled_after: float = 259200.0
    """How long a refund may wait for its sale to settle before a person is asked to look."""

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """Return the settings in a Flask *config*; unset ones get their default.

        Raises :exc:`~flask_refunds.errors.ConfigurationError` naming the key and the remedy.
        """
        values = {
            f.name: config[PREFIX + f.name.upper()]
            for f in fields(cls)
            if PREFIX + f.name.upper() in config
        }
        if not values.get("lease"):
            values["lease"] = 3 * float(values.get("gateway_timeout", cls.gateway_timeout)) + 30
        made = cls(**values)
        made._check()
        return made

    def _check(self) -> None:
        self._check_names()
        for name in (
            "gateway_timeout",
            "sweep_interval",
            "settle_interval",
            "retry_interval",
            "unsettled_after",
        ):
            value = getattr(self, name)
            if not isinstance(value, int | float) or value <= 0:
                raise _wrong(name, value, "a number of seconds above zero")
        for name in ("sale_pause", "late_window"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int | float) or value < 0):
                raise _wrong(name, value, "a number of seconds, not below zero")
        if self.lease <= 2 * self.gateway_timeout:
            raise _wrong(
                "lease",
                self.lease,
                "more than two gateway time-outs, since a worker first looks and then calls",
            )
        after: Any = self.breaker_after
        if not isinstance(after, int) or after < 1:
            raise _wrong("breaker_after", after, "a whole number from 1")
        size: Any = self.page_size
        if not isinstance(size, int) or not 1 <= size <= 200:
            raise _wrong("page_size", size, "a whole number from 1 to 200")

    def _check_names(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise _wrong("timezone", self.timezone, "an IANA name, as 'Europe/Paris'") from None
        try:
            Locale.parse(self.locale)
        except (UnknownLocaleError, ValueError):
            raise _wrong("locale", self.locale, "a CLDR locale, as 'en_GB'") from None
        url = self.support_url
        if url is not None and not url.startswith(("https://", "http://", "mailto:", "tel:", "/")):
            raise _wrong("support_url", url, "an address that begins with https:// or mailto:")
        if self.complete_on not in {"accepted", "settled"}:
            raise _wrong("complete_on", self.complete_on, "'accepted' or 'settled'")
        for name in ("reasons", "other_means"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not value:
                raise _wrong(name, value, "a mapping from a stable code to the words for people")
            for code in value:
                if not isinstance(code, str) or not 1 <= len(code) <= 64:
                    raise _wrong(name, code, "codes of 1 to 64 characters")

    @property
    def zone(self) -> ZoneInfo:
        """The store's time zone."""
        return ZoneInfo(self.timezone)


def _wrong(name: str, value: Any, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{PREFIX}{name.upper()} is {value!r}; set {wanted}.")
