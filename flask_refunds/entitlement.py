"""What each line of an order may give back: what the customer really paid for it.

Pure. Order discounts and order-level taxes are spread over the lines, charges such as shipping
stand as rows of their own, and what still differs from what was paid is left to the adjustment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flask_refunds.sharing import NOTHING, Components, divide_half_up, part, spread
from flask_refunds.storefront.facts import ChargeFacts, LineFacts, LineTax, PriorFacts

Kind = Literal["line", "row", "adjustment"]
ADJUSTMENT = "adjustment"


@dataclass(frozen=True, kw_only=True)
class Entitlement:
    """One line or charge row with what it cost (``whole``) and what of that was given back."""

    kind: Kind
    ref: str
    sku: str
    description: str
    whole: Components
    given: Components = NOTHING
    dimensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> Components:
        """What may still be given back; never below zero in money or pieces."""
        left = self.whole - self.given
        return replace(left, quantity=max(0, left.quantity), paid=max(0, left.paid))

    def part(self, *, paid: int, quantity: int) -> Components:
        """Return the components of giving back *paid* minor units and *quantity* pieces."""
        return part(self.whole, self.given, paid=paid, quantity=quantity)

    def price_of(self, quantity: int) -> int:
        """Return what *quantity* more pieces cost, in minor units; the last closes exactly."""
        left = self.left
        if quantity >= left.quantity:
            return left.paid
        reached = divide_half_up(
            self.whole.paid * (self.given.quantity + quantity), self.whole.quantity
        )
        before = divide_half_up(self.whole.paid * self.given.quantity, self.whole.quantity)
        return max(0, min(left.paid, reached - before))


def entitle(
    lines: Sequence[LineFacts], charges: Sequence[ChargeFacts], *, line_tax: LineTax
) -> list[Entitlement]:
    """Return what each line and charge row of an order cost the customer.

    *line_tax* says whether the host computed its line tax before or after the order's discount.
    Lines with a negative total are a discount over the others, rows with one a discount over all,
    both taken off before the spread charges, which follow in their order.
    :mod:`flask_refunds.figures.entitled` does the same in SQL.
    """
    items = [_line(line) for line in lines if line.total >= 0]
    items += [_row(charge) for charge in charges if charge.kind == "row" and charge.amount >= 0]
    coupons = -sum(line.total for line in lines if line.total < 0)
    items = _take(items, coupons, over="lines", line_tax=line_tax)
    rebates = -sum(c.amount for c in charges if c.kind == "row" and c.amount < 0)
    items = _take(items, rebates, over="lines+rows", line_tax=line_tax)
    for charge in charges:
        if charge.kind == "spread" and charge.effect == "discount":
            items = _take(items, charge.amount, over=charge.over, line_tax=line_tax)
        elif charge.kind == "spread":
            items = _add(items, charge)
    return items


def with_prior(items: Sequence[Entitlement], prior: Iterable[PriorFacts]) -> list[Entitlement]:
    """Return *items* less what the host itself gave back on a named line."""
    by_ref = {item.ref: item for item in items if item.kind == "line"}
    for refund in prior:
        item = by_ref.get(refund.line_ref or "")
        if item is None or not refund.succeeded:
            continue
        paid = min(refund.amount, item.left.paid)
        pieces = item.whole.quantity * (item.given.paid + paid) // max(1, item.whole.paid)
        quantity = max(0, min(item.left.quantity, pieces - item.given.quantity))
        given = item.given + item.part(paid=paid, quantity=quantity)
        by_ref[item.ref] = replace(item, given=given)
    return [by_ref[item.ref] if item.kind == "line" else item for item in items]


def with_given(
    items: Sequence[Entitlement], given: Mapping[tuple[str, str], Components]
) -> list[Entitlement]:
    """Return *items* less what stands as given back by us, keyed by ``(kind, ref)``."""
    return [
        replace(item, given=item.given + given.get((item.kind, item.ref), NOTHING))
        for item in items
    ]


def _line(line: LineFacts) -> Entitlement:
    return Entitlement(
        kind="line",
        ref=line.ref,
        sku=line.sku,
        description=line.description,
        dimensions=line.dimensions,
        whole=Components(
            quantity=line.quantity,
            list_price=line.list_price,
            discount=max(0, line.list_price - line.total),
            tax=max(0, min(line.tax, line.total)),
            paid=line.total,
        ),
    )


def _row(charge: ChargeFacts) -> Entitlement:
    return Entitlement(
        kind="row",
        ref=charge.name,
        sku="",
        description=charge.label,
        whole=Components(
            list_price=charge.amount,
            tax=max(0, min(charge.tax, charge.amount)),
            paid=charge.amount,
        ),
    )


def _take(
    items: list[Entitlement], amount: int, *, over: str, line_tax: LineTax
) -> list[Entitlement]:
    """Spread a discount, floored at zero; what the lines cannot bear spills to the rows."""
    first = [item.kind == "line" or over == "lines+rows" for item in items]
    weights = [item.whole.paid if chosen else 0 for item, chosen in zip(items, first, strict=True)]
    taken = spread(min(amount, sum(weights)), weights)
    rest = amount - sum(taken)
    if rest > 0:
        spill = [
            item.whole.paid if not chosen else 0 for item, chosen in zip(items, first, strict=True)
        ]
        more = spread(min(rest, sum(spill)), spill)
        taken = [a + b for a, b in zip(taken, more, strict=True)]
    return [
        replace(item, whole=_discounted(item.whole, share, line_tax))
        for item, share in zip(items, taken, strict=True)
    ]


def _discounted(whole: Components, share: int, line_tax: LineTax) -> Components:
    paid = whole.paid - share
    tax = whole.tax
    if line_tax == "before_discount" and whole.paid > 0:
        tax = divide_half_up(whole.tax * paid, whole.paid)
    return replace(whole, discount=whole.discount + share, paid=paid, tax=min(tax, paid))


def _add(items: list[Entitlement], charge: ChargeFacts) -> list[Entitlement]:
    weights = [
        item.whole.paid if item.kind == "line" or charge.over == "lines+rows" else 0
        for item in items
    ]
    return [
        replace(
            item,
            whole=replace(
                item.whole,
                paid=item.whole.paid + share,
                tax=item.whole.tax + (share if charge.effect == "tax" else 0),
                list_price=item.whole.list_price + (share if charge.effect == "price" else 0),
            ),
        )
        for item, share in zip(items, spread(charge.amount, weights), strict=True)
    ]
