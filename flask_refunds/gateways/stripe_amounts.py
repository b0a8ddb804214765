"""Stripe's amounts: its own minor units, which are not ISO 4217's for every currency.

Source: Stripe's "Supported currencies", zero-decimal, three-decimal and special cases. An amount
that Stripe cannot express is refused, never rounded.
"""

from decimal import Decimal

from flask_refunds.gateways.answering import Unreadable
from flask_refunds.gateways.base import Rejected
from flask_refunds.money import exponent, from_decimal, to_decimal

_ZERO = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE = frozenset("BHD JOD KWD OMR TND".split())
_WHOLE_IN_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""Currencies without decimals that are written with two, always 00."""


def decimals(currency: str) -> int:
    """Return how many decimals Stripe's amounts in *currency* (ISO 4217) have.

    Raises :exc:`ValueError` for a currency of which we do not know it.
    """
    if currency in _ZERO:
        return 0
    if currency in _THREE:
        return 3
    if currency in _WHOLE_IN_HUNDREDTHS or exponent(currency) == 2:
        return 2
    raise ValueError(f"Stripe takes no amounts in {currency}")


def to_stripe(amount: int, currency: str) -> int:
    """Return *amount* minor units of *currency* as Stripe writes it.

    Raises :exc:`Rejected` when Stripe has no such amount: three-decimal ones must end in 0.
    """
    try:
        written = to_decimal(amount, currency).scaleb(decimals(currency))
    except ValueError as error:
        raise Rejected(str(error), code="currency") from None
    whole = int(written)
    if whole != written or (currency in _THREE and whole % 10):
        raise Rejected(
            f"Stripe cannot pay {to_decimal(amount, currency)} {currency}: it takes"
            f" {_finest(currency)} at the finest.",
            code="amount",
        )
    return whole


def from_stripe(amount: object, currency: str) -> int:
    """Return Stripe's *amount* in minor units of *currency*. Raises :exc:`Unreadable`."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise Unreadable("the amount is no whole number")
    try:
        return from_decimal(Decimal(amount).scaleb(-decimals(currency)), currency)
    except ValueError as error:
        raise Unreadable(str(error)) from None


def _finest(currency: str) -> str:
    return "hundredths" if currency in _THREE else "whole units"
