"""What the chaos runs and the state machine look for is seen when it is there."""

from dataclasses import replace
from typing import Any

import pytest

from flask_refunds.states import Method, TransferState
from tests.chaos.facts import Balance, Facts, Given, Move, Sale, Try
from tests.chaos.invariants import at_any_moment, at_rest

DONE = Try(generation=1, operation="refund", outcome="accepted")
UNKNOWN = Try(generation=1, operation="refund", outcome="unknown")
MOVE = Move(
    transfer_id=1,
    refund_id=1,
    order_ref="1",
    method=Method.CARD,
    state=TransferState.COMPLETED,
    detail="settled",
    amount=1000,
    charge_id="sale",
    gateway_id="refund",
    references=frozenset({"RF-1", "RF-2"}),
    tries=(DONE,),
    posted=1000,
    reason="settled",
)
GIVEN = Given(id="refund", reference="RF-1", amount=1000)
SALE = Sale(id="sale", amount=3000, given=(GIVEN,))
BALANCE = Balance(order_ref="1", paid=3000, prior=0, committed=1000)
VOIDED = Given(id="sale", reference=None, amount=3000)
CALLED_VOID = (Try(generation=1, operation="void", outcome="accepted"),)
FAILED: dict[str, Any] = {"state": TransferState.FAILED, "posted": 0, "reason": "declined"}
UNTOUCHED = replace(SALE, given=())
FREE = replace(BALANCE, committed=0)


def facts(move: Move = MOVE, sale: Sale = SALE, balance: Balance = BALANCE) -> Facts:
    return Facts(refunds=frozenset({1}), moves=(move,), balances=(balance,), sales=(sale,))


def rules(found: list[Any]) -> set[str]:
    return {violation.rule for violation in found}


def test_what_ties_out_breaks_no_rule() -> None:
    assert at_any_moment(facts()) == []
    assert at_rest(facts(), {1}) == []


def test_a_whole_void_ties_out() -> None:
    move = replace(MOVE, amount=3000, gateway_id="sale", tries=CALLED_VOID, posted=3000)
    sale, balance = replace(SALE, given=(VOIDED,)), replace(BALANCE, committed=3000)
    assert at_rest(facts(move, sale, balance), {1}) == []


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("unknown_at_gateway", facts(sale=replace(SALE, given=(GIVEN, VOIDED)))),
        (
            "unknown_at_gateway",
            facts(sale=replace(SALE, given=(GIVEN, replace(GIVEN, id="x", reference="?")))),
        ),
        (
            "given_back_twice",
            facts(sale=replace(SALE, given=(GIVEN, Given(id="x", reference="RF-2", amount=1000)))),
        ),
        ("wrong_amount", facts(sale=replace(SALE, given=(replace(GIVEN, amount=999),)))),
        (
            "wrong_amount",
            facts(
                replace(MOVE, gateway_id="sale", tries=CALLED_VOID), replace(SALE, given=(VOIDED,))
            ),
        ),
        ("more_than_reserved", facts(replace(MOVE, **FAILED), balance=FREE)),
        ("more_than_reserved", facts(sale=replace(SALE, amount=999))),
        ("account", facts(balance=FREE)),
        ("account", facts(balance=replace(BALANCE, prior=2500))),
        ("account", Facts(moves=(MOVE,), sales=(SALE,))),
        ("ledger", facts(replace(MOVE, posted=999))),
        (
            "ledger",
            facts(replace(MOVE, **FAILED | {"posted": 1000}), replace(SALE, given=()), FREE),
        ),
        ("new_key", facts(replace(MOVE, tries=(UNKNOWN, replace(DONE, generation=2))))),
    ],
)
def test_sees_what_must_not_be_at_any_moment(rule: str, broken: Facts) -> None:
    assert rule in rules(at_any_moment(broken))


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("not_ended", facts(replace(MOVE, state=TransferState.STARTED, gateway_id=None))),
        ("no_reason", facts(replace(MOVE, needs=("failed",), reason=""))),
        ("not_given_back", facts(sale=UNTOUCHED)),
        ("sums", facts(sale=UNTOUCHED)),
        ("not_booked", facts(replace(MOVE, gateway_id="another"))),
        ("not_booked", facts(replace(MOVE, **FAILED))),
    ],
)
def test_sees_what_must_not_be_in_the_end(rule: str, broken: Facts) -> None:
    assert rule in rules(at_rest(broken, {1}))


def test_sees_a_refund_that_is_lost_and_one_that_nobody_issued() -> None:
    assert rules(at_rest(facts(), {1, 2})) == {"lost"}
    assert rules(at_rest(facts(), set())) == {"not_issued"}


def test_a_new_key_is_right_after_a_refusal_and_after_a_persons_word() -> None:
    declined = replace(DONE, outcome="declined")
    for first in (declined, replace(DONE, outcome="not_yet")):
        assert at_any_moment(facts(replace(MOVE, tries=(first, replace(DONE, generation=2))))) == []
    looked = Try(generation=1, operation="", outcome="rejected")
    after_looking = replace(MOVE, tries=(UNKNOWN, looked, replace(DONE, generation=2)))
    assert at_any_moment(facts(after_looking)) == []
    vouched = replace(MOVE, tries=(UNKNOWN, replace(DONE, generation=2)), certain_before=2)
    assert at_any_moment(facts(vouched)) == []


def test_what_waits_for_a_person_may_be_at_the_gateway() -> None:
    undecided = replace(
        MOVE,
        state=TransferState.PROCESSING,
        detail="undecided",
        gateway_id=None,
        posted=0,
        needs=("undecided",),
        reason="undecided",
    )
    assert at_rest(facts(undecided), {1}) == []
