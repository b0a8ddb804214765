"""Signals: after the commit, for every row of the audit trail, whatever receivers do."""

from collections.abc import Iterator
from typing import Any

import pytest
from blinker import Signal
from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds import correcting, signals
from flask_refunds.lifecycle import record
from flask_refunds.models import Event, Refund
from flask_refunds.processing import process
from flask_refunds.runtime import Runtime
from flask_refunds.states import TransferState
from tests.integration.workshop import AGENT, PATIENT, Workshop, opened

OURS = (
    signals.refund_issued,
    signals.transfer_changed,
    signals.refund_completed,
    signals.event_recorded,
)


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Workshop]:
    with opened(database_url, **PATIENT) as shop:
        yield shop


def connect(signal: Signal, receiver: Any) -> Any:
    return signal.connected_to(receiver)


def test_every_row_of_the_audit_trail_is_told_after_the_commit(any_shop: Workshop) -> None:
    shop, told = any_shop, []

    def receive(sender: Runtime, **event: Any) -> None:
        assert sender is shop.runtime
        written = select(Event.id).where(
            Event.refund_id == event["refund_id"], Event.action == event["action"]
        )
        assert sender.sessions.read(lambda session: session.scalar(written)), "not committed"
        told.append((event["refund_id"], event["transfer_id"], event["action"]))

    with connect(signals.event_recorded, receive):
        shop.gateway.fault("decline", "refund", code="2004")
        failing = shop.refund_of(3000)
        shop.do(process, failing.id)
        shop.do(correcting.retry, failing.id, AGENT)
        shop.do(process, failing.id)
        waiting = shop.refund_of(2000, part=500, settled=False)
        shop.do(process, waiting.id)
        shop.gateway.fault("drop_after", "refund")
        unknown = shop.refund_of(2000)
        shop.do(process, unknown.id)

    written = shop.do(
        lambda runtime: runtime.sessions.read(
            lambda session: [
                (row.refund_id, row.transfer_id, row.action)
                for row in session.scalars(select(Event).order_by(Event.id))
            ]
        )
    )
    assert told == written
    assert [action for refund, _, action in told if refund == failing.issued.refund_id] == [
        "issued", "started", "claimed", "declined", "retried", "claimed", "refunded",
    ]  # fmt: skip
    assert told[-1][2] == "outcome_unknown"


def test_nothing_is_told_of_what_was_rolled_back(quiet_shop: Workshop) -> None:
    heard: list[str] = []
    ticket = quiet_shop.refund_of(3000)

    def receive(_sender: object, **event: Any) -> None:
        heard.append(event["action"])

    def fails(session: Session) -> None:
        refund = session.get_one(Refund, ticket.issued.refund_id)
        now, runtime = quiet_shop.runtime.now(), quiet_shop.runtime
        record(session, runtime, refund, None, now=now, actor=AGENT, action="noted")
        session.flush()
        raise LookupError

    with connect(signals.event_recorded, receive), pytest.raises(LookupError):
        quiet_shop.do(lambda runtime: runtime.sessions.transact(fails))

    assert heard == []


def test_a_receiver_that_raises_breaks_nothing_that_follows(
    any_shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def broken(_sender: object, **_what: Any) -> None:
        raise RuntimeError("the mail server is away")

    def also_broken(_sender: object, **_what: Any) -> None:
        raise RuntimeError("so is the other one")

    def works(_sender: object, **event: Any) -> None:
        heard.append(event["action"])

    for signal in OURS:
        signal.connect(broken)
    with connect(signals.event_recorded, also_broken), connect(signals.event_recorded, works):
        ticket = any_shop.refund_of(3000)
        any_shop.do(process, ticket.id)
    for signal in OURS:
        signal.disconnect(broken)

    ticket.given_back_once()
    assert heard == ["issued", "started", "claimed", "refunded"]
    failures = [
        each for each in caplog.records if vars(each).get("refunds_event") == "receiver_failed"
    ]
    assert {vars(each)["refunds_signal"] for each in failures} == {
        "refund-issued", "transfer-changed", "refund-completed", "event-recorded",
    }  # fmt: skip
    assert "the mail server is away" in caplog.text
    assert {vars(each)["refunds_refund_id"] for each in failures} == {ticket.issued.refund_id}


def test_a_receiver_may_use_our_services(quiet_shop: Workshop) -> None:
    """It is called outside our transaction, so that it may read and write."""

    def retry_once(sender: Runtime, **event: Any) -> None:
        if event["action"] == "declined":
            correcting.retry(sender, event["transfer_id"], AGENT)

    quiet_shop.gateway.fault("decline", "refund", code="2004")
    ticket = quiet_shop.refund_of(3000)
    with connect(signals.event_recorded, retry_once):
        quiet_shop.do(process, ticket.id)

    assert (ticket.now.state, ticket.now.generation) == (TransferState.STARTED, 2)
