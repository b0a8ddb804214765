"""Any order of events, found by hypothesis: issue, claim, call, crash, look, settle, correct.

Each rule is one thing that a person, a worker, the gateway or the shop does. After every one the
books and the gateway are compared; at the end all is brought to rest and compared in full.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from example_app.models import Order, Payment
from flask_refunds import Actor, RefundRequest, Selection, correcting, issuing, resolving
from flask_refunds.confirming import Confirmation, confirm_outside, read_proposal
from flask_refunds.errors import RefundsError, Refusal
from flask_refunds.figures.periods import Period
from flask_refunds.models import Attempt, Transfer
from flask_refunds.states import Detail, Method, TransferState
from flask_refunds.testing import Simulator
from flask_refunds.verify import verify, verify_gateway
from tests.chaos.invariants import at_any_moment, at_rest
from tests.chaos.world import Cut, Killed, Where, World
from tests.servers import fast_folder

T = TypeVar("T")

STAFF = Actor(id="1", label="agent@example.com")
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop_after"},
    {"kind": "cut"},
    *(
        {"kind": kind, "where": where}
        for kind in ("empty", "html")
        for where in ("before", "after")
    ),
    {"kind": "status", "status": 500, "where": "before"},
    {"kind": "status", "status": 503, "where": "after"},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 404},
)
"""Losses that may meet any request; ``drop_before`` has a rule of its own, it may land late."""
REFUSALS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("refund", {"kind": "decline", "code": "2005"}),
    ("refund", {"kind": "decline", "code": "1005"}),
    ("refund", {"kind": "refuse", "code": "91506"}),
    ("refund", {"kind": "refuse", "code": "91512"}),
    ("refund", {"kind": "refuse", "code": "91521"}),
    ("refund", {"kind": "refuse", "code": "915233"}),
    ("void", {"kind": "refuse", "code": "91504"}),
)
_FAILED = Transfer.state == TransferState.FAILED
_OPEN = Transfer.detail.in_(resolving.OPEN)
CORRECTIONS: Mapping[str, tuple[Any, Callable[..., object]]] = {
    "retry": (_FAILED, correcting.retry),
    "pay_otherwise": (_FAILED, partial(correcting.pay_otherwise, kind="cash")),
    "reverse": (Transfer.method == Method.OTHER, partial(correcting.reverse, why="a mistake")),
}
MOVES = ("refund", "void")


def _lower_a_payment(order: Order) -> None:
    order.payments[0].amount_cents = max(1, order.payments[0].amount_cents - 700)


def _cancel(order: Order) -> None:
    order.status = "cancelled"


def _delete_a_line(order: Order) -> None:
    if order.items:
        order.items.pop()


def _note_a_refund(order: Order) -> None:
    """The shop has given some of it back by itself."""
    order.payments.append(Payment(kind="refund", amount_cents=500, currency=order.currency))


EDITS: Mapping[str, Callable[[Order], object]] = {
    "cancel": _cancel,
    "delete a line": _delete_a_line,
    "lower a payment": _lower_a_payment,
    "note a refund": _note_a_refund,
}
PLACES: tuple[tuple[Where, tuple[str, ...]], ...] = (
    ("before", ("inspect",)),
    ("after", ("inspect",)),
    ("after", ("find",)),
    ("before", MOVES),
    ("after", MOVES),
)
ORDERS = ((3000, True, 0.5), (2000, False, None), (1200, False, 0.5), (900, True, None))
"""What is sold and asked back when nothing is left to do: cents, whether settled, which part."""
MOST_ORDERS = 12
FOR_PERSONS = {Detail.UNDECIDED, Detail.OUTSIDE, Detail.CONFLICT}
EXAMPLES = int(os.environ.get("EXAMPLES", "20"))
"""How many lives are tried; more by hand."""
ROUNDS = 40
"""Rounds of the sweep in which everything must come to an end."""

picks = st.integers(0, 7)
_mostly = st.sampled_from([True, True, True, False])


class Life(RuleBasedStateMachine):
    """The life of some refunds. Set ``world`` in a subclass."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self._on_the_way: list[Attempt] = []
        self._tokens = 0

    @initialize(
        keys=st.sampled_from(["on", "refused", "ignored"]),
        complete_on=st.sampled_from(["accepted", "settled"]),
    )
    def begin(self, keys: str, complete_on: Literal["accepted", "settled"]) -> None:
        self.world.begin(keys, complete_on)
        for kind in range(len(ORDERS)):
            self._sell_and_issue(kind)

    # People

    @rule(cents=st.sampled_from([(3000,), (900,), (2000, 1000)]), settled=st.booleans())
    def sell(self, cents: tuple[int, ...], settled: bool) -> None:
        if len(self.world.orders()) < MOST_ORDERS:
            self.world.sell(*cents, settled=settled)

    def _sell_and_issue(self, kind: int) -> None:
        cents, settled, part = ORDERS[kind % len(ORDERS)]
        self.world.sell(cents, settled=settled)
        self.issue(order=len(self.world.orders()) - 1, part=part, to_card=True)

    @rule(order=picks, part=st.sampled_from([None, 0.2, 0.5, 1.0]), to_card=_mostly)
    def issue(self, order: int, part: float | None, to_card: bool) -> None:
        order_ref = _picked(self.world.orders(), order)
        line = self.world.line_of(order_ref) if order_ref else None
        if order_ref is None or line is None:
            return
        self._tokens += 1
        selected = () if part is None else (_part_of(line, part),)
        request = RefundRequest(
            order_ref=order_ref,
            token=f"token-{self._tokens}",
            reason="returned",
            everything=part is None,
            selections=selected,
            to_card=to_card,
            other_kind="cash",
        )
        with self.world.context() as runtime:
            try:
                issued = issuing.issue(runtime, request, STAFF)
            except Refusal:
                return
        self.world.issued.add(issued.refund_id)

    @rule(pick=picks, correction=st.sampled_from(["retry", "pay_otherwise", "reverse"]))
    def correct(self, pick: int, correction: str) -> None:
        which, correct = CORRECTIONS[correction]
        chosen = _picked(self.world.transfers(which), pick)
        if chosen is None:
            return
        with self.world.context() as runtime:
            try:
                correct(runtime, chosen.id, STAFF)
            except RefundsError:
                return

    @rule(pick=picks)
    def confirm(self, pick: int) -> None:
        """Say for which items an outside refund was: as it is proposed."""
        chosen = _picked(self.world.transfers(Transfer.detail == Detail.OUTSIDE), pick)
        if chosen is None:
            return
        with self.world.context() as runtime:
            try:
                proposal = read_proposal(runtime, chosen.id)
                said = Confirmation(
                    selections=proposal.selections,
                    adjustment=proposal.adjustment,
                    reason="returned",
                )
                confirm_outside(runtime, chosen.id, STAFF, said)
            except Refusal:
                return

    @rule(pick=picks)
    def say_that_it_was_not(self, pick: int) -> None:
        """A person has looked, and found nothing."""
        chosen = _picked(self.world.transfers(_OPEN), pick)
        if chosen is not None:
            self._say(resolving.try_again, chosen.id, why="not in the panel")

    @rule(pick=picks, which=picks)
    def say_that_it_was(self, pick: int, which: int) -> None:
        """A person names a record of the sale, be it the right one or not."""
        chosen = _picked(self.world.transfers(_OPEN), pick)
        if chosen is not None:
            sale = self.world.gateway.sale(chosen.charge_id or "")
            named = _picked([sale["id"], *(each["id"] for each in sale["refunds"])], which)
            self._say(resolving.adopt, chosen.id, gateway_refund_id=str(named))

    def _say(self, word: Callable[..., object], transfer_id: int, **said: str) -> None:
        with self.world.context() as runtime:
            try:
                word(runtime, transfer_id, STAFF, **said)
            except Refusal:
                return

    # Workers

    @rule(seconds=st.sampled_from([1, 6, 40, 140, 220, 1000, 5000]))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.world.sweep()

    @rule(pick=picks)
    def work(self, pick: int) -> None:
        self._work(pick)

    @rule(pick=picks, on=st.sampled_from([*MOVES, "find"]), fault=st.sampled_from(FAULTS))
    def work_and_lose_the_answer(self, pick: int, on: str, fault: dict[str, Any]) -> None:
        self.world.gateway.fault(operation=on, **fault)
        self._work(pick)

    @rule(pick=picks, refusal=st.sampled_from(REFUSALS))
    def work_and_be_refused(self, pick: int, refusal: tuple[str, dict[str, Any]]) -> None:
        operation, fault = refusal
        self.world.gateway.fault(operation=operation, **fault)
        self._work(pick)

    @rule(pick=picks, then_tried_again=st.booleans())
    def send_into_the_dark(self, pick: int, then_tried_again: bool) -> None:
        """The request is held up somewhere: it may arrive later, or never."""
        for operation in MOVES:
            self.world.gateway.fault("drop_before", operation)
        chosen = self._work(pick)
        self._note_on_the_way(chosen)
        if then_tried_again and chosen is not None and self._on_the_way:
            self.world.advance(60)
            self.world.work(chosen)
            self.world.arrive(self._on_the_way.pop())

    @rule(pick=picks, place=st.sampled_from(PLACES))
    def crash(self, pick: int, place: tuple[Where, tuple[str, ...]]) -> None:
        where, names = place
        chosen = self._work(pick, Cut(where=where, names=names, happens=_die))
        if (where, names) == ("before", MOVES):
            self._note_on_the_way(chosen)

    @rule(
        pick=picks,
        place=st.sampled_from(
            [("before", ("inspect",)), ("after", ("inspect",)), ("after", MOVES)]
        ),
        fault=st.none() | st.sampled_from(FAULTS),
        declined=st.booleans(),
    )
    def be_overtaken(
        self,
        pick: int,
        place: tuple[Where, tuple[str, ...]],
        fault: dict[str, Any] | None,
        declined: bool,
    ) -> None:
        """The worker stands still until its lease is over and another one has been there."""
        chosen = self._next(pick)
        if chosen is None:
            return

        def overtaken() -> None:
            self.world.advance(self.world.runtime.config.lease + 1)
            if fault is not None:
                self.world.gateway.fault(operation="find", **fault)
            elif declined:
                self.world.gateway.fault("decline", "refund", code="2005")
            self.world.work(chosen)
            self.world.gateway.clear_faults()

        where, names = place
        self.world.work(chosen, Cut(where=where, names=names, happens=overtaken))

    def _next(self, pick: int) -> int | None:
        """Return a transfer that is due, of a new order when there is none."""
        chosen = _picked(self.world.next_due(), pick)
        if chosen is None and len(self.world.orders()) < MOST_ORDERS:
            self._sell_and_issue(pick)
            chosen = _picked(self.world.next_due(), pick)
        return chosen

    def _work(self, pick: int, cut: Cut | None = None) -> int | None:
        chosen = self._next(pick)
        if chosen is not None:
            self.world.work(chosen, cut)
        self.world.gateway.clear_faults()
        return chosen

    def _note_on_the_way(self, chosen: int | None) -> None:
        attempt = self.world.last_call(chosen) if chosen is not None else None
        if attempt is not None and attempt.outcome in {None, "unknown"}:
            self._on_the_way.append(attempt)

    # The gateway

    @precondition(lambda self: self._on_the_way)
    @rule()
    def a_request_arrives_late(self) -> None:
        self.world.arrive(self._on_the_way.pop(0))

    @rule(kind=st.sampled_from(["sale", "credit"]))
    def settle(self, kind: str) -> None:
        self.world.gateway.settle_all(kind)

    @rule(pick=picks)
    def settle_secretly(self, pick: int) -> None:
        sales = self.world.gateway.audit()["sales"]
        open_ = [sale["id"] for sale in sales if sale["status"] == "submitted_for_settlement"]
        chosen = _picked(open_, pick)
        if chosen is not None:
            self.world.gateway.hide_settling(chosen)

    @rule(pick=picks)
    def decline_late(self, pick: int) -> None:
        refunds = [r for sale in self.world.gateway.audit()["sales"] for r in sale["refunds"]]
        open_ = [r["id"] for r in refunds if r["status"] == "submitted_for_settlement"]
        chosen = _picked(open_, pick)
        if chosen is not None:
            self.world.gateway.decline_settlement(chosen)

    @rule(pick=picks, kind=st.sampled_from(["refund_failed", "transaction_settled"]))
    def a_webhook_comes(self, pick: int, kind: str) -> None:
        """In any order, as often as it likes, and not always with the truth."""
        made = self.world.transfers(Transfer.gateway_refund_id.is_not(None))
        chosen = _picked(made, pick)
        if chosen is not None:
            self.world.tell(kind, str(chosen.gateway_refund_id))

    @rule()
    def webhooks_come_about_every_sale(self) -> None:
        for sale in self._sales():
            self.world.tell("transaction_disbursed", sale)

    @rule(pick=picks, cents=st.sampled_from([123, 700]))
    def somebody_refunds_in_the_panel(self, pick: int, cents: int) -> None:
        chosen = _picked(self._sales(), pick)
        if chosen is not None:
            self.world.refund_outside(chosen, cents)

    @rule(pick=picks)
    def somebody_voids_in_the_panel(self, pick: int) -> None:
        chosen = _picked(self._sales(), pick)
        if chosen is not None:
            self.world.void_outside(chosen)

    @rule()
    def look_through_the_panel(self) -> None:
        self.world.sync()

    def _sales(self) -> list[str]:
        return [sale["id"] for sale in self.world.gateway.audit()["sales"]]

    # The shop

    @rule(pick=picks, edit=st.sampled_from(sorted(EDITS)))
    def shop_edits_an_order(self, pick: int, edit: str) -> None:
        order_ref = _picked(self.world.orders(), pick)
        if order_ref is not None:
            self.world.edit_order(order_ref, EDITS[edit])

    # What must hold

    @invariant()
    def nothing_is_broken(self) -> None:
        broken = at_any_moment(self.world.facts())
        assert not broken, "\n".join(map(str, broken))

    def teardown(self) -> None:
        self.world.gateway.clear_faults()
        for _ in range(ROUNDS):
            self.world.gateway.settle_all()
            self.world.advance(4000)
            self.world.sweep()
            if not self._unfinished():
                break
        self.world.sync()
        broken = at_rest(self.world.facts(), self.world.issued)
        assert not broken, "\n".join(map(str, broken))
        assert self._unfinished() == []
        with self.world.context() as runtime:
            found = {finding.code for finding in verify(runtime)}
            assert verify_gateway(runtime, Period()).findings == ()
        assert found <= ({"account_over_captured"} if self.world.outside else set())

    def _unfinished(self) -> list[str]:
        return [
            f"{move.transfer_id} {move.state} {move.detail}"
            for move in self.world.facts().moves
            if move.in_flight and move.detail not in FOR_PERSONS
        ]


@pytest.fixture
def world() -> Iterator[World]:
    with TemporaryDirectory(dir=fast_folder()) as folder, Simulator() as simulator:
        world = World(Path(folder), simulator)
        yield world
        world.dispose()


@pytest.mark.timeout(max(300, 20 * EXAMPLES))
def test_no_order_of_events_gives_back_twice_or_loses_a_refund(world: World) -> None:
    machine = type("Lives", (Life,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=os.environ.get("CI") == "true",
            phases=[p for p in Phase if p is not Phase.shrink or "UNSHRUNK" not in os.environ],
            suppress_health_check=list(HealthCheck),
        ),
    )


def _picked(choices: Sequence[T], pick: int) -> T | None:
    return choices[pick % len(choices)] if choices else None


def _part_of(line: tuple[str, int], part: float) -> Selection:
    ref, price = line
    return Selection(kind="line", ref=ref, paid=max(1, int(price * part)))


def _die() -> None:
    raise Killed
