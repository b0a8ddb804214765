"""What a gateway's webhook tells us, as a hint: have the gateway asked about our transfers, soon.

Never a source of truth. A hint brings forward a question that would be asked anyway, so that one
that is replayed, comes late, in the wrong order or not at all changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from flask_refunds.accounts import lock
from flask_refunds.gateways.base import GatewayEvent
from flask_refunds.models import Transfer
from flask_refunds.outcomes import VOID
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, Detail, Method, TransferState

_WAITING = frozenset({Detail.WAITING_FOR_SETTLEMENT, Detail.GATEWAY_UNAVAILABLE})


def hint(runtime: Runtime, gateway: str, events: Iterable[GatewayEvent]) -> tuple[int, ...]:
    """Make the transfers that *events* of *gateway* are about due now; return their ids.

    A refund that we know by its id is meant alone; of a refund that we do not know, and of any
    other transaction or dispute, all transfers of the sale. A worker is woken for each, until the
    queue turns out to be down: the sweep finds them too. Asks no gateway.
    """
    hinted: list[int] = []
    for event in events:
        found = runtime.sessions.read(partial(_about, gateway=gateway, event=event))
        for order_ref, ids in found.items():
            hinted += runtime.sessions.transact(
                partial(_bring_forward, runtime=runtime, order_ref=order_ref, transfer_ids=ids)
            )
    all(runtime.queue.wake(transfer_id) for transfer_id in dict.fromkeys(hinted))
    return tuple(dict.fromkeys(hinted))


def _about(session: Session, gateway: str, event: GatewayEvent) -> Mapping[str, Sequence[int]]:
    """Return the ids of the transfers that *event* is about, by order."""
    ours = select(Transfer.order_ref, Transfer.id).where(
        Transfer.gateway == gateway, Transfer.method == Method.CARD
    )
    rows: Sequence[Row[str, int]] = ()
    if event.refund_id is not None:
        rows = session.execute(ours.where(Transfer.gateway_refund_id == event.refund_id)).all()
    if not rows and event.charge_id is not None:
        rows = session.execute(ours.where(Transfer.charge_id == event.charge_id)).all()
    found: dict[str, list[int]] = defaultdict(list)
    for order_ref, transfer_id in rows:
        found[order_ref].append(transfer_id)
    return found


def _bring_forward(
    session: Session, runtime: Runtime, order_ref: str, transfer_ids: Sequence[int]
) -> list[int]:
    """Make due, under the lock of their order, those of the transfers that can be asked about."""
    lock(session, order_ref)
    now = runtime.now()
    return [
        transfer_id
        for transfer_id in transfer_ids
        if _make_due(session.get_one(Transfer, transfer_id, populate_existing=True), now)
    ]


def _make_due(transfer: Transfer, now: datetime) -> bool:
    """Have the gateway asked about *transfer* now; ``False`` when there is nothing to ask.

    One that a worker has claimed is being asked about already. A void has no refund to ask for,
    and is final.
    """
    state = TransferState(transfer.state)
    if state not in {*IN_FLIGHT, TransferState.COMPLETED}:
        return False
    if transfer.gateway_refund_id is not None:
        if transfer.operation == VOID:
            return False
        transfer.poll_at = now  # also when it is due: what polls it now may hear of the past
        return True
    if state is TransferState.COMPLETED or transfer.claim_token is not None:
        return False
    if state is TransferState.STARTED and transfer.detail not in _WAITING:
        return False
    transfer.next_attempt_at = now
    return True
