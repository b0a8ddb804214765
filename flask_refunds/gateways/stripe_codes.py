"""What Stripe's errors prove: its HTTP status, the type and the code of the error in the answer.

Sources: Stripe's API reference ("Errors", "Error codes", "Idempotent requests"). Only an error
that Stripe itself wrote counts; a page of a proxy with the same status proves nothing, and
neither does a status that is not listed here. What ran is kept under the key for a day at least,
refusals and 500s too, and comes again with the header ``Idempotent-Replayed``.
"""

from typing import Any

from flask_refunds.gateways.base import (
    AlreadyRefunded,
    Declined,
    GatewayError,
    KeySpent,
    Misconfigured,
    NotFound,
    NotYet,
    Rejected,
    Unavailable,
)

_KEYS = "Stripe refused our key; check REFUNDS_STRIPE_SECRET_KEY."
_ROLE = (
    "Stripe does not let this key do this; a restricted key needs to write charges, refunds and"
    " PaymentIntents, and to read disputes."
)
_MISSING = "Stripe has no such payment or refund under this account; check the key and the payment."

_ALREADY_REFUNDED = frozenset({"charge_already_refunded"})
_NOT_YET = frozenset({"payment_intent_unexpected_state", "charge_not_captured"})
_NO_BALANCE = frozenset({"balance_insufficient", "insufficient_funds"})
_IN_FLIGHT = frozenset({"idempotency_key_in_use"})
_UNPAID = "does not have a successful charge to refund"
"""Stripe's words for a PaymentIntent that is not captured, or cancelled; they have no code."""


def certain(error: Any) -> GatewayError | None:
    """Return what the SDK's *error* proves; ``None`` when it proves nothing.

    A refusal that came again for the same key is as certain as it was the first time. The key is
    spent when it belongs to another request, or to one that Stripe itself failed to finish.
    """
    told = _told(error)
    if told is None:
        return None
    status, kind, code = error.http_status, told.get("type"), told.get("code")
    text = str(told.get("message") or "refused without a message")
    if code in _IN_FLIGHT:
        return None
    if status == 401:
        return Misconfigured(_KEYS, raw_status="401")
    if status == 403:
        return Misconfigured(_ROLE, raw_status="403")
    if status == 429 or code == "rate_limit":
        return Unavailable("Stripe turned us away: too many requests", raw_status="429")
    if kind == "idempotency_error":
        return KeySpent(text, code=kind)
    if status == 404 or code == "resource_missing":
        return NotFound(_MISSING, code=code, raw_status=str(status))
    if status >= 500:
        return KeySpent(text, code=kind) if _is_replay(error) else None
    if status == 402:
        return Declined(text, code=told.get("decline_code") or code)
    return _refusal(text, code) if status == 400 and kind == "invalid_request_error" else None


def _refusal(text: str, code: str | None) -> GatewayError:
    """Return the error for a request that Stripe refused before any money moved."""
    if code in _ALREADY_REFUNDED:
        return AlreadyRefunded(text, code=code)
    if code in _NOT_YET or _UNPAID in text:
        return NotYet(text, code=code or "not_captured")
    if code in _NO_BALANCE:
        return Declined(text, code=code, hard=False)
    return Rejected(text, code=code or "invalid_request")


def _told(error: Any) -> dict[str, Any] | None:
    """Return the error that Stripe wrote into its answer, if it did."""
    body = getattr(error, "json_body", None)
    told = body.get("error") if isinstance(body, dict) else None
    known = isinstance(told, dict) and isinstance(getattr(error, "http_status", None), int)
    return told if known else None


def _is_replay(error: Any) -> bool:
    headers = {str(name).lower(): value for name, value in (error.headers or {}).items()}
    return headers.get("idempotent-replayed") == "true"
