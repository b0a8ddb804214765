"""The table of changes, the derived states and the five labels."""

import pytest

from flask_refunds.errors import ForbiddenTransition
from flask_refunds.states import (
    CardStatus,
    Method,
    RefundState,
    TransferState,
    card_status,
    check_transition,
    derive_refund_state,
)

S, R = TransferState, RefundState
CARD_CHANGES = {
    (None, S.STARTED),
    (None, S.PROCESSING),
    (S.STARTED, S.PROCESSING),
    (S.STARTED, S.FAILED),
    (S.PROCESSING, S.STARTED),
    (S.PROCESSING, S.COMPLETED),
    (S.PROCESSING, S.FAILED),
    (S.PROCESSING, S.REVERSED),
    (S.COMPLETED, S.FAILED),
    (S.FAILED, S.STARTED),
}
OTHER_CHANGES = {(None, S.COMPLETED), (S.COMPLETED, S.REVERSED)}


@pytest.mark.parametrize("method", Method)
def test_only_the_changes_of_the_design_are_allowed(method: Method) -> None:
    allowed = CARD_CHANGES if method is Method.CARD else OTHER_CHANGES
    for before in (None, *S):
        for after in S:
            if (before, after) in allowed:
                check_transition(method, before, after)
            else:
                with pytest.raises(ForbiddenTransition):
                    check_transition(method, before, after)


@pytest.mark.parametrize(
    ("states", "derived"),
    [
        ([S.STARTED], R.STARTED),
        ([S.STARTED, S.PROCESSING], R.PROCESSING),
        ([S.COMPLETED, S.PROCESSING], R.PARTLY_COMPLETED),
        ([S.COMPLETED, S.COMPLETED], R.COMPLETED),
        ([S.COMPLETED, S.FAILED], R.PARTLY_FAILED),
        ([S.STARTED, S.FAILED], R.PARTLY_FAILED),
        ([S.FAILED, S.FAILED], R.FAILED),
        ([S.REVERSED], R.REVERSED),
        ([S.REVERSED, S.COMPLETED], R.PARTLY_COMPLETED),
        ([S.REVERSED, S.FAILED], R.FAILED),
    ],
)
def test_a_refund_stands_where_its_transfers_stand(
    states: list[TransferState], derived: RefundState
) -> None:
    assert derive_refund_state(states) is derived


@pytest.mark.parametrize(
    ("transfers", "label"),
    [
        ([(Method.OTHER, S.COMPLETED)], "Not Requested by Administrator"),
        ([(Method.CARD, S.STARTED)], "Started"),
        ([(Method.CARD, S.COMPLETED), (Method.CARD, S.STARTED)], "Started"),
        ([(Method.CARD, S.STARTED), (Method.CARD, S.PROCESSING)], "Processing"),
        ([(Method.CARD, S.PROCESSING), (Method.CARD, S.FAILED)], "Failed"),
        ([(Method.CARD, S.COMPLETED), (Method.OTHER, S.COMPLETED)], "Completed"),
    ],
)
def test_an_item_shows_one_of_the_five_labels(
    transfers: list[tuple[Method, TransferState]], label: str
) -> None:
    assert card_status(transfers) == label


def test_a_record_that_was_taken_back_shows_no_label() -> None:
    assert card_status([(Method.OTHER, S.REVERSED)]) is None
    assert len(CardStatus) == 5
