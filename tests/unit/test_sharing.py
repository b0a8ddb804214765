"""Dividing money closes to the minor unit, whatever is divided and in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from flask_refunds.sharing import (
    NOTHING,
    Components,
    allocate,
    divide_half_up,
    part,
    spread,
)

amounts = st.integers(0, 10**9)


@st.composite
def wholes(draw: st.DrawFn) -> Components:
    """A line as a host may have it: free, discounted, taxed, of no pieces (shipping)."""
    list_price = draw(amounts)
    discount = draw(st.integers(0, list_price))
    order_tax = draw(st.sampled_from([0, 0, draw(st.integers(0, 10**6))]))
    paid = list_price - discount + (order_tax if list_price > discount else 0)
    return Components(
        quantity=draw(st.integers(0, 50)),
        list_price=list_price,
        discount=discount,
        tax=draw(st.integers(0, paid)),
        paid=paid,
    )


def test_rounds_half_away_from_zero() -> None:
    assert divide_half_up(5, 2) == 3
    assert divide_half_up(-5, 2) == -3
    assert divide_half_up(4, 3) == 1


def test_spreads_by_the_largest_remainder() -> None:
    assert spread(100, [1, 1, 1]) == [34, 33, 33]
    assert spread(5, [0, 10, 0]) == [0, 5, 0]
    assert spread(-7, [1, 1]) == [-4, -3]


def test_spreads_nothing_where_nothing_can_bear_it() -> None:
    assert spread(100, [0, 0]) == [0, 0]


@given(st.integers(-(10**9), 10**9), st.lists(amounts, min_size=1, max_size=12))
def test_a_spread_adds_up_and_gives_each_its_due(amount: int, weights: list[int]) -> None:
    shares = spread(amount, weights)
    total = sum(weights)
    assert sum(shares) == (amount if total else 0)
    for share, weight in zip(shares, weights, strict=True):
        if total:
            assert abs(share * total - amount * weight) < total


@given(wholes(), st.data())
def test_any_sequence_of_parts_closes_in_every_component(
    whole: Components, data: st.DataObject
) -> None:
    given_back = NOTHING
    turns = data.draw(st.integers(1, 6))
    for turn in range(turns):
        left = whole - given_back
        if left.paid == 0:
            break
        paid = left.paid if turn == turns - 1 else data.draw(st.integers(1, left.paid))
        quantity = data.draw(st.integers(0, left.quantity))
        piece = part(whole, given_back, paid=paid, quantity=quantity)
        assert 0 <= piece.tax <= piece.paid == paid
        given_back += piece
        left = whole - given_back
        assert 0 <= left.tax <= left.paid
        assert min(left.list_price, left.discount, left.quantity) >= 0
    rest = part(whole, given_back, paid=0, quantity=whole.quantity - given_back.quantity)
    assert given_back + rest == whole


@given(wholes(), st.data())
def test_parts_close_though_some_of_them_failed_and_were_released(
    whole: Components, data: st.DataObject
) -> None:
    standing: list[Components] = []
    for releases in data.draw(st.lists(st.booleans(), min_size=1, max_size=8)):
        if standing and releases:
            standing.pop(data.draw(st.integers(0, len(standing) - 1)))
        given_back = sum(standing, NOTHING)
        left = whole - given_back
        if left.paid:
            paid = data.draw(st.integers(1, left.paid))
            standing.append(part(whole, given_back, paid=paid, quantity=0))
    given_back = sum(standing, NOTHING)
    left = whole - given_back
    last = part(whole, given_back, paid=left.paid, quantity=left.quantity)
    assert given_back + last == whole
    assert all(0 <= piece.tax <= piece.paid for piece in [*standing, last])


def test_list_price_less_discount_is_what_was_paid_in_every_part() -> None:
    whole = Components(quantity=3, list_price=1000, discount=333, tax=111, paid=667)
    given_back = NOTHING
    for paid in (1, 2, 100, 221, 343):
        piece = part(whole, given_back, paid=paid, quantity=0)
        assert piece.list_price - piece.discount == piece.paid
        given_back += piece
    assert given_back.discount == 333


def test_a_third_and_a_third_and_the_rest_return_all_the_tax() -> None:
    whole = Components(quantity=1, list_price=1000, tax=167, paid=1000)
    given_back, taxes = NOTHING, []
    for paid in (333, 333, 334):
        piece = part(whole, given_back, paid=paid, quantity=0)
        taxes.append(piece.tax)
        given_back += piece
    assert taxes == [56, 55, 56]


def test_a_free_line_moves_by_pieces() -> None:
    whole = Components(quantity=4, list_price=1000, discount=1000)
    first = part(whole, NOTHING, paid=0, quantity=1)
    assert first == Components(quantity=1, list_price=250, discount=250)
    assert part(whole, first, paid=0, quantity=3) == whole - first


@given(st.lists(wholes(), min_size=1, max_size=6), st.integers(-500, 500), st.data())
def test_an_allocation_adds_up_both_ways(
    lines: list[Components], adjustment: int, data: st.DataObject
) -> None:
    lines = [*lines, Components(list_price=adjustment, paid=adjustment)]
    total = sum(line.paid for line in lines)
    if total <= 0:
        return
    cuts = sorted([*data.draw(st.lists(st.integers(1, total), max_size=3, unique=True)), total])
    transfers = [b - a for a, b in zip([0, *cuts], cuts, strict=False) if b > a]
    carried = allocate(lines, transfers)
    for amount, pieces in zip(transfers, carried, strict=True):
        assert sum(piece.paid for piece in pieces) == amount
    for i, line in enumerate(lines):
        assert sum((pieces[i] for pieces in carried), NOTHING) == line


def test_items_go_to_one_card_where_they_can() -> None:
    mug, tee = Components(quantity=2, paid=600, tax=100), Components(quantity=1, paid=400)
    first, second = allocate([mug, tee], [600, 400])
    assert first == [mug, NOTHING]
    assert second == [NOTHING, tee]
