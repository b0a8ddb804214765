"""What a line may give back is what the customer really paid for it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from flask_refunds.entitlement import Entitlement, entitle, with_given, with_prior
from flask_refunds.sharing import Components
from flask_refunds.storefront.facts import (
    ChargeEffect,
    ChargeFacts,
    ChargeOver,
    LineFacts,
    LineTax,
    PriorFacts,
)


def line(
    ref: str, total: int, *, tax: int = 0, quantity: int = 1, list_price: int = -1
) -> LineFacts:
    """Return a line; the list price is the total unless given."""
    return LineFacts(
        ref=ref,
        order_ref="1",
        sku=f"SKU-{ref}",
        description=f"Item {ref}",
        quantity=quantity,
        list_price=total if list_price < 0 else list_price,
        total=total,
        tax=tax,
    )


def spread_over(
    amount: int, effect: ChargeEffect = "discount", over: ChargeOver = "lines"
) -> ChargeFacts:
    return ChargeFacts(
        name=effect, label=effect, kind="spread", effect=effect, over=over, amount=amount
    )


def shipping(amount: int, tax: int = 0) -> ChargeFacts:
    return ChargeFacts(
        name="shipping",
        label="Shipping",
        kind="row",
        effect="price",
        over="lines",
        amount=amount,
        tax=tax,
    )


def paid(items: list[Entitlement]) -> dict[str, int]:
    return {item.ref: item.whole.paid for item in items}


def test_a_line_gives_back_its_total_and_shipping_stands_as_a_row() -> None:
    items = entitle([line("a", 1000, tax=167)], [shipping(500, 83)], line_tax="before_discount")
    assert [(i.kind, i.ref) for i in items] == [("line", "a"), ("row", "shipping")]
    assert items[0].whole == Components(quantity=1, list_price=1000, tax=167, paid=1000)
    assert items[1].whole == Components(quantity=0, list_price=500, tax=83, paid=500)


def test_an_order_discount_is_spread_and_takes_its_part_of_the_tax() -> None:
    items = entitle(
        [line("a", 3000, tax=500), line("b", 1000)], [spread_over(1000)], line_tax="before_discount"
    )
    assert paid(items) == {"a": 2250, "b": 750}
    assert items[0].whole.tax == 375
    assert items[0].whole.discount == 750


def test_tax_worked_out_after_the_discount_stays_as_it_is() -> None:
    items = entitle([line("a", 3000, tax=500)], [spread_over(1000)], line_tax="after_discount")
    assert items[0].whole.tax == 500


def test_a_free_line_bears_no_discount() -> None:
    items = entitle(
        [line("a", 0, list_price=700), line("b", 900)],
        [spread_over(100)],
        line_tax="before_discount",
    )
    assert paid(items) == {"a": 0, "b": 800}
    assert items[0].whole.discount == 700


def test_a_discount_larger_than_the_lines_spills_to_the_rows() -> None:
    items = entitle([line("a", 300)], [shipping(500), spread_over(400)], line_tax="before_discount")
    assert paid(items) == {"a": 0, "shipping": 400}


def test_a_discount_larger_than_everything_leaves_nothing_below_zero() -> None:
    items = entitle(
        [line("a", 300)], [shipping(500), spread_over(4000)], line_tax="before_discount"
    )
    assert paid(items) == {"a": 0, "shipping": 0}


def test_a_discount_over_rows_too_is_borne_by_them() -> None:
    items = entitle(
        [line("a", 300)],
        [shipping(100), spread_over(40, over="lines+rows")],
        line_tax="before_discount",
    )
    assert paid(items) == {"a": 270, "shipping": 90}


def test_sales_tax_on_the_order_is_added_to_its_lines() -> None:
    items = entitle(
        [line("a", 1000), line("b", 500)], [spread_over(131, "tax")], line_tax="after_discount"
    )
    assert paid(items) == {"a": 1087, "b": 544}
    assert [i.whole.tax for i in items] == [87, 44]
    assert [i.whole.list_price for i in items] == [1000, 500]


def test_a_line_with_a_negative_total_is_a_discount() -> None:
    items = entitle([line("a", 1000), line("coupon", -200)], [], line_tax="before_discount")
    assert paid(items) == {"a": 800}


def test_what_the_host_refunded_on_a_line_is_not_refunded_again() -> None:
    items = entitle([line("a", 900, tax=150, quantity=3)], [], line_tax="before_discount")
    prior = PriorFacts(
        ref="p", order_ref="1", amount=300, at=datetime.now(UTC), succeeded=True, line_ref="a"
    )
    (item,) = with_prior(items, [prior])
    assert item.left == Components(quantity=2, list_price=600, tax=100, paid=600)


def test_a_refund_of_the_host_that_failed_counts_nowhere() -> None:
    items = entitle([line("a", 900)], [], line_tax="before_discount")
    prior = PriorFacts(
        ref="p", order_ref="1", amount=300, at=datetime.now(UTC), succeeded=False, line_ref="a"
    )
    assert with_prior(items, [prior]) == items


def test_pieces_are_priced_so_that_the_last_closes() -> None:
    (item,) = entitle([line("a", 1000, quantity=3)], [], line_tax="before_discount")
    prices = []
    given_back = Components()
    for _ in range(3):
        (now,) = with_given([item], {("line", "a"): given_back})
        prices.append(now.price_of(1))
        given_back += now.part(paid=prices[-1], quantity=1)
    assert prices == [333, 334, 333]
    assert sum(prices) == 1000


lines = st.lists(
    st.builds(
        lambda n, tax, total, quantity, off: line(
            str(n), total, tax=min(tax, total), quantity=quantity, list_price=total + off
        ),
        st.uuids(),
        st.integers(0, 500),
        st.integers(0, 10_000),
        st.integers(1, 9),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=6,
)
charges = st.lists(
    st.one_of(
        st.builds(
            spread_over,
            st.integers(0, 20_000),
            st.sampled_from(["discount", "tax", "price"]),
            st.sampled_from(["lines", "lines+rows"]),
        ),
        st.builds(shipping, st.integers(0, 2000), st.integers(0, 300)),
    ),
    max_size=3,
)


@given(lines, charges, st.sampled_from(["before_discount", "after_discount"]))
def test_each_charge_moves_the_sum_by_exactly_its_amount(
    host_lines: list[LineFacts], host_charges: list[ChargeFacts], line_tax: LineTax
) -> None:
    rows = [charge for charge in host_charges if charge.kind == "row"]
    spreads = [charge for charge in host_charges if charge.kind == "spread"]
    items = entitle(host_lines, rows, line_tax=line_tax)
    total = sum(one.total for one in host_lines) + sum(row.amount for row in rows)
    assert sum(paid_of(items)) == total
    for n, charge in enumerate(spreads, start=1):
        bearers = [i for i in items if i.kind == "line" or charge.over == "lines+rows"]
        items = entitle(host_lines, rows + spreads[:n], line_tax=line_tax)
        if charge.effect == "discount":
            total = max(0, total - charge.amount)
        elif any(paid_of(bearers)):
            total += charge.amount
        assert sum(paid_of(items)) == total
        for item in items:
            assert 0 <= item.whole.tax <= item.whole.paid
            assert item.whole.discount >= 0


def paid_of(items: list[Entitlement]) -> list[int]:
    return [item.whole.paid for item in items]
