"""Everything that is known about one transfer, for whoever looks into a violation."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds.models import Attempt, Base, Event, Posting, Transfer
from tests.chaos.invariants import Violation
from tests.chaos.stage import Stage


def evidence(stage: Stage, violation: Violation) -> Iterator[str]:
    """Yield lines: the transfer, its attempts, events and postings, and the gateway's side."""
    yield str(violation)
    yield from stage.shop.read(lambda session: list(_books(session, violation)))
    if violation.sale is None:
        return
    audit = stage.gateway.sale(violation.sale)
    said = {name: audit[name] for name in ("id", "status", "amount", "total_given_back")}
    yield f"  gateway: {said}"
    for refund in (*audit["refunds"], *audit["refused_refunds"]):
        yield f"  gateway: {refund}"
    for request in stage.gateway.requests():
        if request["transaction_id"] == violation.sale:
            yield f"  request: {request}"


def _books(session: Session, violation: Violation) -> Iterator[str]:
    chosen = (
        Transfer.id == violation.transfer_id
        if violation.transfer_id is not None
        else Transfer.charge_id == violation.sale
    )
    for transfer in session.scalars(select(Transfer).where(chosen)):
        yield _line(transfer)
        for model in (Attempt, Event, Posting):
            of: Any = model.transfer_id == transfer.id
            yield from (_line(row) for row in session.scalars(select(model).where(of)))


def _line(row: Base) -> str:
    values = {name: getattr(row, name) for name in row.__table__.columns.keys()}  # noqa: SIM118
    known = {name: value for name, value in values.items() if value not in (None, "", {})}
    said = ", ".join(f"{name}={value}" for name, value in known.items())
    return f"  {type(row).__name__.lower()}: {said}"
