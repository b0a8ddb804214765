"""What one application holds of us, and how views, commands and jobs reach it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_admin.base import Admin, BaseView
from sqlalchemy.orm import Session

from flask_refunds.errors import ConfigurationError
from flask_refunds.policy import Policy
from flask_refunds.runtime import Runtime

KEY = "refunds"


@dataclass(frozen=True, kw_only=True, eq=False)
class Wired:
    """One application's runtime, its policy, and the host view that our pages ask for access."""

    runtime: Runtime
    policy: Policy
    admin: Admin
    gatekeeper: BaseView | None
    host_session: Callable[[], Session]
    extension: Any


def current() -> Wired:
    """Return what the current application holds of us.

    Raises :exc:`~flask_refunds.errors.ConfigurationError` when it was never wired.
    """
    wired = current_app.extensions.get(KEY)
    if wired is None:
        raise ConfigurationError(
            f"The application {current_app.name!r} has no refunds. Call "
            "refunds.init_app(app, db=db, admin=admin) where it is made."
        )
    assert isinstance(wired, Wired)
    return wired
