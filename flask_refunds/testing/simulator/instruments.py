"""Payment methods as the sandbox offers them: well-known nonces, and plain test cards."""

from dataclasses import dataclass, field
from typing import Any

_CARDS = {
    "visa": ("Visa", "401288", "1881"),
    "mastercard": ("MasterCard", "555555", "4444"),
    "amex": ("American Express", "378282", "0005"),
    "discover": ("Discover", "601111", "1117"),
    "jcb": ("JCB", "353011", "0000"),
    "maestro": ("Maestro", "501800", "0009"),
    "dinersclub": ("Diners Club", "385200", "3237"),
}
_FIRST_DIGITS = (("4", "visa"), ("34", "amex"), ("37", "amex"), ("36", "dinersclub"),
                 ("38", "dinersclub"), ("35", "jcb"), ("6", "discover"), ("50", "maestro"),
                 ("2", "mastercard"), ("5", "mastercard"))  # fmt: skip


@dataclass(frozen=True)
class Instrument:
    """A payment method: its kind, the details of the answer, and a fate that its nonce implies."""

    kind: str
    details: dict[str, Any] = field(default_factory=dict)
    declined: str | None = None
    rejected: str | None = None


def choose(params: dict[str, Any]) -> Instrument | str:
    """Return the payment method of a sale's *params*, or the validation code that refuses them."""
    if number := str((params.get("credit_card") or {}).get("number") or ""):
        card = params["credit_card"]
        if not number.isdigit() or not 12 <= len(number) <= 19:
            return "81716"
        brand = next((brand for first, brand in _FIRST_DIGITS if number.startswith(first)), "visa")
        return _card(brand, number[:6], number[-4:], card)
    if nonce := params.get("payment_method_nonce"):
        return _from_nonce(str(nonce))
    if params.get("payment_method_token"):
        return _card("visa", *_CARDS["visa"][1:], {"token": str(params["payment_method_token"])})
    return "91508"


def _from_nonce(nonce: str) -> Instrument | str:
    if nonce == "fake-consumed-nonce":
        return "91564"
    if nonce.startswith("fake-paypal-"):
        return Instrument("paypal_account", {"payer_email": "payer@example.com", "token": None,
                                             "payer_id": "SIMPAYER", "image_url": ""})  # fmt: skip
    if nonce == "fake-venmo-account-nonce":
        return Instrument("venmo_account", {"username": "venmojoe", "venmo_user_id": "456",
                                            "token": None, "image_url": ""})  # fmt: skip
    if nonce.startswith("fake-gateway-rejected-"):
        base = _card("visa", *_CARDS["visa"][1:], {})
        return Instrument(base.kind, base.details, rejected="fraud")
    known = nonce.startswith(("fake-valid-", "fake-processor-declined-"))
    if not known or not nonce.endswith("nonce"):
        return "91565"
    brand = next((brand for brand in _CARDS if f"-{brand}-" in nonce), "visa")
    base = _card(brand, *_CARDS[brand][1:], {})
    declined = "2000" if nonce.startswith("fake-processor-declined-") else None
    return Instrument(base.kind, base.details, declined=declined)


def _card(brand: str, bin_: str, last_4: str, given: dict[str, Any]) -> Instrument:
    month, _, year = str(given.get("expiration_date") or "12/2030").partition("/")
    details = {
        "token": given.get("token"), "bin": bin_, "last_4": last_4, "card_type": _CARDS[brand][0],
        "expiration_month": str(given.get("expiration_month") or month),
        "expiration_year": str(given.get("expiration_year") or year),
        "cardholder_name": given.get("cardholder_name"), "customer_location": "US",
        "image_url": "", "unique_number_identifier": None, "expired": False, "default": False,
        "venmo_sdk": False, "prepaid": "Unknown", "debit": "Unknown", "commercial": "Unknown",
        "country_of_issuance": "Unknown", "issuing_bank": "Unknown", "product_id": "Unknown",
    }  # fmt: skip
    return Instrument("credit_card", details)
