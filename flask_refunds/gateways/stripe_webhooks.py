"""What Stripe's webhook events say about refunds: each is a hint about its refund or its sale.

A sale has two ids and the shop knows one of them: an event is told once for each.
"""

from collections.abc import Sequence
from typing import Any

from flask_refunds.gateways.base import GatewayEvent
from flask_refunds.gateways.stripe_answers import REFUND_STATES, id_of, moment


def webhook_events(event: Any) -> Sequence[GatewayEvent]:
    """Return what an *event* whose signature was right says. Raises whatever junk raises."""
    told = event.data.object
    kind = getattr(told, "object", None)
    refund_id = state = None
    sales: tuple[str | None, ...] = ()
    if kind == "refund":
        refund_id, state = told.id, REFUND_STATES.get(told.status)
        sales = (id_of(told.payment_intent), id_of(told.charge))
    elif kind == "dispute":
        sales = (id_of(told.payment_intent), id_of(told.charge))
    elif kind == "charge":
        sales = (id_of(told.payment_intent), told.id)
    elif kind == "payment_intent":
        sales = (told.id, id_of(told.latest_charge))
    named = [each for each in sales if each is not None]
    return tuple(
        GatewayEvent(
            kind=str(event.type),
            refund_id=refund_id,
            charge_id=charge_id,
            state=state,
            at=moment(event.created),
        )
        for charge_id in (named or (None,))
    )
