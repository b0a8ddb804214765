"""Money as integer minor units with an ISO 4217 code, and its way in from and out to people.

No float anywhere. A currency's exponent (0 for JPY, 2 for USD, 3 for KWD) comes from
py-moneyed's ISO 4217 table, words and digits for people from Babel's CLDR data. The two differ
for some currencies (CLDR shows no decimals for HUF cash); amounts follow ISO, as gateways do.
"""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache

from babel import Locale
from babel.numbers import (
    NumberFormatError,
    format_currency,
    format_decimal,
    get_decimal_symbol,
    parse_decimal,
)
from moneyed import CurrencyDoesNotExist, get_currency

from flask_refunds.errors import MalformedAmount

LARGEST = 10**15
"""Amounts are below this many minor units, so that every database's BIGINT holds their sums."""


@cache
def exponent(currency: str) -> int:
    """Return the number of decimals of *currency* (ISO 4217), such as 2 for ``"USD"``.

    Raises :exc:`ValueError` for a code that ISO 4217 does not have.
    """
    try:
        sub_unit = get_currency(currency).sub_unit
    except CurrencyDoesNotExist:
        raise ValueError(f"{currency!r} is not an ISO 4217 currency code") from None
    return len(str(sub_unit)) - 1


def to_decimal(minor: int, currency: str) -> Decimal:
    """Return *minor* units of *currency* as a plain decimal with all its decimals: 1230 → 12.30."""
    return Decimal(minor).scaleb(-exponent(currency))


def from_decimal(amount: Decimal, currency: str) -> int:
    """Return *amount* in minor units of *currency*, exactly.

    Raises :exc:`ValueError` when the amount has more decimals than the currency.
    """
    scaled = amount.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more decimals than {currency} has")
    return int(scaled)


def round_to_minor(amount: Decimal, currency: str) -> int:
    """Return *amount* in minor units, rounded half away from zero as databases' ROUND does."""
    return int(amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def parse(text: str, currency: str, locale: str = "en", *, field: str | None = None) -> int:
    """Return what a person typed as an amount, in minor units of *currency*.

    Understands the digits and separators of *locale* (a CLDR identifier), refuses group
    separators in odd places, signs other than a leading minus, and too many decimals.
    Raises :exc:`~flask_refunds.errors.MalformedAmount`, naming *field*.
    """
    stripped = text.strip()
    if any(character.isalpha() for character in stripped):
        raise MalformedAmount(text=text, reason="not_a_number", field=field)
    try:
        amount = parse_decimal(stripped, locale=locale, strict=True)
    except (NumberFormatError, InvalidOperation):
        raise MalformedAmount(text=text, reason="not_a_number", field=field) from None
    try:
        minor = from_decimal(amount, currency)
    except ValueError:
        raise MalformedAmount(text=text, reason="too_many_decimals", field=field) from None
    if abs(minor) >= LARGEST:
        raise MalformedAmount(text=text, reason="too_large", field=field)
    return minor


def show(minor: int, currency: str, locale: str = "en") -> str:
    """Return *minor* units of *currency* for people in *locale*: ``$1,234.50``."""
    number = to_decimal(minor, currency)
    decimals = "0" * exponent(currency)
    pattern = "¤#,##0" + (f".{decimals}" if decimals else "")
    if Locale.parse(locale).language != "en":
        standard = Locale.parse(locale).currency_formats["standard"]
        return format_currency(number, currency, format=standard, locale=locale)
    return format_currency(number, currency, format=pattern, locale=locale, currency_digits=False)


def grouped(minor: int, currency: str, locale: str = "en") -> str:
    """Return *minor* units as a number for people in *locale*, without the currency: 1,234.50."""
    decimals = "0" * exponent(currency)
    pattern = "#,##0" + (f".{decimals}" if decimals else "")
    return format_decimal(to_decimal(minor, currency), format=pattern, locale=locale)


def plain(minor: int, currency: str) -> str:
    """Return *minor* units as a plain decimal for files and form fields: ``1234.50``."""
    return f"{to_decimal(minor, currency):f}"


def field_text(minor: int, currency: str, locale: str = "en") -> str:
    """Return *minor* units as :func:`parse` reads them in *locale*, without group separators."""
    return plain(minor, currency).replace(".", get_decimal_symbol(locale))
