"""The desk's reads, and a retry raced by two people, on the three databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from flask_refunds import Actor, correcting, desks, errors
from flask_refunds.desks import Listing, Shown
from flask_refunds.dossier import read_movement, read_refund
from flask_refunds.order_search import find_orders
from flask_refunds.reconciling import sweep
from tests.integration.workshop import PATIENT, Workshop, opened


@pytest.fixture
def filled(database_url: str) -> Iterator[Workshop]:
    """A shop with three refunds: completed, failed, and of unknown outcome."""
    with opened(database_url, **PATIENT) as shop, shop.app.app_context():
        issue(shop, 1000)
        shop.gateway.fault("decline", "refund", code="2000")
        issue(shop, 2000)
        shop.gateway.fault("drop_after", "refund")
        issue(shop, 3000)
        yield shop


def issue(shop: Workshop, cents: int) -> None:
    order_ref, _ = shop.sell(cents)
    shop.issue(order_ref)
    sweep(shop.runtime)


def ids(listing: Listing) -> list[int]:
    return [row.id for row in listing.rows]


def test_lists_and_counts_each_status(filled: Workshop) -> None:
    later = replace(filled.runtime, clock=lambda: filled.runtime.now() + timedelta(minutes=16))
    found = {shown: ids(desks.find(later, shown=shown)) for shown in Shown}
    assert found == {
        Shown.ALL: [3, 2, 1],
        Shown.NEEDS_PERSON: [3, 2],
        Shown.IN_FLIGHT: [3],
        Shown.COMPLETED: [1],
        Shown.FAILED: [2],
        Shown.REVERSED: [],
    }
    counts = desks.find(later).counts
    assert counts == {shown: len(listed) for shown, listed in found.items()}


def test_pages_without_a_gap(filled: Workshop) -> None:
    one = replace(filled.runtime, config=replace(filled.runtime.config, page_size=1))
    seen, after = [], None
    for _ in range(3):
        page = desks.find(one, after=after)
        seen += ids(page)
        after = page.next
    assert seen == [3, 2, 1]
    assert after is None


def test_finds_by_number_and_by_reference(filled: Workshop) -> None:
    movement = read_refund(filled.runtime, 1).movements[0]
    for text in ("R-000001", movement.reference, movement.gateway_refund_id, movement.charge_id):
        assert ids(desks.find(filled.runtime, text=str(text))) == [1]
    assert ids(desks.find(filled.runtime, text="100%_")) == []


def test_finds_orders_with_what_is_left(filled: Workshop) -> None:
    numbers = [row.order_number for row in desks.find(filled.runtime).rows]
    left = [order.left for text in numbers for order in find_orders(filled.runtime, text)]
    assert left == [0, 2000, 0]
    assert find_orders(filled.runtime, "nobody@example.com") == ()


def test_reads_one_refund_with_its_history_newest_first(filled: Workshop) -> None:
    refund = read_refund(filled.runtime, 2)
    assert [entry.action for entry in refund.history] == [
        "declined",
        "claimed",
        "started",
        "issued",
    ]
    (movement,) = refund.movements
    assert [call.outcome for call in movement.tried] == ["declined"]
    assert movement.may_retry
    assert not refund.in_flight
    with pytest.raises(errors.UnknownRefund):
        read_refund(filled.runtime, 99)
    with pytest.raises(errors.UnknownRefund):
        read_movement(filled.runtime, 99)


def test_of_four_retries_at_once_one_is_done(filled: Workshop) -> None:
    (movement,) = read_refund(filled.runtime, 2).movements
    start = Barrier(4)

    def retry(number: int) -> str:
        with filled.app.app_context():
            start.wait()
            try:
                correcting.retry(
                    filled.runtime,
                    movement.id,
                    Actor(id=str(number), label="agent"),
                    generation=movement.generation,
                )
            except errors.WrongState:
                return "refused"
            return "done"

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(retry, range(4))) == ["done", "refused", "refused", "refused"]
    actions = [entry.action for entry in read_refund(filled.runtime, 2).history]
    assert actions.count("retried") == 1
