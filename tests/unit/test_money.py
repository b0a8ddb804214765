"""Amounts in and out, by the currency's own decimals and the locale's own digits."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_refunds import money
from flask_refunds.errors import MalformedAmount


@pytest.mark.parametrize(("currency", "decimals"), [("JPY", 0), ("USD", 2), ("KWD", 3)])
def test_knows_the_decimals_of_a_currency(currency: str, decimals: int) -> None:
    assert money.exponent(currency) == decimals


def test_refuses_an_unknown_currency() -> None:
    with pytest.raises(ValueError, match="'XXQ' is not an ISO 4217"):
        money.exponent("XXQ")


@pytest.mark.parametrize(
    ("text", "currency", "locale", "minor"),
    [
        ("12.34", "USD", "en", 1234),
        ("1,234.5", "USD", "en", 123450),
        (" 7 ", "USD", "en", 700),
        ("-5", "USD", "en", -500),
        ("1.234,5", "EUR", "de", 123450),
        ("1200", "JPY", "en", 1200),
        ("1.234", "KWD", "en", 1234),
    ],
)
def test_reads_what_a_person_types(text: str, currency: str, locale: str, minor: int) -> None:
    assert money.parse(text, currency, locale) == minor


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("12.345", "USD", "too_many_decimals"),
        ("1.5", "JPY", "too_many_decimals"),
        ("1.2345", "KWD", "too_many_decimals"),
        ("", "USD", "not_a_number"),
        ("ten", "USD", "not_a_number"),
        ("NaN", "USD", "not_a_number"),
        ("Infinity", "USD", "not_a_number"),
        ("1e9", "USD", "not_a_number"),
        ("1,2,3", "USD", "not_a_number"),
        ("9" * 20, "USD", "too_large"),
    ],
)
def test_refuses_what_is_no_amount(text: str, currency: str, reason: str) -> None:
    with pytest.raises(MalformedAmount) as refused:
        money.parse(text, currency, field="amount-1")
    assert (refused.value.reason, refused.value.field) == (reason, "amount-1")


@given(st.integers(-(10**14), 10**14), st.sampled_from(["JPY", "USD", "EUR", "KWD"]))
def test_what_is_shown_in_a_field_reads_back(minor: int, currency: str) -> None:
    assert money.from_decimal(money.to_decimal(minor, currency), currency) == minor
    for locale in ("en", "de", "fr"):
        assert money.parse(money.field_text(minor, currency, locale), currency, locale) == minor


def test_rounds_half_away_from_zero_as_databases_do() -> None:
    assert money.round_to_minor(Decimal("1.005"), "USD") == 101
    assert money.round_to_minor(Decimal("-1.005"), "USD") == -101


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (123450, "USD", "en", "$1,234.50"),
        (123450, "JPY", "en", "¥123,450"),
        (123450, "KWD", "en", "KWD123.450"),
        (123450, "EUR", "de", "1.234,50\xa0€"),
        (-500, "USD", "en", "-$5.00"),
    ],
)
def test_shows_amounts_for_people(minor: int, currency: str, locale: str, shown: str) -> None:
    assert money.show(minor, currency, locale) == shown
