"""One run: sell, rage, let it calm down, and compare everything with everything."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import and_, func, not_, or_, select
from sqlalchemy.orm import Session

from flask_refunds import attention
from flask_refunds.models import Transfer
from flask_refunds.states import IN_FLIGHT, Detail, Method
from tests import databases
from tests.chaos.evidence import evidence
from tests.chaos.facts import Facts, read_facts
from tests.chaos.invariants import at_rest
from tests.chaos.schedule import baskets, disturbances
from tests.chaos.stage import HURRIED, Stage
from tests.chaos.storm import Storm
from tests.servers import STARTERS

KEYS = {"on": "on", "off": "refused", "ignored": "ignored"}
"""How the gateway treats request keys: off is an account without the feature."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is to be. ``calm`` is how many seconds it may take to come to rest."""

    seed: int
    refunds: int
    keys: str
    database: str
    calm: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a run. ``evidence`` is empty when all held."""

    seconds: float
    issued: int
    refused: int
    transfers: Counter[str]
    faults: Counter[str]
    acts: Counter[str]
    evidence: list[str] = field(default_factory=list)


def run(options: Options, folder: Path, say: Callable[[str], object]) -> Report:
    """Run *options* in the empty *folder* and return what came of it."""
    began = time.monotonic()
    orders = baskets(options.seed, options.refunds)
    plan = disturbances(options.seed, len(orders))
    with _database(options.database, folder) as url, Stage(folder, url) as stage:
        stage.gateway.keys(KEYS[options.keys])
        sold = [stage.shop.sell(basket) for basket in orders]
        for sale in [
            id_ for each, b in zip(sold, orders, strict=True) if b.settled for id_ in each.sales
        ]:
            stage.gateway.settle(sale)
        say(f"{len(orders)} orders are sold; the storm begins.")
        storm = Storm(stage, sold, orders)
        storm.rage(plan)
        say(f"{len(storm.issued)} refunds are issued; the storm is over.")
        ended = _calm_down(stage, options.calm)
        facts = read_facts_of(stage)
        found = [line for each in at_rest(facts, storm.issued) for line in evidence(stage, each)]
        if len(storm.issued) < options.refunds:
            found.append(f"issued {len(storm.issued)} refunds instead of {options.refunds}")
        found += [f"a worker ended by itself with status {code}" for code in ended]
        found += _verified(stage, "verify") + _verified(stage, "verify", "--gateway")
        return Report(
            seconds=time.monotonic() - began,
            issued=len(storm.issued),
            refused=storm.refused,
            transfers=Counter(_ending(facts)),
            faults=storm.faults,
            acts=storm.acts,
            evidence=found,
        )


def read_facts_of(stage: Stage) -> Facts:
    """Return the facts of both sides of *stage* now."""
    with stage.shop.context() as runtime:
        return read_facts(runtime, stage.gateway.audit())


def _calm_down(stage: Stage, seconds: float) -> list[int]:
    """Take all faults away and return when nothing is left to do, or when it takes too long."""
    stage.gateway.clear_faults()
    ended = stage.renew_workers()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stage.shop.hasten(HURRIED["REFUNDS_SETTLE_INTERVAL"])
        busy, waiting, settling = stage.shop.read(lambda session: _left(session, stage))
        if not busy:
            stage.gateway.settle_all("sale" if waiting else "credit")
            if not waiting and not settling:
                break
        time.sleep(0.5)
    return ended


def _left(session: Session, stage: Stage) -> tuple[int, int, int]:
    """Return how many transfers have to end, wait for their sale to settle, have to settle."""
    runtime = stage.shop.runtime
    needy = or_(*attention.conditions(runtime.config, runtime.now()).values())
    accepted = Transfer.gateway_refund_id.is_not(None)
    working = and_(Transfer.state.in_(IN_FLIGHT), not_(accepted), not_(needy))
    waits = Transfer.detail == Detail.WAITING_FOR_SETTLEMENT
    count = select(func.count()).select_from(Transfer)
    return (
        session.scalar(count.where(working, not_(waits))) or 0,
        session.scalar(count.where(working, waits)) or 0,
        session.scalar(count.where(Transfer.poll_at.is_not(None))) or 0,
    )


def _ending(facts: Facts) -> Iterator[str]:
    for move in facts.moves:
        how = "by other means" if move.method is Method.OTHER else move.detail
        yield f"{move.state} ({how})" if how else str(move.state)


def _verified(stage: Stage, *arguments: str) -> list[str]:
    """Return what ``flask refunds verify`` finds; nothing when all ties out."""
    ran = stage.run(*arguments)
    if ran.returncode == 0:
        return []
    return [
        f"flask refunds {' '.join(arguments)} ended with {ran.returncode}:",
        ran.stdout,
        ran.stderr,
    ]


@contextmanager
def _database(named: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database: *named*, or of that kind, on a server of our own."""
    if named == "sqlite":
        yield databases.sqlite(folder)
    elif named in STARTERS:
        server, url = STARTERS[named](folder / named)
        try:
            with databases.created(url) as created:
                yield created
        finally:
            server.stop()
    else:
        yield named
