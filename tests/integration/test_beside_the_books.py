"""Money that the gateway gave back beside our books: never given back once more, nor forgotten."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text

from example_app import db
from example_app.models import Order, Payment
from flask_refunds import correcting, errors, resolving
from flask_refunds.models import Event, Transfer
from flask_refunds.outside import Outcome
from flask_refunds.processing import process
from flask_refunds.reconciling import poll
from flask_refunds.runtime import GatewayRegistry
from flask_refunds.states import Detail, TransferState
from flask_refunds.verify import verify
from tests.integration.panel import outside
from tests.integration.test_syncing import account, adopted, fail, left, outcomes, run, synced
from tests.integration.workshop import AGENT, PATIENT, Clock, Ticket, Workshop, opened

WINDOW = 3600
"""Longer than a lost request can still land."""
AGAIN: tuple[Callable[..., object], dict[str, str]] = (correcting.retry, {})
OTHERWISE: tuple[Callable[..., object], dict[str, str]] = (
    correcting.pay_otherwise,
    {"kind": "cash"},
)


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Workshop]:
    with opened(database_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        yield shop


@pytest.fixture
def shop(sqlite_url: str) -> Iterator[Workshop]:
    with opened(sqlite_url, **PATIENT, REFUNDS_SALE_PAUSE=0) as shop:
        yield shop


@pytest.fixture
def clock(shop: Workshop) -> Clock:
    moving = Clock()
    object.__setattr__(shop.runtime, "clock", moving)
    return moving


def transfers(shop: Workshop) -> int:
    return int(shop.rows(select(func.count(Transfer.id)))[0])


def unknown(shop: Workshop, fault: str = "drop_after") -> Ticket:
    """Return a refund that counts as failed, and of which a call had no answer."""
    ticket = shop.refund_of(2000, part=500)
    shop.gateway.fault(fault, "refund")
    shop.do(process, ticket.id)
    assert [each.outcome for each in ticket.attempts] == ["unknown"]
    fail(shop, ticket.id)
    return ticket


# More than the order took was given back: the room for that is nobody's.


def over_given(shop: Workshop, *, void: bool) -> Ticket:
    """Return a refund of a whole order that failed since the panel had made one, now adopted."""
    ticket = shop.refund_of(3000, settled=not void)
    outside(shop, ticket.sale, None if void else "30.00")
    assert list(outcomes(synced(shop)).values()) == [Outcome.ADOPTED]
    assert account(shop, ticket.order_ref).paid == 6000
    shop.do(process, ticket.id)
    assert ticket.now.state == TransferState.FAILED
    return ticket


@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize(("correct", "how"), [AGAIN, OTHERWISE])
def test_what_was_given_back_in_the_panel_is_not_given_back_again(
    any_shop: Workshop, void: bool, correct: Callable[..., object], how: dict[str, str]
) -> None:
    ticket = over_given(any_shop, void=void)

    with pytest.raises(errors.AboveBalance):
        any_shop.do(correct, ticket.id, AGENT, **how)

    assert account(any_shop, ticket.order_ref).committed == 3000
    assert left(any_shop, ticket.order_ref) == 0
    assert any_shop.do(verify) == []


def test_nor_when_the_shop_has_deleted_the_order(shop: Workshop) -> None:
    ticket = over_given(shop, void=False)
    with shop.app.app_context():
        db.session.execute(delete(Order).where(Order.id == int(ticket.order_ref)))
        db.session.commit()

    with pytest.raises(errors.AboveBalance):
        shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")


def test_a_part_for_which_there_is_room_is_still_given_back(shop: Workshop) -> None:
    ticket = shop.refund_of(3000, part=1000)
    shop.gateway.fault("decline", "refund")
    shop.do(process, ticket.id)
    outside(shop, ticket.sale, "20.00")
    synced(shop)

    shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")

    assert left(shop, ticket.order_ref) == 0
    assert not account(shop, ticket.order_ref).over_committed


def test_a_shop_that_calls_its_orders_unpaid_by_then_still_owes_it(shop: Workshop) -> None:
    ticket = shop.refund_of(3000)
    shop.gateway.fault("decline", "refund", times=2)
    shop.do(process, ticket.id)
    with shop.app.app_context():
        db.session.query(Payment).update({"status": "declined"})
        db.session.commit()
    shop.do(correcting.retry, ticket.id, AGENT)
    shop.do(process, ticket.id)

    shop.do(correcting.retry, ticket.id, AGENT)
    shop.do(process, ticket.id)

    ticket.given_back_once()


# What counts as failed here, and the gateway made it.


def test_what_failed_here_is_found_and_booked(any_shop: Workshop) -> None:
    ticket = unknown(any_shop)
    (made,) = [each["id"] for each in ticket.audit["refunds"]]
    dry = synced(any_shop, dry=True)
    assert outcomes(dry) == {made: Outcome.FAILED_HERE}
    assert dry.needs_person
    assert ticket.now.state == TransferState.FAILED

    found = synced(any_shop)

    assert outcomes(found) == {made: Outcome.REOPENED}
    assert not found.needs_person
    (told,) = found.gateways[0].found
    assert (told.order_refs, told.transfer_id) == ((ticket.order_ref,), ticket.id)
    with pytest.raises(errors.WrongState):
        any_shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")
    assert any_shop.do(process, ticket.id)
    ticket.given_back_once()
    assert outcomes(synced(any_shop)) == {}


@pytest.mark.parametrize(("correct", "how"), [AGAIN, OTHERWISE])
def test_what_no_look_would_find_is_flagged_until_somebody_has_settled_it(
    any_shop: Workshop, correct: Callable[..., object], how: dict[str, str]
) -> None:
    ticket = any_shop.refund_of(2000, part=500)
    any_shop.gateway.fault("decline", "refund")
    any_shop.do(process, ticket.id)
    made = outside(any_shop, ticket.sale, "5.00", order_id=ticket.now.reference)

    for _ in range(2):
        found = synced(any_shop)
        assert outcomes(found) == {made: Outcome.FAILED_HERE}
        assert found.needs_person

    assert (ticket.now.state, ticket.now.detail) == (TransferState.FAILED, Detail.CONFLICT)
    assert ticket.events.count("conflict") == 1
    with pytest.raises(errors.InConflict):
        any_shop.do(correct, ticket.id, AGENT, **how)
    any_shop.do(resolving.acknowledge, ticket.id, AGENT, why="The customer paid it back")
    assert outcomes(synced(any_shop)) == {}
    any_shop.do(correct, ticket.id, AGENT, **how)


def test_what_was_given_back_otherwise_by_then_is_for_people(shop: Workshop, clock: Clock) -> None:
    ticket = unknown(shop, "drop_before")
    clock.advance(WINDOW)
    shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")
    made = outside(shop, ticket.sale, "5.00", order_id=ticket.attempts[0].reference)

    assert outcomes(synced(shop)) == {made: Outcome.FAILED_HERE}

    assert ticket.now.detail == Detail.CONFLICT
    shop.do(resolving.acknowledge, ticket.id, AGENT, why="Booked as a gift")
    assert outcomes(synced(shop)) == {}


def test_a_second_refund_with_our_reference_is_for_people(any_shop: Workshop) -> None:
    ticket = any_shop.refund_of(2000, part=500)
    assert outcomes(synced(any_shop)) == {}
    any_shop.do(process, ticket.id)
    second = outside(any_shop, ticket.sale, "5.00", order_id=ticket.now.reference)

    found = synced(any_shop)

    assert outcomes(found) == {second: Outcome.TWICE}
    assert found.needs_person
    assert (ticket.now.state, ticket.now.detail) == (TransferState.COMPLETED, Detail.CONFLICT)
    (data,) = any_shop.rows(select(Event.data).where(Event.action == "conflict"))
    assert data == {"gateway_refund_id": second}
    assert "twice" in run(any_shop).output


def test_one_in_flight_may_be_the_one(shop: Workshop) -> None:
    ticket = shop.refund_of(2000, part=500)
    shop.gateway.fault("drop_after", "refund")
    shop.do(process, ticket.id)

    assert outcomes(synced(shop)) == {}
    assert ticket.now.detail == Detail.OUTCOME_UNKNOWN


# Other means, while a call may have paid.


def test_other_means_are_refused_when_the_gateway_has_it(shop: Workshop, clock: Clock) -> None:
    ticket = unknown(shop)
    clock.advance(WINDOW)

    with pytest.raises(errors.PaidAlready) as refused:
        shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")

    assert [refused.value.found] == [each["id"] for each in ticket.audit["refunds"]]
    assert transfers(shop) == 1
    shop.do(correcting.retry, ticket.id, AGENT)
    shop.do(process, ticket.id)
    ticket.given_back_once()


def test_other_means_are_refused_when_the_gateway_has_several(shop: Workshop, clock: Clock) -> None:
    ticket = unknown(shop)
    outside(shop, ticket.sale, "5.00", order_id=ticket.now.reference)
    clock.advance(WINDOW)

    with pytest.raises(errors.PaidAlready, match="carry our reference"):
        shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")


def test_other_means_wait_until_no_request_can_land(shop: Workshop, clock: Clock) -> None:
    ticket = unknown(shop, "drop_before")
    with pytest.raises(errors.TooEarly):
        shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")
    clock.advance(WINDOW)
    shop.gateway.fault("status", "find", status=503)
    with pytest.raises(errors.GatewaySilent):
        shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")
    gone = replace(shop.runtime, gateways=GatewayRegistry({}))
    with shop.app.app_context(), pytest.raises(errors.GatewaySilent):
        correcting.pay_otherwise(gone, ticket.id, AGENT, kind="cash")
    assert transfers(shop) == 1

    shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")

    assert transfers(shop) == 2
    assert ticket.audit["total_given_back"] == 0


def test_a_call_that_was_made_while_the_gateway_was_asked_is_asked_for_too(
    shop: Workshop, clock: Clock
) -> None:
    ticket = unknown(shop, "drop_before")
    clock.advance(WINDOW)
    gateway: Any = shop.runtime.gateways.get("braintree")

    class Slow:
        """The gateway; just after it was asked, somebody else retries and the answer is lost."""

        def __getattr__(self, name: str) -> Any:
            if name != "find":
                return getattr(gateway, name)

            def find(*args: Any, **options: Any) -> Any:
                found = gateway.find(*args, **options)
                shop.do(correcting.retry, ticket.id, AGENT)
                shop.gateway.fault("drop_after", "refund")
                shop.do(process, ticket.id)
                fail(shop, ticket.id)
                return found

            return find

    slow = replace(shop.runtime, gateways=GatewayRegistry({"braintree": Slow}))
    with shop.app.app_context(), pytest.raises(errors.WorkerHasIt):
        correcting.pay_otherwise(slow, ticket.id, AGENT, kind="cash")

    assert ticket.audit["total_given_back"] == 500
    assert transfers(shop) == 1


def test_a_refund_that_failed_late_can_be_given_back_otherwise(any_shop: Workshop) -> None:
    """The gateway is not even asked: it has said that the accepted one failed."""
    ticket = any_shop.refund_of(2000, part=500)
    any_shop.do(process, ticket.id)
    made = ticket.now.gateway_refund_id
    assert made is not None
    any_shop.gateway.decline_settlement(made)
    any_shop.do(poll, ticket.id)
    assert (ticket.now.state, ticket.now.gateway_refund_id) == (TransferState.FAILED, made)
    asked = len(any_shop.gateway.requests())

    any_shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")

    assert len(any_shop.gateway.requests()) == asked
    assert left(any_shop, ticket.order_ref) == 1500


def test_so_can_one_whose_retry_was_declined_too(shop: Workshop, clock: Clock) -> None:
    ticket = shop.refund_of(2000, part=500)
    shop.do(process, ticket.id)
    shop.gateway.decline_settlement(str(ticket.now.gateway_refund_id))
    shop.do(poll, ticket.id)
    clock.advance(WINDOW)
    shop.do(correcting.retry, ticket.id, AGENT)
    shop.gateway.fault("decline", "refund")
    shop.do(process, ticket.id)
    assert (ticket.now.state, ticket.now.gateway_refund_id) == (TransferState.FAILED, None)

    shop.do(correcting.pay_otherwise, ticket.id, AGENT, kind="cash")

    assert transfers(shop) == 2


# What ends no sync.


def test_an_adopted_refund_that_its_retry_forgot_is_for_people(any_shop: Workshop) -> None:
    _, (sale,) = any_shop.sell(3000)
    stranger = outside(any_shop, sale, "12.00")
    transfer = adopted(any_shop)
    fail(any_shop, transfer.id)
    any_shop.do(correcting.retry, transfer.id, AGENT)
    assert outcomes(synced(any_shop)) == {}
    any_shop.do(process, transfer.id)

    assert outcomes(synced(any_shop)) == {stranger: Outcome.TWICE}
    assert any_shop.transfer(transfer.id).detail == Detail.CONFLICT
    assert transfers(any_shop) == 1


def test_what_the_database_does_not_take_is_said_and_the_rest_goes_on(shop: Workshop) -> None:
    (odd, (first,)), (_, (second,)) = shop.sell(3000), shop.sell(2000)
    plain = [outside(shop, sale, "5.00") for sale in (first, second)][1]
    refuse = f"WHEN NEW.order_ref = '{odd}' BEGIN SELECT RAISE(ABORT, 'no'); END"
    with shop.app.app_context():
        db.session.execute(text(f"CREATE TRIGGER odd BEFORE INSERT ON refunds_refund {refuse}"))
        db.session.commit()

    (looked,) = synced(shop).gateways

    assert [each.given.id for each in looked.found] == [plain]
    assert looked.problems == (f"order {odd}: the database does not take it (IntegrityError)",)
