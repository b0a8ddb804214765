"""The control endpoint: settle, clock, disputes, audit, webhooks, reset."""

import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from flask_refunds.testing import Simulator, SimulatorClient
from flask_refunds.testing.simulator.client import ControlError
from tests.integration.simulator.sdk import sell


def test_the_nightly_batch_settles_all_or_one_kind(sdk: Any, control: SimulatorClient) -> None:
    captured, authorized = sell(sdk), sell(sdk, options={})
    settled = sell(sdk, settled=True)
    refund = sdk.transaction.refund(settled.id, {"amount": "1.00"}).transaction
    assert control.settle_all("sale") == [captured.id]
    assert control.settle_all() == [refund.id]
    assert sdk.transaction.find(authorized.id).status == "authorized"


def test_the_audit_tells_what_was_truly_given_back(sdk: Any, control: SimulatorClient) -> None:
    sale, voided = sell(sdk, settled=True, merchant_account_id="kwd"), sell(sdk)
    refund = sdk.transaction.refund(
        sale.id, {"amount": "1.25", "order_id": "r", "api_request_key": "k"}
    ).transaction
    sdk.transaction.void(voided.id)
    told = control.sale(sale.id)
    assert (told["amount"], told["currency"], told["amount_text"]) == (10000, "KWD", "10.000")
    assert (told["total_given_back"], told["total_given_back_text"]) == (1250, "1.250")
    (listed,) = told["refunds"]
    assert (listed["id"], listed["order_id"], listed["api_request_key"]) == (refund.id, "r", "k")
    assert not told["voided"]
    told = control.sale(voided.id)
    assert (told["voided"], told["total_refunded"], told["total_given_back"]) == (True, 0, 1000)
    assert control.audit()["requests"]["refund"] == 1


def test_the_clock_dates_what_follows(sdk: Any, control: SimulatorClient) -> None:
    control.set_clock(datetime(2030, 1, 1, tzinfo=UTC))
    assert sell(sdk).created_at.year == 2030
    control.advance(timedelta(days=366).total_seconds())
    assert sell(sdk).created_at.year == 2031
    assert control.now() > datetime(2031, 1, 1, tzinfo=UTC)


def test_a_dispute_shows_on_the_sale(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    dispute_id = control.dispute(sale.id)
    (dispute,) = sdk.transaction.find(sale.id).disputes
    assert (dispute.id, dispute.status) == (dispute_id, "open")
    assert dispute.amount_disputed == dispute.amount == sale.amount
    assert dispute.amount_won is None


def test_a_dispute_is_won_in_part_and_lost(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk)
    control.dispute(sale.id)
    control.decide_dispute(sale.id, "won", won="4.00")
    (dispute,) = sdk.transaction.find(sale.id).disputes
    assert (dispute.status, dispute.amount_won) == ("won", Decimal("4.00"))
    control.decide_dispute(sale.id, "lost")
    assert [each.status for each in sdk.transaction.find(sale.id).disputes] == ["lost"]


def test_a_dispute_has_one_of_the_sdks_states(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk)
    with pytest.raises(ControlError, match="has no dispute"):
        control.decide_dispute(sale.id, "won")
    control.dispute(sale.id)
    with pytest.raises(ControlError, match="`status` is one of"):
        control.decide_dispute(sale.id, "forgotten")


def test_a_webhook_is_signed_as_the_sdk_wants(sdk: Any, control: SimulatorClient) -> None:
    form = control.webhook("refund_failed", "refund01")
    notification = sdk.webhook_notification.parse(form["bt_signature"], form["bt_payload"])
    assert (notification.kind, notification.transaction.id) == ("refund_failed", "refund01")


def test_the_log_keeps_requests_that_got_no_answer(sdk: Any, control: SimulatorClient) -> None:
    sale = sell(sdk, settled=True)
    control.fault("drop_after", "refund")
    with pytest.raises(Exception, match="Connection aborted"):
        sdk.transaction.refund(sale.id, {"amount": "1.00"})
    last = control.requests()[-1]
    assert (last["operation"], last["status"], last["fault"]) == ("refund", 0, "drop_after")


def test_reset_forgets_everything(sdk: Any, control: SimulatorClient) -> None:
    sell(sdk)
    control.keys("refused")
    control.fault("cut")
    control.reset()
    assert control.audit() == {"sales": [], "requests": {"total": 0}}
    assert control.faults() == []


@pytest.mark.parametrize(
    ("call", "argument"), [("keys", "sometimes"), ("settle", "nothere1"), ("dispute", "nothere1")]
)
def test_nonsense_is_refused_with_a_reason(
    control: SimulatorClient, call: str, argument: str
) -> None:
    with pytest.raises(ControlError, match=r"\w+"):
        getattr(control, call)(argument)


def test_an_unknown_control_path_lists_what_there_is(simulator: Simulator) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{simulator.url}/_simulator/nonsense")
    with refused.value as answer:
        assert b"GET /_simulator/audit" in answer.read()
