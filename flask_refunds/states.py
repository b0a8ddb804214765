"""The states of a transfer and of a refund, and every change that is allowed.

Pure: nothing here reads a database or a clock. :mod:`flask_refunds.lifecycle` is the one
place that assigns a state, and it asks :func:`check_transition` first.
"""

from collections.abc import Collection
from enum import StrEnum

from flask_refunds.errors import ForbiddenTransition


class Method(StrEnum):
    """How the money of a transfer goes back."""

    CARD = "card"
    OTHER = "other"


class TransferState(StrEnum):
    """Where one movement of money stands.

    A transfer by other means is ``COMPLETED`` when it is recorded; a card transfer is
    ``STARTED`` when it is committed and ``PROCESSING`` while a worker has claimed it or its
    outcome is unknown.
    """

    STARTED = "started"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    REVERSED = "reversed"


class RefundState(StrEnum):
    """Where the whole refund stands, derived from its transfers by :func:`derive_refund_state`."""

    STARTED = "started"
    PROCESSING = "processing"
    PARTLY_COMPLETED = "partly_completed"
    COMPLETED = "completed"
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"
    REVERSED = "reversed"


class CardStatus(StrEnum):
    """The five labels that Account History shows, worded as the client specified them."""

    NOT_REQUESTED = "Not Requested by Administrator"
    STARTED = "Started"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    FAILED = "Failed"


class Detail(StrEnum):
    """What a transfer waits for, or what is known beyond its state. Never a label of its own.

    ``UNDECIDED``: the gateway's answers do not tell whether the money moved, a person must.
    ``OUTSIDE``: it moved in the gateway's own panel, a person has to say for which items.
    ``CONFLICT``: money may have moved beside the books, a person has to look.
    """

    NONE = ""
    WAITING_FOR_SETTLEMENT = "waiting_for_settlement"
    WAITING_FOR_SALE = "waiting_for_sale"
    GATEWAY_UNAVAILABLE = "gateway_unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    UNDECIDED = "undecided"
    OUTSIDE = "outside"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    CONFLICT = "conflict"


TRANSITIONS: dict[Method, dict[TransferState | None, frozenset[TransferState]]] = {
    Method.CARD: {
        None: frozenset({TransferState.STARTED, TransferState.PROCESSING}),
        TransferState.STARTED: frozenset({TransferState.PROCESSING, TransferState.FAILED}),
        TransferState.PROCESSING: frozenset(
            {
                TransferState.STARTED,
                TransferState.COMPLETED,
                TransferState.FAILED,
                TransferState.REVERSED,
            }
        ),
        TransferState.COMPLETED: frozenset({TransferState.FAILED}),
        TransferState.FAILED: frozenset({TransferState.STARTED}),
    },
    Method.OTHER: {
        None: frozenset({TransferState.COMPLETED}),
        TransferState.COMPLETED: frozenset({TransferState.REVERSED}),
    },
}
"""By method: from a state (``None``: not yet recorded) to the states that may follow it.

A card transfer fails, and may be retried; nobody can fail to record other means, but the record
may have been a mistake. One that was made outside begins as Processing, since the gateway has it
already, and is Reversed when it turns out to be in the shop's own books: its money did move.
"""

RESERVING = frozenset({TransferState.STARTED, TransferState.PROCESSING, TransferState.COMPLETED})
"""States in which a transfer's money counts as given back (reserved or gone)."""

IN_FLIGHT = frozenset({TransferState.STARTED, TransferState.PROCESSING})


def check_transition(method: Method, before: TransferState | None, after: TransferState) -> None:
    """Raise :exc:`~flask_refunds.errors.ForbiddenTransition` unless *before* may become *after*."""
    if after not in TRANSITIONS[method].get(before, frozenset()):
        raise ForbiddenTransition(before=before, after=after)


def derive_refund_state(states: Collection[TransferState]) -> RefundState:
    """Return the state of a refund whose current (not replaced) transfers have *states*."""
    held = set(states)
    if held == {TransferState.REVERSED}:
        return RefundState.REVERSED
    if held == {TransferState.COMPLETED}:
        return RefundState.COMPLETED
    held.discard(TransferState.REVERSED)
    if held == {TransferState.FAILED}:
        return RefundState.FAILED
    if TransferState.FAILED in held:
        return RefundState.PARTLY_FAILED
    if TransferState.COMPLETED in held:
        return RefundState.PARTLY_COMPLETED
    if TransferState.PROCESSING in held:
        return RefundState.PROCESSING
    return RefundState.STARTED


_CARD_PRECEDENCE = (
    (TransferState.FAILED, CardStatus.FAILED),
    (TransferState.PROCESSING, CardStatus.PROCESSING),
    (TransferState.STARTED, CardStatus.STARTED),
    (TransferState.COMPLETED, CardStatus.COMPLETED),
)


def card_status(transfers: Collection[tuple[Method, TransferState]]) -> CardStatus | None:
    """Return the one card status of an item that has several *transfers*.

    Failed shows before Processing before Started before Completed; an item refunded partly by
    card shows the card part's status. ``None`` when nothing stands (all reversed, or none).
    """
    cards = {state for method, state in transfers if method is Method.CARD}
    for state, label in _CARD_PRECEDENCE:
        if state in cards:
            return label
    if any(state is TransferState.COMPLETED for _, state in transfers):
        return CardStatus.NOT_REQUESTED
    return None
