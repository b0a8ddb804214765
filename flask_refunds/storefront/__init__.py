"""The host's shop as we see it: the mapping, and reading through it."""

from flask_refunds.storefront.mapping import (
    Charge,
    Customers,
    Lines,
    Orders,
    Payments,
    PriorRefunds,
    Storefront,
)
from flask_refunds.storefront.values import major, minor

__all__ = [
    "Charge",
    "Customers",
    "Lines",
    "Orders",
    "Payments",
    "PriorRefunds",
    "Storefront",
    "major",
    "minor",
]
