"""What postings repeat: of their transfer, refund and line, of an event, of another posting."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, String, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from flask_refunds.models import Event, Line, Posting, Refund, Transfer
from flask_refunds.states import TransferState
from flask_refunds.storefront.texts import exact_text
from flask_refunds.verify.findings import (
    COMPONENTS,
    NO_MONEY,
    Finding,
    differing,
    plain,
)

MADE = ("operation", "gateway_refund_id", "gateway_at")
"""What a transfer has of its last generation only: of an earlier one, the postings alone know."""

COPIED: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("transfer", Transfer, ("refund_id", "method", "gateway", *MADE)),
    (
        "refund",
        Refund,
        ("order_ref", "order_number", "order_placed_at", "customer_ref", "reason", "actor_label"),
    ),
    ("line", Line, ("kind", "line_ref", "sku", "description", "dimensions")),
)
"""What a posting repeats of the rows that it stands for; its currency has a check of its own."""


def reversals(session: Session) -> Iterator[Finding]:
    """Yield reversals that do not undo a posting exactly."""
    undone = aliased(Posting)
    other_row = or_(
        Posting.transfer_id != undone.transfer_id,
        Posting.line_id != undone.line_id,
        Posting.generation != undone.generation,
        undone.entry != "refund",
        Posting.posted_at < undone.posted_at,
    )
    otherwise = or_(
        *(getattr(Posting, name).is_distinct_from(getattr(undone, name)) for name in MADE)
    )
    not_negated = or_(*(getattr(Posting, name) != -getattr(undone, name) for name in COMPONENTS))
    yield from differing(
        session,
        "reversal",
        "A reversal undoes an earlier posting of its transfer exactly",
        ("posting", "reverses"),
        select(Posting.id, undone.id, Posting.currency, -undone.paid, Posting.paid)
        .join(undone, undone.id == Posting.reverses_id)
        .where(or_(other_row, otherwise, not_negated)),
    )


def dates(session: Session) -> Iterator[Finding]:
    """Yield postings that are dated otherwise than their transfer was completed or undone.

    What a transfer has posted for the second time belongs to the second event.
    """
    for entry, state in (("refund", Event.after), ("reversal", Event.before)):
        turn = func.row_number().over(partition_by=Event.transfer_id, order_by=Event.id)
        done = (
            select(Event.transfer_id, Event.at, turn.label("turn"))
            .where(state == TransferState.COMPLETED)
            .subquery()
        )
        turn = func.dense_rank().over(partition_by=Posting.transfer_id, order_by=Posting.generation)
        booked = (
            select(Posting.id, Posting.transfer_id, Posting.posted_at, turn.label("turn"))
            .where(Posting.entry == entry)
            .subquery()
        )
        same = (done.c.transfer_id == booked.c.transfer_id, done.c.turn == booked.c.turn)
        yield from differing(
            session,
            "posting_date",
            f"A {entry} is dated as the event that posted it",
            ("transfer", "posting"),
            select(booked.c.transfer_id, booked.c.id, NO_MONEY, done.c.at, booked.c.posted_at)
            .outerjoin(done, and_(*same))
            .where(done.c.at.is_distinct_from(booked.c.posted_at)),
        )


def copies(session: Session) -> Iterator[Finding]:
    """Yield postings that say something else than their transfer, refund and line.

    One pass over the ledger, which returns only the postings in which anything differs.
    """
    facts = {
        (source, name): (_exact(_original(model, name)), _exact(getattr(Posting, name)))
        for source, model, names in COPIED
        for name in names
    }
    latest = Posting.generation == Transfer.generation
    differs = [
        and_(ours.is_distinct_from(copied), *([latest] if name in MADE else []))
        for (_, name), (ours, copied) in facts.items()
    ]
    rows = session.execute(
        select(Transfer.id, Posting.id, latest, *(each for pair in facts.values() for each in pair))
        .join(Transfer, Transfer.id == Posting.transfer_id)
        .join(Refund, Refund.id == Transfer.refund_id)
        .join(Line, Line.id == Posting.line_id)
        .where(or_(*differs)),
        execution_options={"yield_per": 1000},
    )
    for transfer, posting, is_latest, *values in rows:
        pairs = zip(values[::2], values[1::2], strict=True)
        for (source, name), (ours, copied) in zip(facts, pairs, strict=True):
            if _same(name, ours, copied) or (name in MADE and not is_latest):
                continue
            yield Finding(
                code="posting_copy",
                what=f"A posting has the {name} of its {source}",
                refs=(("transfer", str(transfer)), ("posting", str(posting))),
                expected=plain(ours),
                found=plain(copied),
            )


def _original(model: Any, name: str) -> Any:
    """Return what is copied: money that went by other means has no operation at a gateway."""
    column = getattr(model, name)
    return func.coalesce(column, Transfer.method) if name == "operation" else column


def _exact(column: Any) -> Any:
    """Return *column*, text and JSON such that they compare by the byte on every database."""
    return exact_text(column) if isinstance(column.type, String | JSON) else column


def _same(name: str, ours: Any, copied: Any) -> bool:
    """Return whether both say the same; JSON may be written in more than one way."""
    if ours == copied or name != "dimensions":
        return bool(ours == copied)
    try:
        return bool(json.loads(ours) == json.loads(copied))
    except (TypeError, ValueError):  # one of them is no JSON any more
        return False
