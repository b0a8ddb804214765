"""What Braintree's search says was given back, over HTTP against the simulator."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from flask_refunds.gateways import braintree_search
from flask_refunds.gateways.base import (
    Misconfigured,
    ReceiptState,
    RefundReceipt,
    Unavailable,
    VoidReceipt,
)
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.testing import Simulator
from flask_refunds.testing.simulator import search as simulated
from flask_refunds.testing.simulator.rules import Answer
from tests.integration.simulator.sdk import sdk_for, sell

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        running.client.set_clock(NOON)
        yield running


@pytest.fixture
def sdk(simulator: Simulator) -> Any:
    return sdk_for(simulator, timeout=30)


@pytest.fixture
def gateway(simulator: Simulator) -> BraintreeGateway:
    return BraintreeGateway.from_config(
        simulator.gateway_config() | {"REFUNDS_GATEWAY_TIMEOUT": 30}
    )


def listed(
    gateway: BraintreeGateway, since: datetime = NOON, until: datetime = NOON + HOUR
) -> list[RefundReceipt | VoidReceipt]:
    return list(gateway.refunds_since(since, until))


def ids(receipts: list[RefundReceipt | VoidReceipt]) -> list[str]:
    return [r.id if isinstance(r, RefundReceipt) else r.charge_id for r in receipts]


def refund(sdk: Any, amount: str = "1.00") -> str:
    result = sdk.transaction.refund(sell(sdk, settled=True).id, amount)
    assert result.is_success
    return str(result.transaction.id)


def test_refunds_that_took_no_money_are_told_with_their_state(
    simulator: Simulator, sdk: Any, gateway: BraintreeGateway
) -> None:
    pending, settled, declined = (refund(sdk) for _ in range(3))
    simulator.client.settle(settled)
    simulator.client.decline_settlement(declined)

    states = {r.id: r.state for r in listed(gateway) if isinstance(r, RefundReceipt)}

    assert states == {
        pending: ReceiptState.PENDING,
        settled: ReceiptState.SUCCEEDED,
        declined: ReceiptState.FAILED,
    }


def test_the_history_of_a_void_tells_whether_it_was_captured(
    sdk: Any, gateway: BraintreeGateway
) -> None:
    captured = sell(sdk).id
    authorized = sell(sdk, options={"submit_for_settlement": False}).id
    for sale in (captured, authorized):
        assert sdk.transaction.void(sale).is_success

    voids = [r for r in listed(gateway) if isinstance(r, VoidReceipt)]

    assert {void.charge_id: void.captured for void in voids} == {captured: True, authorized: False}
    assert all(void.at is not None and NOON <= void.at < NOON + HOUR for void in voids)


def test_a_void_counts_when_it_was_made_and_not_when_its_sale_was(
    simulator: Simulator, sdk: Any, gateway: BraintreeGateway
) -> None:
    sale = sell(sdk).id
    simulator.client.set_clock(NOON + 30 * HOUR)
    sdk.transaction.void(sale)

    assert listed(gateway) == []
    assert ids(listed(gateway, NOON + 29 * HOUR, NOON + 31 * HOUR)) == [sale]


def test_both_ends_count_and_other_zones_are_understood(
    sdk: Any, gateway: BraintreeGateway
) -> None:
    made = refund(sdk)
    (receipt,) = listed(gateway)
    assert receipt.at is not None
    tokyo = timezone(timedelta(hours=9))

    assert ids(listed(gateway, receipt.at, receipt.at)) == [made]
    assert ids(listed(gateway, receipt.at.astimezone(tokyo), (NOON + HOUR).astimezone(tokyo))) == [
        made
    ]
    assert listed(gateway, NOON - HOUR, receipt.at - timedelta(seconds=1)) == []


def test_a_window_that_is_full_is_halved_until_nothing_is_left_out(
    simulator: Simulator, sdk: Any, gateway: BraintreeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for number in range(7):
        simulator.client.set_clock(NOON + timedelta(minutes=7 * number))
        made.append(refund(sdk))
    for module in (simulated, braintree_search):
        monkeypatch.setattr(module, "MOST_RESULTS", 3)

    found = ids(listed(gateway))

    assert sorted(found) == sorted(made)


def test_a_second_with_more_than_a_search_gives_is_no_answer(
    simulator: Simulator, sdk: Any, gateway: BraintreeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = refund(sdk)
    assert at
    (receipt,) = listed(gateway)
    assert receipt.at is not None
    for module in (simulated, braintree_search):
        monkeypatch.setattr(module, "MOST_RESULTS", 1)

    with pytest.raises(Unavailable, match="one second"):
        listed(gateway, receipt.at, receipt.at)


def test_a_search_that_leaves_something_out_is_no_answer(
    sdk: Any, gateway: BraintreeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Braintree may list an id and not give its transaction."""
    refund(sdk)
    whole = simulated.Search.page

    def cut(self: simulated.Search, criteria: dict[str, Any]) -> Answer:
        answer = whole(self, criteria)
        answer.body["transaction"].pop()
        return answer

    monkeypatch.setattr(simulated.Search, "page", cut)

    with pytest.raises(Unavailable, match="left out"):
        listed(gateway)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_before"},
        {"kind": "html"},
        {"kind": "empty"},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429},
    ],
    ids=str,
)
def test_what_goes_wrong_while_searching_is_passing(
    simulator: Simulator, sdk: Any, gateway: BraintreeGateway, fault: dict[str, Any]
) -> None:
    refund(sdk)
    simulator.client.fault(operation="search", **fault)

    with pytest.raises(Unavailable):
        listed(gateway)
    assert len(listed(gateway)) == 1


def test_wrong_keys_are_for_people_to_mend(simulator: Simulator) -> None:
    settings = simulator.gateway_config() | {"REFUNDS_BRAINTREE_PRIVATE_KEY": "guessed"}

    with pytest.raises(Misconfigured):
        listed(BraintreeGateway.from_config(settings))
