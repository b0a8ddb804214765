"""Card payments through Braintree."""

import warnings
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlsplit

with warnings.catch_warnings():  # the SDK warns of a class of its own while it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    import braintree
    from braintree.exceptions.not_found_error import NotFoundError

#: Braintree's test cards that a sale may be made with, and how the shop labels them.
CARDS = {
    "4111111111111111": "Visa •••• 1111",
    "5555555555554444": "Mastercard •••• 4444",
    "378282246310005": "American Express •••• 0005",
}
#: The same cards for a server that takes no card numbers.
NONCES = {
    "4111111111111111": "fake-valid-visa-nonce",
    "5555555555554444": "fake-valid-mastercard-nonce",
    "378282246310005": "fake-valid-amex-nonce",
}


class ChargeRefused(Exception):
    """The gateway did not take the money."""


class Till:
    """Charges cards in the currencies of the shop. One till may be used from many threads."""

    def __init__(self, url: str, merchant_id: str, public_key: str, private_key: str) -> None:
        address = urlsplit(url)
        self._gateway: Any = braintree.BraintreeGateway(
            braintree.Configuration(
                braintree.Environment(
                    "development", address.hostname, str(address.port or 80), url, False, None
                ),
                merchant_id,
                public_key,
                private_key,
            )
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self | None:
        """Return the till that the settings describe, or nothing when no address is set."""
        if not config["BRAINTREE_URL"]:
            return None
        return cls(
            config["BRAINTREE_URL"],
            config["BRAINTREE_MERCHANT_ID"],
            config["BRAINTREE_PUBLIC_KEY"],
            config["BRAINTREE_PRIVATE_KEY"],
        )

    def charge(self, cents: int, currency: str, reference: str, card: str) -> str:
        """Take ``cents`` of ``currency`` from ``card`` and return the transaction's id.

        Dollars go to the default merchant account, other currencies to the account that has the
        currency for a name. Raises :class:`ChargeRefused` when no money was taken.
        """
        sale: dict[str, Any] = {
            "amount": f"{Decimal(cents) / 100:.2f}",
            "order_id": reference,
            "options": {"submit_for_settlement": True},
        }
        if currency != "USD":
            sale["merchant_account_id"] = currency.lower()
        number = {"credit_card": {"number": card, "expiration_date": "12/2031"}}
        try:
            result = self._gateway.transaction.sale(sale | number)
            if not result.is_success and result.transaction is None:
                result = self._gateway.transaction.sale(
                    sale | {"payment_method_nonce": NONCES[card]}
                )
        except Exception as error:  # the SDK lets whatever its HTTP and XML parsers raise through
            raise ChargeRefused(f"{type(error).__name__}: {error}"[:160]) from error
        if not result.is_success:
            raise ChargeRefused(result.message)
        transaction = result.transaction
        if transaction.currency_iso_code != currency:
            self._gateway.transaction.void(transaction.id)
            raise ChargeRefused(f"charged in {transaction.currency_iso_code}, not in {currency}")
        return str(transaction.id)

    def find(self, transaction_id: str) -> Any:
        """Return the transaction as the SDK gives it."""
        return self._gateway.transaction.find(transaction_id)

    def knows(self, transaction_id: str) -> bool:
        """Return whether the gateway has this transaction; true when it cannot be asked."""
        try:
            self.find(transaction_id)
        except NotFoundError:
            return False
        except Exception:  # noqa: BLE001  # whatever else went wrong says nothing about the sale
            return True
        return True

    def settle(self, transaction_id: str) -> bool:
        """Settle a transaction now, which only test servers do; return whether it worked."""
        try:
            result = self._gateway.testing.settle_transaction(transaction_id)
        except Exception:  # noqa: BLE001  # a server without this operation may answer in any way it likes
            return False
        return bool(getattr(result, "is_success", False))
