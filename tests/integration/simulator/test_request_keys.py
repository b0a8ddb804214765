"""The at-most-once table of ``api_request_key``."""

import threading
from typing import Any

import pytest
from braintree.exceptions.not_found_error import NotFoundError
from braintree.exceptions.too_many_requests_error import TooManyRequestsError

from flask_refunds.testing import SimulatorClient
from tests.integration.simulator.sdk import codes, sell

REFUND = {"amount": "4.00", "order_id": "r1", "api_request_key": "key-1"}


def test_the_same_key_returns_the_first_refund(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    first = sdk.transaction.refund(sale.id, REFUND).transaction
    control.settle(first.id)
    again = sdk.transaction.refund(sale.id, REFUND)
    assert again.is_success
    assert (again.transaction.id, again.transaction.status) == (first.id, "settled")
    assert control.sale(sale.id)["total_given_back"] == 400


def test_a_replayed_decline_looks_successful(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    control.fault("decline", "refund", code="2014")
    assert not sdk.transaction.refund(sale.id, REFUND).is_success
    again = sdk.transaction.refund(sale.id, REFUND)
    assert again.is_success
    assert again.transaction.status == "processor_declined"
    assert control.sale(sale.id)["total_given_back"] == 0


def test_another_request_under_the_key_is_refused(sdk: Any) -> None:
    sale = sell(sdk, settled=True)
    assert sdk.transaction.refund(sale.id, REFUND).is_success
    assert codes(sdk.transaction.refund(sale.id, REFUND | {"amount": "5.00"})) == ["915232"]


def test_a_key_whose_request_made_no_refund_is_burnt(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk)
    assert codes(sdk.transaction.refund(sale.id, REFUND)) == ["91506"]
    control.settle(sale.id)
    assert codes(sdk.transaction.refund(sale.id, REFUND)) == ["915234"]
    assert sdk.transaction.refund(sale.id, REFUND | {"api_request_key": "key-2"}).is_success


def test_a_request_that_never_arrived_does_not_burn_the_key(
    sdk: Any, control: SimulatorClient
) -> None:
    sale = sell(sdk, settled=True)
    control.fault("status", "refund", status=429)
    with pytest.raises(TooManyRequestsError):
        sdk.transaction.refund(sale.id, REFUND)
    assert sdk.transaction.refund(sale.id, REFUND).is_success


def test_what_is_not_found_does_not_burn_the_key(sdk: Any) -> None:
    for _ in range(2):
        with pytest.raises(NotFoundError):
            sdk.transaction.refund("nothere1", REFUND)
    sale = sell(sdk, settled=True)
    assert sdk.transaction.refund(sale.id, REFUND).is_success


@pytest.mark.parametrize("changes", [{}, {"amount": "5.00"}])
def test_a_key_in_flight_is_refused(
    sdk: Any, control: SimulatorClient, changes: dict[str, str]
) -> None:
    sale = sell(sdk, settled=True)
    control.fault("hold", "refund", where="before")
    first: list[Any] = []
    caller = threading.Thread(target=lambda: first.append(sdk.transaction.refund(sale.id, REFUND)))
    caller.start()
    control.wait_held()
    expected = "915232" if changes else "915233"
    assert codes(sdk.transaction.refund(sale.id, REFUND | changes)) == [expected]
    assert control.sale(sale.id)["total_given_back"] == 0
    control.release()
    caller.join(5)
    assert first[0].is_success
    assert control.sale(sale.id)["total_given_back"] == 400


def test_a_long_key_is_refused(sdk: Any) -> None:
    sale = sell(sdk, settled=True)
    result = sdk.transaction.refund(sale.id, REFUND | {"api_request_key": "k" * 256})
    assert codes(result) == ["915230"]


def test_an_account_without_keys_refuses_them(sdk: Any, control: SimulatorClient) -> None:
    control.keys("refused")
    sale = sell(sdk, settled=True)
    assert codes(sdk.transaction.refund(sale.id, REFUND)) == ["915231"]
    assert sdk.transaction.refund(sale.id, {"amount": "4.00"}).is_success


def test_an_account_that_ignores_keys_refunds_twice(sdk: Any, control: SimulatorClient) -> None:
    control.keys("ignored")
    sale = sell(sdk, settled=True)
    first = sdk.transaction.refund(sale.id, REFUND).transaction
    assert sdk.transaction.refund(sale.id, REFUND).transaction.id != first.id
    assert control.sale(sale.id)["total_given_back"] == 800


def test_a_key_is_forgotten_after_thirty_days(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    assert sdk.transaction.refund(sale.id, REFUND).is_success
    control.advance(29 * 86400)
    assert sdk.transaction.refund(sale.id, REFUND).is_success
    assert control.sale(sale.id)["total_given_back"] == 400
    control.advance(2 * 86400)
    assert sdk.transaction.refund(sale.id, REFUND).is_success
    assert control.sale(sale.id)["total_given_back"] == 800


def test_a_void_has_keys_too(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk)
    for _ in range(2):
        result = sdk.transaction.void(sale.id, {"api_request_key": "void-1"})
        assert result.transaction.status == "voided"
