"""Asking the gateways what they have. Nothing here moves money, and no transaction is open.

One :meth:`~flask_refunds.gateways.base.RefundGateway.inspect` for each sale and one
:meth:`~flask_refunds.gateways.base.RefundGateway.fetch` for each refund, in a few threads.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from flask_refunds import logs
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import (
    ChargeReceipt,
    GatewayError,
    RefundGateway,
    RefundReceipt,
    Rejected,
)
from flask_refunds.runtime import GatewayRegistry
from flask_refunds.verify.gateway.facts import Answers, Move, Sale, Seen

THREADS = 8
PATIENCE = 8
"""A gateway that fails to answer so many times in a row is not asked for the rest."""

Receipt = TypeVar("Receipt", ChargeReceipt, RefundReceipt)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why there is no answer. ``absent``: the gateway says that there is no such thing.

    ``shut``: it was not asked, because it did not answer before.
    """

    reason: str
    absent: bool = False
    shut: bool = False


class Line:
    """One gateway, asked from several threads."""

    def __init__(self, gateway: RefundGateway) -> None:
        self._gateway = gateway
        self._unanswered = 0

    def inspect(self, charge_id: str) -> ChargeReceipt | Problem:
        return self._ask(self._gateway.inspect, charge_id)

    def fetch(self, refund_id: str) -> RefundReceipt | Problem:
        return self._ask(self._gateway.fetch, refund_id)

    def _ask(self, question: Callable[[str], Receipt], id_: str) -> Receipt | Problem:
        if self._unanswered >= PATIENCE:
            return Problem(
                reason=f"not asked any more: it did not answer {PATIENCE} times in a row", shut=True
            )
        try:
            receipt = question(id_)
        except Rejected as error:
            self._unanswered = 0
            return Problem(reason=error.message, absent=True)
        except GatewayError as error:
            self._unanswered += 1
            return Problem(reason=f"the gateway did not answer: {error.message}")
        except Exception as error:  # whatever a gateway's code raises
            logs.exception("asking_failed", error, gateway_id=id_)
            self._unanswered += 1
            return Problem(reason=f"the gateway did not answer: {type(error).__name__}")
        self._unanswered = 0
        if receipt.id != id_:
            return Problem(reason=f"asked for {id_}, the gateway answered about {receipt.id}")
        return receipt


def ask(gateways: GatewayRegistry, wanted: Mapping[Sale, Iterable[Move]]) -> Answers:
    """Return what the *gateways* have of the *wanted* sales and of all refunds on them.

    *wanted* has the transfers that are booked on each sale: their refunds are asked for too,
    listed by the sale or not. Never raises: what cannot be asked is said in the answers.
    """
    lines: dict[str, Line] = {}
    shut: dict[str, str] = {}
    for name in dict.fromkeys(sale.gateway for sale in wanted):
        try:
            lines[name] = Line(gateways.get(name))
        except ConfigurationError as error:
            shut[name] = str(error)
    sales = [sale for sale in wanted if sale.gateway in lines]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="refunds-verify") as threads:
        inspected = threads.map(lambda sale: lines[sale.gateway].inspect(sale.charge_id), sales)
        charges = dict(zip(sales, inspected, strict=True))
        each = list(
            dict.fromkeys(
                (sale.gateway, refund_id)
                for sale, charge in charges.items()
                if not isinstance(charge, Problem)
                for refund_id in _refund_ids(charge, wanted[sale])
            )
        )
        fetched = threads.map(lambda key: lines[key[0]].fetch(key[1]), each)
        refunds = dict(zip(each, fetched, strict=True))
    return _answers(charges, refunds, wanted, shut)


def _refund_ids(charge: ChargeReceipt, moves: Iterable[Move]) -> list[str]:
    """Return the ids of the refunds that *charge* lists and of those that *moves* have of it."""
    booked = [m.gateway_id for m in moves if m.gateway_id and m.gateway_id != charge.id]
    return list(dict.fromkeys([*charge.refund_ids, *booked]))


def _answers(
    charges: Mapping[Sale, ChargeReceipt | Problem],
    refunds: Mapping[tuple[str, str], RefundReceipt | Problem],
    wanted: Mapping[Sale, Iterable[Move]],
    shut: dict[str, str],
) -> Answers:
    seen: dict[Sale, Seen] = {}
    unseen: dict[Sale, str] = {}
    for sale, charge in charges.items():
        answer: Seen | Problem = (
            charge if isinstance(charge, Problem) else _whole(sale, charge, refunds, wanted[sale])
        )
        if isinstance(answer, Seen):
            seen[sale] = answer
        elif answer.shut:
            shut.setdefault(sale.gateway, answer.reason)
        else:
            unseen[sale] = answer.reason
    return Answers(seen=seen, unseen=unseen, shut=shut)


def _whole(
    sale: Sale,
    charge: ChargeReceipt,
    refunds: Mapping[tuple[str, str], RefundReceipt | Problem],
    moves: Iterable[Move],
) -> Seen | Problem:
    """Return the sale with all of its refunds, or why one of them could not be read."""
    found: dict[str, RefundReceipt | None] = {}
    for refund_id in _refund_ids(charge, moves):
        answer = refunds[sale.gateway, refund_id]
        if not isinstance(answer, Problem):
            found[refund_id] = answer
        elif answer.absent and refund_id not in charge.refund_ids:
            found[refund_id] = None
        else:
            return replace(answer, reason=f"refund {refund_id}: {answer.reason}")
    return Seen(charge=charge, refunds=found)
