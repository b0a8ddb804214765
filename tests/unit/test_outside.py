"""Which refunds the shop's own books stand for, and which items an unexplained one may be for."""

from datetime import UTC, datetime, timedelta

import pytest

from flask_refunds.entitlement import Entitlement
from flask_refunds.outside import Given, match_by_amount
from flask_refunds.planning import Standing
from flask_refunds.proposing import propose
from flask_refunds.sharing import Components
from flask_refunds.storefront.facts import OrderFacts, PaymentFacts, PriorFacts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def given(id_: str, amount: int, charge: str = "s1") -> Given:
    return Given(
        gateway="braintree",
        id=id_,
        charge_id=charge,
        operation="refund",
        amount=amount,
        currency="USD",
        reference=None,
        raw_status="settled",
        at=NOON,
        settled=True,
        took_money=True,
    )


def prior(ref: str, amount: int, **facts: object) -> PriorFacts:
    known = {"at": NOON, "succeeded": True, **facts}
    return PriorFacts(ref=ref, order_ref="1", amount=amount, **known)  # type: ignore[arg-type]


PAYMENTS = [
    PaymentFacts(
        ref=f"p{number}",
        order_ref="1",
        gateway="braintree",
        charge_id=f"s{number}",
        amount=5000,
        currency="USD",
        captured=True,
        label="",
    )
    for number in (1, 2)
]


def test_each_of_the_shops_refunds_stands_for_one() -> None:
    found = [given("a", 500), given("b", 500), given("c", 500), given("d", 700)]
    matched = match_by_amount([prior("1", 500), prior("2", 500), prior("3", 100)], found, PAYMENTS)
    assert matched == {"a", "b"}


def test_the_same_payment_comes_first() -> None:
    found = [given("a", 500, "s1"), given("b", 500, "s2")]
    assert match_by_amount([prior("1", 500, payment_ref="p2")], found, PAYMENTS) == {"b"}
    assert match_by_amount([prior("1", 500)], found, PAYMENTS) == {"a"}
    early = prior("1", 500, at=NOON - timedelta(days=1))
    both = [early, prior("2", 500, payment_ref="p1")]
    assert match_by_amount(both, found, PAYMENTS) == {"a", "b"}


@pytest.mark.parametrize("facts", [{"succeeded": False}, {"gateway_id": "x"}])
def test_what_failed_or_has_an_id_stands_for_nothing_else(facts: dict[str, object]) -> None:
    assert match_by_amount([prior("1", 500, **facts)], [given("a", 500)], PAYMENTS) == set()


def item(ref: str, paid: int, back: int = 0, pieces: int = 2) -> Entitlement:
    return Entitlement(
        kind="line",
        ref=ref,
        sku=ref,
        description=ref,
        whole=Components(quantity=pieces, list_price=paid, tax=paid // 6, paid=paid),
        given=Components(list_price=back, tax=back // 6, paid=back),
    )


def standing(*items: Entitlement, captured: int, committed: int = 0) -> Standing:
    order = OrderFacts(
        ref="1",
        number="1",
        customer_ref=None,
        customer_name="",
        customer_email="",
        placed_at=NOON,
        currency="USD",
        total=captured,
        is_paid=True,
    )
    return Standing(
        order=order, items=items, cards=(), captured=captured, prior=0, committed=committed
    )


def proposed(order: Standing, amount: int) -> dict[str, tuple[int, int]]:
    lines = propose(order, amount)
    assert sum(line.components.paid for line in lines) == amount
    return {line.item.ref: (line.components.quantity, line.components.paid) for line in lines}


def test_all_that_is_left_takes_the_exact_rest_of_every_line() -> None:
    order = standing(item("a", 1001, back=1), item("b", 2000), captured=3051, committed=1)
    assert proposed(order, 3050) == {"a": (2, 1000), "b": (2, 2000), "adjustment": (0, 50)}


def test_the_rest_of_one_line_is_that_line_with_its_pieces() -> None:
    order = standing(item("a", 1000), item("b", 2000, back=500), captured=3000, committed=500)
    assert proposed(order, 1500) == {"b": (2, 1500)}
    assert proposed(order, 1000) == {"a": (2, 1000)}


def test_two_lines_of_the_amount_are_no_reason_for_one_of_them() -> None:
    order = standing(item("a", 1000), item("b", 1000), item("c", 500), captured=2500)
    assert proposed(order, 1000) == {"a": (0, 400), "b": (0, 400), "c": (0, 200)}


def test_anything_else_is_divided_to_the_cent_without_pieces() -> None:
    order = standing(item("a", 1000), item("b", 999), item("c", 1), captured=2000)
    assert proposed(order, 777) == {"a": (0, 389), "b": (0, 388)}


@pytest.mark.parametrize(("amount", "more"), [(1234, 234), (5000, 4000)])
def test_what_the_lines_cannot_take_is_an_adjustment(amount: int, more: int) -> None:
    order = standing(item("a", 400), item("b", 600), captured=1000)
    taken = proposed(order, amount)
    assert taken == {"a": (0, 400), "b": (0, 600), "adjustment": (0, more)}


def test_an_order_with_nothing_left_takes_it_all_as_an_adjustment() -> None:
    order = standing(item("a", 400, back=400, pieces=0), captured=400, committed=400)
    assert proposed(order, 100) == {"adjustment": (0, 100)}
