"""A refund in each state of its life, brought there by our services and the simulator's faults."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any
from urllib.error import URLError

from flask_refunds import correcting, hinting
from flask_refunds.dossier import Dossier, Movement
from flask_refunds.gateways.base import GatewayEvent
from flask_refunds.processing import process
from flask_refunds.reconciling import forward
from flask_refunds.states import CardStatus, Detail, Method, RefundState
from flask_refunds.testing.shop import TESTER, Issuing, Shop
from flask_refunds.testing.simulator.client import ControlError

PATIENCE = 60.0
"""Most seconds to wait for a call that is to stand still at the gateway."""


class Stage(StrEnum):
    """Where a refund may be brought. The words are also the fixture's argument."""

    STARTED = "started"
    PROCESSING = "processing"
    WAITING = "waiting"
    GATEWAY_DOWN = "gateway_down"
    UNKNOWN = "unknown"
    UNDECIDED = "undecided"
    COMPLETED = "completed"
    SETTLED = "settled"
    VOIDED = "voided"
    FAILED = "failed"
    FAILED_LATE = "failed_late"
    OTHER_MEANS = "other_means"
    REVERSED = "reversed"
    PARTLY_COMPLETED = "partly_completed"
    PARTLY_FAILED = "partly_failed"


class NotReached(Exception):
    """The order or the settings do not let a refund get there; the message says why."""


class RefundIn:
    """The fixture ``refund_in``: makes a refund of an order and brings it into a state.

    No row is written by it: the same services act as in production, and what goes wrong goes
    wrong at the simulator.
    """

    def __init__(self, shop: Shop, issue: Issuing) -> None:
        self._shop, self._issue, self._gateway = shop, issue, shop.simulator.client
        self._calls: list[threading.Thread] = []
        self._ways: Mapping[Stage, Callable[[Dossier], None]] = {
            Stage.STARTED: self._settle_sales,
            Stage.PROCESSING: self._hold,
            Stage.WAITING: self._let_wait,
            Stage.GATEWAY_DOWN: self._without_gateway,
            Stage.UNKNOWN: self._lose_answer,
            Stage.UNDECIDED: self._confuse,
            Stage.COMPLETED: self._complete,
            Stage.SETTLED: self._settle,
            Stage.VOIDED: self._void,
            Stage.FAILED: self._decline,
            Stage.FAILED_LATE: self._decline_late,
            Stage.OTHER_MEANS: lambda _: None,
            Stage.REVERSED: self._take_back,
            Stage.PARTLY_COMPLETED: self._complete_first,
            Stage.PARTLY_FAILED: self._decline_last,
        }

    def __call__(self, stage: Stage | str, order: object, **options: Any) -> Dossier:
        """Refund *order* and bring the refund to *stage*; return it as it is then.

        *options* are those of ``refunds_issue``. Its sales at the simulator are settled first,
        or made unsettled where the stage needs that. Raises :exc:`NotReached` for an order with
        which it cannot be, such as ``partly_completed`` with one payment.
        """
        stage = Stage(stage)
        if stage in {Stage.OTHER_MEANS, Stage.REVERSED}:
            options = {**options, "to_card": False}
        refund = self._issue(order, **options)
        self._ways[stage](refund)
        reached = self._shop.read(refund.id)
        if not _is_at(stage, reached):
            raise NotReached(_told(stage, reached))
        return reached

    def finish(self) -> None:
        """Let the calls that stand still at the gateway go on, until they are recorded."""
        while any(call.is_alive() for call in self._calls):
            with suppress(URLError):  # a simulator that was stopped holds nobody
                self._gateway.release()
            time.sleep(0.02)
        self._calls.clear()

    def _settle_sales(self, refund: Dossier) -> None:
        for card in _cards(refund):
            self._at_simulator(card, self._gateway.settle)

    def _hold(self, refund: Dossier) -> None:
        self._settle_sales(refund)
        card = _cards(refund)[0]
        self._gateway.fault("hold", "refund", transaction_id=card.charge_id)
        call = threading.Thread(
            target=self._shop.do, args=(process, card.id), name="refund_in", daemon=True
        )
        self._calls.append(call)
        call.start()
        until = time.monotonic() + PATIENCE
        while card.charge_id not in {each["transaction_id"] for each in self._gateway.held()}:
            if not call.is_alive() or time.monotonic() > until:
                return
            time.sleep(0.02)

    def _let_wait(self, refund: Dossier) -> None:
        for card in _cards(refund):
            self._at_simulator(card, self._gateway.set_status, "settlement_pending")
        self._forward(refund)

    def _without_gateway(self, refund: Dossier) -> None:
        self._settle_sales(refund)
        for card in _cards(refund):
            self._gateway.fault("status", "find", transaction_id=card.charge_id, status=503)
        self._forward(refund)

    def _lose_answer(self, refund: Dossier, kind: str = "drop_after") -> None:
        self._settle_sales(refund)
        for card in _cards(refund):
            self._gateway.fault(kind, "refund", transaction_id=card.charge_id)
        self._forward(refund)

    def _confuse(self, refund: Dossier) -> None:
        """Lose the request, and make a refund of less at the gateway under our reference."""
        self._lose_answer(refund, "drop_before")
        for card in _cards(refund):
            if card.amount == 1:
                raise NotReached("undecided needs a refund of more than one minor unit.")
            self._shop.runtime.gateways.get(card.gateway or "").refund(
                card.charge_id or "",
                card.amount - 1,
                card.currency,
                key=f"panel-{card.id}",
                reference=card.reference or "",
            )
            self._hint(card, charge_id=card.charge_id)
        self._forward(refund)

    def _complete(self, refund: Dossier) -> None:
        self._settle_sales(refund)
        self._forward(refund)
        if self._shop.runtime.config.complete_on == "settled":
            self._settle_refunds(refund)

    def _settle(self, refund: Dossier) -> None:
        self._settle_sales(refund)
        self._forward(refund)
        self._settle_refunds(refund)

    def _settle_refunds(self, refund: Dossier) -> None:
        self._ask_about(refund, self._gateway.settle)

    def _void(self, refund: Dossier) -> None:
        for card in _cards(refund):
            self._at_simulator(card, self._gateway.set_status, "submitted_for_settlement")
        self._forward(refund)

    def _decline(self, refund: Dossier) -> None:
        self._settle_sales(refund)
        for card in _cards(refund):
            self._gateway.fault("decline", "refund", transaction_id=card.charge_id)
        self._forward(refund)

    def _decline_late(self, refund: Dossier) -> None:
        self._complete(refund)
        self._ask_about(refund, self._gateway.decline_settlement)

    def _take_back(self, refund: Dossier) -> None:
        for movement in refund.movements:
            self._shop.do(correcting.reverse, movement.id, TESTER, why="It was a mistake.")

    def _complete_first(self, refund: Dossier) -> None:
        _require_several(refund)
        self._settle_sales(refund)
        if all(movement.method is Method.CARD for movement in refund.movements):
            self._shop.do(forward, refund.movements[0].id)

    def _decline_last(self, refund: Dossier) -> None:
        _require_several(refund)
        self._settle_sales(refund)
        last = _cards(refund)[-1]
        self._gateway.fault("decline", "refund", transaction_id=last.charge_id)
        self._forward(refund)

    def _forward(self, refund: Dossier) -> None:
        for card in _cards(refund):
            self._shop.do(forward, card.id)

    def _ask_about(self, refund: Dossier, settling: Callable[[str], None]) -> None:
        """Have *settling* happen to what the gateway made, and hear of it as by a webhook."""
        for card in _cards(self._shop.read(refund.id)):
            if card.gateway_refund_id is not None:
                settling(card.gateway_refund_id)
                self._hint(card, refund_id=card.gateway_refund_id)
                self._shop.do(forward, card.id)

    def _hint(
        self, card: Movement, *, refund_id: str | None = None, charge_id: str | None = None
    ) -> None:
        event = GatewayEvent(kind="test", refund_id=refund_id, charge_id=charge_id, state=None)
        self._shop.do(hinting.hint, card.gateway or "", [event])

    def _at_simulator(self, card: Movement, act: Callable[..., None], *args: str) -> None:
        try:
            act(card.charge_id or "", *args)
        except ControlError as error:
            raise NotReached(
                f"The simulator says of the payment {card.card_label or card.charge_id}: {error}. "
                "Take the order's money with `refunds_charge`, and keep the id that it returns "
                "with the payment."
            ) from error


def _cards(refund: Dossier) -> list[Movement]:
    return [movement for movement in refund.movements if movement.method is Method.CARD]


def _require_several(refund: Dossier) -> None:
    if len(refund.movements) < 2:
        raise NotReached(
            "A part of a refund stands alone only when it has several transfers: give the order "
            "two payments."
        )


_EXPECTED: Mapping[Stage, tuple[RefundState, Detail | None]] = {
    Stage.STARTED: (RefundState.STARTED, Detail.NONE),
    Stage.PROCESSING: (RefundState.PROCESSING, Detail.NONE),
    Stage.WAITING: (RefundState.STARTED, Detail.WAITING_FOR_SETTLEMENT),
    Stage.GATEWAY_DOWN: (RefundState.STARTED, Detail.GATEWAY_UNAVAILABLE),
    Stage.UNKNOWN: (RefundState.PROCESSING, Detail.OUTCOME_UNKNOWN),
    Stage.UNDECIDED: (RefundState.PROCESSING, Detail.UNDECIDED),
    Stage.COMPLETED: (RefundState.COMPLETED, None),
    Stage.SETTLED: (RefundState.COMPLETED, Detail.SETTLED),
    Stage.VOIDED: (RefundState.COMPLETED, Detail.SETTLED),
    Stage.FAILED: (RefundState.FAILED, None),
    Stage.FAILED_LATE: (RefundState.FAILED, None),
    Stage.OTHER_MEANS: (RefundState.COMPLETED, None),
    Stage.REVERSED: (RefundState.REVERSED, None),
    Stage.PARTLY_COMPLETED: (RefundState.PARTLY_COMPLETED, None),
    Stage.PARTLY_FAILED: (RefundState.PARTLY_FAILED, None),
}
"""The state of the refund, and the detail of its first transfer where that tells stages apart."""


def _is_at(stage: Stage, refund: Dossier) -> bool:
    state, detail = _EXPECTED[stage]
    first = refund.movements[0]
    if stage is Stage.OTHER_MEANS and refund.status is not CardStatus.NOT_REQUESTED:
        return False
    if stage is Stage.VOIDED and first.operation != "void":
        return False
    return refund.state is state and detail in {None, first.detail}


def _told(stage: Stage, refund: Dossier) -> str:
    stand = "; ".join(
        " ".join(filter(None, [m.method, m.state, m.detail, m.failure_message]))
        for m in refund.movements
    )
    return (
        f"Refund {refund.id} should be {stage} and is {refund.state} ({stand}). Faults that a test "
        "asked for itself may have met its calls, or the sales are not as high as the payments."
    )
