"""What must hold of the books and the gateway, whatever has failed. Pure functions over facts."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from flask_refunds.outcomes import KEY_SPENT, UNKNOWN
from flask_refunds.states import Method, TransferState
from tests.chaos.facts import Facts, Given, Move, Sale


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that must never be; ``sale`` and ``transfer_id`` say where to look."""

    rule: str
    what: str
    transfer_id: int | None = None
    sale: str | None = None

    def __str__(self) -> str:
        """Return it as one line."""
        where = {"transfer": self.transfer_id, "sale": self.sale}
        said = " ".join(f"{name}={value}" for name, value in where.items() if value is not None)
        return f"{self.rule}: {said}: {self.what}"


Rule = Callable[[Facts], Iterator[Violation]]


def at_any_moment(facts: Facts) -> list[Violation]:
    """Return what must not be, not even while work is in hand."""
    return _broken(facts, ALWAYS)


def at_rest(facts: Facts, issued: Collection[int]) -> list[Violation]:
    """Return what must not be when nothing is left to do; *issued* are the refunds' ids."""
    return [*_broken(facts, (*ALWAYS, *AT_REST)), *_lost(facts, issued)]


def _broken(facts: Facts, rules: Collection[Rule]) -> list[Violation]:
    return [violation for rule in rules for violation in rule(facts)]


def given_back_once(facts: Facts) -> Iterator[Violation]:
    """Each refund and void at the gateway is of one transfer, in full, and no transfer has two."""
    for sale in facts.sales:
        owners = Counter[int]()
        for given in sale.given:
            owner = _owner(facts, sale, given)
            if owner is None and given.id in facts.outside:
                continue  # until somebody looks for it
            if owner is None:
                yield Violation(
                    rule="unknown_at_gateway",
                    what=f"nobody here made {given.id}, which gave back {given.amount}",
                    sale=sale.id,
                )
                continue
            owners[owner.transfer_id] += 1
            if owners[owner.transfer_id] == 2:
                yield _of(owner, "given_back_twice", f"the gateway also made {given.id}")
            if given.amount != owner.amount:
                yield _of(
                    owner,
                    "wrong_amount",
                    f"{given.id} gave back {given.amount} instead of {owner.amount}",
                )


def within_the_reserved(facts: Facts) -> Iterator[Violation]:
    """No more is given back on a sale than our transfers of it have reserved, nor than it was."""
    for sale in facts.sales:
        given = sum(
            each.amount
            for each in sale.given
            if each.id not in facts.outside or _owner(facts, sale, each) is not None
        )
        moves = facts.by_sale.get(sale.id, ())
        reserved = sum(move.amount for move in moves if move.reserves)
        if given > min(reserved, sale.amount):
            yield Violation(
                rule="more_than_reserved",
                what=f"given back {given}, reserved {reserved}, sold {sale.amount}",
                sale=sale.id,
            )


def accounts_tie(facts: Facts) -> Iterator[Violation]:
    """What an account has committed is what its transfers reserve, within what was paid."""
    reserved = Counter[str]()
    for move in facts.moves:
        reserved[move.order_ref] += move.amount if move.reserves else 0
    for balance in facts.balances:
        said = f"order {balance.order_ref}: committed {balance.committed}"
        if balance.committed != reserved[balance.order_ref]:
            yield Violation(rule="account", what=f"{said}, reserved {reserved[balance.order_ref]}")
        if balance.prior + balance.committed > balance.paid:
            yield Violation(
                rule="account", what=f"{said}, prior {balance.prior}, paid {balance.paid}"
            )
    for unknown in reserved.keys() - {balance.order_ref for balance in facts.balances}:
        yield Violation(rule="account", what=f"order {unknown} has transfers and no account")


def ledger_ties(facts: Facts) -> Iterator[Violation]:
    """The ledger has the whole of a completed transfer, and nothing of any other."""
    for move in facts.moves:
        due = move.amount if move.state is TransferState.COMPLETED else 0
        if move.posted != due:
            yield _of(move, "ledger", f"{move.state}, posted {move.posted} instead of {due}")


def keys_are_kept(facts: Facts) -> Iterator[Violation]:
    """No new key is taken before it is known what became of the old one."""
    for move in facts.moves:
        for before, after in pairwise(move.tries):
            changed = before.generation != after.generation
            vouched = before.generation < move.certain_before
            if changed and not vouched and before.outcome in {None, UNKNOWN, KEY_SPENT}:
                yield _of(
                    move,
                    "new_key",
                    f"generation {after.generation} after an unknown outcome of "
                    f"generation {before.generation}",
                )


def ids_are_booked_once(facts: Facts) -> Iterator[Violation]:
    """No record of the gateway stands on two transfers."""
    owners: dict[str, Move] = {}
    for move in facts.moves:
        if move.gateway_id is None or move.state is TransferState.REVERSED:
            continue
        first = owners.setdefault(move.gateway_id, move)
        if first is not move:
            yield _of(move, "booked_twice", f"{move.gateway_id} is on {first.transfer_id} too")


def comes_to_an_end(facts: Facts) -> Iterator[Violation]:
    """Every transfer is completed or failed, or waits for a person, and says why."""
    for move in facts.moves:
        if move.in_flight and not move.needs:
            yield _of(move, "not_ended", f"still {move.state} {move.detail}")
        if move.needs and not move.reason:
            yield _of(move, "no_reason", f"needs a person ({', '.join(move.needs)}) without reason")


def books_match_the_gateway(facts: Facts) -> Iterator[Violation]:
    """What is booked is at the gateway, by its id, and nothing else is."""
    given = {each.id: each for sale in facts.sales for each in sale.given}
    for move in facts.moves:
        if move.booked and (move.gateway_id or "") not in given:
            yield _of(move, "not_given_back", f"booked as {move.gateway_id}, no such refund")
    for sale in facts.sales:
        for each in sale.given:
            owner = _owner(facts, sale, each)
            waits = owner is not None and owner.in_flight and owner.needs
            if (
                owner is not None
                and not waits
                and not (owner.booked and owner.gateway_id == each.id)
            ):
                yield _of(owner, "not_booked", f"{owner.state}, and {each.id} gave back its money")


def sums_tie(facts: Facts) -> Iterator[Violation]:
    """On each sale the gateway gave back what our transfers of it have booked."""
    for sale in facts.sales:
        moves = facts.by_sale.get(sale.id, ())
        if any(move.in_flight for move in moves):
            continue
        given = sum(each.amount for each in sale.given)
        booked = sum(move.amount for move in moves if move.booked)
        if given != booked:
            yield Violation(rule="sums", what=f"given back {given}, booked {booked}", sale=sale.id)


ALWAYS: tuple[Rule, ...] = (
    given_back_once,
    within_the_reserved,
    accounts_tie,
    ledger_ties,
    keys_are_kept,
    ids_are_booked_once,
)
AT_REST: tuple[Rule, ...] = (comes_to_an_end, books_match_the_gateway, sums_tie)


def _lost(facts: Facts, issued: Collection[int]) -> Iterator[Violation]:
    """Yield refunds that were issued and are not there, and ones that nobody issued."""
    kept = facts.refunds & {move.refund_id for move in facts.moves}
    for refund_id in sorted(set(issued) - kept):
        yield Violation(rule="lost", what=f"refund {refund_id} was issued and is not there")
    for refund_id in sorted(facts.refunds - set(issued)):
        yield Violation(rule="not_issued", what=f"refund {refund_id} is there, nobody issued it")


def _owner(facts: Facts, sale: Sale, given: Given) -> Move | None:
    """Return the transfer that made or adopted *given*: by its id, reference, or void."""
    cards = [m for m in facts.by_sale.get(sale.id, ()) if m.method is Method.CARD]
    if given.id in facts.outside:
        return next((move for move in cards if move.gateway_id == given.id), None)
    if given.reference is not None:
        return next((move for move in cards if given.reference in move.references), None)
    voids = [move for move in cards if move.voided]
    booked = [move for move in voids if move.booked and move.gateway_id == sale.id]
    return next(iter(booked + voids), None)


def _of(move: Move, rule: str, what: str) -> Violation:
    return Violation(rule=rule, what=what, transfer_id=move.transfer_id, sale=move.charge_id)
