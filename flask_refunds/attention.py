"""What needs a person: the one answer that the desk, the dashboard and ``status`` give."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql import ColumnElement

from flask_refunds.config import Config
from flask_refunds.models import Transfer
from flask_refunds.states import Detail, TransferState

UNKNOWN_FOR = timedelta(minutes=15)
"""After this long without a known outcome a person should look at the gateway too."""
UNAVAILABLE_FOR = timedelta(days=1)
"""After this long without a gateway, or behind another refund, a person should look."""


class Need(StrEnum):
    """Why a transfer needs a person.

    ``UNSETTLED``: the sale or the refund has not settled for ``REFUNDS_UNSETTLED_AFTER``.
    ``WAITING``: held up for a day by the gateway or by another refund of the sale.
    """

    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDECIDED = "undecided"
    OUTSIDE = "outside"
    CONFLICT = "conflict"
    UNSETTLED = "unsettled"
    WAITING = "waiting"


def conditions(config: Config, now: datetime) -> Mapping[Need, ColumnElement[bool]]:
    """Return the condition on :class:`~flask_refunds.models.Transfer` for each need, as of *now*.

    A transfer that another one replaces needs nobody any more, but for a conflict.
    """
    instead = aliased(Transfer)
    replaced = select(instead.id).where(instead.replaces_id == Transfer.id).exists()

    def waits(
        details: tuple[Detail, ...], longer_than: timedelta = timedelta()
    ) -> ColumnElement[bool]:
        return and_(Transfer.waiting_since <= now - longer_than, Transfer.detail.in_(details))

    unsettled = timedelta(seconds=config.unsettled_after)
    return {
        Need.FAILED: and_(Transfer.state == TransferState.FAILED, ~replaced),
        Need.UNKNOWN: waits((Detail.OUTCOME_UNKNOWN,), UNKNOWN_FOR),
        Need.UNDECIDED: waits((Detail.UNDECIDED,)),
        Need.OUTSIDE: waits((Detail.OUTSIDE,)),
        Need.CONFLICT: waits((Detail.CONFLICT,)),
        Need.UNSETTLED: waits((Detail.WAITING_FOR_SETTLEMENT, Detail.ACCEPTED), unsettled),
        Need.WAITING: waits((Detail.GATEWAY_UNAVAILABLE, Detail.WAITING_FOR_SALE), UNAVAILABLE_FOR),
    }


def needy_refunds(config: Config, now: datetime) -> Select[int]:
    """Select the ids of the refunds of which a transfer needs a person."""
    return select(Transfer.refund_id).where(or_(*conditions(config, now).values()))
