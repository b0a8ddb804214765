"""A shop on any database whose refunds run here and now, and a naive bookkeeper beside it.

The gateway is a small one in memory, since it is the figures that are under test: what it is asked
goes through the services of the true worker. The bookkeeper counts row by row, in Python, what
happened when; it reads nothing of the ledger.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from flask_refunds import Actor, correcting, issuing
from flask_refunds.config import Config
from flask_refunds.entitlement import entitle
from flask_refunds.errors import Refusal
from flask_refunds.gateways.base import (
    Capabilities,
    ChargeReceipt,
    Declined,
    FindResult,
    Found,
    GatewayEvent,
    NotThere,
    ReceiptState,
    RefundReceipt,
    VoidReceipt,
)
from flask_refunds.models import Allocation, Base, Line, Refund, Transfer
from flask_refunds.planning import RefundRequest
from flask_refunds.processing import process
from flask_refunds.queueing import NoQueue
from flask_refunds.reconciling import poll
from flask_refunds.runtime import GatewayRegistry, Runtime
from flask_refunds.sessions import Sessions
from flask_refunds.states import Method, TransferState
from flask_refunds.storefront.facts import OrderBundle
from flask_refunds.storefront.reading import read_bundles
from tests.hosts.trading import Before, Deal, Trade

CLERK = Actor(id="1", label="Carla Clerk")


@dataclass
class MemoryGateway:
    """Refunds at once, or declines those on the charges that it is told to."""

    name: str = "memory"
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(idempotency_key=True, late_window=0)
    )
    charges: dict[str, tuple[int, str]] = field(default_factory=dict)
    declining: set[str] = field(default_factory=set)
    unsettled: set[str] = field(default_factory=set)
    made: dict[str, RefundReceipt] = field(default_factory=dict)
    voided: set[str] = field(default_factory=set)

    def inspect(self, charge_id: str) -> ChargeReceipt:
        amount, currency = self.charges[charge_id]
        open_ = charge_id in self.unsettled and charge_id not in self.voided
        return ChargeReceipt(
            id=charge_id,
            amount=amount,
            currency=currency,
            raw_status="submitted" if open_ else "settled",
            voidable=open_,
            refundable=not open_ and charge_id not in self.voided,
            voided=charge_id in self.voided,
            settling_soon=open_,
            refund_ids=tuple(r.id for r in self.made.values() if r.charge_id == charge_id),
        )

    def refund(
        self, charge_id: str, amount: int, currency: str, *, key: str, reference: str
    ) -> RefundReceipt:
        if charge_id in self.declining:
            raise Declined("No", code="2000")
        receipt = RefundReceipt(
            id=f"re{len(self.made) + 1}",
            charge_id=charge_id,
            amount=amount,
            currency=currency,
            reference=reference,
            state=ReceiptState.PENDING,
            raw_status="submitted",
            at=datetime.now(UTC),
        )
        self.made[receipt.id] = receipt
        return receipt

    def void(self, charge_id: str, *, key: str) -> VoidReceipt:
        self.voided.add(charge_id)
        amount, currency = self.charges[charge_id]
        return VoidReceipt(
            charge_id=charge_id, amount=amount, currency=currency, raw_status="voided"
        )

    def find(self, charge_id: str, *, reference: str, amount: int, currency: str) -> FindResult:
        for receipt in self.made.values():
            if receipt.reference == reference and receipt.charge_id == charge_id:
                return Found(receipt=receipt)
        return NotThere()

    def fetch(self, refund_id: str) -> RefundReceipt:
        return self.made[refund_id]

    def fail(self, refund_id: str) -> None:
        """Decline a refund at settlement, after it was accepted."""
        self.made[refund_id] = replace(self.made[refund_id], state=ReceiptState.FAILED)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the naive bookkeeper notes: a part of an item that was sold, or given back."""

    at: datetime
    placed_at: datetime
    currency: str
    kind: str
    ref: str
    sku: str
    description: str
    category: str
    quantity: int
    list_price: int
    discount: int
    tax: int
    paid: int
    way: str = ""
    order: str = ""


class Books:
    """The shop, its services with a clock of their own, and the naive books."""

    def __init__(self, engine: Engine, trade: Trade, **settings: Any) -> None:
        self.engine, self.trade = engine, trade
        self.gateway = MemoryGateway()
        self.now = datetime(2026, 10, 20, 9, tzinfo=UTC)
        self.storefront = trade.storefront()
        config = Config.from_mapping(
            {
                "REFUNDS_REDIS_URL": None,
                "REFUNDS_SALE_PAUSE": 0,
                "REFUNDS_TIMEZONE": "Europe/Berlin",
                **settings,
            }
        )
        self.runtime = Runtime(
            config=config,
            storefront=self.storefront,
            sessions=Sessions(engine=lambda: engine, factory=lambda: sessionmaker()),
            gateways=GatewayRegistry({"memory": lambda: self.gateway}),
            queue=NoQueue(),
            clock=lambda: self.now,
        )
        self.refs: list[str] = []
        self.given: list[Entry] = []
        self._standing: dict[int, list[Entry]] = {}
        self._tokens = itertools.count(1)

    def make_tables(self) -> None:
        """Make the tables anew, the host's and ours."""
        for metadata in (Base.metadata, self.trade.metadata):
            metadata.drop_all(self.engine)
        for metadata in (self.trade.metadata, Base.metadata):
            metadata.create_all(self.engine)

    def sell(self, *deals: Deal) -> None:
        """Store *deals*, and what was charged for them at the gateway."""
        for deal in deals:
            for pay in deal.pays:
                if pay.sale is not None:
                    self.gateway.charges[pay.sale] = (pay.amount, deal.currency)
        self.refs += self.trade.store(self.engine, deals)

    def bundles(self) -> list[OrderBundle]:
        """Return all orders as Python reads them."""
        with Session(self.engine) as session:
            return read_bundles(session, self.storefront, self.refs)

    def issue(self, number: int, **wishes: Any) -> int | None:
        """Issue a refund on the order *number* and process it; ``None`` if that was refused."""
        request = RefundRequest(
            order_ref=self.refs[number], token=f"t{next(self._tokens)}", **wishes
        )
        try:
            issued = issuing.issue(self.runtime, request, CLERK)
        except Refusal:
            return None
        self.note()
        for transfer_id in issued.transfer_ids:
            process(self.runtime, transfer_id)
            self.note()
        return issued.refund_id

    def pass_time(self, by: timedelta) -> None:
        """Let the clock go on."""
        self.now += by

    def fail_late(self, transfer: Transfer) -> None:
        """Have the gateway decline at settlement what it had accepted, and ask it."""
        assert transfer.gateway_refund_id is not None
        self.gateway.fail(transfer.gateway_refund_id)
        with Session(self.engine) as session:
            session.get_one(Transfer, transfer.id).poll_at = self.now
            session.commit()
        poll(self.runtime, transfer.id)
        self.note()

    def note_by_host(self, transfer: Transfer) -> None:
        """Have the host note, among the refunds that it made itself, one that was ours."""
        number = self.refs.index(transfer.order_ref) + 1
        self.trade.note_refund(
            self.engine,
            number,
            Before(amount=transfer.amount, at=self.now, gateway_id=transfer.gateway_refund_id),
            transfer.currency,
        )

    def correct(self, step: str, transfer: Transfer) -> None:
        """Do what a person may do about *transfer*: retry, pay_otherwise or reverse it."""
        options: dict[str, Any] = {"why": "because"}
        if step == "pay_otherwise":
            options["kind"] = "cash"
        try:
            getattr(correcting, step)(self.runtime, transfer.id, CLERK, **options)
        except Refusal:
            return
        self.note()
        if step == "retry":
            process(self.runtime, transfer.id)
            self.note()

    def transfers(self) -> list[Transfer]:
        """Return all transfers, in order."""
        with Session(self.engine) as session:
            return list(session.scalars(select(Transfer).order_by(Transfer.id)))

    def note(self) -> None:
        """Note what has completed, or has stopped being so, since last time."""
        with Session(self.engine) as session:
            for transfer in session.scalars(select(Transfer).order_by(Transfer.id)):
                done = transfer.state == TransferState.COMPLETED
                if done and transfer.id not in self._standing:
                    entries = list(self._entries(session, transfer))
                    self._standing[transfer.id] = entries
                    self.given += entries
                elif not done and transfer.id in self._standing:
                    for entry in self._standing.pop(transfer.id):
                        self.given.append(_undone(entry, self.now))

    def _entries(self, session: Session, transfer: Transfer) -> Iterator[Entry]:
        refund = session.get_one(Refund, transfer.refund_id)
        way = "other"
        if transfer.method == Method.CARD:
            way = "void" if transfer.operation == "void" else "card"
        rows = session.execute(
            select(Allocation, Line)
            .join(Line, Line.id == Allocation.line_id)
            .where(Allocation.transfer_id == transfer.id)
        )
        for part, line in rows:
            yield Entry(
                at=self.now,
                placed_at=refund.order_placed_at,
                currency=refund.currency,
                kind=line.kind,
                ref=line.line_ref,
                sku=line.sku,
                description=line.description,
                category=line.dimensions.get("category", ""),
                quantity=part.quantity if line.kind == "line" else 0,
                list_price=part.list_price,
                discount=part.discount,
                tax=part.tax,
                paid=part.paid,
                way=way,
                order=refund.order_ref,
            )

    def sold(self) -> list[Entry]:
        """Return what every order was paid for: its items, and what they do not explain."""
        entries = []
        for bundle in self.bundles():
            order = bundle.order
            if bundle.captured <= 0:
                continue
            common: dict[str, Any] = {
                "at": order.placed_at,
                "placed_at": order.placed_at,
                "order": order.ref,
            }
            items = entitle(bundle.lines, order.charges, line_tax=self.storefront.line_tax)
            for item in items:
                w = item.whole
                entries.append(
                    Entry(
                        **common,
                        currency=order.currency,
                        kind=item.kind,
                        ref=item.ref,
                        sku=item.sku,
                        description=item.description,
                        category=str(item.dimensions.get("category", "")),
                        quantity=w.quantity,
                        list_price=w.list_price,
                        discount=w.discount,
                        tax=w.tax,
                        paid=w.paid,
                    )
                )
            rest = bundle.captured - sum(item.whole.paid for item in items)
            entries.append(_money(common, order.currency, "adjustment", rest))
        return entries

    def by_the_shop(self) -> list[Entry]:
        """Return what the host gave back itself and we have not noted from the gateway."""
        ours = {t.gateway_refund_id for t in self.transfers()} - {None}
        entries = []
        for bundle in self.bundles():
            order = bundle.order
            lines = {line.ref: line for line in bundle.lines}
            for prior in bundle.prior:
                if not prior.succeeded or prior.gateway_id in ours:
                    continue
                common = {"at": prior.at, "placed_at": order.placed_at, "order": order.ref}
                entry = _money(common, order.currency, "unallocated", prior.amount, "shop")
                line = lines.get(prior.line_ref or "")
                if line is not None:
                    entry = replace(
                        entry,
                        kind="line",
                        ref=line.ref,
                        sku=line.sku,
                        description=line.description,
                        category=line.dimensions["category"],
                    )
                entries.append(entry)
        return entries


def _money(
    common: Mapping[str, Any], currency: str, kind: str, amount: int, way: str = ""
) -> Entry:
    return Entry(
        **common, currency=currency, kind=kind, ref=kind, sku="", description="", category="",
        quantity=0, list_price=amount, discount=0, tax=0, paid=amount, way=way,
    )  # fmt: skip


def _undone(entry: Entry, at: datetime) -> Entry:
    figures = ("quantity", "list_price", "discount", "tax", "paid")
    return replace(entry, at=at, **{name: -getattr(entry, name) for name in figures})
