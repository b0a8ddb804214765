"""What Braintree's validation codes prove (the SDK's ``error_codes.py``).

Listed are the codes that say that no money moved. The codes about a request key are not among
them on purpose: 915232 (used for another request), 915233 (in flight), 915234 (its first
request stored no refund) and 915235 (broken) mean that one must look before anything else.
"""

from typing import Any

from flask_refunds.gateways.base import (
    AlreadyRefunded,
    Declined,
    GatewayError,
    KeySpent,
    NotYet,
    Rejected,
    Unknown,
)

KEY_NOT_ALLOWED = "915231"
"""The account takes no request keys. Said before any money moves."""

_NOT_YET = frozenset(
    {
        "91504",  # cannot be voided (also: voided already, and settling behind an old status)
        "91506",  # cannot refund unless settled
        "91574",  # cannot refund a settling transaction
    }
)
_ALREADY_REFUNDED = frozenset({"91512"})
_DECLINED = {"915200": True, "915201": False}  # refund authorization: hard, soft
_REJECTED = frozenset(
    {
        "81501",  # amount negative
        "81502",  # amount missing
        "81503",  # amount format
        "81528",  # amount too large
        "81531",  # amount zero
        "815193",  # amount not supported by the processor
        "91501",  # order id longer than 255
        "91505",  # refund of a credit
        "91513",  # merchant account invalid
        "91514",  # merchant account suspended
        "91521",  # more than is left
        "91538",  # merchant account suspended (refunds)
        "91546",  # processor takes no credits
        "91547",  # merchant account does not support refunds
        "91559",  # merchant account pending
        "91563",  # partial refund of an escrowed transaction
        "91576",  # PayPal not enabled
        "91577",  # payment instrument not supported by the merchant account
        "97605",  # original transaction not surcharged
        "915101",  # payment instrument type not accepted
        "915230",  # key longer than 255
    }
)
_KEY_SPENT = frozenset(
    {
        "915232",  # the key was used for another request
        "915234",  # the key's first request stored no refund
    }
)
_KNOWN = _NOT_YET | _ALREADY_REFUNDED | _REJECTED | _DECLINED.keys()


def codes_of(result: Any) -> list[str]:
    """Return the validation codes of the SDK's error *result*; none of any other."""
    errors = getattr(result, "errors", None)
    return [str(error.code) for error in errors.deep_errors] if errors is not None else []


def refusal(result: Any) -> GatewayError:
    """Return the error for a *result* without a transaction, which may be ``None``.

    A code that is not listed makes the outcome unknown, and so does no code at all.
    """
    if result is None:
        return Unknown("an empty answer")
    found, text = codes_of(result), result.message or "refused without a message"
    if not found:
        return Unknown(f"neither a transaction nor a reason: {text}")
    for code in found:
        if code in _KEY_SPENT:
            return KeySpent(text, code=code)
        if code not in _KNOWN:
            return Unknown(text, code=code)
    for code in found:
        if code in _ALREADY_REFUNDED:
            return AlreadyRefunded(text, code=code)
        if code in _DECLINED:
            return Declined(text, code=code, hard=_DECLINED[code])
    for code in found:
        if code in _REJECTED:
            return Rejected(text, code=code)
    return NotYet(text, code=found[0])
