"""The settings of the Stripe gateway, checked when the gateway is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.settings import required, timeout

PAYMENT_INTENT = "payment_intent"
CHARGE = "charge"

_WHERE = "it is in Stripe's Dashboard under Developers > API keys"
_SECRET_KEYS = ("sk_", "rk_")
_WEBHOOK_SECRET = "whsec_"  # noqa: S105 - how every secret begins, and no secret


@dataclass(frozen=True, kw_only=True)
class StripeSettings:
    """Where Stripe is and who we are. The keys stay out of the representation.

    ``timeout`` in seconds, for connecting and for each read. ``charge_ids`` says by which of its
    two ids a sale is called that the shop had not named to us before (a refund made in Stripe's
    Dashboard): ``"payment_intent"`` or ``"charge"``.
    """

    secret_key: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)
    charge_ids: str = PAYMENT_INTENT
    url: str = ""
    timeout: float = 60.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read ``REFUNDS_STRIPE_*`` and ``REFUNDS_GATEWAY_TIMEOUT`` (seconds, default 60).

        Raises :exc:`~flask_refunds.errors.ConfigurationError` naming the setting and the remedy,
        never its value when it is a key.
        """
        settings = cls(
            secret_key=required(config, "REFUNDS_STRIPE_SECRET_KEY", _WHERE),
            webhook_secret=str(config.get("REFUNDS_STRIPE_WEBHOOK_SECRET") or ""),
            charge_ids=str(config.get("REFUNDS_STRIPE_CHARGE_IDS") or PAYMENT_INTENT),
            url=str(config.get("REFUNDS_STRIPE_URL") or "").rstrip("/"),
            timeout=timeout(config),
        )
        settings._check()
        return settings

    def _check(self) -> None:
        if not self.secret_key.startswith(_SECRET_KEYS):
            raise ConfigurationError(
                f"REFUNDS_STRIPE_SECRET_KEY is no secret key; {_WHERE} and begins with sk_, or with"
                " rk_ when it is restricted."
            )
        if self.webhook_secret and not self.webhook_secret.startswith(_WEBHOOK_SECRET):
            raise ConfigurationError(
                "REFUNDS_STRIPE_WEBHOOK_SECRET is no signing secret; it is in Stripe's Dashboard"
                f" beside the webhook's address and begins with {_WEBHOOK_SECRET}."
            )
        if self.charge_ids not in {PAYMENT_INTENT, CHARGE}:
            raise ConfigurationError(
                f"REFUNDS_STRIPE_CHARGE_IDS is {self.charge_ids!r}; set '{PAYMENT_INTENT}' when"
                f" your payments hold pi_… and '{CHARGE}' when they hold ch_…."
            )
        if self.url and not _is_origin(self.url):
            raise ConfigurationError(
                "REFUNDS_STRIPE_URL is not a host and a port; set it like http://127.0.0.1:8080."
            )


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    more = parts.path or parts.query or parts.fragment or parts.username
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not more
