"""Taking a customer's money at the simulator, as a shop's checkout does: by the official SDK."""

import warnings
from typing import Any

from flask_refunds.money import to_decimal
from flask_refunds.testing.simulator import Simulator

with warnings.catch_warnings():  # the SDK warns of a class of its own while it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    import braintree


class ChargeRefused(Exception):
    """The simulator did not take the money; the message is the gateway's."""


class Charging:
    """The fixture ``refunds_charge``: takes money at *simulator*."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __call__(
        self, amount: int, currency: str = "USD", *, settled: bool = True, order: str = ""
    ) -> str:
        """Charge *amount* minor units of *currency* to a card; return the transaction's id.

        A sale that is not *settled* can be voided, and refunded only when it has settled. *order*
        is noted at the gateway. Raises :exc:`ChargeRefused`, as for 2000.00 to 2999.99, Braintree's
        test amounts for what a bank declines.
        """
        sdk = self._sdk()
        try:
            result = sdk.transaction.sale(
                {
                    "amount": str(to_decimal(amount, currency)),
                    "merchant_account_id": currency.lower(),
                    "order_id": order or None,
                    "payment_method_nonce": "fake-valid-nonce",
                    "options": {"submit_for_settlement": True},
                }
            )
        finally:
            sdk.config.http_strategy().close()
        if not result.is_success:
            raise ChargeRefused(f"{to_decimal(amount, currency)} {currency}: {result.message}")
        transaction_id = str(result.transaction.id)
        if settled:
            self._simulator.client.settle(transaction_id)
        return transaction_id

    def _sdk(self) -> Any:
        given = self._simulator.gateway_config()
        environment = braintree.Environment(
            "simulator", "127.0.0.1", str(self._simulator.port), "", False, None
        )
        return braintree.BraintreeGateway(
            braintree.Configuration(
                environment,
                merchant_id=given["REFUNDS_BRAINTREE_MERCHANT_ID"],
                public_key=given["REFUNDS_BRAINTREE_PUBLIC_KEY"],
                private_key=given["REFUNDS_BRAINTREE_PRIVATE_KEY"],
            )
        )
