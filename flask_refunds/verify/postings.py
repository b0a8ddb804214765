"""The ledger and the claims of workers."""

from collections.abc import Iterator

from sqlalchemy import and_, exists, func, literal, select
from sqlalchemy.orm import Session

from flask_refunds.models import Allocation, Posting, Transfer
from flask_refunds.states import TransferState
from flask_refunds.verify.findings import (
    COMPONENTS,
    NO_MONEY,
    Finding,
    currency_of,
    differing,
    sums,
)


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
        keys = (Transfer.id, Allocation.line_id, currency_of(name, Transfer))
        rows = (
            select(*keys, carried, got)
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
        undone = rows.with_only_columns(*keys, literal(0), got)
        yield from differing(session, "postings", what, refs, undone.where(~completed, got != 0))
    yield from differing(
        session,
        "posting_without_allocation",
        "Every posting stands for a part of a line that its transfer carries",
        ("posting",),
        select(Posting.id, Posting.currency, literal(0), Posting.paid).where(
            ~exists().where(
                Allocation.transfer_id == Posting.transfer_id,
                Allocation.line_id == Posting.line_id,
            )
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
            Transfer.refund_id,
            Transfer.id,
            NO_MONEY,
            literal(TransferState.PROCESSING.value),
            Transfer.state,
        ).where(Transfer.claim_token.is_not(None), Transfer.state != TransferState.PROCESSING),
    )
