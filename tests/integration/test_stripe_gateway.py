"""The Stripe gateway over HTTP against our test server: what it claims to know, and what is so."""

import json
import logging
import multiprocessing
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import (
    AlreadyRefunded,
    Ambiguous,
    Declined,
    Found,
    GatewayEvent,
    InvalidWebhook,
    KeySpent,
    ListsRefunds,
    Misconfigured,
    NotFound,
    NotThere,
    NotYet,
    ReceiptState,
    RefundGateway,
    RefundReceipt,
    Rejected,
    Unavailable,
    Unknown,
    VoidReceipt,
)
from flask_refunds.gateways.stripe import SIGNATURE_TOLERANCE, StripeGateway
from flask_refunds.gateways.stripe_amounts import from_stripe, to_stripe
from flask_refunds.testing import StripeServer
from flask_refunds.testing.conformance import (
    RefundGatewayConformance,
    Sell,
    Trouble,
    waits_for_time_out,
)
from tests.integration.workshop import until

PATIENT, SHORT = 30.0, 2.0
"""Time-outs in seconds: for calls that are meant to be answered, and for one that is not."""

FAULTS: dict[Trouble, dict[str, Any]] = {
    Trouble.LOST_BEFORE: {"kind": "drop_before"},
    Trouble.LOST_AFTER: {"kind": "drop_after"},
    Trouble.LATE: {"kind": "hold", "where": "after"},
    Trouble.GARBLED: {"kind": "html", "where": "after"},
    Trouble.TURNED_AWAY: {"kind": "status", "status": 429},
}


@pytest.fixture
def server() -> Iterator[StripeServer]:
    with StripeServer() as running:
        yield running


def gateway_for(server: StripeServer, **changes: Any) -> StripeGateway:
    settings = server.gateway_config() | {"REFUNDS_GATEWAY_TIMEOUT": PATIENT} | changes
    return StripeGateway.from_config(settings)


@pytest.fixture
def gateway(server: StripeServer) -> StripeGateway:
    return gateway_for(server)


@pytest.fixture
def charge(server: StripeServer) -> str:
    return server.sell(1000, "USD")


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def refund(gateway: RefundGateway, charge: str, amount: int = 400, key: str = "k") -> RefundReceipt:
    return gateway.refund(charge, amount, "USD", key=key, reference="r")


class TestConformance(RefundGatewayConformance):
    currencies = ("USD", "JPY", "ISK")

    @pytest.fixture
    def gateway(self, server: StripeServer, request: pytest.FixtureRequest) -> RefundGateway:
        late = waits_for_time_out(request)
        return gateway_for(server, REFUNDS_GATEWAY_TIMEOUT=SHORT if late else PATIENT)

    @pytest.fixture
    def unreachable(self, server: StripeServer) -> RefundGateway:
        return gateway_for(server, REFUNDS_STRIPE_URL=f"http://127.0.0.1:{closed_port()}")

    @pytest.fixture
    def settled(self, server: StripeServer) -> Sell:
        return lambda amount, currency: server.sell(to_stripe(amount, currency), currency)

    @pytest.fixture
    def unsettled(self, server: StripeServer) -> Sell:
        return lambda amount, currency: server.sell(
            to_stripe(amount, currency), currency, capture=False
        )

    @pytest.fixture
    def trouble(self, server: StripeServer) -> Callable[[Trouble], None]:
        return lambda what: server.fault(**FAULTS[what])

    @pytest.fixture
    def given_back(self, server: StripeServer) -> Callable[[str], int]:
        def tell(charge: str) -> int:
            currency = str(server.books.charge_of(charge)["currency"]).upper()
            return from_stripe(server.given_back(charge), currency)

        return tell


class TestConformanceByCharge(TestConformance):
    """The same, for a shop whose payments hold the ids of charges."""

    @pytest.fixture
    def gateway(self, server: StripeServer, request: pytest.FixtureRequest) -> RefundGateway:
        late = waits_for_time_out(request)
        return gateway_for(
            server,
            REFUNDS_GATEWAY_TIMEOUT=SHORT if late else PATIENT,
            REFUNDS_STRIPE_CHARGE_IDS="charge",
        )

    @pytest.fixture
    def settled(self, server: StripeServer) -> Sell:
        return lambda amount, currency: server.charge_id(
            server.sell(to_stripe(amount, currency), currency)
        )

    @pytest.fixture
    def unsettled(self, server: StripeServer) -> Sell:
        return lambda amount, currency: server.charge_id(
            server.sell(to_stripe(amount, currency), currency, capture=False)
        )

    @pytest.fixture
    def trouble(
        self, server: StripeServer, request: pytest.FixtureRequest
    ) -> Callable[[Trouble], None]:
        voiding = request.function.__name__ == "test_an_unanswered_void_is_unknown"
        # A void first looks for the PaymentIntent of the charge.
        operation = "void" if voiding else "any"
        return lambda what: server.fault(operation=operation, **FAULTS[what])


def test_an_unanswered_void_of_a_charge_is_unknown(
    gateway: StripeGateway, server: StripeServer
) -> None:
    sale = server.charge_id(server.sell(1000, "USD", capture=False))
    server.fault("drop_after", "find")
    with pytest.raises(Unavailable):
        gateway.void(sale, key="k")
    assert not gateway.inspect(sale).voided
    server.fault("drop_after", "void")
    with pytest.raises(Unknown):
        gateway.void(sale, key="k")
    assert gateway.inspect(sale).voided


# What each failure means, for a call that moves money and for one that reads.


@pytest.mark.parametrize(
    ("fault", "moving", "reading"),
    [
        ({"kind": "drop_before"}, Unknown, Unavailable),
        ({"kind": "drop_after"}, Unknown, Unavailable),
        ({"kind": "cut"}, Unknown, Unavailable),
        ({"kind": "html"}, Unknown, Unavailable),
        ({"kind": "empty"}, Unknown, Unavailable),
        ({"kind": "html", "status": 401}, Unknown, Unavailable),
        ({"kind": "html", "status": 404}, Unknown, Unavailable),
        ({"kind": "html", "status": 429}, Unknown, Unavailable),
        ({"kind": "html", "status": 502}, Unknown, Unavailable),
        ({"kind": "status", "status": 500}, Unknown, Unavailable),
        ({"kind": "status", "status": 500, "where": "after"}, Unknown, Unavailable),
        ({"kind": "status", "status": 503}, Unknown, Unavailable),
        ({"kind": "status", "status": 409}, Unknown, Unavailable),
        ({"kind": "status", "status": 418}, Unknown, Unavailable),
        ({"kind": "status", "status": 429}, Unavailable, Unavailable),
        ({"kind": "status", "status": 401}, Misconfigured, Misconfigured),
        ({"kind": "status", "status": 403}, Misconfigured, Misconfigured),
        ({"kind": "status", "status": 404}, NotFound, NotFound),
        ({"kind": "status", "status": 400}, Rejected, Rejected),
    ],
    ids=lambda value: (
        json.dumps(list(value.values())) if isinstance(value, dict) else value.__name__
    ),
)
def test_says_only_what_is_known_after_a_failure(
    gateway: StripeGateway,
    server: StripeServer,
    charge: str,
    fault: dict[str, Any],
    moving: type[Exception],
    reading: type[Exception],
) -> None:
    unsettled = server.sell(1000, "USD", capture=False)
    for operation, call, error in (
        ("refund", lambda: refund(gateway, charge), moving),
        ("void", lambda: gateway.void(unsettled, key="v"), moving),
        ("find", lambda: gateway.inspect(charge), reading),
    ):
        server.fault(operation=operation, **fault)
        with pytest.raises(error) as raised:
            call()
        assert type(raised.value) is error
        assert server.api.faults.listed() == []


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "charge_already_refunded", AlreadyRefunded),
        (400, "charge_disputed", Rejected),
        (400, "payment_intent_unexpected_state", NotYet),
        (400, "balance_insufficient", Declined),
        (400, "resource_missing", NotFound),
        (400, "rate_limit", Unavailable),
        (400, "idempotency_key_in_use", Unknown),
        (400, "something_new", Rejected),
        (402, "card_declined", Declined),
    ],
)
def test_each_code_says_what_is_known(
    gateway: StripeGateway,
    server: StripeServer,
    charge: str,
    status: int,
    code: str,
    error: type[Exception],
) -> None:
    server.fault("refuse", "refund", status=status, code=code)
    with pytest.raises(error) as raised:
        refund(gateway, charge)
    assert type(raised.value) is error
    assert server.given_back(charge) == 0


def test_a_call_is_made_once_also_when_the_sdk_would_repeat_it(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    for status in (409, 500, 503):
        server.fault("status", "refund", status=status)
        server.api.requests.clear()
        with pytest.raises(Unknown):
            refund(gateway, charge, key=f"k{status}")
        assert server.api.requests == ["refund"]


def test_a_key_whose_first_call_broke_at_stripe_is_spent(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    server.fault("status", "refund", status=500)
    with pytest.raises(Unknown) as first:
        refund(gateway, charge)
    assert type(first.value) is Unknown
    with pytest.raises(KeySpent):
        refund(gateway, charge)
    assert refund(gateway, charge, key="another").amount == 400
    assert server.given_back(charge) == 400


def test_a_key_of_another_request_is_spent(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    refund(gateway, charge, 400)
    with pytest.raises(KeySpent):
        refund(gateway, charge, 300)
    assert server.given_back(charge) == 400


def test_a_key_in_flight_is_unknown_and_moves_money_once(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    server.fault("hold", "refund", where="before")
    slow = threading.Thread(target=refund, args=(gateway, charge))
    slow.start()
    until(server.api.holds.listed)
    with pytest.raises(Unknown) as raised:
        refund(gateway, charge)
    assert (type(raised.value), raised.value.code) == (Unknown, "idempotency_key_in_use")
    server.api.holds.release()
    slow.join()
    assert server.given_back(charge) == 400


def test_a_connection_that_is_never_made_is_unavailable() -> None:
    with StripeServer() as server:
        gateway, charge = gateway_for(server), server.sell(1000, "USD")
    with pytest.raises(Unavailable):
        refund(gateway, charge)


def test_a_kept_connection_that_the_server_closes_while_we_ask_is_unknown(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    gateway.inspect(charge)
    server.fault("drop_before", "refund")
    with pytest.raises(Unknown) as raised:
        refund(gateway, charge)
    assert type(raised.value) is Unknown


def test_the_sdk_is_imported_where_warnings_are_errors() -> None:
    command = [sys.executable, "-W", "error", "-c", "import flask_refunds.gateways.stripe"]
    subprocess.run(command, check=True, timeout=60)


def test_a_missing_sdk_is_named_with_its_remedy() -> None:
    program = "import sys; sys.modules['stripe'] = None; import flask_refunds.gateways.stripe"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert "pip install 'Flask-Refunds[stripe]'" in ran.stderr.splitlines()[-1]


# What a refund becomes.


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", ReceiptState.PENDING),
        ("requires_action", ReceiptState.PENDING),
        ("succeeded", ReceiptState.SUCCEEDED),
    ],
)
def test_an_accepted_refund_says_how_far_it_is(
    gateway: StripeGateway, server: StripeServer, charge: str, status: str, state: ReceiptState
) -> None:
    server.begin_refunds_as(status)
    receipt = refund(gateway, charge)
    assert (receipt.raw_status, receipt.state) == (status, state)
    assert receipt.at is not None
    server.succeed_refund(receipt.id)
    assert gateway.fetch(receipt.id).state is ReceiptState.SUCCEEDED


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_is_refused_at_once_is_declined(
    gateway: StripeGateway, server: StripeServer, charge: str, status: str
) -> None:
    server.begin_refunds_as(status)
    with pytest.raises(Declined) as raised:
        refund(gateway, charge)
    assert (raised.value.raw_status, raised.value.refund_id) == (
        status,
        server.refunds(charge)[0]["id"],
    )


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_fails_later_is_told_with_its_reason_and_counts_no_more(
    gateway: StripeGateway, server: StripeServer, charge: str, status: str
) -> None:
    made = refund(gateway, charge)
    server.fail_refund(made.id, "lost_or_stolen_card", status=status)
    found = gateway.fetch(made.id)
    assert (found.state, found.code) == (ReceiptState.FAILED, "lost_or_stolen_card")
    assert found.message == "Stripe says that the refund failed: lost or stolen card."
    looked = gateway.find(charge, reference="r", amount=400, currency="USD")
    assert looked == NotThere()


def test_an_unknown_status_is_no_answer(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    server.begin_refunds_as("sleeping")
    with pytest.raises(Unknown, match="sleeping"):
        refund(gateway, charge)
    with pytest.raises(Unavailable, match="sleeping"):
        gateway.fetch(server.refunds(charge)[0]["id"])


def test_our_reference_with_another_amount_is_ambiguous(
    gateway: StripeGateway, charge: str
) -> None:
    made = refund(gateway, charge)
    found = gateway.find(charge, reference="r", amount=401, currency="USD")
    assert found == Ambiguous(ids=(made.id,))


def test_a_refund_is_found_behind_a_hundred_others(
    gateway: StripeGateway, server: StripeServer
) -> None:
    sale = server.sell(100_000, "USD")
    made = refund(gateway, sale)
    for _ in range(120):
        server.refund_by_hand(sale, 1)
    found = gateway.find(sale, reference="r", amount=400, currency="USD")
    assert isinstance(found, Found)
    assert found.receipt.id == made.id
    assert len(gateway.inspect(sale).refund_ids) == 121


# Sales: two ids, captures and disputes.


def test_a_sale_is_known_by_either_of_its_ids(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    by_charge = server.charge_id(charge)
    one = gateway.refund(charge, 100, "USD", key="k1", reference="r-1")
    other = gateway.refund(by_charge, 200, "USD", key="k2", reference="r-2")
    assert (one.charge_id, other.charge_id) == (charge, by_charge)
    assert gateway.fetch(one.id).charge_id == charge
    assert gateway.fetch(other.id).charge_id == by_charge
    for sale in (charge, by_charge):
        assert set(gateway.inspect(sale).refund_ids) == {one.id, other.id}


@pytest.mark.parametrize("setting", ["payment_intent", "charge"])
def test_a_refund_made_by_hand_names_the_sale_as_the_setting_says(
    server: StripeServer, charge: str, setting: str
) -> None:
    gateway = gateway_for(server, REFUNDS_STRIPE_CHARGE_IDS=setting)
    made = gateway.fetch(server.refund_by_hand(charge, 100))
    wanted = charge if setting == "payment_intent" else server.charge_id(charge)
    assert (made.charge_id, made.reference) == (wanted, None)


def test_a_charge_without_a_payment_intent_is_set_free_by_a_refund_of_the_whole(
    gateway: StripeGateway, server: StripeServer
) -> None:
    sale = server.sell(1000, "USD", capture=False, intent=False)
    seen = gateway.inspect(sale)
    assert (seen.voidable, seen.refundable) == (False, True)
    with pytest.raises(Rejected, match="refund the whole"):
        gateway.void(sale, key="v")
    with pytest.raises(Rejected, match="partially"):
        refund(gateway, sale, 400)
    assert server.given_back(sale) == 0
    made = refund(gateway, sale, 1000, key="k2")
    assert server.given_back(sale) == 1000
    assert gateway.inspect(sale).voided
    found = gateway.find(sale, reference="r", amount=1000, currency="USD")
    assert isinstance(found, Found)
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert [each.id for each in gateway.refunds_since(now - hour, now + hour)
            if isinstance(each, RefundReceipt)] == [made.id]  # fmt: skip


def test_what_a_partial_capture_sets_free_is_no_refund(
    gateway: StripeGateway, server: StripeServer
) -> None:
    sale = server.sell(1000, "USD", capture=False)
    server.capture(sale, 600)
    seen = gateway.inspect(sale)
    assert (seen.amount, seen.refundable, seen.refund_ids) == (600, True, ())
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert list(gateway.refunds_since(now - hour, now + hour)) == []
    by_hand = server.refund_by_hand(sale, 100)
    assert gateway.inspect(sale).refund_ids == (by_hand,)


def test_a_cancelled_authorization_is_listed_as_one_that_took_no_money(
    gateway: StripeGateway, server: StripeServer
) -> None:
    sale = server.sell(1000, "USD", capture=False)
    assert isinstance(gateway, ListsRefunds)
    assert not gateway.void(sale, key="v").captured
    now, hour = datetime.now(UTC), timedelta(hours=1)
    (listed,) = gateway.refunds_since(now - hour, now + hour)
    assert isinstance(listed, VoidReceipt)
    assert (listed.charge_id, listed.amount, listed.captured) == (sale, 1000, False)


@pytest.mark.parametrize(
    ("status", "disputed"),
    [
        ("needs_response", True),
        ("under_review", True),
        ("lost", True),
        ("warning_needs_response", True),
        ("something_new", True),
        ("warning_closed", False),
        ("won", False),
    ],
)
def test_a_sale_is_disputed_until_the_money_is_safe(
    gateway: StripeGateway, server: StripeServer, charge: str, status: str, disputed: bool
) -> None:
    assert not gateway.inspect(charge).disputed
    server.dispute(charge, status)
    assert gateway.inspect(charge).disputed is disputed
    assert gateway.inspect(server.charge_id(charge)).disputed is disputed


def test_a_disputed_sale_is_rejected_by_stripe_with_its_code(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    server.dispute(charge)
    with pytest.raises(Rejected) as raised:
        refund(gateway, charge)
    assert raised.value.code == "charge_disputed"


# Amounts.


@pytest.mark.parametrize(
    ("currency", "minor", "written"),
    [
        ("USD", 1234, 1234),
        ("JPY", 500, 500),
        ("KWD", 5120, 5120),
        ("ISK", 5, 500),
        ("UGX", 5, 500),
        ("MGA", 500, 5),
    ],
)
def test_amounts_are_written_in_stripes_minor_units_and_read_back(
    gateway: StripeGateway, server: StripeServer, currency: str, minor: int, written: int
) -> None:
    sale = server.sell(written * 3, currency)
    assert gateway.inspect(sale).amount == minor * 3
    receipt = gateway.refund(sale, minor, currency, key="k", reference="r")
    assert (receipt.amount, server.given_back(sale)) == (minor, written)


@pytest.mark.parametrize(
    ("currency", "minor", "words"),
    [
        ("KWD", 5124, "cannot pay 5.124 KWD: it takes hundredths at the finest"),
        ("MGA", 550, "cannot pay 5.50 MGA: it takes whole units at the finest"),
        ("CLF", 100, "takes no amounts in CLF"),
        ("QQQ", 100, "not an ISO 4217 currency code"),
    ],
)
def test_an_amount_that_stripe_cannot_express_is_rejected_before_anything_is_sent(
    gateway: StripeGateway, server: StripeServer, charge: str, currency: str, minor: int, words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        gateway.refund(charge, minor, currency, key="k", reference="r")
    assert server.api.requests == []


def test_an_amount_in_another_currency_is_unknown(
    gateway: StripeGateway, server: StripeServer
) -> None:
    sale = server.sell(1000, "EUR")
    with pytest.raises(Unknown, match="another refund: currency 'EUR', not 'USD'"):
        refund(gateway, sale)


# Webhooks.


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("refund.created", ReceiptState.SUCCEEDED),
        ("refund.updated", ReceiptState.SUCCEEDED),
        ("charge.refund.updated", ReceiptState.SUCCEEDED),
        ("refund.failed", ReceiptState.FAILED),
    ],
)
def test_an_event_of_a_refund_names_it_and_its_sale_by_both_ids(
    gateway: StripeGateway, server: StripeServer, charge: str, kind: str, state: ReceiptState
) -> None:
    made = refund(gateway, charge)
    if state is ReceiptState.FAILED:
        server.fail_refund(made.id)
    at = int(time.time())
    told = gateway.parse_webhook(*server.webhook(kind, made.id, at=at))
    shared: dict[str, Any] = {"kind": kind, "refund_id": made.id, "state": state}
    assert told == tuple(
        GatewayEvent(charge_id=sale, at=datetime.fromtimestamp(at, UTC), **shared)
        for sale in (charge, server.charge_id(charge))
    )


@pytest.mark.parametrize("kind", ["charge.captured", "payment_intent.canceled", "charge.dispute"])
def test_an_event_of_a_sale_names_it_by_both_ids(
    gateway: StripeGateway, server: StripeServer, charge: str, kind: str
) -> None:
    server.dispute(charge)
    record = {
        "charge.captured": server.charge_id(charge),
        "payment_intent.canceled": charge,
        "charge.dispute": server.books.of_kind("dispute")[0]["id"],
    }[kind]
    told = gateway.parse_webhook(*server.webhook(kind, record))
    assert [(each.refund_id, each.charge_id) for each in told] == [
        (None, charge),
        (None, server.charge_id(charge)),
    ]


def test_an_event_of_neither_is_acknowledged(gateway: StripeGateway, server: StripeServer) -> None:
    server.books.records["cus_1"] = {"id": "cus_1", "object": "customer"}
    (told,) = gateway.parse_webhook(*server.webhook("customer.created", "cus_1"))
    assert (told.kind, told.refund_id, told.charge_id) == ("customer.created", None, None)


def test_the_same_event_again_says_the_same(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    event = server.webhook("refund.updated", refund(gateway, charge).id)
    assert gateway.parse_webhook(*event) == gateway.parse_webhook(*event)


def test_an_event_that_was_signed_too_long_ago_is_invalid(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    made, now = refund(gateway, charge), int(time.time())
    gateway.parse_webhook(*server.webhook("refund.updated", made.id, at=now - 60))
    with pytest.raises(InvalidWebhook):
        gateway.parse_webhook(
            *server.webhook("refund.updated", made.id, at=now - SIGNATURE_TOLERANCE - 5)
        )


@pytest.mark.parametrize("forge", ["body", "time", "secret", "no header", "no secret"])
def test_an_event_that_stripe_did_not_sign_is_invalid(
    gateway: StripeGateway, server: StripeServer, charge: str, forge: str
) -> None:
    headers, body = server.webhook("refund.updated", refund(gateway, charge).id)
    gateway.parse_webhook(headers, body)
    if forge == "body":
        body = body.replace(b"400", b"999")
    elif forge == "time":
        signed = headers["Stripe-Signature"]
        headers["Stripe-Signature"] = f"t={int(time.time()) + 9},{signed.partition(',')[2]}"
    elif forge == "secret":
        gateway = gateway_for(server, REFUNDS_STRIPE_WEBHOOK_SECRET="whsec_another")
    elif forge == "no header":
        del headers["Stripe-Signature"]
    else:
        gateway = gateway_for(server, REFUNDS_STRIPE_WEBHOOK_SECRET=None)
    with pytest.raises(InvalidWebhook) as raised:
        gateway.parse_webhook(headers, body)
    assert "999" not in str(raised.value)


# Settings, keys and processes.


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"REFUNDS_STRIPE_SECRET_KEY": None}, "REFUNDS_STRIPE_SECRET_KEY is not set; set it"),
        ({"REFUNDS_STRIPE_SECRET_KEY": "pk_test_public"}, "is no secret key"),
        ({"REFUNDS_STRIPE_WEBHOOK_SECRET": "we_123"}, "is no signing secret"),
        ({"REFUNDS_STRIPE_CHARGE_IDS": "both"}, "REFUNDS_STRIPE_CHARGE_IDS is 'both'; set"),
        ({"REFUNDS_STRIPE_URL": "127.0.0.1:80"}, "set it like http://127.0.0.1:8080"),
        ({"REFUNDS_STRIPE_URL": "http://u:p@host"}, "set it like http://127.0.0.1:8080"),
        ({"REFUNDS_STRIPE_URL": "http://host:port"}, "set it like http://127.0.0.1:8080"),
        ({"REFUNDS_GATEWAY_TIMEOUT": 0}, "REFUNDS_GATEWAY_TIMEOUT is 0; set"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_remedy(
    server: StripeServer, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        gateway_for(server, **changes)
    assert "pk_test_public" not in str(raised.value)


def test_no_key_is_in_any_error_or_log(
    server: StripeServer, charge: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "sk_test_wrong_and_secret"
    gateway = gateway_for(server, REFUNDS_STRIPE_SECRET_KEY=secret)
    shown = [repr(gateway._settings)]
    for fault in ({}, {"kind": "drop_before"}, {"kind": "html"}, {"kind": "status"}):
        if fault:
            gateway = gateway_for(server)
            secret = str(server.gateway_config()["REFUNDS_STRIPE_SECRET_KEY"])
            server.fault(operation="refund", **fault)
        with pytest.raises((Misconfigured, Unknown)) as raised:
            refund(gateway, charge)
        shown += traceback.format_exception(raised.value)
    shown.append(caplog.text)
    for text in shown:
        assert secret not in text
        assert "sk_test_wrong_and_secret" not in text


def test_a_forked_process_does_not_share_the_connection(
    gateway: StripeGateway, server: StripeServer, charge: str
) -> None:
    gateway.inspect(charge)
    parents = gateway._sdk()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_sdk_in_child, args=(gateway, id(parents), answers))
    child.start()
    assert answers.get(timeout=60) is True
    child.join()
    assert gateway._sdk() is parents


def _sdk_in_child(gateway: StripeGateway, parents: int, answers: Any) -> None:
    answers.put(id(gateway._sdk()) != parents)
