"""Whether an order's lines and charges come to its total, or which mistake would explain it."""

from collections.abc import Sequence
from dataclasses import replace

from flask_refunds import money
from flask_refunds.doctor.findings import Tally
from flask_refunds.entitlement import entitle
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.facts import LineFacts, OrderFacts


def compare(
    tally: Tally, storefront: Storefront, order: OrderFacts, lines: Sequence[LineFacts]
) -> None:
    """Compare the total of *order* with its *lines* and charges."""
    if not lines:
        tally.note("order_without_lines", f"order {order.ref}")
        return
    tally.look("orders_compared")
    several = any(line.quantity > 1 for line in lines)
    if several:
        tally.look("orders_of_several")
    found = _sum(storefront, order, lines)
    if found == order.total:
        return
    example = f"order {order.ref}: {found} and {order.total} minor units of {order.currency}"
    tally.note("order_total", example)
    if is_unit_mistaken(found, order.total, order.currency):
        tally.note("line_unit", example)
    if several and order.total == _sum(storefront, order, [_all_pieces(line) for line in lines]):
        tally.note("unit_price", example)
    taxed = any(line.tax for line in lines)
    if taxed and order.total == _sum(storefront, order, [_with_tax(line) for line in lines]):
        tally.note("line_tax_apart", example)


def is_unit_mistaken(one: int, other: int, currency: str) -> bool:
    """Return whether one amount is the other in whole units taken for minor ones."""
    factor = 10 ** money.exponent(currency)
    return factor > 1 and one > 0 and other > 0 and (one == other * factor or other == one * factor)


def _sum(storefront: Storefront, order: OrderFacts, lines: Sequence[LineFacts]) -> int:
    items = entitle(lines, order.charges, line_tax=storefront.line_tax)
    return sum(item.whole.paid for item in items)


def _all_pieces(line: LineFacts) -> LineFacts:
    return replace(line, total=line.total * line.quantity)


def _with_tax(line: LineFacts) -> LineFacts:
    return replace(line, total=line.total + line.tax)
