"""The Braintree gateway over HTTP against the simulator: what it claims to know, and what is so."""

import json
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, ProtocolError

from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.answering import Unreadable, never_connected
from flask_refunds.gateways.base import (
    AlreadyRefunded,
    Ambiguous,
    Declined,
    Found,
    InvalidWebhook,
    KeySpent,
    Misconfigured,
    NotFound,
    NotThere,
    NotYet,
    ReceiptState,
    RefundGateway,
    Rejected,
    Unavailable,
    Unknown,
)
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.gateways.braintree_answers import (
    REFUND_STATES,
    REFUNDABLE,
    SETTLING_SOON,
    VOIDABLE,
)
from flask_refunds.gateways.braintree_answers import refund as answered_refund
from flask_refunds.testing import Simulator, SimulatorClient
from flask_refunds.testing.conformance import (
    RefundGatewayConformance,
    Sell,
    Trouble,
    waits_for_time_out,
)
from tests.integration.simulator import SdkConnectionError
from tests.integration.simulator.sdk import sdk_for, sell

PATIENT, SHORT, LATE = 30.0, 2.0, 6.0
"""Seconds: time-outs for calls that are meant to be answered and for one that is not, and how late
its answer is."""

ACCOUNTS = {"USD": "usd", "JPY": "jpy", "KWD": "kwd"}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def control(simulator: Simulator) -> SimulatorClient:
    return simulator.client


@pytest.fixture
def sdk(simulator: Simulator) -> Any:
    return sdk_for(simulator)


def gateway_for(simulator: Simulator, **changes: Any) -> BraintreeGateway:
    settings = simulator.gateway_config() | {"REFUNDS_GATEWAY_TIMEOUT": PATIENT} | changes
    return BraintreeGateway.from_config(settings)


@pytest.fixture
def gateway(simulator: Simulator) -> BraintreeGateway:
    return gateway_for(simulator)


@pytest.fixture
def charge(sdk: Any) -> str:
    return str(sell(sdk, settled=True).id)


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def refund(gateway: RefundGateway, charge: str, amount: int = 400, key: str = "k") -> Any:
    return gateway.refund(charge, amount, "USD", key=key, reference="r")


class TestConformance(RefundGatewayConformance):
    @pytest.fixture
    def gateway(self, simulator: Simulator, request: pytest.FixtureRequest) -> RefundGateway:
        late = waits_for_time_out(request)
        return gateway_for(simulator, REFUNDS_GATEWAY_TIMEOUT=SHORT if late else PATIENT)

    @pytest.fixture
    def unreachable(self, simulator: Simulator) -> RefundGateway:
        nowhere = f"http://127.0.0.1:{closed_port()}"
        return gateway_for(simulator, REFUNDS_BRAINTREE_URL=nowhere)

    @pytest.fixture
    def settled(self, sdk: Any, unsettled: Sell) -> Sell:
        def make(amount: int, currency: str) -> str:
            charge = unsettled(amount, currency)
            sdk.testing.settle_transaction(charge)
            return charge

        return make

    @pytest.fixture
    def unsettled(self, sdk: Any) -> Sell:
        def make(amount: int, currency: str) -> str:
            places = {"USD": 2, "JPY": 0, "KWD": 3}[currency]
            text = f"{amount / 10**places:.{places}f}"
            return str(sell(sdk, text, merchant_account_id=ACCOUNTS[currency]).id)

        return make

    @pytest.fixture
    def trouble(self, control: SimulatorClient) -> Callable[[Trouble], None]:
        faults: dict[Trouble, dict[str, Any]] = {
            Trouble.LOST_BEFORE: {"kind": "drop_before"},
            Trouble.LOST_AFTER: {"kind": "drop_after"},
            Trouble.LATE: {"kind": "late_answer", "seconds": LATE},
            Trouble.GARBLED: {"kind": "html", "where": "after"},
            Trouble.TURNED_AWAY: {"kind": "status", "status": 429},
        }

        def arrange(what: Trouble) -> None:
            control.fault(**faults[what])

        return arrange

    @pytest.fixture
    def given_back(self, control: SimulatorClient) -> Callable[[str], int]:
        return lambda charge: int(control.sale(charge)["total_given_back"])


# What each failure means, for a call that moves money and for one that reads.


@pytest.mark.parametrize(
    ("fault", "moving", "reading"),
    [
        ({"kind": "drop_before"}, Unknown, Unavailable),
        ({"kind": "drop_after"}, Unknown, Unavailable),
        ({"kind": "late_answer", "seconds": LATE}, Unknown, Unavailable),
        ({"kind": "late_landing", "seconds": LATE}, Unknown, Unavailable),
        ({"kind": "late_landing", "seconds": LATE, "drop": True}, Unknown, Unavailable),
        ({"kind": "cut"}, Unknown, Unavailable),
        ({"kind": "html"}, Unknown, Unavailable),
        ({"kind": "empty"}, Unknown, Unavailable),
        ({"kind": "status", "status": 400}, Unknown, Unavailable),
        ({"kind": "status", "status": 408}, Unknown, Unavailable),
        ({"kind": "status", "status": 500}, Unknown, Unavailable),
        ({"kind": "status", "status": 502}, Unknown, Unavailable),
        ({"kind": "status", "status": 503}, Unknown, Unavailable),
        ({"kind": "status", "status": 504}, Unknown, Unavailable),
        ({"kind": "status", "status": 418}, Unknown, Unavailable),
        ({"kind": "status", "status": 429}, Unavailable, Unavailable),
        ({"kind": "status", "status": 401}, Misconfigured, Misconfigured),
        ({"kind": "status", "status": 403}, Misconfigured, Misconfigured),
        ({"kind": "status", "status": 404}, NotFound, NotFound),
        ({"kind": "status", "status": 426}, Misconfigured, Misconfigured),
    ],
    ids=lambda value: (
        json.dumps(list(value.values())) if isinstance(value, dict) else value.__name__
    ),
)
def test_says_only_what_is_known_after_a_failure(
    simulator: Simulator,
    sdk: Any,
    control: SimulatorClient,
    fault: dict[str, Any],
    moving: type[Exception],
    reading: type[Exception],
) -> None:
    late = fault["kind"].startswith("late") and not fault.get("drop")
    gateway = gateway_for(simulator, REFUNDS_GATEWAY_TIMEOUT=SHORT if late else PATIENT)
    charge, unsettled = str(sell(sdk, settled=True).id), str(sell(sdk).id)
    control.fault(operation="refund", **fault)
    with pytest.raises(moving) as raised:
        refund(gateway, charge)
    assert type(raised.value) is moving
    control.fault(operation="void", **fault)
    with pytest.raises(moving) as raised:
        gateway.void(unsettled, key="v")
    assert type(raised.value) is moving
    control.fault(operation="find", **fault)
    with pytest.raises(reading) as raised:
        gateway.inspect(charge)
    assert type(raised.value) is reading


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("91504", NotYet),
        ("91506", NotYet),
        ("91574", NotYet),
        ("91512", AlreadyRefunded),
        ("91505", Rejected),
        ("91521", Rejected),
        ("91538", Rejected),
        ("91547", Rejected),
        ("91559", Rejected),
        ("91563", Rejected),
        ("81501", Rejected),
        ("81503", Rejected),
        ("81528", Rejected),
        ("81531", Rejected),
        ("91501", Rejected),
        ("97605", Rejected),
        ("915230", Rejected),
        ("915200", Declined),
        ("915201", Declined),
        ("915232", KeySpent),
        ("915233", Unknown),
        ("915234", KeySpent),
        ("915235", Unknown),
        ("99999", Unknown),
    ],
)
def test_each_validation_code_says_what_is_known(
    gateway: BraintreeGateway,
    charge: str,
    control: SimulatorClient,
    code: str,
    error: type[Rejected],
) -> None:
    control.fault("refuse", "refund", code=code)
    with pytest.raises(error) as raised:
        refund(gateway, charge)
    assert type(raised.value) is error
    assert raised.value.code == code


def test_a_connection_that_is_never_made_is_unavailable(simulator: Simulator, charge: str) -> None:
    gateway = gateway_for(simulator)
    simulator.stop()
    with pytest.raises(Unavailable):
        refund(gateway, charge)


def test_a_name_that_does_not_resolve_is_unavailable(simulator: Simulator) -> None:
    gateway = gateway_for(simulator, REFUNDS_BRAINTREE_URL="http://gateway.invalid:8080")
    with pytest.raises((Unavailable, Unknown)) as raised:
        refund(gateway, "anything")
    if "SocketBlocked" in str(raised.value):
        pytest.skip("the test run allows no name resolution")
    assert type(raised.value) is Unavailable


def test_a_connect_time_out_is_unavailable(simulator: Simulator) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.socket() as one, socket.socket() as two:
            for filler in (one, two):
                filler.setblocking(False)
                filler.connect_ex(address)
            time.sleep(0.1)
            gateway = gateway_for(
                simulator,
                REFUNDS_GATEWAY_TIMEOUT=SHORT,
                REFUNDS_BRAINTREE_URL=f"http://127.0.0.1:{address[1]}",
            )
            with pytest.raises(Unavailable):
                refund(gateway, "anything")


@pytest.mark.parametrize(("listens", "error"), [(False, Unavailable), (True, Unknown)])
def test_a_proxy_in_between_is_unknown_once_it_was_reached(
    gateway: BraintreeGateway,
    charge: str,
    monkeypatch: pytest.MonkeyPatch,
    listens: bool,
    error: type[Exception],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1] if listens else closed_port()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        hanging_up = threading.Thread(target=lambda: proxy.accept()[0].close(), daemon=True)
        hanging_up.start()
        with pytest.raises(error) as raised:
            refund(gateway, charge)
        assert type(raised.value) is error
        if not listens:
            socket.create_connection(proxy.getsockname()).close()
        hanging_up.join(5)


def test_a_connection_that_broke_while_retrying_is_not_certain() -> None:
    broken = MaxRetryError(HTTPConnectionPool("127.0.0.1"), "/", ProtocolError("cut"))
    assert not never_connected(SdkConnectionError(OSError(broken)))


def test_a_sale_is_never_read_as_a_refund(sdk: Any, charge: str) -> None:
    transaction = sdk.transaction.find(charge)
    transaction.refunded_transaction_id = charge
    with pytest.raises(Unreadable, match="not a refund"):
        answered_refund(transaction)


def test_the_sdk_is_imported_where_warnings_are_errors() -> None:
    command = [sys.executable, "-W", "error", "-c", "import flask_refunds.gateways.braintree"]
    subprocess.run(command, check=True, timeout=60)


# Declines and replays.


def test_a_decline_is_told_with_its_code_and_its_record(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.fault("decline", "refund", code="2014")
    with pytest.raises(Declined) as raised:
        refund(gateway, charge)
    error = raised.value
    assert (error.code, error.raw_status, error.hard) == ("2014", "processor_declined", True)
    assert error.refund_id in gateway.inspect(charge).refund_ids
    assert control.sale(charge)["total_given_back"] == 0


def test_a_replayed_decline_that_looks_successful_is_declined(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.fault("decline", "refund", code="2014")
    for _ in range(2):
        with pytest.raises(Declined):
            refund(gateway, charge)
    assert control.sale(charge)["total_given_back"] == 0


@pytest.mark.parametrize("status", [s for s, r in REFUND_STATES.items() if r == "failed"])
def test_a_replay_of_a_refund_that_failed_later_is_declined(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient, status: str
) -> None:
    made = refund(gateway, charge)
    control.set_status(made.id, status)
    with pytest.raises(Declined) as raised:
        refund(gateway, charge)
    assert (raised.value.raw_status, raised.value.refund_id) == (status, made.id)
    assert gateway.fetch(made.id).state is ReceiptState.FAILED
    assert gateway.find(charge, reference="r", amount=400, currency="USD") == NotThere()


def test_a_soft_decline_that_is_captured_is_a_refund(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.fault("decline", "refund", code="1005")
    receipt = refund(gateway, charge)
    assert (receipt.state, receipt.code) == (ReceiptState.PENDING, "1005")


def test_a_refund_is_pending_until_it_settles(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    made = refund(gateway, charge)
    assert made.state is ReceiptState.PENDING
    assert made.at is not None
    assert made.at.utcoffset() is not None
    control.settle(made.id)
    assert gateway.fetch(made.id).state is ReceiptState.SUCCEEDED


# Request keys.


def test_the_key_goes_out_with_the_refund(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    refund(gateway, charge, key="the-key")
    (made,) = control.sale(charge)["refunds"]
    assert (made["api_request_key"], made["order_id"]) == ("the-key", "r")


def test_a_call_in_flight_is_unknown_and_not_repeated(
    simulator: Simulator, gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.fault("hold", "refund", where="before")
    with pytest.raises(Unknown):
        refund(gateway_for(simulator, REFUNDS_GATEWAY_TIMEOUT=SHORT), charge)
    with pytest.raises(Unknown) as raised:
        refund(gateway, charge)
    assert raised.value.code == "915233"
    control.release()
    until = time.monotonic() + 5
    while control.sale(charge)["total_given_back"] == 0 and time.monotonic() < until:
        time.sleep(0.02)
    assert refund(gateway, charge).amount == 400
    assert control.sale(charge)["total_given_back"] == 400


def test_a_key_with_another_amount_is_unknown(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    refund(gateway, charge, 400)
    with pytest.raises(Unknown) as raised:
        refund(gateway, charge, 500)
    assert raised.value.code == "915232"
    assert control.sale(charge)["total_given_back"] == 400


def test_an_account_without_keys_says_so_and_is_called_without_from_then_on(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.keys("refused")
    with pytest.raises(Unavailable):
        refund(gateway, charge)
    assert control.sale(charge)["total_given_back"] == 0
    assert not gateway.capabilities.idempotency_key
    assert refund(gateway, charge).amount == 400
    refund(gateway, charge, 100, key="k2")
    calls = [r for r in control.requests() if r["operation"] == "refund"]
    assert [call["status"] for call in calls] == [422, 201, 201]
    assert control.sale(charge)["total_given_back"] == 500


def test_an_account_without_keys_voids(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient
) -> None:
    control.keys("refused")
    sale = sell(sdk).id
    with pytest.raises(Unavailable):
        gateway.void(sale, key="v")
    assert gateway.void(sale, key="v").raw_status == "voided"


# Whose answer is it?


@pytest.mark.parametrize(
    "theirs",
    [
        {"sale": "other", "amount": "4.00", "order_id": "r"},
        {"sale": "same", "amount": "3.00", "order_id": "r"},
        {"sale": "same", "amount": "4.00", "order_id": "another"},
    ],
    ids=["charge", "amount", "reference"],
)
def test_an_answer_about_another_refund_is_unknown(
    gateway: BraintreeGateway, sdk: Any, charge: str, control: SimulatorClient, theirs: Any
) -> None:
    sale_id = charge if theirs["sale"] == "same" else sell(sdk, settled=True).id
    fields = {"amount": theirs["amount"], "order_id": theirs["order_id"]}
    foreign = sdk.transaction.refund(sale_id, fields).transaction
    control.fault("other_answer", "refund", answer_id=foreign.id)
    with pytest.raises(Unknown) as raised:
        refund(gateway, charge)
    assert raised.value.refund_id == foreign.id


def test_an_answer_that_is_a_sale_is_unknown(
    gateway: BraintreeGateway, sdk: Any, charge: str, control: SimulatorClient
) -> None:
    control.fault("other_answer", "refund", answer_id=charge)
    with pytest.raises(Unknown):
        refund(gateway, charge)
    voided, other = sell(sdk), sell(sdk)
    sdk.transaction.void(voided.id)
    control.fault("other_answer", "void", answer_id=voided.id)
    with pytest.raises(Unknown):
        gateway.void(other.id, key="v")


def test_an_answer_in_another_currency_is_unknown(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient
) -> None:
    sale = sell(sdk, merchant_account_id="eur", settled=True)
    with pytest.raises(Unknown, match="EUR"):
        gateway.refund(sale.id, 400, "USD", key="k", reference="r")


def test_a_read_about_another_transaction_is_unavailable(
    gateway: BraintreeGateway, sdk: Any, charge: str, control: SimulatorClient
) -> None:
    other = sell(sdk, settled=True)
    control.fault("other_answer", "find", answer_id=other.id)
    with pytest.raises(Unavailable):
        gateway.inspect(charge)


def test_a_void_that_is_not_voided_is_unknown(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient
) -> None:
    sale = sell(sdk)
    gateway.void(sale.id, key="v")
    control.set_status(sale.id, "settling")
    with pytest.raises(Unknown):
        gateway.void(sale.id, key="v")


def test_processes_after_a_fork_do_not_share_a_connection(
    simulator: Simulator, sdk: Any, control: SimulatorClient
) -> None:
    first, second = (sell(sdk, settled=True).id for _ in range(2))
    control.fault("late_answer", "refund", transaction_id=first, seconds=0.6)
    script = """
        import json, os, signal, sys, time
        from flask_refunds.gateways.braintree import BraintreeGateway
        config, first, second = json.loads(sys.argv[1])
        gateway = BraintreeGateway.from_config(config)
        gateway.inspect(first)  # the parent's connection is open and kept alive
        horse = os.fork()
        if not horse:
            gateway.refund(first, 100, "USD", key="a", reference="a")
            os._exit(0)
        time.sleep(0.3)
        os.kill(horse, signal.SIGKILL)
        os.waitpid(horse, 0)
        if not os.fork():
            receipt = gateway.refund(second, 200, "USD", key="b", reference="b")
            print(receipt.charge_id, receipt.amount, flush=True)
            os._exit(0)
        os.wait()
    """
    arguments = json.dumps([simulator.gateway_config() | {"REFUNDS_GATEWAY_TIMEOUT": 5.0},
                            first, second])  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), arguments],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert told.stdout.split() == [second, "200"]
    assert control.sale(second)["total_given_back"] == 200


# Looking.


@pytest.mark.parametrize("status", sorted(REFUND_STATES))
def test_every_status_of_a_sale_is_understood(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient, status: str
) -> None:
    sale = sell(sdk)
    control.set_status(sale.id, status)
    seen = gateway.inspect(sale.id)
    assert seen.raw_status == status
    assert seen.voidable == (status in VOIDABLE)
    assert seen.refundable == (status in REFUNDABLE)
    assert seen.settling_soon == (status in SETTLING_SOON)
    assert seen.voided == (status == "voided")


def test_what_is_called_refundable_and_voidable_is_so(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient
) -> None:
    for status in REFUND_STATES:
        for wanted in ("refundable", "voidable"):
            sale = sell(sdk)
            control.set_status(sale.id, status)
            allowed = getattr(gateway.inspect(sale.id), wanted)
            try:
                if wanted == "voidable":
                    gateway.void(sale.id, key=f"v-{sale.id}")
                else:
                    gateway.refund(sale.id, 100, "USD", key=f"r-{sale.id}", reference=sale.id)
            except NotYet:
                assert not allowed, (status, wanted)
            else:
                assert allowed, (status, wanted)


def test_the_sdk_knows_no_status_that_we_do_not() -> None:
    from braintree import Transaction

    known = {value for name, value in vars(Transaction.Status).items() if name[0] != "_"}
    assert known == REFUND_STATES.keys()


def test_hidden_settling_refuses_the_void_and_takes_the_refund(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient
) -> None:
    sale = sell(sdk)
    control.hide_settling(sale.id)
    assert gateway.inspect(sale.id).voidable
    with pytest.raises(NotYet):
        gateway.void(sale.id, key="v")
    assert refund(gateway, sale.id, 1000).amount == 1000


def test_a_paypal_sale_is_refundable_at_once(gateway: BraintreeGateway, sdk: Any) -> None:
    sale = sell(sdk, payment_method_nonce="fake-paypal-one-time-nonce")
    seen = gateway.inspect(sale.id)
    assert (seen.refundable, seen.voidable) == (True, False)


def test_only_a_dispute_that_is_won_leaves_a_sale_undisputed(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient
) -> None:
    from braintree import Dispute

    seen = {}
    for status in {value for name, value in vars(Dispute.Status).items() if name[0] != "_"}:
        sale = sell(sdk)
        control.dispute(sale.id)
        assert gateway.inspect(sale.id).disputed
        control.decide_dispute(sale.id, status)
        seen[status] = gateway.inspect(sale.id).disputed
    assert len(seen) == 8
    assert [status for status, disputed in seen.items() if not disputed] == ["won"]


def test_a_dispute_that_is_won_in_part_still_counts(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.dispute(charge)
    control.decide_dispute(charge, "won", won="9.99")
    assert gateway.inspect(charge).disputed
    control.decide_dispute(charge, "won")
    assert not gateway.inspect(charge).disputed


def test_one_open_dispute_beside_a_won_one_counts(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.dispute(charge, status="won")
    assert not gateway.inspect(charge).disputed
    control.dispute(charge)
    assert gateway.inspect(charge).disputed


def test_a_refund_is_no_charge_and_a_charge_is_no_refund(
    gateway: BraintreeGateway, charge: str
) -> None:
    made = refund(gateway, charge)
    with pytest.raises(Rejected):
        gateway.inspect(made.id)
    with pytest.raises(Rejected):
        gateway.fetch(charge)
    with pytest.raises(Rejected) as raised:
        gateway.refund(made.id, 100, "USD", key="x", reference="x")
    assert raised.value.code in {"91505", "91506"}


def test_several_refunds_under_one_reference_are_ambiguous(
    gateway: BraintreeGateway, charge: str
) -> None:
    ids = [refund(gateway, charge, key=key).id for key in ("k1", "k2")]
    seen = gateway.find(charge, reference="r", amount=400, currency="USD")
    assert seen == Ambiguous(ids=tuple(ids))


def test_our_reference_with_another_amount_is_ambiguous(
    gateway: BraintreeGateway, charge: str
) -> None:
    made = refund(gateway, charge, 300)
    seen = gateway.find(charge, reference="r", amount=400, currency="USD")
    assert seen == Ambiguous(ids=(made.id,))


def test_a_declined_try_beside_a_good_one_is_found(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    control.fault("decline", "refund", code="2000")
    with pytest.raises(Declined):
        refund(gateway, charge, key="k1")
    made = refund(gateway, charge, key="k2")
    seen = gateway.find(charge, reference="r", amount=400, currency="USD")
    assert isinstance(seen, Found)
    assert seen.receipt.id == made.id


def test_a_refund_made_by_hand_is_not_ours(
    gateway: BraintreeGateway, sdk: Any, charge: str
) -> None:
    sdk.transaction.refund(charge, {"amount": "4.00"})
    assert gateway.find(charge, reference="r", amount=400, currency="USD") == NotThere()


def test_a_listed_refund_that_cannot_be_read_is_unavailable(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient
) -> None:
    made = refund(gateway, charge)
    control.fault("status", "find", transaction_id=made.id, status=404)
    with pytest.raises(Unavailable):
        gateway.find(charge, reference="r", amount=400, currency="USD")


def test_an_amount_in_no_currency_is_rejected(gateway: BraintreeGateway, charge: str) -> None:
    with pytest.raises(Rejected):
        gateway.refund(charge, 400, "???", key="k", reference="r")


# Webhooks.


def posted(form: dict[str, str]) -> bytes:
    return urlencode(form).encode()


def test_a_failed_refund_is_told_by_webhook(
    gateway: BraintreeGateway, control: SimulatorClient
) -> None:
    (event,) = gateway.parse_webhook({}, posted(control.webhook("refund_failed", "refund01")))
    assert (event.kind, event.refund_id, event.state) == (
        "refund_failed",
        "refund01",
        ReceiptState.FAILED,
    )
    assert event.at is not None
    assert event.at.utcoffset() is not None


@pytest.mark.parametrize(
    ("kind", "charge_id"),
    [
        ("check", None),
        ("subscription_went_active", None),
        ("transaction_disbursed", "subject1"),
        ("transaction_settled", "subject1"),
        ("dispute_opened", "subject1"),
    ],
)
def test_other_webhooks_say_nothing_of_a_refund(
    gateway: BraintreeGateway, control: SimulatorClient, kind: str, charge_id: str | None
) -> None:
    (event,) = gateway.parse_webhook({}, posted(control.webhook(kind, "subject1")))
    assert (event.kind, event.refund_id, event.charge_id, event.state) == (
        kind,
        None,
        charge_id,
        None,
    )


def test_a_changed_webhook_is_invalid(gateway: BraintreeGateway, control: SimulatorClient) -> None:
    form = control.webhook("refund_failed", "refund01")
    other = control.webhook("refund_failed", "refund02")
    with pytest.raises(InvalidWebhook):
        gateway.parse_webhook({}, posted(form | {"bt_payload": other["bt_payload"]}))


def test_a_webhook_for_another_key_is_invalid(simulator: Simulator) -> None:
    gateway = gateway_for(simulator, REFUNDS_BRAINTREE_PRIVATE_KEY="another")
    form = simulator.client.webhook("refund_failed", "refund01")
    with pytest.raises(InvalidWebhook):
        gateway.parse_webhook({}, posted(form))


# Settings and secrets.


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"REFUNDS_BRAINTREE_MERCHANT_ID": None}, "REFUNDS_BRAINTREE_MERCHANT_ID"),
        ({"REFUNDS_BRAINTREE_PUBLIC_KEY": ""}, "REFUNDS_BRAINTREE_PUBLIC_KEY"),
        ({"REFUNDS_BRAINTREE_PRIVATE_KEY": " "}, "REFUNDS_BRAINTREE_PRIVATE_KEY"),
        ({"REFUNDS_BRAINTREE_URL": None}, "REFUNDS_BRAINTREE_ENVIRONMENT"),
        (
            {"REFUNDS_BRAINTREE_URL": None, "REFUNDS_BRAINTREE_ENVIRONMENT": "development"},
            "REFUNDS_BRAINTREE_ENVIRONMENT",
        ),
        ({"REFUNDS_BRAINTREE_URL": "127.0.0.1:80"}, "REFUNDS_BRAINTREE_URL"),
        ({"REFUNDS_BRAINTREE_URL": "http://127.0.0.1:x"}, "REFUNDS_BRAINTREE_URL"),
        ({"REFUNDS_BRAINTREE_URL": "http://127.0.0.1:8080/api"}, "REFUNDS_BRAINTREE_URL"),
        ({"REFUNDS_BRAINTREE_URL": "http://127.0.0.1:443"}, "REFUNDS_BRAINTREE_URL"),
        ({"REFUNDS_BRAINTREE_URL": "https://127.0.0.1:8443"}, "REFUNDS_BRAINTREE_URL"),
        ({"REFUNDS_GATEWAY_TIMEOUT": 0}, "REFUNDS_GATEWAY_TIMEOUT"),
        ({"REFUNDS_GATEWAY_TIMEOUT": "60"}, "REFUNDS_GATEWAY_TIMEOUT"),
    ],
)
def test_a_wrong_setting_is_named_and_no_key_is_shown(
    simulator: Simulator, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named) as raised:
        gateway_for(simulator, **changes)
    assert "integration_private_key" not in str(raised.value)


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_real_braintree_is_reached_by_its_environment(environment: str) -> None:
    gateway = BraintreeGateway.from_config(
        {
            "REFUNDS_BRAINTREE_MERCHANT_ID": "m",
            "REFUNDS_BRAINTREE_PUBLIC_KEY": "p",
            "REFUNDS_BRAINTREE_PRIVATE_KEY": "k",
            "REFUNDS_BRAINTREE_ENVIRONMENT": environment,
        }
    )
    configuration = gateway._sdk().config
    assert str(configuration.environment) == environment
    assert configuration.base_url().startswith("https://api.")
    assert configuration.timeout == 60


@pytest.mark.parametrize("kind", ["drop_before", "html", "cut", "status"])
def test_no_key_is_in_an_error_or_in_what_it_drags_along(
    gateway: BraintreeGateway, charge: str, control: SimulatorClient, kind: str
) -> None:
    control.fault(kind, "refund")
    with pytest.raises(Unknown) as raised:
        refund(gateway, charge)
    error = raised.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert "integration_private_key" not in shown
    assert "integration_private_key" not in repr(gateway._settings)


def test_many_threads_share_one_gateway(
    gateway: BraintreeGateway, sdk: Any, control: SimulatorClient
) -> None:
    charges = [sell(sdk, settled=True).id for _ in range(16)]
    errors: list[BaseException] = []

    def work(charge: str) -> None:
        try:
            for number in range(3):
                key = f"{charge}-{number}"
                gateway.refund(charge, 100, "USD", key=key, reference=key)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(charge,)) for charge in charges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {sale["total_given_back"] for sale in control.audit()["sales"]} == {300}
