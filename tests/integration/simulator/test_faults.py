"""Faults: what the SDK raises, and whether money moved all the same."""

import time
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from braintree import exceptions
from braintree.exceptions.http.timeout_error import ReadTimeoutError

from flask_refunds.testing import SimulatorClient
from flask_refunds.testing.simulator.client import ControlError
from tests.integration.simulator import SdkConnectionError
from tests.integration.simulator.sdk import sell

REFUND = {"amount": "4.00", "order_id": "r1"}


@pytest.mark.parametrize(
    ("fault", "raised", "given_back"),
    [
        ({"kind": "drop_before"}, SdkConnectionError, 0),
        ({"kind": "drop_after"}, SdkConnectionError, 400),
        ({"kind": "late_answer", "seconds": 1}, ReadTimeoutError, 400),
        ({"kind": "cut"}, exceptions.UnexpectedError, 400),
        ({"kind": "html"}, ExpatError, 0),
        ({"kind": "html", "where": "after"}, ExpatError, 400),
        ({"kind": "status", "status": 500}, exceptions.ServerError, 0),
        ({"kind": "status", "status": 500, "where": "after"}, exceptions.ServerError, 400),
        ({"kind": "status", "status": 502}, exceptions.UnexpectedError, 0),
        ({"kind": "status", "status": 503}, exceptions.ServiceUnavailableError, 0),
        ({"kind": "status", "status": 504}, exceptions.GatewayTimeoutError, 0),
        ({"kind": "status", "status": 429}, exceptions.TooManyRequestsError, 0),
        ({"kind": "status", "status": 408}, exceptions.RequestTimeoutError, 0),
        ({"kind": "status", "status": 426}, exceptions.UpgradeRequiredError, 0),
        ({"kind": "status", "status": 403}, exceptions.AuthorizationError, 0),
    ],
)
def test_a_fault_strikes_once(
    sdk: Any,
    hasty: Any,
    control: SimulatorClient,
    fault: dict[str, Any],
    raised: Any,
    given_back: int,
) -> None:
    sale = sell(sdk, settled=True)
    control.fault(operation="refund", **fault)
    caller = hasty if raised is ReadTimeoutError else sdk
    with pytest.raises(raised):
        caller.transaction.refund(sale.id, REFUND)
    assert control.sale(sale.id)["total_given_back"] == given_back
    assert control.faults() == []
    assert sdk.transaction.find(sale.id).id == sale.id


@pytest.mark.parametrize(("where", "given_back"), [("before", 0), ("after", 400)])
def test_an_empty_answer_is_none(
    sdk: Any, control: SimulatorClient, where: str, given_back: int
) -> None:
    sale = sell(sdk, settled=True)
    control.fault("empty", "refund", where=where)
    assert sdk.transaction.refund(sale.id, REFUND) is None
    assert control.sale(sale.id)["total_given_back"] == given_back


@pytest.mark.parametrize(
    ("drop", "raised"), [(False, ReadTimeoutError), (True, SdkConnectionError)]
)
def test_a_late_landing_moves_money_after_the_caller_gave_up(
    sdk: Any, hasty: Any, control: SimulatorClient, drop: bool, raised: Any
) -> None:
    sale = sell(sdk, settled=True)
    control.fault("late_landing", "refund", seconds=1, drop=drop)
    with pytest.raises(raised):
        hasty.transaction.refund(sale.id, REFUND)
    assert control.sale(sale.id)["total_given_back"] == 0
    until = time.monotonic() + 5
    while control.sale(sale.id)["total_given_back"] != 400:
        assert time.monotonic() < until, "it never landed"
        time.sleep(0.05)


@pytest.mark.parametrize(("where", "given_back"), [("before", 0), ("after", 400)])
def test_a_held_request_stands_still_until_released(
    sdk: Any, hasty: Any, control: SimulatorClient, where: str, given_back: int
) -> None:
    sale = sell(sdk, settled=True)
    control.fault("hold", "refund", where=where)
    with pytest.raises(ReadTimeoutError):
        hasty.transaction.refund(sale.id, REFUND)
    (held,) = control.held()
    assert (held["operation"], held["transaction_id"]) == ("refund", sale.id)
    assert control.sale(sale.id)["total_given_back"] == given_back
    assert control.release(held["id"]) == 1
    until = time.monotonic() + 5
    while control.sale(sale.id)["total_given_back"] != 400:
        assert time.monotonic() < until, "it was not done after the release"
        time.sleep(0.02)
    assert control.held() == []


def test_a_fault_waits_for_its_own_transaction(sdk: Any, control: SimulatorClient) -> None:
    one, other = sell(sdk, settled=True), sell(sdk, settled=True)
    control.fault("drop_before", "refund", transaction_id=one.id, times=2)
    assert sdk.transaction.refund(other.id, REFUND).is_success
    for _ in range(2):
        with pytest.raises(SdkConnectionError):
            sdk.transaction.refund(one.id, REFUND)
    assert sdk.transaction.refund(one.id, REFUND).is_success


def test_a_fault_waits_for_its_own_operation(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    control.fault("drop_before", "refund")
    assert sdk.transaction.find(sale.id).id == sale.id
    with pytest.raises(SdkConnectionError):
        sdk.transaction.refund(sale.id, REFUND)


def test_a_lasting_fault_ends_when_cleared(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    control.fault("status", times=None, status=503)
    for _ in range(3):
        with pytest.raises(exceptions.ServiceUnavailableError):
            sdk.transaction.find(sale.id)
    control.clear_faults()
    assert sdk.transaction.find(sale.id).id == sale.id


def test_a_fault_may_strike_by_chance(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    control.fault("refuse", "void", times=None, code="91538", probability=0.5)
    refused = [
        [error.code for error in sdk.transaction.void(sale.id).errors.deep_errors] == ["91538"]
        for _ in range(40)
    ]
    assert 5 < sum(refused) < 35


def test_another_answer_is_about_another_transaction(sdk: Any, control: SimulatorClient) -> None:
    one, other = sell(sdk, settled=True), sell(sdk, settled=True)
    theirs = sdk.transaction.refund(other.id, REFUND).transaction
    control.fault("other_answer", "refund", answer_id=theirs.id)
    assert sdk.transaction.refund(one.id, REFUND).transaction.id == theirs.id
    assert control.sale(one.id)["total_given_back"] == 400


@pytest.mark.parametrize(
    "wanted", [{"kind": "explode"}, {"kind": "cut", "operation": "x"}, {"kind": "cut", "odd": 1}]
)
def test_a_fault_that_does_not_exist_is_refused(
    control: SimulatorClient, wanted: dict[str, Any]
) -> None:
    with pytest.raises(ControlError):
        control.fault(**wanted)
