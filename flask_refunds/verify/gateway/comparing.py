"""Comparing transfers with what the gateways have of them, one by one. Pure.

``expected`` is what our books say and ``found`` what the gateway says.
"""

from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from flask_refunds.gateways.base import ReceiptState, RefundReceipt
from flask_refunds.outcomes import REFUND, VOID
from flask_refunds.states import IN_FLIGHT, TransferState
from flask_refunds.verify.findings import Finding
from flask_refunds.verify.gateway.facts import (
    Answers,
    Books,
    Move,
    Sale,
    Seen,
    took_effect,
    void_of,
)

NOT_COMPARED = "not_compared"
UNKNOWN = frozenset({"gateway_unknown_refund", "gateway_unknown_void"})
"""Codes of what nobody here made; the host may know it."""

_WHAT = {
    "gateway_missing": "What is booked to a card was given back by the gateway",
    "gateway_not_effective": "What is booked to a card took effect at the gateway",
    "gateway_operation": "A void is booked as a void, and a refund as a refund",
    "gateway_charge": "A refund is of the sale on which it is booked",
    "gateway_amount": "The gateway gave back the amount that is booked",
    "gateway_currency": "The gateway gave back the currency that is booked",
    "gateway_reference": "A refund carries the reference of its transfer",
    "gateway_moved": "What the gateway gave back for a transfer is booked on it",
    "gateway_unknown_refund": (
        "Every refund at the gateway is known here; this one was made in the gateway's control "
        "panel, or by another program"
    ),
    "gateway_unknown_void": (
        "Every void at the gateway is known here; this one was made in the gateway's control "
        "panel, or by another program"
    ),
    NOT_COMPARED: "Every card transfer of these days is compared with the gateway",
}
TIMING = {
    "timing_unrecorded": "The gateway gave it back already; the transfer will be completed",
    "timing_outside": "It was made outside; it is completed when somebody says for which items",
    "timing_accepted": "The gateway accepted it; the transfer is completed when it settles",
    "timing_unsettled": "A completed refund settles at the gateway later",
    "timing_declined": "The gateway declined it at settlement; the next look will book that",
    "timing_day": "A transfer is completed on another day than at the gateway",
}
"""What differs only until the next sweep, the next settlement or midnight: no damage."""


def compare(books: Books, answers: Answers, zone: ZoneInfo) -> Iterator[Finding]:
    """Yield where *books* and *answers* differ, damage and :data:`TIMING`; days are of *zone*.

    Only the sales in *answers* count: what came into the books since they were asked does not.
    """
    sales = books.of_sales()
    known = _Known(books.moves)
    for sale, seen in answers.seen.items():
        moves = sales.get(sale, [])
        for move in moves:
            if move.booked:
                yield from _booked(move, seen, zone)
        for refund_id in seen.charge.refund_ids:
            receipt = seen.refunds[refund_id]
            if receipt is not None and took_effect(receipt) and not known.to_shop(sale, refund_id):
                yield from _made(sale, receipt, known.owner(sale, receipt), moves)
        void = void_of(seen.charge)
        if void is not None and not known.to_shop(sale, void.id):
            yield from _made(sale, void, known.owner_of_void(sale, moves), moves)
    for sale, reason in answers.unseen.items():
        for move in sales.get(sale, []):
            yield _of(move, NOT_COMPARED, "compared", reason)
    for gateway, reason in answers.shut.items():
        left = {
            sale: moves
            for sale, moves in sales.items()
            if sale.gateway == gateway and sale not in answers.seen and sale not in answers.unseen
        }
        yield Finding(
            code=NOT_COMPARED,
            what=_WHAT[NOT_COMPARED],
            refs=(
                ("gateway", gateway),
                ("sales", str(len(left))),
                ("transfers", str(sum(map(len, left.values())))),
            ),
            expected="compared",
            found=reason,
        )


class _Known:
    """Whose a refund is: by the id that is booked, else by the reference that it carries.

    The shop's own books have what was adopted and taken back again.
    """

    def __init__(self, moves: Iterable[Move]) -> None:
        self._booked: dict[tuple[str, str], Move] = {}
        self._referred: dict[tuple[str, str], Move] = {}
        self._to_shop: set[tuple[str, str | None]] = set()
        for move in moves:
            if move.gateway_id is not None and move.booked:
                self._booked.setdefault((move.sale.gateway, move.gateway_id), move)
            if move.state is TransferState.REVERSED:
                self._to_shop.add((move.sale.gateway, move.gateway_id))
            for reference in move.references:
                self._referred[move.sale.gateway, reference] = move

    def to_shop(self, sale: Sale, gateway_id: str) -> bool:
        """Return whether somebody has said that the shop's own books have it."""
        return (sale.gateway, gateway_id) in self._to_shop

    def owner(self, sale: Sale, receipt: RefundReceipt) -> Move | None:
        """Return the transfer that made *receipt*, if it is one of ours."""
        return self._booked.get((sale.gateway, receipt.id)) or self._referred.get(
            (sale.gateway, receipt.reference or "")
        )

    def owner_of_void(self, sale: Sale, moves: Iterable[Move]) -> Move | None:
        """Return the one of *moves* that voided their *sale*."""
        voiding = (move for move in moves if move.voiding)
        return self._booked.get((sale.gateway, sale.charge_id)) or next(voiding, None)


def _booked(move: Move, seen: Seen, zone: ZoneInfo) -> Iterator[Finding]:
    """Yield what is wrong with what our books say that the gateway has."""
    given = seen.given(move.gateway_id)
    if given is None:
        yield _of(move, "gateway_missing", move.amount, 0, status=seen.charge.raw_status)
        return
    is_void = given.id == seen.charge.id
    for code, expected, found in (
        ("gateway_operation", move.operation or "none", VOID if is_void else REFUND),
        ("gateway_charge", move.sale.charge_id, given.charge_id),
        ("gateway_amount", move.amount, given.amount),
        ("gateway_currency", move.currency, given.currency),
    ):
        if expected != found:
            yield _of(move, code, expected, found, status=given.raw_status)
    if not is_void and not move.outside and given.reference not in move.references:
        ours = ", ".join(sorted(move.references))
        yield _of(move, "gateway_reference", ours, given.reference or "none")
    if not took_effect(given):
        code = "timing_declined" if move.poll_due else "gateway_not_effective"
        yield _of(move, code, move.amount, 0, status=given.raw_status)
    else:
        yield from _timing(move, given, zone)


def _timing(move: Move, given: RefundReceipt, zone: ZoneInfo) -> Iterator[Finding]:
    """Yield what our books say later, or said on another day, than the gateway."""
    pending = given.state is ReceiptState.PENDING
    if move.state is TransferState.PROCESSING:
        code = "timing_accepted" if pending else "timing_unrecorded"
        code = "timing_outside" if move.unexplained else code
        yield _of(move, code, 0, given.amount, status=given.raw_status)
        return
    if pending:
        yield _of(move, "timing_unsettled", "settled", given.raw_status)
    at = given.at or move.gateway_at
    if at is not None and move.completed_at is not None:
        ours, theirs = (each.astimezone(zone).date() for each in (move.completed_at, at))
        if ours != theirs:
            yield _of(move, "timing_day", ours.isoformat(), theirs.isoformat())


def _made(
    sale: Sale, receipt: RefundReceipt, owner: Move | None, moves: Iterable[Move]
) -> Iterator[Finding]:
    """Yield a finding if no transfer has booked *receipt*, which took effect on *sale*."""
    if owner is None:
        is_void = receipt.id == sale.charge_id
        refs = [("order", ref) for ref in dict.fromkeys(move.order_ref for move in moves)]
        refs += [("charge", sale.charge_id), ("gateway_id", receipt.id)]
        refs += [("at", receipt.at.isoformat())] if receipt.at else []
        refs += [("reference", receipt.reference)] if receipt.reference else []
        code = "gateway_unknown_void" if is_void else "gateway_unknown_refund"
        yield Finding(
            code=code,
            what=_WHAT[code],
            refs=(*refs, ("status", receipt.raw_status)),
            expected=0,
            found=receipt.amount,
            currency=receipt.currency,
        )
    elif not (owner.booked and owner.gateway_id == receipt.id):
        looked_for = owner.state is TransferState.PROCESSING or owner.in_doubt
        code = "timing_unrecorded" if looked_for and owner.state in IN_FLIGHT else "gateway_moved"
        yield _of(owner, code, 0, receipt.amount, gateway_id=receipt.id, status=receipt.raw_status)


def _of(
    move: Move,
    code: str,
    expected: int | str,
    found: int | str,
    *,
    gateway_id: str | None = None,
    status: str | None = None,
) -> Finding:
    refs = {
        "transfer": str(move.transfer_id),
        "refund": str(move.refund_id),
        "order": move.order_ref,
        "charge": move.sale.charge_id,
        "gateway_id": gateway_id or move.gateway_id,
        "status": status,
    }
    return Finding(
        code=code,
        what=(_WHAT | TIMING)[code],
        refs=tuple((name, key) for name, key in refs.items() if key is not None),
        expected=expected,
        found=found,
        currency=move.currency,
    )
