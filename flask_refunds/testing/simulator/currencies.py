"""Amounts as Braintree writes them: decimal text with the currency's own number of decimals.

Kept apart from :mod:`flask_refunds.money` on purpose: what checks the package must not share
its mistakes.
"""

import re

_NO_DECIMALS = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
)
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_TWO_DECIMALS = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
    "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
    "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW".split()
)

DEFAULT = "USD"


def exponent(currency: str) -> int:
    """Return the number of decimals of *currency* (ISO 4217)."""
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def of_merchant_account(account: str | None) -> str:
    """Return the currency that the id of a merchant *account* begins with (``eur_account``)."""
    match = re.match(r"([A-Za-z]{3})(?![A-Za-z])", account or "")
    code = match.group(1).upper() if match else DEFAULT
    return code if code in _NO_DECIMALS | _TWO_DECIMALS | _THREE_DECIMALS else DEFAULT


def to_text(minor: int, currency: str) -> str:
    """Return *minor* units of *currency* as decimal text: ``1230`` is ``12.30`` in USD."""
    places = exponent(currency)
    if places == 0:
        return str(minor)
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def from_text(text: str, currency: str) -> int | None:
    """Return decimal *text* in minor units of *currency*, or ``None`` if it is no such amount."""
    places = exponent(currency)
    match = re.fullmatch(r"(-?)(\d{1,18})(?:\.(\d{1,3}))?", text.strip())
    if match is None or len(match.group(3) or "") > places:
        return None
    minor = int(match.group(2) + (match.group(3) or "").ljust(places, "0"))
    return -minor if match.group(1) else minor
