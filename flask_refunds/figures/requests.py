"""Refunds as they were asked for: where their money stands now, and a page of them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, selectinload

from flask_refunds.figures.filters import EVERYTHING, Filters
from flask_refunds.figures.ledger_query import older, within
from flask_refunds.figures.periods import Basis, Period
from flask_refunds.lifecycle import current_transfers
from flask_refunds.models import Refund, Transfer
from flask_refunds.states import (
    IN_FLIGHT,
    CardStatus,
    Method,
    RefundState,
    TransferState,
    card_status,
)

LISTED = 200
"""How many operators are listed to choose from."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The transfers of one currency that stand in ``state`` now: how many, and minor units."""

    currency: str
    state: TransferState
    transfers: int
    amount: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """One refund as it was asked for, with where it stands now.

    ``amount`` and its ``tax`` in minor units; ``lines`` has quantity and description of each.
    """

    id: int
    created_at: datetime
    order_number: str
    order_placed_at: datetime
    customer_name: str
    currency: str
    amount: int
    tax: int
    reason: str
    actor_label: str
    lines: tuple[tuple[int, str], ...]
    methods: tuple[Method, ...]
    gateway_ids: tuple[str, ...]
    status: CardStatus | None
    state: RefundState

    @property
    def what(self) -> str:
        """What was refunded, in a line: ``2 × Mug, Shipping``."""
        return ", ".join(f"{n} × {text}" if n else text for n, text in self.lines)

    @property
    def method(self) -> str:
        """The methods of its transfers."""
        return ", ".join(self.methods)

    @property
    def gateway_id(self) -> str:
        """The gateway's ids of its transfers."""
        return ", ".join(self.gateway_ids)


def standings(
    session: Session, period: Period, basis: Basis, filters: Filters = EVERYTHING
) -> list[Standing]:
    """Return where the money stands now of the refunds that were issued in *period*.

    By basis ``order``: of those whose orders were placed in it. A failed transfer that another
    one replaces does not count.
    """
    newer = aliased(Transfer)
    rows = session.execute(
        select(
            Transfer.currency, Transfer.state, func.count(Transfer.id), func.sum(Transfer.amount)
        )
        .join(Refund, Refund.id == Transfer.refund_id)
        .where(
            *within(_requested(basis), period),
            *filters.of_requests(),
            ~exists().where(newer.replaces_id == Transfer.id),
        )
        .group_by(Transfer.currency, Transfer.state)
        .order_by(Transfer.currency)
    )
    return [
        Standing(
            currency=currency,
            state=TransferState(state),
            transfers=int(count),
            amount=int(amount),
        )
        for currency, state, count, amount in rows
    ]


def in_flight(session: Session, period: Period) -> dict[str, int]:
    """Return what is on its way of refunds issued in *period*: minor units by currency.

    It is in no posting yet, and never netted.
    """
    rows = session.execute(
        select(Transfer.currency, func.sum(Transfer.amount))
        .join(Refund, Refund.id == Transfer.refund_id)
        .where(*within(Refund.created_at, period), Transfer.state.in_(IN_FLIGHT))
        .group_by(Transfer.currency)
    )
    return {currency: int(amount) for currency, amount in rows}


def request_page(
    session: Session,
    period: Period,
    basis: Basis,
    filters: Filters = EVERYTHING,
    *,
    limit: int | None = None,
    after: tuple[datetime, int] | None = None,
) -> list[Request]:
    """Return up to *limit* refunds issued in *period*, newest first, older than *after*.

    Three queries, however many refunds there are.
    """
    statement = select(Refund).where(*within(_requested(basis), period), *filters.of_requests())
    statement = older(statement, Refund.created_at, Refund.id, after)
    refunds = session.scalars(
        statement.limit(limit).options(selectinload(Refund.transfers), selectinload(Refund.lines))
    )
    return [_request(refund) for refund in refunds]


def _request(refund: Refund) -> Request:
    transfers = current_transfers(refund)
    made = {name: getattr(refund, name) for name in _COPIED}
    return Request(
        **made,
        lines=tuple((line.quantity, line.description) for line in refund.lines),
        methods=tuple(dict.fromkeys(Method(t.method) for t in transfers)),
        gateway_ids=tuple(t.gateway_refund_id for t in transfers if t.gateway_refund_id),
        status=card_status([(Method(t.method), TransferState(t.state)) for t in transfers]),
        state=RefundState(refund.state),
    )


_COPIED = (
    "id created_at order_number order_placed_at customer_name currency amount tax reason "
    "actor_label"
).split()


def reasons(session: Session) -> list[str]:
    """Return the codes for which refunds were issued, those of old settings included."""
    return list(session.scalars(select(Refund.reason).distinct().order_by(Refund.reason)))


def operators(session: Session, asked: str) -> list[str]:
    """Return who has issued refunds, at most :data:`LISTED` of them, and *asked* if they have."""
    labels = select(Refund.actor_label).distinct().order_by(Refund.actor_label)
    listed = list(session.scalars(labels.limit(LISTED)))
    if asked and asked not in listed:
        listed += session.scalars(labels.where(Refund.actor_label == asked))
    return listed


def currencies(session: Session) -> list[str]:
    """Return the currencies in which refunds were issued."""
    return list(session.scalars(select(Refund.currency).distinct().order_by(Refund.currency)))


def _requested(basis: Basis) -> InstrumentedAttribute[datetime]:
    return Refund.created_at if basis == "refund" else Refund.order_placed_at
