"""What our books and the gateway have of the same sales, as values. Pure.

Amounts are minor units, times UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from flask_refunds.figures.periods import Period
from flask_refunds.gateways.base import ChargeReceipt, ReceiptState, RefundReceipt
from flask_refunds.states import TransferState


class Sale(NamedTuple):
    """A sale by the name of its gateway and its id there."""

    gateway: str
    charge_id: str


@dataclass(frozen=True, kw_only=True)
class Move:
    """One card transfer of ours.

    ``gateway_id`` is the refund's id, or the sale's own for a void. ``references`` has those of
    every generation. ``in_doubt``: a call has no certain end; ``voiding``: a void was called.
    ``poll_due``: the gateway will be asked again how far the refund has come. ``outside``: it was
    made in the gateway's own panel, under no reference of ours; ``unexplained``: and nobody has
    said yet for which items.
    """

    transfer_id: int
    refund_id: int
    order_ref: str
    sale: Sale
    state: TransferState
    operation: str | None
    amount: int
    currency: str
    gateway_id: str | None
    references: frozenset[str]
    in_doubt: bool
    voiding: bool
    poll_due: bool
    completed_at: datetime | None
    gateway_at: datetime | None
    outside: bool = False
    unexplained: bool = False

    @property
    def booked(self) -> bool:
        """Whether our books say that the gateway has it: completed, or waiting to settle."""
        accepted = self.state is TransferState.PROCESSING and self.gateway_id is not None
        return accepted or self.state is TransferState.COMPLETED


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One completion of a transfer in the audit trail, and its end if it failed later."""

    transfer_id: int
    gateway_id: str | None
    completed_at: datetime
    failed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What the ledger has of one transfer at one time; ``amount`` is negative for a reversal."""

    transfer_id: int
    at: datetime
    currency: str
    operation: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Books:
    """Our side at one moment: all card transfers on the sales that a period's ones are about.

    ``postings`` are those of the period only.
    """

    period: Period
    moves: tuple[Move, ...]
    bookings: tuple[Booking, ...]
    postings: tuple[Posted, ...]

    def of_sales(self) -> Mapping[Sale, list[Move]]:
        """Return the transfers by the sale that they are about."""
        found: dict[Sale, list[Move]] = {}
        for move in self.moves:
            found.setdefault(move.sale, []).append(move)
        return found


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A sale at the gateway with every refund that it lists, or that we have booked on it.

    ``None`` stands for a refund of ours that the gateway does not have.
    """

    charge: ChargeReceipt
    refunds: Mapping[str, RefundReceipt | None]

    def given(self, gateway_id: str | None) -> RefundReceipt | None:
        """Return what the gateway has under *gateway_id*: a refund, or the void of the sale."""
        if gateway_id == self.charge.id:
            return void_of(self.charge)
        return self.refunds.get(gateway_id or "")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the gateways said. ``unseen`` and ``shut`` have the reasons why others are missing.

    ``unseen`` is by sale; ``shut`` by the name of a gateway whose other sales were not asked for.
    """

    seen: Mapping[Sale, Seen] = field(default_factory=dict)
    unseen: Mapping[Sale, str] = field(default_factory=dict)
    shut: Mapping[str, str] = field(default_factory=dict)


def void_of(charge: ChargeReceipt) -> RefundReceipt | None:
    """Return the void of *charge* in the form of a refund of the whole; ``None`` if it has none."""
    if not charge.voided:
        return None
    return RefundReceipt(
        id=charge.id,
        charge_id=charge.id,
        amount=charge.amount,
        currency=charge.currency,
        reference=None,
        state=ReceiptState.SUCCEEDED,
        raw_status=charge.raw_status,
    )


def took_effect(receipt: RefundReceipt) -> bool:
    """Return whether money goes back, as far as the gateway knows."""
    return receipt.state is not ReceiptState.FAILED
