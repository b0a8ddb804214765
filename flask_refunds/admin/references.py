"""Opaque signed references: what stands for an order, a customer or a guest in a URL.

A guest is addressed by one of their orders, so that no e-mail address is ever in a URL. Whoever
changes a reference is told the same as for one that never was.
"""

from typing import Any

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer

from flask_refunds.errors import Refusal, UnknownCustomer, UnknownOrder, UnknownPage

_SALT = "flask-refunds"


def order_token(order_ref: str) -> str:
    """Return what stands for the order *order_ref* in a URL."""
    return sign("order", order_ref)


def read_order_token(token: str) -> str:
    """Return the order ref that *token* stands for, or raise ``UnknownOrder``."""
    return _text("order", token, UnknownOrder)


def customer_token(customer_ref: str) -> str:
    """Return what stands for the customer *customer_ref* in a URL."""
    return sign("customer", customer_ref)


def read_customer_token(token: str) -> str:
    """Return the customer ref that *token* stands for, or raise ``UnknownCustomer``."""
    return _text("customer", token, UnknownCustomer)


def guest_token(order_ref: str) -> str:
    """Return what stands for the guest who placed the order *order_ref* in a URL."""
    return sign("guest", order_ref)


def read_guest_token(token: str) -> str:
    """Return an order ref of the guest that *token* stands for, or raise ``UnknownCustomer``."""
    return _text("guest", token, UnknownCustomer)


def cursor_token(cursor: tuple[str, str] | None) -> str | None:
    """Return what stands for the *cursor* of the next page in a URL."""
    return sign("cursor", list(cursor)) if cursor is not None else None


def read_cursor_token(token: str | None) -> tuple[str, str] | None:
    """Return the cursor that *token* stands for, or raise ``UnknownPage``."""
    if not token:
        return None
    value = unsign("cursor", token)
    if not isinstance(value, list) or len(value) != 2:
        raise UnknownPage()
    return str(value[0]), str(value[1])


def sign(purpose: str, value: Any) -> str:
    """Return *value* (of JSON's types) as URL-safe text that holds for *purpose* only."""
    return str(URLSafeSerializer(_keys(), salt=f"{_SALT}.{purpose}").dumps(value))


def unsign(purpose: str, token: str) -> Any:
    """Return the value that :func:`sign` was given; ``None`` when *token* is not ours."""
    try:
        return URLSafeSerializer(_keys(), salt=f"{_SALT}.{purpose}").loads(token)
    except BadSignature:
        return None


def timed(purpose: str) -> URLSafeTimedSerializer:
    """Return a signer for *purpose* whose signatures age."""
    return URLSafeTimedSerializer(_keys(), salt=f"{_SALT}.{purpose}")


def _text(purpose: str, token: str, unknown: type[Refusal]) -> str:
    value = unsign(purpose, token)
    if not isinstance(value, str):
        raise unknown()
    return value


def _keys() -> list[str]:
    """Return the application's secret keys, the oldest first, as the signers want them."""
    secret = current_app.secret_key
    if not secret:
        raise RuntimeError("Refunds sign references in URLs and forms; set SECRET_KEY.")
    keys = [*(current_app.config.get("SECRET_KEY_FALLBACKS") or ()), secret]
    return [key.decode("latin-1") if isinstance(key, bytes) else key for key in keys]
