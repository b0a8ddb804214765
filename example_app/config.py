"""The shop's settings: from the environment, then from what the caller of ``create_app`` gives."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Environment variables that are taken as they are, with the value used when one is not set.
ENVIRONMENT: Mapping[str, str] = {
    "BRAINTREE_URL": "",
    "BRAINTREE_MERCHANT_ID": "integration_merchant_id",
    "BRAINTREE_PUBLIC_KEY": "integration_public_key",
    "BRAINTREE_PRIVATE_KEY": "integration_private_key",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "SHOP_SWATCH": "default",
    "REFUNDS_SUPPORT_URL": "https://support.example.com/payments",
    # The shop's own reports cut days in UTC; what stands beside them has to do the same.
    "REFUNDS_TIMEZONE": "UTC",
}

#: Settings of the refunds extension that repeat one of the shop's own.
REPEATED: Mapping[str, str] = {
    "REFUNDS_REDIS_URL": "REDIS_URL",
    "REFUNDS_BRAINTREE_URL": "BRAINTREE_URL",
    "REFUNDS_BRAINTREE_MERCHANT_ID": "BRAINTREE_MERCHANT_ID",
    "REFUNDS_BRAINTREE_PUBLIC_KEY": "BRAINTREE_PUBLIC_KEY",
    "REFUNDS_BRAINTREE_PRIVATE_KEY": "BRAINTREE_PRIVATE_KEY",
}


def data_dir() -> Path:
    """Return the directory that holds the demo's files: ``DEMO_DIR``, else ``var/demo`` here."""
    return Path(os.environ.get("DEMO_DIR") or Path("var", "demo")).absolute()


def settings(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the application's configuration.

    Arguments:
        overrides: configuration values that win over the environment. ``DATABASE_URL`` may be
            given here too.
    """
    values: dict[str, Any] = {
        name: os.environ.get(name) or default for name, default in ENVIRONMENT.items()
    }
    values["SHOP_NAME"] = "Kettle Lane Cycles"
    values["SHOP_REFUNDS"] = True
    values["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True}
    values.update(overrides)
    values.setdefault("SQLALCHEMY_DATABASE_URI", values.get("DATABASE_URL") or database_url())
    values.setdefault("SECRET_KEY", os.environ.get("SECRET_KEY") or secrets.token_hex(32))
    for theirs, ours in REPEATED.items():
        if values[ours]:
            values.setdefault(theirs, values[ours])
    return values


def database_url() -> str:
    """Return ``DATABASE_URL``, else the address of an SQLite file in :func:`data_dir`."""
    given = os.environ.get("DATABASE_URL")
    if given:
        return given
    directory = data_dir()
    directory.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{directory / 'shop.sqlite'}"
