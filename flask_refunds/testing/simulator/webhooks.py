"""Signed webhook notifications, as the SDK's own testing helper makes them."""

from typing import Any

from flask_refunds.testing.simulator.gateway import Credentials


def sample(credentials: Credentials, kind: str, record_id: str) -> dict[str, str]:
    """Return the form fields ``bt_signature`` and ``bt_payload`` of a notification.

    *kind* is Braintree's own name, such as ``refund_failed``; the subject is *record_id*.
    """
    import braintree  # here, so that the simulator itself runs without the SDK

    nowhere: Any = braintree.Environment("simulator", "127.0.0.1", "1", "", False, None)
    gateway: Any = braintree.BraintreeGateway(
        braintree.Configuration(
            environment=nowhere,
            merchant_id=credentials.merchant_id,
            public_key=credentials.public_key,
            private_key=credentials.private_key,
        )
    )
    signed = gateway.webhook_testing.sample_notification(kind, record_id)
    payload = signed["bt_payload"]
    return {
        "bt_signature": str(signed["bt_signature"]),
        "bt_payload": payload.decode() if isinstance(payload, bytes) else str(payload),
    }
