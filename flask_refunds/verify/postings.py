"""The ledger and the claims of workers."""

from collections.abc import Iterator

from sqlalchemy import and_, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from flask_refunds.models import Allocation, Posting, Transfer
from flask_refunds.states import Method, TransferState
from flask_refunds.verify.findings import COMPONENTS, Finding, differing, sums


def postings(session: Session) -> Iterator[Finding]:
    """Yield what is posted and not carried by a completed transfer, or the other way round."""
    posted = (
        select(Posting.transfer_id, Posting.line_id, *sums(Posting))
        .group_by(Posting.transfer_id, Posting.line_id)
        .subquery()
    )
    completed = Transfer.state == TransferState.COMPLETED
    for name in COMPONENTS:
        carried, got = getattr(Allocation, name), func.coalesce(posted.c[name], 0)
        rows = (
            select(Transfer.id, Allocation.line_id, carried, got)
            .join(Allocation, Allocation.transfer_id == Transfer.id)
            .outerjoin(
                posted,
                and_(posted.c.transfer_id == Transfer.id, posted.c.line_id == Allocation.line_id),
            )
        )
        what = f"The {name} posted is what completed transfers carry, and nothing else"
        refs = ("transfer", "line")
        completed_rows = rows.where(completed, got != carried)
        yield from differing(session, "postings", what, refs, completed_rows)
        undone = rows.with_only_columns(Transfer.id, Allocation.line_id, literal(0), got)
        yield from differing(session, "postings", what, refs, undone.where(~completed, got != 0))
    yield from differing(
        session,
        "posting_without_allocation",
        "Every posting stands for a part of a line that its transfer carries",
        ("posting",),
        select(Posting.id, literal(0), Posting.paid).where(
            ~exists().where(
                Allocation.transfer_id == Posting.transfer_id,
                Allocation.line_id == Posting.line_id,
            )
        ),
    )


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
    not_negated = or_(*(getattr(Posting, name) != -getattr(undone, name) for name in COMPONENTS))
    yield from differing(
        session,
        "reversal",
        "A reversal undoes an earlier posting of its transfer exactly",
        ("posting", "reverses"),
        select(Posting.id, undone.id, -undone.paid, Posting.paid)
        .join(undone, undone.id == Posting.reverses_id)
        .where(or_(other_row, not_negated)),
    )


def copies(session: Session) -> Iterator[Finding]:
    """Yield postings that name another operation at the gateway than their transfer."""
    for name in ("operation", "gateway", "gateway_refund_id"):
        ours, copied = getattr(Transfer, name), getattr(Posting, name)
        yield from differing(
            session,
            "posting_gateway",
            f"A posting has the {name} of its transfer",
            ("transfer", "posting"),
            select(
                Transfer.id, Posting.id, func.coalesce(ours, "none"), func.coalesce(copied, "none")
            )
            .join(Posting, Posting.transfer_id == Transfer.id)
            .where(
                Transfer.method == Method.CARD,
                Transfer.state == TransferState.COMPLETED,
                Posting.generation == Transfer.generation,
                ours.is_distinct_from(copied),
            ),
        )


def claims(session: Session) -> Iterator[Finding]:
    """Yield claims on what is not processing."""
    yield from differing(
        session,
        "claim",
        "Only a transfer that is processing has been claimed by a worker",
        ("refund", "transfer"),
        select(
            Transfer.refund_id, Transfer.id, literal(TransferState.PROCESSING.value), Transfer.state
        ).where(Transfer.claim_token.is_not(None), Transfer.state != TransferState.PROCESSING),
    )
