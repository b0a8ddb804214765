"""``POST /refunds/webhooks/<gateway>``: where gateways tell us that something happened.

Strangers post here. Nothing is believed before the gateway has verified the signature, and then
it is a hint only (:mod:`flask_refunds.hinting`): the answer needs no gateway, and what was posted
is never logged. A database that is down answers 503, so that the gateway tells us again.
"""

from typing import Any

from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from flask_refunds import hinting, logs, wired
from flask_refunds.errors import Busy, ConfigurationError, NotMigrated
from flask_refunds.gateways.base import InvalidWebhook

LARGEST = 256 * 1024
"""Bytes of a notification, at most. Braintree's have some thousands."""


def add_webhooks(blueprint: Blueprint) -> None:
    """Have *blueprint* take webhooks, without a login and without a CSRF token."""
    blueprint.add_url_rule("/refunds/webhooks/<gateway>", "webhook", receive, methods=("POST",))
    blueprint.url_value_preprocessor(_exempt)


def receive(gateway: str) -> Response:
    """Take a webhook of the gateway called *gateway*.

    204: understood, also when it is about nothing of ours. 400: not signed by the gateway, or no
    notification. 404: no such gateway. 413: too large. 503: not now.
    """
    runtime = wired.current().runtime
    if gateway not in runtime.gateways:
        return Response(status=404)
    try:
        events = runtime.gateways.get(gateway).parse_webhook(dict(request.headers), _read())
    except RequestEntityTooLarge:
        return Response(status=413)
    except InvalidWebhook as error:
        logs.warning("webhook_refused", gateway=gateway, reason=error.message)
        return Response(status=400)
    except ConfigurationError as error:
        logs.error("webhook_unreadable", gateway=gateway, reason=error)
        return Response(status=503)
    try:
        hinted = hinting.hint(runtime, gateway, events)
    except (SQLAlchemyError, Busy, NotMigrated, ConfigurationError) as error:
        logs.error("webhook_not_now", gateway=gateway, reason=type(error).__name__)
        return Response(status=503)
    kinds = ",".join(event.kind for event in events)
    transfers = ",".join(map(str, hinted)) or "none"
    logs.info("webhook", gateway=gateway, kind=kinds, transfers=transfers)
    return Response(status=204)


def _read() -> bytes:
    """Return what was posted, without ever holding more than the limit, whatever was declared.

    Raises :exc:`~werkzeug.exceptions.RequestEntityTooLarge`, and :exc:`InvalidWebhook` when what
    comes is no HTTP or ends before its end.
    """
    if (request.content_length or 0) > LARGEST:
        raise RequestEntityTooLarge()
    body = bytearray()
    try:
        while part := request.stream.read(LARGEST + 1 - len(body)):
            body += part
            if len(body) > LARGEST:
                raise RequestEntityTooLarge()
    except (ClientDisconnected, OSError, ValueError) as error:
        problem = InvalidWebhook(type(error).__name__)
    else:
        return bytes(body)
    raise problem


def _exempt(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Exempt us from the host's CSRF protection, whether that was set up before us or after.

    A preprocessor of URL values runs before every ``before_request`` function, the check too.
    """
    protect = current_app.extensions.get("csrf")
    if protect is not None:
        protect.exempt(receive)
