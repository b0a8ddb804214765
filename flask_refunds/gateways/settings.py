"""What the settings of all gateways have in common: how one is read, and how it is refused."""

from collections.abc import Mapping
from typing import Any

from flask_refunds.errors import ConfigurationError

TIMEOUT = "REFUNDS_GATEWAY_TIMEOUT"


def required(config: Mapping[str, Any], name: str, where: str) -> str:
    """Return the text *name* of *config*; *where* says where people find it.

    Raises :exc:`~flask_refunds.errors.ConfigurationError` naming the setting and the remedy, never
    its value, which may be a key.
    """
    value = config.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} is not set; set it: {where}.")
    return value


def timeout(config: Mapping[str, Any]) -> float:
    """Return ``REFUNDS_GATEWAY_TIMEOUT`` of *config* in seconds; 60 when it is not set.

    Raises :exc:`~flask_refunds.errors.ConfigurationError`.
    """
    value = config.get(TIMEOUT, 60.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ConfigurationError(
            f"{TIMEOUT} is {value!r}; set a number of seconds above zero"
            " (60 is Braintree's own limit)."
        )
    return float(value)
