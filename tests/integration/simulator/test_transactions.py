"""Sales, voids, refunds and settlement, as the official SDK sees them."""

import urllib.request
from decimal import Decimal
from typing import Any

import braintree
import pytest
from braintree import TransactionSearch
from braintree.exceptions.authentication_error import AuthenticationError
from braintree.exceptions.not_found_error import NotFoundError

from flask_refunds.testing import Simulator, SimulatorClient
from flask_refunds.testing.simulator.currencies import exponent as simulated_exponent
from tests.integration.simulator.sdk import codes, sdk_for, sell


def test_says_clearly_that_it_is_a_simulator(simulator: Simulator) -> None:
    with urllib.request.urlopen(f"{simulator.url}/") as answer:
        page = answer.read().decode()
        assert answer.headers["Server"] == "Flask-Refunds Braintree simulator"
    assert "This is a simulator, not Braintree" in page


def test_a_sale_reads_back_with_its_details(sdk: Any) -> None:
    sale = sell(sdk, "12.34", order_id="A<1>&é", customer={"email": "a@example.com"})
    found = sdk.transaction.find(sale.id)
    assert (found.type, found.status) == ("sale", "submitted_for_settlement")
    assert (found.amount, found.currency_iso_code) == (Decimal("12.34"), "USD")
    assert found.order_id == "A<1>&é"
    assert found.customer_details.email == "a@example.com"
    assert found.credit_card_details.masked_number == "401288******1881"
    assert [event.status for event in found.status_history] == [
        "authorized",
        "submitted_for_settlement",
    ]
    assert found.refund_ids == []


@pytest.mark.parametrize(
    ("payment", "brand"),
    [
        ({"payment_method_nonce": "fake-valid-mastercard-nonce"}, "MasterCard"),
        ({"payment_method_nonce": "fake-valid-amex-nonce"}, "American Express"),
        ({"credit_card": {"number": "4111111111111111", "expiration_date": "12/2030"}}, "Visa"),
    ],
)
def test_the_payment_method_decides_the_card(sdk: Any, payment: Any, brand: str) -> None:
    result = sdk.transaction.sale({"amount": "10.00", **payment})
    assert result.transaction.credit_card_details.card_type == brand
    assert result.transaction.status == "authorized"


@pytest.mark.parametrize(
    ("amount", "status", "code"),
    [
        ("2000.00", "processor_declined", "2000"),
        ("2999.99", "processor_declined", "2999"),
        ("3000.00", "failed", "3000"),
        ("5001.00", "gateway_rejected", ""),
    ],
)
def test_test_amounts_decide_the_fate_of_a_sale(
    sdk: Any, amount: str, status: str, code: str
) -> None:
    result = sdk.transaction.sale({"amount": amount, "payment_method_nonce": "fake-valid-nonce"})
    assert not result.is_success
    assert result.errors.deep_errors == []
    assert result.transaction.status == status
    assert result.transaction.processor_response_code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "-1.00"}, "81501"),
        ({"amount": ""}, "81502"),
        ({"amount": "1.001"}, "81503"),
        ({"amount": "ten"}, "81503"),
        ({"amount": "99999999999.00"}, "81528"),
        ({"amount": "0.00"}, "81531"),
        ({"order_id": "x" * 256}, "91501"),
        ({"payment_method_nonce": "fake-consumed-nonce"}, "91564"),
        ({"payment_method_nonce": "nobody-knows-it"}, "91565"),
    ],
)
def test_a_malformed_sale_is_refused(sdk: Any, changes: dict[str, str], code: str) -> None:
    params = {"amount": "10.00", "payment_method_nonce": "fake-valid-nonce"} | changes
    assert codes(sdk.transaction.sale(params)) == [code]


@pytest.mark.parametrize(
    ("account", "amount", "currency"),
    [
        ("eur_account", "10.50", "EUR"),
        ("jpy", "1050", "JPY"),
        ("kwd-1", "1.050", "KWD"),
        ("europe", "10.00", "USD"),
    ],
)
def test_the_merchant_account_decides_the_currency(
    sdk: Any, account: str, amount: str, currency: str
) -> None:
    sale = sell(sdk, amount, merchant_account_id=account, settled=True)
    refund = sdk.transaction.refund(sale.id, {"amount": amount}).transaction
    assert (refund.currency_iso_code, str(refund.amount)) == (currency, amount)


def test_currencies_have_the_decimals_of_iso_4217() -> None:
    known = {"USD": 2, "EUR": 2, "JPY": 0, "KRW": 0, "ISK": 0, "KWD": 3, "TND": 3, "HUF": 2}
    assert {code: simulated_exponent(code) for code in known} == known


def test_an_authorized_sale_can_be_captured_in_part_once(sdk: Any) -> None:
    sale = sell(sdk, options={})
    assert codes(sdk.transaction.submit_for_settlement(sale.id, "10.01")) == ["91522"]
    captured = sdk.transaction.submit_for_settlement(sale.id, "8.00").transaction
    assert (captured.status, captured.amount) == ("submitted_for_settlement", Decimal("8.00"))
    assert codes(sdk.transaction.submit_for_settlement(sale.id)) == ["91507"]


@pytest.mark.parametrize("submitted", [False, True])
def test_voids_what_has_not_begun_to_settle(sdk: Any, submitted: bool) -> None:
    sale = sell(sdk, options={"submit_for_settlement": submitted})
    assert sdk.transaction.void(sale.id).transaction.status == "voided"
    assert codes(sdk.transaction.void(sale.id)) == ["91504"]


@pytest.mark.parametrize("status", ["settling", "settled", "settlement_declined"])
def test_refuses_to_void_what_settles(sdk: Any, control: SimulatorClient, status: str) -> None:
    sale = sell(sdk)
    control.set_status(sale.id, status)
    assert codes(sdk.transaction.void(sale.id)) == ["91504"]


@pytest.mark.parametrize("status", ["authorized", "submitted_for_settlement", "voided"])
def test_refuses_to_refund_what_has_not_settled(
    sdk: Any, control: SimulatorClient, status: str
) -> None:
    sale = sell(sdk)
    control.set_status(sale.id, status)
    assert codes(sdk.transaction.refund(sale.id, {"amount": "1.00"})) == ["91506"]


def test_a_refund_is_a_credit_that_the_sale_lists(sdk: Any) -> None:
    sale = sell(sdk, order_id="order-1", settled=True)
    refund = sdk.transaction.refund(sale.id, {"amount": "4.00"}).transaction
    assert (refund.type, refund.status) == ("credit", "submitted_for_settlement")
    assert (refund.refunded_transaction_id, refund.order_id) == (sale.id, "order-1")
    assert refund.credit_card_details.last_4 == "1881"
    other = sdk.transaction.refund(sale.id, {"amount": "1.00", "order_id": "mine"}).transaction
    assert other.order_id == "mine"
    assert sdk.transaction.find(sale.id).refund_ids == [refund.id, other.id]


def test_refunds_until_nothing_is_left(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    assert codes(sdk.transaction.refund(sale.id, {"amount": "10.01"})) == ["91521"]
    assert sdk.transaction.refund(sale.id, {"amount": "4.00"}).is_success
    assert codes(sdk.transaction.refund(sale.id, {"amount": "6.01"})) == ["91521"]
    assert sdk.transaction.refund(sale.id).transaction.amount == Decimal("6.00")
    assert codes(sdk.transaction.refund(sale.id, {"amount": "0.01"})) == ["91512"]
    assert control.sale(sale.id)["total_given_back"] == 1000


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount": "-1.00"}, "81501"),
        ({"amount": "1.234"}, "81503"),
        ({"amount": "0.00"}, "81531"),
        ({"amount": "99999999999.00"}, "81528"),
        ({"amount": "1.00", "order_id": "x" * 256}, "91501"),
    ],
)
def test_a_malformed_refund_is_refused(sdk: Any, fields: dict[str, str], code: str) -> None:
    sale = sell(sdk, settled=True)
    assert codes(sdk.transaction.refund(sale.id, fields)) == [code]


def test_refuses_to_refund_a_refund(sdk: Any) -> None:
    sale = sell(sdk, settled=True)
    refund = sdk.transaction.refund(sale.id, {"amount": "4.00"}).transaction
    sdk.testing.settle_transaction(refund.id)
    assert codes(sdk.transaction.refund(refund.id, {"amount": "1.00"})) == ["91505"]


def test_a_hard_decline_leaves_a_credit_and_takes_nothing(
    sdk: Any, control: SimulatorClient
) -> None:
    sale = sell(sdk, "6000.00", settled=True)
    result = sdk.transaction.refund(sale.id, {"amount": "2004.00", "order_id": "r"})
    assert not result.is_success
    assert result.errors.deep_errors == []
    refund = result.transaction
    assert (refund.type, refund.status) == ("credit", "processor_declined")
    assert (refund.processor_response_code, refund.processor_response_type) == (
        "2004",
        "hard_declined",
    )
    assert sdk.transaction.find(sale.id).refund_ids == [refund.id]
    assert control.sale(sale.id)["total_given_back"] == 0
    assert sdk.transaction.refund(sale.id).transaction.amount == Decimal("6000.00")


def test_a_soft_decline_is_captured_all_the_same(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    control.fault("decline", "refund", code="1005")
    refund = sdk.transaction.refund(sale.id, {"amount": "4.00"}).transaction
    assert (refund.status, refund.processor_response_code) == ("submitted_for_settlement", "1005")
    assert refund.additional_processor_response == "2046 : Declined"
    assert control.sale(sale.id)["total_given_back"] == 400


def test_a_paypal_sale_settles_at_once(sdk: Any) -> None:
    sale = sell(sdk, payment_method_nonce="fake-paypal-one-time-nonce")
    assert (sale.status, sale.payment_instrument_type) == ("settling", "paypal_account")
    assert sdk.transaction.refund(sale.id, {"amount": "1.00"}).is_success


def test_hidden_settling_refuses_the_void_and_allows_the_refund(
    sdk: Any, control: SimulatorClient
) -> None:
    sale = sell(sdk)
    control.hide_settling(sale.id)
    assert codes(sdk.transaction.void(sale.id)) == ["91504"]
    assert sdk.transaction.find(sale.id).status == "submitted_for_settlement"
    assert sdk.transaction.refund(sale.id).is_success


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("settle_transaction", "settled"),
        ("settlement_confirm_transaction", "settlement_confirmed"),
        ("settlement_decline_transaction", "settlement_declined"),
        ("settlement_pending_transaction", "settlement_pending"),
    ],
)
def test_the_testing_calls_settle(sdk: Any, call: str, status: str) -> None:
    sale = sell(sdk)
    assert getattr(sdk.testing, call)(sale.id).transaction.status == status


def test_a_refund_declined_at_settlement_gives_nothing_back(
    sdk: Any, control: SimulatorClient
) -> None:
    sale = sell(sdk, settled=True)
    refund = sdk.transaction.refund(sale.id).transaction
    assert control.sale(sale.id)["total_given_back"] == 1000
    control.decline_settlement(refund.id)
    assert sdk.transaction.find(refund.id).status == "settlement_declined"
    assert control.sale(sale.id)["total_given_back"] == 0
    assert [lost["id"] for lost in control.sale(sale.id)["refused_refunds"]] == [refund.id]


def test_search_finds_refunds_by_their_order_id(sdk: Any) -> None:
    sale = sell(sdk, order_id="shared", settled=True)
    refund = sdk.transaction.refund(sale.id, {"amount": "4.00"}).transaction
    sell(sdk, order_id="other")

    def ids(*criteria: Any) -> set[str]:
        return {found.id for found in sdk.transaction.search(*criteria)}

    assert ids(TransactionSearch.order_id == "shared") == {sale.id, refund.id}
    assert ids(TransactionSearch.order_id == "shared", TransactionSearch.refund == True) == {  # noqa: E712
        refund.id
    }
    assert ids(TransactionSearch.type == "credit") == {refund.id}
    assert ids(TransactionSearch.status == "settled") == {sale.id}
    assert ids(TransactionSearch.id == sale.id) == {sale.id}
    assert ids(TransactionSearch.ids.in_list([refund.id])) == {refund.id}
    assert ids(TransactionSearch.created_at >= sale.created_at) >= {sale.id, refund.id}
    assert ids(TransactionSearch.created_at <= "2001-01-01T00:00:00Z") == set()
    assert ids(TransactionSearch.settled_at >= sale.created_at) == {sale.id}


def test_search_pages_through_many_results(sdk: Any) -> None:
    made = {sell(sdk, order_id="many").id for _ in range(120)}
    found = [sale.id for sale in sdk.transaction.search(TransactionSearch.order_id == "many")]
    assert len(found) == 120
    assert set(found) == made


def test_a_search_that_is_not_simulated_fails_loudly(sdk: Any) -> None:
    with pytest.raises(braintree.exceptions.unexpected_error.UnexpectedError, match="501"):
        sdk.transaction.search(TransactionSearch.billing_company == "ACME")


def test_wrong_keys_are_401_and_another_merchant_is_404(simulator: Simulator, sdk: Any) -> None:
    sale = sell(sdk)
    with pytest.raises(AuthenticationError):
        sdk_for(simulator, private_key="guessed").transaction.find(sale.id)
    with pytest.raises(NotFoundError):
        sdk_for(simulator, merchant_id="somebody_else").transaction.find(sale.id)
    with pytest.raises(NotFoundError):
        sdk.transaction.find("nothere1")
    with pytest.raises(NotFoundError):
        sdk.transaction.refund("nothere1", {"amount": "1.00"})
