"""The settings of the Braintree gateway, checked when the gateway is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.settings import required, timeout

_ENVIRONMENTS = ("sandbox", "production")
_WHERE = "it is in Braintree's Control Panel under Settings > API"


@dataclass(frozen=True, kw_only=True)
class BraintreeSettings:
    """Where Braintree is and who we are. The keys stay out of the representation.

    ``timeout`` in seconds, for connecting and for each read; ``url`` overrides ``environment``.
    """

    merchant_id: str
    public_key: str = field(repr=False)
    private_key: str = field(repr=False)
    environment: str = ""
    url: str = ""
    timeout: float = 60.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read ``REFUNDS_BRAINTREE_*`` and ``REFUNDS_GATEWAY_TIMEOUT`` (seconds, default 60).

        Raises :exc:`ConfigurationError` naming the setting and the remedy, never its value
        when it is a key.
        """
        settings = cls(
            merchant_id=required(config, "REFUNDS_BRAINTREE_MERCHANT_ID", _WHERE),
            public_key=required(config, "REFUNDS_BRAINTREE_PUBLIC_KEY", _WHERE),
            private_key=required(config, "REFUNDS_BRAINTREE_PRIVATE_KEY", _WHERE),
            environment=str(config.get("REFUNDS_BRAINTREE_ENVIRONMENT") or ""),
            url=str(config.get("REFUNDS_BRAINTREE_URL") or ""),
            timeout=timeout(config),
        )
        if not settings.url and settings.environment not in _ENVIRONMENTS:
            raise ConfigurationError(
                "REFUNDS_BRAINTREE_ENVIRONMENT is not set to 'sandbox' or 'production'; set it,"
                " or set REFUNDS_BRAINTREE_URL to another server that speaks Braintree's API."
            )
        _ = settings.address
        return settings

    @property
    def address(self) -> tuple[str, int, bool] | None:
        """Host, port and whether TLS is used of ``url``; ``None`` without one."""
        if not self.url:
            return None
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise _unfit("is not a URL") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _unfit("is not a URL")
        if parts.path.rstrip("/") or parts.query or parts.fragment or parts.username:
            raise _unfit("has more than a host and a port")
        secure = parts.scheme == "https"
        port = port or (443 if secure else 80)
        if secure != (port == 443):  # the SDK uses TLS on port 443, and nowhere else
            raise _unfit("must use https on port 443 and http on every other port")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return host, port, secure


def _unfit(what: str) -> ConfigurationError:
    return ConfigurationError(f"REFUNDS_BRAINTREE_URL {what}; set it like http://127.0.0.1:8080.")
