"""Refunds for Flask storefronts: card and other means, in the admin panel, to the cent.

The names are imported when they are first asked for, so that the pytest plugin, which every test
run of a shop loads, costs nothing until a fixture of ours is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flask_refunds._version import __version__

if TYPE_CHECKING:
    from flask_refunds.extension import Refunds
    from flask_refunds.planning import RefundRequest, Selection
    from flask_refunds.policy import Actor, AdminAccessPolicy, Policy
    from flask_refunds.storefront import (
        Charge,
        Customers,
        Lines,
        Orders,
        Payments,
        PriorRefunds,
        Storefront,
        major,
        minor,
    )

__all__ = [
    "Actor",
    "AdminAccessPolicy",
    "Charge",
    "Customers",
    "Lines",
    "Orders",
    "Payments",
    "Policy",
    "PriorRefunds",
    "RefundRequest",
    "Refunds",
    "Selection",
    "Storefront",
    "__version__",
    "major",
    "minor",
]

_HOMES = {
    "Refunds": "extension",
    "RefundRequest": "planning",
    "Selection": "planning",
    "Actor": "policy",
    "AdminAccessPolicy": "policy",
    "Policy": "policy",
}
"""The modules of the names; all others are of ``storefront``."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOMES.get(name, 'storefront')}")
    value = globals()[name] = getattr(module, name)
    return value
