"""Reading Stripe: a sale by either of its ids, and all that belongs to it.

*sdk* is the SDK's client. Everything raises whatever the SDK raises, and :exc:`Unreadable`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask_refunds.gateways.answering import Unreadable
from flask_refunds.gateways.base import Rejected
from flask_refunds.gateways.stripe_answers import Sale, id_of

_PAGE = 100
_INTENT = "pi_"


def of(charge_id: str) -> dict[str, str]:
    """Return *charge_id* as the parameter by which Stripe takes it."""
    return {"payment_intent" if charge_id.startswith(_INTENT) else "charge": charge_id}


def sale(sdk: Any, charge_id: str) -> Sale:
    """Return the sale *charge_id*, by whichever of its ids that is."""
    if charge_id.startswith(_INTENT):
        intent = sdk.v1.payment_intents.retrieve(charge_id, {"expand": ["latest_charge"]})
        found = Sale(id=intent.id, intent=intent, charge=intent.latest_charge)
    else:
        charge = sdk.v1.charges.retrieve(charge_id)
        found = Sale(id=charge.id, intent=None, charge=charge)
    if found.id != charge_id:
        raise Unreadable("the answer is about another sale")
    return found


def intent_of(sdk: Any, charge_id: str) -> str:
    """Return the PaymentIntent of the sale *charge_id*; raises :exc:`Rejected` when it has none."""
    if charge_id.startswith(_INTENT):
        return charge_id
    intent_id = id_of(sale(sdk, charge_id).charge.payment_intent)
    if intent_id is None:
        raise Rejected(f"{charge_id} has no PaymentIntent to be cancelled; refund the whole of it.")
    return intent_id


def refunds_of(sdk: Any, charge_id: str) -> Sequence[Any]:
    """Return all refunds of the sale *charge_id*, whoever made them."""
    return _all(sdk.v1.refunds, of(charge_id))


def disputes_of(sdk: Any, found: Sale, charge_id: str) -> Sequence[Any]:
    """Return all disputes of the sale *found*, which is asked for only if there are some."""
    if found.charge is None or not found.charge.disputed:
        return ()
    return _all(sdk.v1.disputes, of(charge_id))


def refunds_between(sdk: Any, since: datetime, until: datetime) -> Iterator[Any]:
    """Return the refunds made from *since* to *until*, each with its charge in full."""
    window = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
    wanted = {"created": window, "limit": _PAGE, "expand": ["data.charge"]}
    return iter(sdk.v1.refunds.list(wanted).auto_paging_iter())


def _all(service: Any, wanted: Mapping[str, str]) -> Sequence[Any]:
    return tuple(service.list({**wanted, "limit": _PAGE}).auto_paging_iter())
