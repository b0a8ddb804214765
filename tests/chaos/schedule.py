"""The plan of a run: orders, refunds and disturbances in their order. From the seed alone."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SMALL = 100
"""With fewer orders, faults and restarts are dealt more densely."""
LONGEST_LANDING = 3.0
"""Seconds after which the last late request lands."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A refund to be asked for: *cents* of the order, or everything that is left (``None``)."""

    token: str
    cents: int | None = None
    to_card: bool = True


@dataclass(frozen=True, kw_only=True)
class Basket:
    """An order with its card payments in cents, and what is asked of it, all at once.

    ``wins`` is how many refunds come of it at least: one that fails soon leaves its money.
    """

    cards: tuple[int, ...]
    asks: tuple[Ask, ...]
    wins: int
    settled: bool = True


class Act(StrEnum):
    """A kind of disturbance."""

    FAULT = "fault"
    DECLINE_LATE = "decline a refund late"
    SETTLE = "settle the sales"
    HIDE_SETTLING = "settle a sale secretly"
    FLUSH_QUEUE = "flush the queue"
    WAKE_TWICE = "send a job twice"
    RETRY = "retry a failed one"
    PAY_OTHERWISE = "pay a failed one otherwise"
    LOSE_DATABASE = "lose the database"
    KILL_WORKER = "kill a worker"
    RESTART_WORKER = "restart a worker"
    WRONG_KEYS = "give a worker wrong keys"
    SWEEP = "sweep beside the workers"
    RESTART_QUEUE = "restart the queue"
    RESTART_GATEWAY = "restart the gateway"


QUICK = (
    *(Act.DECLINE_LATE, Act.SETTLE, Act.HIDE_SETTLING, Act.FLUSH_QUEUE, Act.WAKE_TWICE),
    *(Act.RETRY, Act.PAY_OTHERWISE, Act.LOSE_DATABASE),
)
COSTLY = (
    *(Act.KILL_WORKER, Act.SWEEP, Act.RESTART_QUEUE, Act.KILL_WORKER, Act.RESTART_WORKER),
    *(Act.WRONG_KEYS, Act.KILL_WORKER, Act.RESTART_GATEWAY),
)
"""Disturbances that start a process, dealt more seldom."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A disturbance; ``pick`` (0 to 1) chooses among what is there at that moment."""

    act: Act
    pick: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)


def _statuses() -> Iterator[dict[str, Any]]:
    for status in (500, 502, 503, 504):
        for where in ("before", "after"):
            yield {"kind": "status", "status": status, "where": where}
    for status in (404, 408, 429):
        yield {"kind": "status", "status": status}
    yield {"kind": "status", "status": 401, "times": 6}
    yield {"kind": "status", "status": 403, "times": 2}


LOSSES: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "drop_after", "times": 3},
    {"kind": "cut"},
    {"kind": "late_answer", "seconds": 1.0},
    {"kind": "late_answer", "seconds": 3.0},
    *(
        {"kind": kind, "where": where}
        for kind in ("html", "empty")
        for where in ("before", "after")
    ),
    *_statuses(),
)
"""What may happen to any request."""
LANDINGS: tuple[dict[str, Any], ...] = (
    {"kind": "late_landing", "seconds": LONGEST_LANDING},
    {"kind": "late_landing", "seconds": LONGEST_LANDING, "drop": True},
    {"kind": "late_landing", "seconds": 1.0, "drop": True, "times": 2},
)
REFUSALS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "refund": (
        {"kind": "decline", "code": "2005"},
        {"kind": "decline", "code": "1005"},
        *({"kind": "refuse", "code": code} for code in ("91506", "91512", "91521", "915233")),
    ),
    "void": ({"kind": "refuse", "code": "91504"},),
}


def baskets(seed: int, refunds: int) -> list[Basket]:
    """Return the orders out of which *refunds* refunds are to come."""
    chance = random.Random(f"baskets {seed}")
    made: list[Basket] = []
    while (left := refunds - sum(basket.wins for basket in made)) > 0:
        shape = chance.choices([shape for _, shape in SHAPES], [weight for weight, _ in SHAPES])[0]
        basket = shape(chance, f"{seed}-{len(made)}")
        if basket.wins <= left:
            made.append(basket)
    return made


def disturbances(seed: int, orders: int) -> list[list[Step]]:
    """Return for each of *orders* orders what is done just before its refunds are issued."""
    chance = random.Random(f"disturbances {seed}")
    quick, costly = _dealt(chance, QUICK), _dealt(chance, COSTLY)
    every, often = (4, 0.9) if orders < SMALL else (12, 0.6)
    plan = []
    for number in range(orders):
        steps = [_fault(chance)] if chance.random() < often else []
        if number % 3 == 1:
            steps.append(Step(act=next(quick), pick=chance.random()))
        if number % every == every - 1:
            steps.append(Step(act=next(costly), pick=chance.random()))
        plan.append(steps)
    return plan


def _dealt(chance: random.Random, deck: tuple[Act, ...]) -> Iterator[Act]:
    """Yield the cards of *deck*, shuffled anew each time that all were dealt."""
    while True:
        yield from chance.sample(deck, len(deck))


def _fault(chance: random.Random) -> Step:
    operation = chance.choices(("refund", "void", "find"), (6, 2, 3))[0]
    kinds = [LOSSES]
    if operation != "find":
        kinds += [LANDINGS, REFUSALS[operation]]
    options = dict(chance.choice(chance.choice(kinds)))
    return Step(act=Act.FAULT, options={"operation": operation, **options})


def _cents(chance: random.Random) -> int:
    return chance.randint(500, 9000)


def _whole(chance: random.Random, name: str) -> Basket:
    asks = (Ask(token=name),)
    return Basket(cards=(_cents(chance),), asks=asks, wins=1, settled=chance.random() < 0.7)


def _part(chance: random.Random, name: str) -> Basket:
    paid = _cents(chance)
    asks = (Ask(token=name, cents=chance.randint(1, paid - 1)),)
    return Basket(cards=(paid,), asks=asks, wins=1, settled=chance.random() < 0.6)


def _two_cards(chance: random.Random, name: str) -> Basket:
    cards = (_cents(chance), _cents(chance))
    cents = chance.choice([None, chance.randint(1, sum(cards) - 1)])
    asks = (Ask(token=name, cents=cents),)
    return Basket(cards=cards, asks=asks, wins=1, settled=chance.random() < 0.7)


def _several(chance: random.Random, name: str) -> Basket:
    """Several parts of one sale, asked for by several people at once."""
    count, paid = chance.randint(2, 4), _cents(chance)
    asks = tuple(Ask(token=f"{name}-{n}", cents=paid // (count + 1)) for n in range(count))
    return Basket(cards=(paid,), asks=asks, wins=count, settled=chance.random() < 0.8)


def _too_much(chance: random.Random, name: str) -> Basket:
    """Three people give everything back at once: one of them may."""
    asks = tuple(Ask(token=f"{name}-{n}") for n in range(3))
    return Basket(cards=(_cents(chance),), asks=asks, wins=1)


def _sent_twice(chance: random.Random, name: str) -> Basket:
    """One form, sent three times at once: one refund."""
    return Basket(cards=(_cents(chance),), asks=(Ask(token=name),) * 3, wins=1)


def _declined(chance: random.Random, name: str) -> Basket:
    """An amount that the processor declines to give back."""
    cents = chance.choice([200_000, 200_500, 204_700])
    return Basket(cards=(450_000,), asks=(Ask(token=name, cents=cents),), wins=1)


def _other_means(chance: random.Random, name: str) -> Basket:
    return Basket(cards=(_cents(chance),), asks=(Ask(token=name, to_card=False),), wins=1)


SHAPES: tuple[tuple[int, Callable[[random.Random, str], Basket]], ...] = (
    (26, _whole),
    (36, _part),
    (12, _two_cards),
    (10, _several),
    (5, _too_much),
    (4, _sent_twice),
    (3, _declined),
    (4, _other_means),
)
