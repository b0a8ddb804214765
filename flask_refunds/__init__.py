"""Refunds for Flask storefronts: card and other means, in the admin panel, to the cent."""

from flask_refunds._version import __version__
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
