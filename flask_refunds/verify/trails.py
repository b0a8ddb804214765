"""The audit trail: whether it tells how everything came to be as it is."""

from collections.abc import Iterator

from sqlalchemy import case, exists, func, literal, select
from sqlalchemy.orm import Session

from flask_refunds.models import AT_GATEWAY, Event, Refund, Transfer
from flask_refunds.verify.findings import NO_MONEY, Finding, differing


def trails(session: Session) -> Iterator[Finding]:
    """Yield refunds and transfers whose events are missing or end in another state."""
    begins = case((Refund.source == AT_GATEWAY, "adopted"), else_="issued")
    yield from differing(
        session,
        "event_missing",
        "The audit trail of a refund begins with its issue, or with its being found at the gateway",
        ("refund",),
        select(Refund.id, NO_MONEY, begins, literal("none")).where(
            ~exists().where(Event.refund_id == Refund.id, Event.action == begins)
        ),
    )
    changes = select(func.max(Event.id).label("id")).where(Event.after.is_not(None))
    last = changes.group_by(Event.transfer_id).subquery()
    ends = select(Event.transfer_id, Event.after).join(last, last.c.id == Event.id).subquery("ends")
    yield from differing(
        session,
        "transfer_state",
        "A transfer is in the state that its last event brought",
        ("refund", "transfer"),
        select(Transfer.refund_id, Transfer.id, NO_MONEY, ends.c.after, Transfer.state)
        .outerjoin(ends, ends.c.transfer_id == Transfer.id)
        .where(ends.c.after.is_distinct_from(Transfer.state)),
    )
    before = func.lag(Event.after).over(partition_by=Event.transfer_id, order_by=Event.id)
    chain = (
        select(Event.id, Event.refund_id, Event.transfer_id, Event.before, before.label("left"))
        .where(Event.after.is_not(None))
        .subquery("chain")
    ).c
    yield from differing(
        session,
        "event_missing",
        "Each event of a transfer begins with the state in which the one before left it",
        ("refund", "transfer", "event"),
        select(
            chain.refund_id, chain.transfer_id, chain.id, NO_MONEY, chain.left, chain.before
        ).where(chain.left.is_distinct_from(chain.before)),
    )
