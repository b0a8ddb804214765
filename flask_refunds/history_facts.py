"""What Account History shows of an order and of each of its lines. Pure, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from flask_refunds.entitlement import ADJUSTMENT, Entitlement, Kind
from flask_refunds.planning import Standing
from flask_refunds.sharing import Components
from flask_refunds.states import (
    IN_FLIGHT,
    RESERVING,
    CardStatus,
    Detail,
    Method,
    RefundState,
    TransferState,
    card_status,
)
from flask_refunds.storefront.facts import OrderFacts


class Mark(StrEnum):
    """How much of a line or an order is refunded, from the moment that a refund is issued.

    ``FAILED``: a refund was issued and nothing of it stands.
    """

    NONE = ""
    PARTLY = "partly_refunded"
    FULLY = "fully_refunded"
    FAILED = "refund_failed"


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What one transfer carries of one line, with the line's snapshot."""

    kind: str
    line_ref: str
    sku: str
    description: str
    components: Components


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One transfer of an order; ``replaced`` when another one took its place."""

    refund_id: int
    method: Method
    state: TransferState
    detail: Detail
    amount: int
    payment_ref: str | None
    replaced: bool
    failure: "Failure"
    carried: tuple[Carried, ...]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a transfer failed, as the gateway or we recorded it."""

    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """A line, a charge row or the adjustment. Amounts in minor units.

    ``paid`` is what it cost the customer, ``refunded`` what stands as given back (in flight
    included), ``in_flight`` the part of that which is not completed, ``failed`` what was issued
    and did not go back. ``gone``: the shop has removed the line since.
    """

    kind: Kind
    ref: str
    sku: str
    description: str
    quantity: int
    paid: int
    refunded_quantity: int
    refunded: int
    in_flight: int
    failed: int
    status: CardStatus | None
    details: tuple[Detail, ...]
    failures: tuple[Failure, ...]
    gone: bool = False

    @property
    def mark(self) -> Mark:
        """How much of this line is refunded."""
        if not self.refunded and not self.refunded_quantity:
            return Mark.FAILED if self.status is CardStatus.FAILED else Mark.NONE
        whole = self.refunded >= self.paid
        if self.paid == 0:
            whole = self.refunded_quantity >= self.quantity
        return Mark.FULLY if whole else Mark.PARTLY


@dataclass(frozen=True, kw_only=True)
class HistoryRefund:
    """One refund of an order; ``amount`` in minor units."""

    id: int
    created_at: datetime
    amount: int
    state: RefundState
    reason: str
    actor_label: str


@dataclass(frozen=True, kw_only=True)
class HistoryOrder:
    """An order of the history. Amounts in minor units of the order's currency.

    ``prior`` is what the shop itself gave back, ``completed`` and ``in_flight`` what we did, and
    ``failed`` what we tried to.
    """

    order: OrderFacts
    lines: tuple[HistoryLine, ...]
    refunds: tuple[HistoryRefund, ...]
    captured: int
    prior: int
    completed: int
    in_flight: int
    failed: int
    balance: int

    @property
    def mark(self) -> Mark:
        """How much of the order is refunded."""
        if self.completed + self.in_flight + self.prior:
            return Mark.FULLY if self.balance == 0 else Mark.PARTLY
        return Mark.FAILED if self.failed else Mark.NONE

    @property
    def moving(self) -> bool:
        """Whether anything of it may still change by itself."""
        return self.in_flight > 0


def chronicle(
    standing: Standing, moved: Sequence[Moved], refunds: Sequence[HistoryRefund]
) -> HistoryOrder:
    """Return what the history shows of the order of *standing*, whose transfers are *moved*."""
    current = [m for m in moved if not m.replaced]
    by_line: dict[tuple[str, str], list[tuple[Moved, Carried]]] = {}
    for transfer in current:
        for carried in transfer.carried:
            by_line.setdefault((carried.kind, carried.line_ref), []).append((transfer, carried))
    lines = [_of_item(item, by_line.pop((item.kind, item.ref), [])) for item in standing.items]
    difference = standing.captured - sum(item.whole.paid for item in standing.items)
    adjusted = by_line.pop(("adjustment", ADJUSTMENT), [])
    if adjusted or (difference and standing.captured):
        lines.append(_adjustment(difference, adjusted))
    lines.extend(_gone(key, parts) for key, parts in by_line.items())
    return HistoryOrder(
        order=standing.order,
        lines=tuple(lines),
        refunds=tuple(refunds),
        captured=standing.captured,
        prior=standing.prior,
        completed=sum(m.amount for m in current if m.state is TransferState.COMPLETED),
        in_flight=sum(m.amount for m in current if m.state in IN_FLIGHT),
        failed=sum(m.amount for m in current if m.state is TransferState.FAILED),
        balance=standing.balance,
    )


def given_by(moved: Sequence[Moved]) -> Mapping[tuple[str, str], Components]:
    """Return what reserves or has gone back of each line, by kind and line ref."""
    given: dict[tuple[str, str], Components] = {}
    for transfer in moved:
        if transfer.state in RESERVING:
            for carried in transfer.carried:
                key = carried.kind, carried.line_ref
                given[key] = given.get(key, Components()) + carried.components
    return given


def _of_item(item: Entitlement, parts: Sequence[tuple[Moved, Carried]]) -> HistoryLine:
    given = item.given
    return _line(
        item.kind, item.ref, item.sku, item.description, item.whole, given, parts, gone=False
    )


def _adjustment(difference: int, parts: Sequence[tuple[Moved, Carried]]) -> HistoryLine:
    whole, given = Components(paid=difference), _standing(parts)
    return _line("adjustment", ADJUSTMENT, "", "Adjustment", whole, given, parts, gone=False)


def _gone(key: tuple[str, str], parts: Sequence[tuple[Moved, Carried]]) -> HistoryLine:
    kind, ref = cast(Kind, key[0]), key[1]
    snapshot, given = parts[0][1], _standing(parts)
    return _line(kind, ref, snapshot.sku, snapshot.description, given, given, parts, gone=True)


def _line(
    kind: Kind,
    ref: str,
    sku: str,
    description: str,
    whole: Components,
    given: Components,
    parts: Sequence[tuple[Moved, Carried]],
    *,
    gone: bool,
) -> HistoryLine:
    status = card_status([(m.method, m.state) for m, _ in parts])
    failed = [m for m, _ in parts if m.state is TransferState.FAILED]
    deciding = [m for m, _ in parts if card_status([(m.method, m.state)]) is status]
    return HistoryLine(
        kind=kind,
        ref=ref,
        sku=sku,
        description=description,
        quantity=whole.quantity,
        paid=whole.paid,
        refunded_quantity=given.quantity,
        refunded=given.paid,
        in_flight=sum(c.components.paid for m, c in parts if m.state in IN_FLIGHT),
        failed=sum(c.components.paid for m, c in parts if m.state is TransferState.FAILED),
        status=status,
        details=tuple(dict.fromkeys(m.detail for m in deciding if m.detail)),
        failures=tuple(dict.fromkeys(m.failure for m in failed)),
        gone=gone,
    )


def _standing(parts: Sequence[tuple[Moved, Carried]]) -> Components:
    total = Components()
    for transfer, carried in parts:
        if transfer.state in RESERVING:
            total += carried.components
    return total
