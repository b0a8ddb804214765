"""The append-only ledger: postings of completed transfers, and the reversals that undo them."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds.models import Allocation, Posting, Transfer
from flask_refunds.sharing import Components


def components_of(row: Allocation | Posting) -> Components:
    """Return the components that *row* carries."""
    return Components(
        quantity=row.quantity,
        list_price=row.list_price,
        discount=row.discount,
        tax=row.tax,
        paid=row.paid,
    )


def post(session: Session, transfer: Transfer, now: datetime) -> None:
    """Post what *transfer* carries, dated *now* (UTC, taken after the account's lock)."""
    refund = transfer.refund
    for allocation in transfer.allocations:
        line = allocation.line
        session.add(
            Posting(
                entry="refund",
                posted_at=now,
                gateway_at=transfer.gateway_at,
                refund_id=refund.id,
                transfer_id=transfer.id,
                line_id=line.id,
                generation=transfer.generation,
                order_ref=refund.order_ref,
                order_number=refund.order_number,
                order_placed_at=refund.order_placed_at,
                customer_ref=refund.customer_ref,
                kind=line.kind,
                line_ref=line.line_ref,
                sku=line.sku,
                description=line.description,
                dimensions=line.dimensions,
                method=transfer.method,
                operation=transfer.operation or transfer.method,
                gateway=transfer.gateway,
                gateway_refund_id=transfer.gateway_refund_id,
                reason=refund.reason,
                actor_label=refund.actor_label,
                currency=transfer.currency,
                **vars(components_of(allocation)),
            )
        )


_COPIED = (
    "gateway_at refund_id transfer_id line_id generation order_ref order_number order_placed_at "
    "customer_ref kind line_ref sku description dimensions method operation gateway "
    "gateway_refund_id reason actor_label currency"
).split()


def reverse(session: Session, transfer: Transfer, now: datetime) -> None:
    """Undo the postings of *transfer* by negative ones dated *now*; nothing is edited."""
    postings = session.scalars(
        select(Posting).where(
            Posting.transfer_id == transfer.id,
            Posting.generation == transfer.generation,
            Posting.entry == "refund",
        )
    )
    for posting in postings.all():
        session.add(
            Posting(
                entry="reversal",
                reverses_id=posting.id,
                posted_at=now,
                **{name: getattr(posting, name) for name in _COPIED},
                **vars(-components_of(posting)),
            )
        )
