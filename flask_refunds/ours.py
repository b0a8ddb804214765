"""What at a gateway is ours, and what of that our own books do not have."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flask_refunds import lifecycle
from flask_refunds.accounts import lock
from flask_refunds.looking import earlier_calls
from flask_refunds.models import Attempt, Event, Refund, Transfer
from flask_refunds.outcomes import UNRESOLVED, VOID
from flask_refunds.outside import Found, Given, Outcome
from flask_refunds.recording import flag, reopen
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, Detail, Method, TransferState


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The transfer of which something at the gateway is, by our reference or as adopted."""

    transfer_id: int
    order_ref: str
    in_flight: bool

    @classmethod
    def of(cls, row: Any) -> "Owner":
        """Return whose transfer *row* is about."""
        return cls(
            transfer_id=row.transfer_id,
            order_ref=row.order_ref,
            in_flight=row.state in IN_FLIGHT and row.has is None,
        )


@dataclass(frozen=True, kw_only=True)
class Known:
    """Gateway ids that are not to be adopted.

    ``disowned`` are those of which people said that the shop's own books have them. ``unbooked``
    took money, are of a transfer that is at an end, and their ids are nowhere in our books.
    """

    ours: frozenset[str]
    disowned: frozenset[str]
    unbooked: Mapping[str, Owner]


def token_of(given: Given) -> str:
    """Return the one token of the refund that adopts *given*: the table takes it only once."""
    return hashlib.sha256(f"{given.gateway} {given.operation} {given.id}".encode()).hexdigest()


def known_to_us(session: Session, gateway: str, given: Collection[Given]) -> Known:
    """Return which of *given* at *gateway* we made, may have made just now, or adopted before.

    Ours is what has an id or a reference of ours, and a void while one of ours may have been the
    one: a failed transfer certainly made none. Our intent is committed before the gateway hears
    of it, so that nothing of ours can be there without being known.
    """
    charges, ids = {each.charge_id for each in given}, {each.id for each in given}
    booked: set[str | None] = set()
    disowned: set[str | None] = set()
    standing: set[str | None] = set()
    owners: dict[str | None, Owner] = {}
    voiding: set[str | None] = set()
    transfer_of = (
        Transfer.id.label("transfer_id"),
        Transfer.order_ref,
        Transfer.state,
        Transfer.gateway_refund_id.label("has"),
    )
    for transfer in session.execute(
        select(Transfer.gateway_refund_id, Transfer.reference, *transfer_of).where(
            Transfer.gateway == gateway,
            or_(Transfer.charge_id.in_(charges), Transfer.gateway_refund_id.in_(ids)),
        )
    ):
        booked.add(transfer.gateway_refund_id)
        owners[transfer.reference] = Owner.of(transfer)
        gone = transfer.state == TransferState.REVERSED
        (disowned if gone else standing).add(transfer.gateway_refund_id)
    for attempt in session.execute(
        select(
            Attempt.gateway_refund_id,
            Attempt.reference,
            Attempt.operation,
            Attempt.outcome,
            Transfer.charge_id,
            *transfer_of,
        )
        .join(Transfer, Transfer.id == Attempt.transfer_id)
        .where(Transfer.gateway == gateway, Transfer.charge_id.in_(charges))
    ):
        if attempt.state in IN_FLIGHT and attempt.has is None:
            booked.add(attempt.gateway_refund_id)  # its worker will look for it
        owners[attempt.reference] = Owner.of(attempt)
        if attempt.state == TransferState.FAILED:
            continue
        if attempt.operation == VOID and attempt.outcome in UNRESOLVED:
            voiding.add(attempt.charge_id)
    owners.pop(None, None)
    tokens = {token_of(each): each.id for each in given}
    adopted = {
        tokens[row.token]: Owner.of(row)
        for row in session.execute(
            select(Refund.token, *transfer_of)
            .join(Transfer, Transfer.refund_id == Refund.id)
            .where(Refund.token.in_(tokens), Transfer.method == Method.CARD)
        )
    }
    owned = {each.id: owners.get(each.reference) or adopted.get(each.id) for each in given}
    return Known(
        ours=frozenset(
            each.id
            for each in given
            if each.id in booked
            or owned[each.id] is not None
            or (each.operation == VOID and each.charge_id in voiding)
        ),
        disowned=frozenset(id_ for id_ in disowned - standing if id_ is not None),
        unbooked={
            each.id: owner
            for each in given
            if (owner := owned[each.id]) is not None
            and each.took_money
            and each.id not in booked
            and not owner.in_flight
        },
    )


def take_notice(
    session: Session, runtime: Runtime, owner: Owner, given: Given, *, dry: bool
) -> Found | None:
    """Have *given* looked into, which took money beside our books; ``None``: it is in them now.

    A failed transfer is opened again where its worker will find *given* by the reference, and
    anything else is flagged for a person: once, so that what was settled stays so. *dry* writes
    nothing.
    """
    if not dry:
        lock(session, owner.order_ref)
    if known_to_us(session, given.gateway, [given]).unbooked.get(given.id) != owner:
        return None
    transfer = session.get_one(Transfer, owner.transfer_id, populate_existing=True)
    failed = transfer.state == TransferState.FAILED
    outcome = Outcome.FAILED_HERE if failed else Outcome.TWICE
    if _was_told(session, transfer, given):
        if transfer.detail != Detail.CONFLICT:
            return None
    elif not dry:
        outcome = _tell(session, runtime, transfer, given, outcome)
    return Found(
        given=given,
        outcome=outcome,
        order_refs=(owner.order_ref,),
        refund_id=transfer.refund_id,
        transfer_id=transfer.id,
    )


def _was_told(session: Session, transfer: Transfer, given: Given) -> bool:
    told = session.scalars(
        select(Event.data).where(
            Event.transfer_id == transfer.id, Event.action == lifecycle.CONFLICT
        )
    )
    return any(data.get("gateway_refund_id") == given.id for data in told)


def _tell(
    session: Session, runtime: Runtime, transfer: Transfer, given: Given, outcome: Outcome
) -> Outcome:
    now, data = runtime.now(), {"gateway_refund_id": given.id}
    if outcome is Outcome.TWICE:
        why = f"The gateway also made {given.id}."
    else:
        why = f"It counts as failed, and the gateway made {given.id}."
        attempts = session.scalars(
            select(Attempt).where(Attempt.transfer_id == transfer.id).order_by(Attempt.id)
        ).all()
        earlier = earlier_calls(transfer, attempts)
        looked_for = earlier.references if earlier is not None else ()
        if given.reference in looked_for and transfer.detail != Detail.CONFLICT:
            reopen(session, runtime, transfer, now, why=why, data=data)
            return Outcome.REOPENED if transfer.state == TransferState.STARTED else outcome
    flag(session, runtime, transfer, now, why, data=data)
    return outcome
