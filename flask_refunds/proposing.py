"""Which items an unexplained refund may be for: a guess that a person checks. Pure."""

from collections.abc import Sequence

from flask_refunds.planning import PlannedLine, RefundRequest, Selection, Standing, plan_lines
from flask_refunds.sharing import spread


def propose(standing: Standing, amount: int) -> Sequence[PlannedLine]:
    """Return how *amount* minor units that went back may divide over the order of *standing*.

    All that is left of the order takes the exact remainder of every line, and the whole of what
    is left of one line that line. Anything else is divided over what is left of the lines, as an
    amount without pieces, and what they cannot take is an adjustment. Adds up to *amount*.
    """
    if amount == standing.balance:
        return _lines(standing, everything=True)
    just = [item for item in standing.items if item.left.paid == amount]
    if len(just) == 1:
        only = Selection(kind=just[0].kind, ref=just[0].ref, quantity=just[0].left.quantity)
        return _lines(standing, selections=(only,))
    left = [item.left.paid for item in standing.items]
    shares = spread(min(amount, sum(left)), left)
    return _lines(
        standing,
        selections=tuple(
            Selection(kind=item.kind, ref=item.ref, paid=share)
            for item, share in zip(standing.items, shares, strict=True)
            if share
        ),
        adjustment=amount - sum(shares),
    )


def _lines(
    standing: Standing,
    *,
    selections: tuple[Selection, ...] = (),
    adjustment: int = 0,
    everything: bool = False,
) -> Sequence[PlannedLine]:
    request = RefundRequest(
        order_ref=standing.order.ref,
        token="",
        reason="",
        selections=selections,
        adjustment=adjustment,
        everything=everything,
    )
    return plan_lines(standing, request)
