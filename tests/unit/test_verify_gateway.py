"""Comparing books with gateways, where only values matter: days of the store, and its zones."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from flask_refunds.figures.periods import Period
from flask_refunds.gateways.base import ChargeReceipt, ReceiptState, RefundReceipt
from flask_refunds.states import TransferState
from flask_refunds.verify.findings import Finding
from flask_refunds.verify.gateway.comparing import compare
from flask_refunds.verify.gateway.facts import Answers, Booking, Books, Move, Posted, Sale, Seen
from flask_refunds.verify.gateway.totals import Total, totals

PARIS = ZoneInfo("Europe/Paris")
SALE = Sale("braintree", "sale")
LATE = datetime(2026, 3, 1, 22, 59, tzinfo=UTC)  # still 1 March in Paris
AFTER_MIDNIGHT = datetime(2026, 3, 1, 23, 1, tzinfo=UTC)  # 2 March in Paris
FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


def books(
    period: Period, bookings: Sequence[Booking] = (), postings: Sequence[Posted] = ()
) -> Books:
    """Return the books of one refund of 30.00 USD that we completed after midnight."""
    move = Move(
        transfer_id=1,
        refund_id=1,
        order_ref="1",
        sale=SALE,
        state=TransferState.COMPLETED,
        operation="refund",
        amount=3000,
        currency="USD",
        gateway_id="refund",
        references=frozenset({"reference"}),
        in_doubt=False,
        voiding=False,
        poll_due=False,
        completed_at=AFTER_MIDNIGHT,
        gateway_at=None,
    )
    return Books(period=period, moves=(move,), bookings=tuple(bookings), postings=tuple(postings))


def answers(at: datetime | None, state: ReceiptState = ReceiptState.SUCCEEDED) -> Answers:
    """Return what the gateway says of it: made at *at*."""
    charge = ChargeReceipt(
        id="sale",
        amount=3000,
        currency="USD",
        raw_status="settled",
        voidable=False,
        refundable=True,
        voided=False,
        settling_soon=False,
        refund_ids=("refund",),
    )
    receipt = RefundReceipt(
        id="refund",
        charge_id="sale",
        amount=3000,
        currency="USD",
        reference="reference",
        state=state,
        raw_status=str(state),
        at=at,
    )
    return Answers(seen={SALE: Seen(charge=charge, refunds={"refund": receipt})})


def found(at: datetime | None, zone: ZoneInfo) -> list[Finding]:
    return list(compare(books(Period()), answers(at), zone))


def test_another_day_is_another_day_of_the_store() -> None:
    (finding,) = found(LATE, PARIS)

    assert (finding.code, finding.expected, finding.found) == (
        "timing_day",
        "2026-03-02",
        "2026-03-01",
    )
    assert found(LATE, ZoneInfo("UTC")) == []


def test_a_gateway_that_tells_no_time_is_of_no_other_day() -> None:
    assert found(None, PARIS) == []


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (FIRST, SECOND, [(FIRST, 3000, 3000), (SECOND, -3000, -3000)]),
        (FIRST, FIRST, [(FIRST, 3000, 3000)]),
        (SECOND, SECOND, [(SECOND, -3000, -3000)]),
    ],
)
def test_totals_have_the_days_of_the_period_in_the_store(
    first: date, last: date, days: list[tuple[date, int, int]]
) -> None:
    period = Period.of_days(first, last, PARIS)
    booking = Booking(
        transfer_id=1, gateway_id="refund", completed_at=LATE, failed_at=AFTER_MIDNIGHT
    )
    postings = [
        Posted(transfer_id=1, at=at, currency="USD", operation="refund", amount=amount)
        for at, amount in ((LATE, 3000), (AFTER_MIDNIGHT, -3000))
        if first <= at.astimezone(PARIS).date() <= last
    ]

    shown = totals(books(period, [booking], postings), answers(LATE, ReceiptState.FAILED), PARIS)

    assert [(total.day, total.ledger, total.gateway) for total in shown] == days
    assert all(total.ties for total in shown)


def test_a_total_ties_when_what_is_missing_is_explained() -> None:
    assert total(ledger=3000, gateway=1000, timing=500, not_compared=1500).ties
    assert not total(ledger=3000, gateway=1000, timing=500, not_compared=1501).ties


def total(**amounts: int) -> Total:
    return Total(day=FIRST, currency="USD", operation="refund", **amounts)
