"""Our tables, on a declarative base and metadata of our own.

Nothing here enters the host's class registry, nothing has a foreign key into the host, and
``db.create_all()`` does not see it. Amounts are minor units of the row's ``currency``; times are
UTC; ``*_ref`` columns hold host keys in the canonical text of :mod:`flask_refunds.storefront`.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    event,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator, TypeEngine

from flask_refunds.states import Method, RefundState, TransferState

REF_LENGTH = 190
DESCRIPTION_LENGTH = 500


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time with microseconds, on every database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; pass an aware UTC time")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _exact(length: int) -> String:
    """Return a text type that compares byte by byte on MariaDB too."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


Ref = _exact(REF_LENGTH)
NAME_LENGTH = 64
Name = _exact(NAME_LENGTH)
SHOP, AT_GATEWAY = "shop", "gateway"
"""Where a refund was made: in the shop's admin, or in the gateway's own panel."""
LARGEST_ID = 2**63 - 1
Id = BigInteger().with_variant(Integer, "sqlite")
Minor = BigInteger


class Base(DeclarativeBase):
    """The base of our models only."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _one_of(column: str, values: type[Method | RefundState | TransferState]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Account(Base):
    """What was paid and given back on one order. The lock and the over-refund guard.

    ``paid`` is the larger of what was captured when last looked and what was committed then,
    ``captured`` what the host said, ``prior`` what the host itself had refunded, ``committed``
    what our transfers reserve or have given back.
    """

    __tablename__ = "refunds_account"
    __table_args__ = (
        CheckConstraint("committed >= 0", name="committed"),
        CheckConstraint("prior >= 0", name="prior"),
        CheckConstraint("prior + committed <= paid", name="balance"),
    )

    order_ref: Mapped[str] = mapped_column(Ref, primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), default="")
    paid: Mapped[int] = mapped_column(Minor, default=0)
    captured: Mapped[int] = mapped_column(Minor, default=0)
    prior: Mapped[int] = mapped_column(Minor, default=0)
    committed: Mapped[int] = mapped_column(Minor, default=0)
    version: Mapped[int] = mapped_column(BigInteger, default=0)

    @property
    def over_committed(self) -> bool:
        """Whether more is given back than the host now says was captured."""
        return self.prior + self.committed > self.captured


class Refund(Base):
    """The business document: which lines of one order, how much, why and by whom.

    ``source`` is ``shop``, or ``gateway`` for one that was made in the gateway's own panel.
    """

    __tablename__ = "refunds_refund"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        _one_of("state", RefundState),
        Index("ix_refunds_refund_order_ref", "order_ref"),
        Index("ix_refunds_refund_created_at", "created_at", "id"),
        Index("ix_refunds_refund_customer_ref", "customer_ref"),
        Index("ix_refunds_refund_state", "state", "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    order_ref: Mapped[str] = mapped_column(ForeignKey("refunds_account.order_ref"), type_=Ref)
    order_number: Mapped[str] = mapped_column(_exact(190))
    order_placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    customer_ref: Mapped[str | None] = mapped_column(Ref)
    customer_name: Mapped[str] = mapped_column(String(255))
    customer_email: Mapped[str] = mapped_column(String(255))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(Minor)
    tax: Mapped[int] = mapped_column(Minor)
    reason: Mapped[str] = mapped_column(Name)
    note: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Ref)
    actor_label: Mapped[str] = mapped_column(String(255))
    token: Mapped[str] = mapped_column(_exact(64), unique=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(Name, default=SHOP, server_default=SHOP)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    lines: Mapped[list["Line"]] = relationship(order_by="Line.position", back_populates="refund")
    transfers: Mapped[list["Transfer"]] = relationship(
        order_by="Transfer.position", back_populates="refund"
    )
    events: Mapped[list["Event"]] = relationship(order_by="Event.id", viewonly=True)


class Line(Base):
    """One refunded line, charge row or the adjustment of a refund, with its components.

    ``kind`` is ``line``, ``row`` (shipping, a fee) or ``adjustment`` (signed). ``paid`` is what
    is given back including ``tax``; ``list_price`` the price before discounts, and ``discount``
    the part of them that goes back with it. The rest is a snapshot, since hosts edit their rows.
    """

    __tablename__ = "refunds_line"
    __table_args__ = (
        UniqueConstraint("refund_id", "kind", "line_ref"),
        CheckConstraint("kind IN ('line', 'row', 'adjustment')", name="kind"),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("kind = 'adjustment' OR paid >= 0", name="paid"),
        Index("ix_refunds_line_refund_id", "refund_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds_refund.id"))
    position: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    line_ref: Mapped[str] = mapped_column(Ref)
    sku: Mapped[str] = mapped_column(String(190))
    description: Mapped[str] = mapped_column(String(DESCRIPTION_LENGTH))
    dimensions: Mapped[dict[str, Any]] = mapped_column(JSON)
    quantity: Mapped[int] = mapped_column(BigInteger)
    list_price: Mapped[int] = mapped_column(Minor)
    discount: Mapped[int] = mapped_column(Minor)
    tax: Mapped[int] = mapped_column(Minor)
    paid: Mapped[int] = mapped_column(Minor)

    refund: Mapped[Refund] = relationship(back_populates="lines")


class Transfer(Base):
    """One movement of money for a refund: to one card payment, or by other means.

    ``generation`` counts the idempotency keys: a definite refusal or a person's retry starts a
    new one, an unknown outcome never does. ``claim_token`` and ``lease_until`` belong to the
    worker that has it now. ``waiting_since`` is since when it waits: to be
    made, to be known, to settle, or for a person. ``certain_before`` is a person's word: of
    the generations below it nothing can land any more; ``dispute_accepted_at`` another one:
    refund it although the sale is disputed.
    """

    __tablename__ = "refunds_transfer"
    __table_args__ = (
        UniqueConstraint("request_key"),
        UniqueConstraint("reference"),
        UniqueConstraint("replaces_id"),
        CheckConstraint("amount > 0", name="amount"),
        _one_of("method", Method),
        _one_of("state", TransferState),
        CheckConstraint(
            "method <> 'card' OR (gateway IS NOT NULL AND charge_id IS NOT NULL "
            "AND request_key IS NOT NULL AND reference IS NOT NULL)",
            name="card",
        ),
        CheckConstraint("method <> 'other' OR other_kind IS NOT NULL", name="other"),
        CheckConstraint("(claim_token IS NULL) = (lease_until IS NULL)", name="claim"),
        CheckConstraint("claim_token IS NULL OR state = 'processing'", name="claimed"),
        Index("ix_refunds_transfer_refund_id", "refund_id"),
        Index("ix_refunds_transfer_state", "state", "next_attempt_at"),
        Index("ix_refunds_transfer_poll_at", "poll_at"),
        Index("ix_refunds_transfer_waiting_since", "waiting_since"),
        Index("ix_refunds_transfer_charge_id", "charge_id"),
        Index("ix_refunds_transfer_gateway_refund_id", "gateway_refund_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds_refund.id"))
    order_ref: Mapped[str] = mapped_column(Ref)
    position: Mapped[int] = mapped_column(Integer)
    method: Mapped[str] = mapped_column(String(16))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(Minor)
    state: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(Name, default="")
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("refunds_transfer.id"))

    gateway: Mapped[str | None] = mapped_column(Name)
    payment_ref: Mapped[str | None] = mapped_column(Ref)
    charge_id: Mapped[str | None] = mapped_column(Ref)
    card_label: Mapped[str] = mapped_column(String(190), default="")
    generation: Mapped[int] = mapped_column(Integer, default=1)
    request_key: Mapped[str | None] = mapped_column(_exact(64))
    reference: Mapped[str | None] = mapped_column(_exact(64))
    operation: Mapped[str | None] = mapped_column(String(16))

    other_kind: Mapped[str | None] = mapped_column(Name)
    other_reference: Mapped[str] = mapped_column(String(255), default="")

    claim_token: Mapped[str | None] = mapped_column(_exact(64))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    poll_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    polls: Mapped[int] = mapped_column(Integer, default=0)
    waiting_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    certain_before: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    dispute_accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    gateway_refund_id: Mapped[str | None] = mapped_column(Ref)
    gateway_status: Mapped[str | None] = mapped_column(Name)
    gateway_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure_code: Mapped[str | None] = mapped_column(Name)
    failure_message: Mapped[str | None] = mapped_column(Text)

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    refund: Mapped[Refund] = relationship(back_populates="transfers")
    allocations: Mapped[list["Allocation"]] = relationship(order_by="Allocation.line_id")
    attempt_rows: Mapped[list["Attempt"]] = relationship(order_by="Attempt.id")


class Allocation(Base):
    """How much of one refund line one transfer carries; fixed when the refund is issued."""

    __tablename__ = "refunds_allocation"
    __table_args__ = (Index("ix_refunds_allocation_line_id", "line_id"),)

    transfer_id: Mapped[int] = mapped_column(ForeignKey("refunds_transfer.id"), primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("refunds_line.id"), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)
    list_price: Mapped[int] = mapped_column(Minor)
    discount: Mapped[int] = mapped_column(Minor)
    tax: Mapped[int] = mapped_column(Minor)
    paid: Mapped[int] = mapped_column(Minor)

    line: Mapped[Line] = relationship()


class Attempt(Base):
    """One claim of a transfer and the gateway call that it made, inserted before the call.

    ``operation`` is committed just before money may move; ``outcome`` is written once.
    """

    __tablename__ = "refunds_attempt"
    __table_args__ = (
        UniqueConstraint("claim_token"),
        CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="outcome"),
        Index("ix_refunds_attempt_transfer_id", "transfer_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    transfer_id: Mapped[int] = mapped_column(ForeignKey("refunds_transfer.id"))
    number: Mapped[int] = mapped_column(Integer)
    generation: Mapped[int] = mapped_column(Integer)
    claim_token: Mapped[str] = mapped_column(_exact(64))
    request_key: Mapped[str] = mapped_column(_exact(64))
    reference: Mapped[str] = mapped_column(_exact(64))
    amount: Mapped[int] = mapped_column(Minor)
    currency: Mapped[str] = mapped_column(String(3))
    operation: Mapped[str | None] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(32))
    gateway_refund_id: Mapped[str | None] = mapped_column(Ref)
    gateway_status: Mapped[str | None] = mapped_column(Name)
    code: Mapped[str | None] = mapped_column(Name)
    message: Mapped[str | None] = mapped_column(Text)


class Gateway(Base):
    """How one gateway answers now, and how far its own refunds were looked through.

    ``failures`` counts the attempts in a row without an answer. While ``opened_at`` is set, no
    transfer is claimed before ``probe_at``, and then one. ``synced_until`` belongs to
    ``flask refunds sync``.
    """

    __tablename__ = "refunds_gateway"

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str] = mapped_column(String(255), default="")
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    probe_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    probes: Mapped[int] = mapped_column(Integer, default=0)
    synced_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Worker(Base):
    """One worker process, as long as it gives signs of life."""

    __tablename__ = "refunds_worker"

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(BigInteger)
    concurrency: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Event(Base):
    """One row of the append-only audit trail: when, who, from, to and why."""

    __tablename__ = "refunds_event"
    __table_args__ = (Index("ix_refunds_event_refund_id", "refund_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds_refund.id"))
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("refunds_transfer.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(Name)
    before: Mapped[str | None] = mapped_column(String(32))
    after: Mapped[str | None] = mapped_column(String(32))
    actor_id: Mapped[str] = mapped_column(Ref)
    actor_label: Mapped[str] = mapped_column(String(255))
    why: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Posting(Base):
    """One row of the append-only ledger that all reports read.

    ``entry`` is ``refund`` (components positive) or ``reversal`` (the exact negative of the
    posting ``reverses_id``). ``posted_at`` is when it was recorded and is never back-dated;
    ``gateway_at`` is the gateway's own time. Order and line facts are snapshots.
    """

    __tablename__ = "refunds_posting"
    __table_args__ = (
        UniqueConstraint("transfer_id", "line_id", "generation", "entry"),
        UniqueConstraint("reverses_id"),
        CheckConstraint("entry IN ('refund', 'reversal')", name="entry"),
        CheckConstraint("(entry = 'reversal') = (reverses_id IS NOT NULL)", name="reverses"),
        Index("ix_refunds_posting_posted_at", "posted_at", "id"),
        Index("ix_refunds_posting_order_placed_at", "order_placed_at"),
        Index("ix_refunds_posting_refund_id", "refund_id"),
        Index("ix_refunds_posting_line_ref", "line_ref"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    entry: Mapped[str] = mapped_column(String(16))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("refunds_posting.id"))
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    gateway_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds_refund.id"))
    transfer_id: Mapped[int] = mapped_column(ForeignKey("refunds_transfer.id"))
    line_id: Mapped[int] = mapped_column(ForeignKey("refunds_line.id"))
    generation: Mapped[int] = mapped_column(Integer)
    order_ref: Mapped[str] = mapped_column(Ref)
    order_number: Mapped[str] = mapped_column(_exact(190))
    order_placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    customer_ref: Mapped[str | None] = mapped_column(Ref)
    kind: Mapped[str] = mapped_column(String(16))
    line_ref: Mapped[str] = mapped_column(Ref)
    sku: Mapped[str] = mapped_column(String(190))
    description: Mapped[str] = mapped_column(String(DESCRIPTION_LENGTH))
    dimensions: Mapped[dict[str, Any]] = mapped_column(JSON)
    method: Mapped[str] = mapped_column(String(16))
    operation: Mapped[str] = mapped_column(String(16))
    gateway: Mapped[str | None] = mapped_column(Name)
    gateway_refund_id: Mapped[str | None] = mapped_column(Ref)
    reason: Mapped[str] = mapped_column(Name)
    actor_label: Mapped[str] = mapped_column(String(255))
    currency: Mapped[str] = mapped_column(String(3))
    quantity: Mapped[int] = mapped_column(BigInteger)
    list_price: Mapped[int] = mapped_column(Minor)
    discount: Mapped[int] = mapped_column(Minor)
    tax: Mapped[int] = mapped_column(Minor)
    paid: Mapped[int] = mapped_column(Minor)


def _refuse_change(_mapper: Any, _connection: Any, target: Base) -> None:
    raise RuntimeError(f"{type(target).__name__} rows are append-only")


for _append_only in (Event, Posting):
    event.listen(_append_only, "before_update", _refuse_change)
    event.listen(_append_only, "before_delete", _refuse_change)
