"""What our books and the gateway say at one moment, as plain values to be compared.

Amounts are minor units of the row's currency.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flask_refunds import attention
from flask_refunds.models import SHOP, Account, Attempt, Posting, Refund, Transfer
from flask_refunds.outcomes import VOID
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, RESERVING, Method, TransferState


@dataclass(frozen=True, kw_only=True)
class Try:
    """One attempt; ``operation`` is empty when it called nothing to move money.

    ``outcome`` of ``None``: nobody recorded one.
    """

    generation: int
    operation: str
    outcome: str | None


@dataclass(frozen=True, kw_only=True)
class Move:
    """One transfer of ours.

    ``references`` has those of every generation, ``posted`` is what the ledger has of it, and
    ``needs`` why a person has to look at it, with the ``reason`` that is shown.
    """

    transfer_id: int
    refund_id: int
    order_ref: str
    method: Method
    state: TransferState
    detail: str
    amount: int
    charge_id: str | None = None
    gateway_id: str | None = None
    certain_before: int = 0
    references: frozenset[str] = frozenset()
    tries: tuple[Try, ...] = ()
    posted: int = 0
    needs: tuple[str, ...] = ()
    reason: str = ""

    @property
    def reserves(self) -> bool:
        """Whether its money counts as given back."""
        return self.state in RESERVING

    @property
    def in_flight(self) -> bool:
        """Whether it still has to come to an end."""
        return self.state in IN_FLIGHT and not self.accepted

    @property
    def accepted(self) -> bool:
        """Whether the gateway has it, and it is completed when it settles."""
        return self.state is TransferState.PROCESSING and self.gateway_id is not None

    @property
    def booked(self) -> bool:
        """Whether our books say that the gateway gave it back."""
        completed = self.state is TransferState.COMPLETED
        return self.method is Method.CARD and (completed or self.accepted)

    @property
    def voided(self) -> bool:
        """Whether it called a void."""
        return any(each.operation == VOID for each in self.tries)


@dataclass(frozen=True, kw_only=True)
class Balance:
    """The account of one order."""

    order_ref: str
    paid: int
    prior: int
    committed: int


@dataclass(frozen=True, kw_only=True)
class Given:
    """Money that the gateway gave back: a refund, or with no reference the void of the sale."""

    id: str
    reference: str | None
    amount: int


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A sale by the gateway's own audit, with what took effect on it."""

    id: str
    amount: int
    given: tuple[Given, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Both sides at one moment; ``outside`` are the ids of what others did at the gateway."""

    refunds: frozenset[int] = frozenset()
    moves: tuple[Move, ...] = ()
    balances: tuple[Balance, ...] = ()
    sales: tuple[Sale, ...] = ()
    outside: frozenset[str] = frozenset()
    by_sale: Mapping[str, tuple[Move, ...]] = field(init=False)

    def __post_init__(self) -> None:
        grouped: dict[str, tuple[Move, ...]] = {}
        for move in self.moves:
            if move.charge_id is not None:
                grouped[move.charge_id] = (*grouped.get(move.charge_id, ()), move)
        object.__setattr__(self, "by_sale", grouped)


def read_facts(runtime: Runtime, audit: Mapping[str, Any], outside: Collection[str] = ()) -> Facts:
    """Return what the tables say in one snapshot, beside the simulator's *audit*.

    *outside* are the ids of what others than the shop did at the gateway.
    """

    def read(session: Session) -> Facts:
        return Facts(
            refunds=frozenset(session.scalars(select(Refund.id).where(Refund.source == SHOP))),
            moves=tuple(_moves(session, runtime)),
            balances=tuple(
                Balance(
                    order_ref=account.order_ref,
                    paid=account.paid,
                    prior=account.prior,
                    committed=account.committed,
                )
                for account in session.scalars(select(Account).order_by(Account.order_ref))
            ),
            sales=tuple(_sale(sale) for sale in audit["sales"]),
            outside=frozenset(outside),
        )

    return runtime.sessions.read(read, snapshot=True)


def _moves(session: Session, runtime: Runtime) -> Iterator[Move]:
    posted = {
        transfer_id: int(paid)
        for transfer_id, paid in session.execute(
            select(Posting.transfer_id, func.sum(Posting.paid)).group_by(Posting.transfer_id)
        )
    }
    needs = defaultdict(list)
    for need, condition in attention.conditions(runtime.config, runtime.now()).items():
        for transfer_id in session.scalars(select(Transfer.id).where(condition)):
            needs[transfer_id].append(str(need))
    attempts = defaultdict(list)
    for attempt in session.scalars(select(Attempt).order_by(Attempt.id)):
        attempts[attempt.transfer_id].append(attempt)
    for transfer in session.scalars(select(Transfer).order_by(Transfer.id)):
        tried = attempts[transfer.id]
        yield Move(
            transfer_id=transfer.id,
            refund_id=transfer.refund_id,
            order_ref=transfer.order_ref,
            method=Method(transfer.method),
            state=TransferState(transfer.state),
            detail=transfer.detail,
            amount=transfer.amount,
            charge_id=transfer.charge_id,
            gateway_id=transfer.gateway_refund_id,
            certain_before=transfer.certain_before,
            references=frozenset({a.reference for a in tried} | {transfer.reference or ""} - {""}),
            tries=tuple(
                Try(generation=a.generation, operation=a.operation or "", outcome=a.outcome)
                for a in tried
            ),
            posted=posted.get(transfer.id, 0),
            needs=tuple(needs[transfer.id]),
            reason=transfer.failure_message or transfer.detail,
        )


def _sale(sale: Mapping[str, Any]) -> Sale:
    given = [
        Given(id=refund["id"], reference=refund["order_id"], amount=refund["amount"])
        for refund in sale["refunds"]
    ]
    if sale["voided"]:
        given.append(Given(id=sale["id"], reference=None, amount=sale["amount"]))
    return Sale(id=sale["id"], amount=sale["amount"], given=tuple(given))
