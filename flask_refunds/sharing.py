"""Dividing money without losing a minor unit: spreads, cumulative parts and allocations.

Pure integer arithmetic. Every function here closes: what is divided adds up to the whole again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Components:
    """What the ledger counts, in pieces and minor units.

    ``list_price`` is the price before discounts, ``discount`` what was taken off it, ``paid``
    what the customer paid for it, of which ``tax`` is tax.
    """

    quantity: int = 0
    list_price: int = 0
    discount: int = 0
    tax: int = 0
    paid: int = 0

    def __add__(self, other: Self) -> Self:
        return self._with(other, 1)

    def __sub__(self, other: Self) -> Self:
        return self._with(other, -1)

    def __neg__(self) -> Self:
        return type(self)() - self

    def _with(self, other: "Components", sign: int) -> Self:
        return type(self)(
            **{
                field.name: getattr(self, field.name) + sign * getattr(other, field.name)
                for field in fields(self)
            }
        )


NOTHING = Components()


def divide_half_up(numerator: int, denominator: int) -> int:
    """Return ``numerator / denominator`` rounded half away from zero; both in integers."""
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    return sign * ((2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator)))


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide *amount* minor units in proportion to *weights* by the largest remainder.

    Ties go to the earlier weight. Weights are not negative; a weight of zero takes nothing. With
    no positive weight nothing can be placed and all shares are zero: the caller keeps the rest.
    """
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    sign = -1 if amount < 0 else 1
    quotients = [divmod(abs(amount) * weight, total) for weight in weights]
    shares = [quotient for quotient, _ in quotients]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-quotients[i][1], i))
    for i in by_remainder[: abs(amount) - sum(shares)]:
        shares[i] += 1
    return [sign * share for share in shares]


def part(whole: Components, given: Components, *, paid: int, quantity: int) -> Components:
    """Return the components of giving back *paid* minor units and *quantity* pieces of a line.

    *given* is what stands as given back already. The cumulative rule of the design: each
    component becomes ``round(whole × given back so far ÷ paid for the line) − already given``,
    so that the last part closes exactly whatever parts came before. A line that cost nothing
    moves by pieces instead. The caller has checked that *paid* and *quantity* are left.
    """
    left = whole - given
    if whole.paid > 0:
        reached, base = given.paid + paid, whole.paid
        last = paid == left.paid
    else:
        reached, base = given.quantity + quantity, whole.quantity
        last = quantity == left.quantity
    if last or base == 0:
        return Components(
            quantity=quantity,
            list_price=left.list_price,
            discount=left.discount,
            tax=left.tax,
            paid=paid,
        )

    def cumulative(of_whole: int, already: int) -> int:
        share = divide_half_up(of_whole * reached, base) - already
        return _clamp(share, min(0, of_whole - already), max(0, of_whole - already))

    tax = _clamp(
        cumulative(whole.tax, given.tax), max(0, left.tax - (left.paid - paid)), max(0, paid)
    )
    list_price = cumulative(whole.list_price, given.list_price)
    if whole.list_price - whole.discount == whole.paid and left.discount >= 0:
        list_price = _clamp(list_price, paid, paid + left.discount)
        discount = list_price - paid
    else:
        discount = cumulative(whole.discount, given.discount)
    return Components(
        quantity=quantity, list_price=list_price, discount=discount, tax=tax, paid=paid
    )


def allocate(lines: Sequence[Components], transfers: Sequence[int]) -> list[list[Components]]:
    """Say how much of each line each transfer carries; ``result[transfer][line]``.

    *transfers* are amounts in minor units that add up to what the *lines* add up to. Lines fill
    the transfers in order, so that an item goes to one card where it can. A negative line (an
    adjustment) goes to the first transfer whole; a line without money travels with the first.
    """
    if sum(transfers) != sum(line.paid for line in lines):
        raise ValueError("the transfers do not add up to the lines")
    room = list(transfers)
    carried = [[NOTHING] * len(lines) for _ in transfers]
    for i, line in enumerate(lines):
        if line.paid <= 0:
            carried[0][i] = line
            room[0] -= line.paid
    at = 0
    for i, line in enumerate(lines):
        if line.paid <= 0:
            continue
        given = NOTHING
        while given.paid < line.paid:
            while room[at] == 0:
                at += 1
            paid = min(room[at], line.paid - given.paid)
            quantity = line.quantity * (given.paid + paid) // line.paid - given.quantity
            piece = part(line, given, paid=paid, quantity=quantity)
            carried[at][i] = carried[at][i] + piece
            given, room[at] = given + piece, room[at] - paid
    return carried


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
