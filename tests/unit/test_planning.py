"""What one request would do: caps, closings and where the money goes. Pure."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_refunds import errors
from flask_refunds.config import Config
from flask_refunds.planning import (
    CardProblem,
    Plan,
    RefundRequest,
    Selection,
    Standing,
    plan,
    stand,
)
from flask_refunds.sharing import NOTHING, Components
from flask_refunds.states import Method
from flask_refunds.storefront.facts import (
    ChargeFacts,
    LineFacts,
    OrderBundle,
    OrderFacts,
    PaymentFacts,
)

CONFIG = Config.from_mapping({})


def order(
    *lines: LineFacts,
    captured: int | None = None,
    cards: tuple[int, ...] = (),
    charges: tuple[ChargeFacts, ...] = (),
    currency: str = "USD",
    gateway: str | None = "braintree",
    charge_id: str | None = "sale",
) -> OrderBundle:
    """Return an order paid by *cards*, or by *captured* in cash."""
    total = sum(one.total for one in lines) + sum(c.amount for c in charges if c.kind == "row")
    payments = [
        PaymentFacts(
            ref=f"p{i}",
            order_ref="1",
            gateway=gateway,
            charge_id=charge_id and f"{charge_id}{i}",
            amount=amount,
            currency=currency,
            captured=True,
            label=f"Card {i}",
        )
        for i, amount in enumerate(cards)
    ]
    return OrderBundle(
        order=OrderFacts(
            ref="1",
            number="1",
            customer_ref="7",
            customer_name="Ada",
            customer_email="ada@example.com",
            placed_at=datetime(2026, 1, 1, tzinfo=UTC),
            currency="USD",
            total=total if captured is None else captured,
            is_paid=True,
            charges=charges,
        ),
        lines=lines,
        payments=tuple(payments),
        prior=(),
        has_payments=bool(payments),
    )


def line(ref: str, total: int, quantity: int = 1, tax: int = 0, discount: int = 0) -> LineFacts:
    return LineFacts(
        ref=ref,
        order_ref="1",
        sku=ref,
        description=ref,
        quantity=quantity,
        list_price=total + discount,
        total=total,
        tax=tax,
    )


def standing(bundle: OrderBundle, **known: Any) -> Standing:
    """Return how *bundle* stands when nothing, or what is *known*, was given back."""
    facts: dict[str, Any] = {"committed": 0, "given": {}, "by_payment": {}, **known}
    return stand(
        bundle, line_tax="before_discount", gateways={"braintree": True, "unset": False}, **facts
    )


def ask(*selections: Selection, **wishes: Any) -> RefundRequest:
    """Return a request by bank transfer for a return, unless *wishes* say otherwise."""
    known: dict[str, Any] = {"reason": "returned", "other_kind": "bank_transfer", **wishes}
    return RefundRequest(order_ref="1", token="t", selections=selections, **known)


def pick(ref: str, quantity: int = 0, paid: int | None = None) -> Selection:
    return Selection(kind="line", ref=ref, quantity=quantity, paid=paid)


def targets(planned: Plan) -> list[tuple[str, int]]:
    return [(t.card.ref if t.card else "other", t.amount) for t in planned.transfers]


def test_the_price_of_pieces_is_their_part_of_what_was_paid() -> None:
    planned = plan(standing(order(line("a", 1000, 3))), ask(pick("a", quantity=1)), CONFIG)
    assert planned.amount == 333
    assert targets(planned) == [("other", 333)]


def test_an_amount_alone_moves_no_pieces() -> None:
    planned = plan(standing(order(line("a", 1000, 3))), ask(pick("a", paid=50)), CONFIG)
    assert planned.lines[0].components.quantity == 0


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (ask(pick("a", paid=1001)), errors.AboveLine),
        (ask(pick("a", quantity=4)), errors.AboveQuantity),
        (ask(pick("a", quantity=-1)), errors.AboveQuantity),
        (ask(pick("a", paid=-5)), errors.MalformedAmount),
        (ask(pick("x", quantity=1)), errors.UnknownLine),
        (ask(pick("a", quantity=1), pick("a", quantity=1)), errors.UnknownLine),
        (ask(), errors.NothingSelected),
        (ask(pick("a")), errors.NothingSelected),
        (ask(pick("a", paid=100), adjustment=-100), errors.NotPositive),
        (ask(pick("a", paid=1000), adjustment=1), errors.AboveBalance),
        (ask(pick("a", quantity=1), other_kind=None), errors.OtherMeansMissing),
        (ask(pick("a", quantity=1), other_kind="magic"), errors.OtherMeansMissing),
        (ask(pick("a", quantity=1), reason="whim"), errors.UnknownReason),
        (ask(pick("a", quantity=1), to_card=True), errors.CardUnavailable),
    ],
)
def test_refuses(request_: RefundRequest, refusal: type[errors.Refusal]) -> None:
    with pytest.raises(refusal):
        plan(standing(order(line("a", 1000, 3))), request_, CONFIG)


def test_refuses_an_unpaid_order() -> None:
    with pytest.raises(errors.NothingPaid):
        plan(standing(order(line("a", 100), captured=0)), ask(pick("a", quantity=1)), CONFIG)


def test_money_in_flight_is_not_left() -> None:
    now = standing(
        order(line("a", 1000)),
        committed=600,
        given={("line", "a"): Components(paid=600, list_price=600)},
    )
    with pytest.raises(errors.AboveLine) as refused:
        plan(now, ask(pick("a", paid=500)), CONFIG)
    assert refused.value.left == 400


def test_what_was_paid_beyond_the_lines_goes_back_as_an_adjustment() -> None:
    planned = plan(standing(order(line("a", 1000), captured=1100)), ask(everything=True), CONFIG)
    assert [(p.item.kind, p.components.paid) for p in planned.lines] == [
        ("line", 1000),
        ("adjustment", 100),
    ]


def test_less_captured_than_the_lines_never_gives_back_more() -> None:
    now = standing(order(line("a", 1000), captured=900))
    planned = plan(now, ask(everything=True), CONFIG)
    assert planned.amount == 900
    assert planned.lines[-1].components.paid == -100
    with pytest.raises(errors.AboveBalance):
        plan(now, ask(pick("a", quantity=1)), CONFIG)


def test_one_card_takes_it_all_where_it_can() -> None:
    now = standing(order(line("a", 1000), cards=(300, 700)))
    planned = plan(now, ask(pick("a", paid=500), to_card=True, other_kind=None), CONFIG)
    assert targets(planned) == [("p1", 500)]


def test_two_cards_share_what_neither_can_take() -> None:
    now = standing(order(line("a", 600), line("b", 400), cards=(600, 400)))
    planned = plan(now, ask(everything=True, to_card=True, other_kind=None), CONFIG)
    assert targets(planned) == [("p0", 600), ("p1", 400)]
    assert [c.paid for c in planned.transfers[0].carried] == [600, 0]


def test_cash_on_a_card_order_needs_other_means_for_the_rest() -> None:
    bundle = order(line("a", 1000), cards=(600, 400))
    cash = PaymentFacts(**{**vars(bundle.payments[1]), "gateway": None})
    bundle = OrderBundle(**{**vars(bundle), "payments": (bundle.payments[0], cash)})
    with pytest.raises(errors.AboveCards) as refused:
        plan(standing(bundle), ask(everything=True, to_card=True, other_kind=None), CONFIG)
    assert refused.value.left == 600
    planned = plan(standing(bundle), ask(everything=True, to_card=True, other_kind="cash"), CONFIG)
    assert targets(planned) == [("p0", 600), ("other", 400)]


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"gateway": None}, CardProblem.NO_GATEWAY),
        ({"gateway": "paypal"}, CardProblem.UNKNOWN_GATEWAY),
        ({"gateway": "unset"}, CardProblem.NOT_CONFIGURED),
        ({"charge_id": None}, CardProblem.NO_TRANSACTION),
        ({"currency": "EUR"}, CardProblem.OTHER_CURRENCY),
    ],
)
def test_says_why_a_payment_cannot_go_back_to_its_card(
    facts: dict[str, Any], problem: CardProblem
) -> None:
    now = standing(order(line("a", 1000), cards=(1000,), **facts))
    assert now.cards[0].problem is problem
    with pytest.raises(errors.CardUnavailable) as refused:
        plan(now, ask(everything=True, to_card=True, other_kind=None), CONFIG)
    assert refused.value.reason == problem


def test_a_card_takes_no_more_than_is_left_on_it() -> None:
    now = standing(order(line("a", 1000), cards=(600, 400)), by_payment={"p0": 600}, committed=600)
    assert [(c.left, c.problem) for c in now.cards] == [(0, CardProblem.NOTHING_LEFT), (400, None)]


@st.composite
def orders(draw: st.DrawFn) -> OrderBundle:
    """An order as shops have them: discounts, taxes, shipping, free lines, odd captures."""
    host_lines = [
        line(
            f"l{i}",
            total := draw(st.one_of(st.just(0), st.integers(1, 5000))),
            quantity=draw(st.integers(1, 5)),
            tax=draw(st.integers(0, total)),
            discount=draw(st.integers(0, 300)),
        )
        for i in range(draw(st.integers(1, 4)))
    ]
    charges = []
    if draw(st.booleans()):
        charges.append(
            ChargeFacts(
                name="discount", label="", kind="spread", effect="discount",
                over=draw(st.sampled_from(["lines", "lines+rows"])),
                amount=draw(st.integers(1, 12_000)),
            )
        )  # fmt: skip
    if draw(st.booleans()):
        charges.append(
            ChargeFacts(
                name="sales tax", label="", kind="spread", effect="tax", over="lines",
                amount=draw(st.integers(1, 900)),
            )
        )  # fmt: skip
    if draw(st.booleans()):
        amount = draw(st.integers(1, 900))
        charges.append(
            ChargeFacts(
                name="shipping", label="", kind="row", effect="price", over="lines",
                amount=amount, tax=draw(st.integers(0, amount)),
            )
        )  # fmt: skip
    captured = draw(st.integers(1, 25_000))
    if draw(st.booleans()):
        cut = draw(st.integers(0, captured))
        return order(*host_lines, cards=tuple(c for c in (cut, captured - cut) if c),
                     charges=tuple(charges))  # fmt: skip
    return order(*host_lines, captured=captured, charges=tuple(charges))


@settings(max_examples=300)
@given(orders(), st.data())
def test_any_sequence_of_partial_refunds_closes_exactly(
    bundle: OrderBundle, data: st.DataObject
) -> None:
    """Amount, tax, discount and pieces close, and nothing ever exceeds what was paid."""
    given_back: dict[tuple[str, str], Components] = {}
    by_payment: dict[str, int] = {}
    committed = 0
    for turn in range(6):
        now = standing(bundle, committed=committed, given=given_back, by_payment=by_payment)
        if now.balance == 0:
            break
        wishes: dict[str, Any] = {"to_card": data.draw(st.booleans()) and now.card_left > 0}
        if turn == 5 or data.draw(st.booleans()):
            request = ask(everything=True, **wishes)
        else:
            request = ask(
                *(
                    Selection(
                        kind=item.kind,
                        ref=item.ref,
                        quantity=data.draw(st.integers(0, item.left.quantity)),
                        paid=data.draw(st.one_of(st.none(), st.integers(0, item.left.paid))),
                    )
                    for item in now.items
                ),
                adjustment=data.draw(st.integers(-20, 20)),
                **wishes,
            )
        try:
            planned = plan(now, request, CONFIG)
        except (errors.NothingSelected, errors.NotPositive, errors.AboveBalance):
            continue
        assert planned.amount == sum(t.amount for t in planned.transfers) > 0
        for i, planned_line in enumerate(planned.lines):
            carried = sum((t.carried[i] for t in planned.transfers), NOTHING)
            assert carried == planned_line.components
            key = (planned_line.item.kind, planned_line.item.ref)
            given_back[key] = given_back.get(key, NOTHING) + planned_line.components
        for transfer in planned.transfers:
            assert (transfer.method is Method.CARD) == (transfer.card is not None)
            if transfer.card:
                ref = transfer.card.ref
                by_payment[ref] = by_payment.get(ref, 0) + transfer.amount
                assert by_payment[ref] <= transfer.card.amount
        committed += planned.amount
        assert committed <= bundle.captured
        for item in now.items:
            left = item.whole - given_back.get((item.kind, item.ref), NOTHING)
            assert min(left.paid, left.tax, left.quantity) >= 0
        if request.everything:
            assert committed == bundle.captured
            for item in now.items:
                assert given_back.get((item.kind, item.ref), NOTHING) == item.whole
