"""The official SDK, pointed at a simulator over plain HTTP."""

from typing import Any

import braintree

from flask_refunds.testing import Simulator


def sdk_for(simulator: Simulator, **changes: Any) -> Any:
    """Return the SDK's gateway object for *simulator*."""
    given: dict[str, Any] = {
        "merchant_id": "integration_merchant_id",
        "public_key": "integration_public_key",
        "private_key": "integration_private_key",
        "timeout": 30,
        "wrap_http_exceptions": True,
    }
    environment = braintree.Environment(
        "simulator", "127.0.0.1", str(simulator.port), "http://auth.invalid", False, None
    )
    return braintree.BraintreeGateway(
        braintree.Configuration(environment=environment, **(given | changes))
    )


def sell(sdk: Any, amount: str = "10.00", *, settled: bool = False, **params: Any) -> Any:
    """Return a sale of *amount* that is submitted for settlement, or *settled*."""
    given = {
        "amount": amount,
        "payment_method_nonce": "fake-valid-nonce",
        "options": {"submit_for_settlement": True},
    }
    result = sdk.transaction.sale(given | params)
    assert result.is_success, result.message
    if settled:
        return sdk.testing.settle_transaction(result.transaction.id).transaction
    return result.transaction


def codes(result: Any) -> list[str]:
    """Return the validation codes of a refused *result*."""
    assert not result.is_success
    return [error.code for error in result.errors.deep_errors]
