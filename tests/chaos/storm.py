"""Carrying out the plan: refunds are issued, and everything around them is disturbed."""

import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TypeVar

from redis import Redis
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ColumnElement

from flask_refunds import correcting
from flask_refunds.errors import Busy, RefundsError
from flask_refunds.models import Transfer
from flask_refunds.states import IN_FLIGHT, Detail, Method, TransferState
from tests.chaos.schedule import Act, Basket, Step
from tests.chaos.shop import STAFF, Sold
from tests.chaos.stage import Stage

AT_ONCE = 6
"""How many of the staff work at the same time."""
PACE = 0.1
"""Seconds between two orders."""
BACKLOG, LONGEST_STEP = 40, 2.0
"""With more than so many refunds not begun, the next order waits, but no longer than so."""
LONGEST_PAUSE = 1.0
"""Seconds after which what waits, or a gateway that is down, is tried again in the storm."""
GONE_FOR = 1.5
"""Seconds for which the database is lost."""
_CONNECTIONS = {
    "postgresql": (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ),
    "mysql": (
        "SELECT id FROM information_schema.processlist"
        " WHERE db = database() AND id <> connection_id()"
    ),
}
_FAILED = Transfer.state == TransferState.FAILED
_NOT_BEGUN = (Transfer.state == TransferState.STARTED, Transfer.detail == Detail.NONE)

T = TypeVar("T")


class Storm:
    """Issues the refunds of *baskets* on *stage*; each order's own disturbances come before it."""

    def __init__(self, stage: Stage, sold: Sequence[Sold], baskets: Sequence[Basket]) -> None:
        self._stage, self._sold, self._baskets = stage, sold, baskets
        self.issued: set[int] = set()
        self.refused = 0
        self.faults = Counter[str]()
        self.acts = Counter[str]()
        self._do: Mapping[Act, Callable[[Step], bool]] = {
            Act.FAULT: self._fault,
            Act.DECLINE_LATE: self._decline_late,
            Act.SETTLE: self._settle,
            Act.HIDE_SETTLING: self._hide_settling,
            Act.FLUSH_QUEUE: self._flush_queue,
            Act.WAKE_TWICE: self._wake_twice,
            Act.RETRY: self._retry,
            Act.PAY_OTHERWISE: self._pay_otherwise,
            Act.LOSE_DATABASE: self._lose_database,
            Act.KILL_WORKER: self._kill_worker,
            Act.RESTART_WORKER: self._restart_worker,
            Act.WRONG_KEYS: self._wrong_keys,
            Act.SWEEP: self._sweep,
            Act.RESTART_QUEUE: self._restart_queue,
            Act.RESTART_GATEWAY: self._restart_gateway,
        }

    def rage(self, plan: Sequence[Sequence[Step]]) -> None:
        """Do all of it, and return when all refunds are issued."""
        with ThreadPoolExecutor(AT_ONCE) as staff:
            asked: list[Future[int | None]] = []
            for sold, basket, steps in zip(self._sold, self._baskets, plan, strict=True):
                for step in steps:
                    if self._do[step.act](step) and step.act is not Act.FAULT:
                        self.acts[step.act] += 1
                asked += [staff.submit(self._stage.shop.issue, sold, ask) for ask in basket.asks]
                self._keep_step()
            for future in asked:
                refund_id = future.result()
                if refund_id is None:
                    self.refused += 1
                else:
                    self.issued.add(refund_id)

    def _keep_step(self) -> None:
        """Issue no faster than the workers can follow, so that the storm meets them at work.

        A gateway that counts as down for minutes would spare them the rest of the storm.
        """
        with suppress(Busy, DBAPIError):
            self._stage.shop.hasten(LONGEST_PAUSE)
        until = time.monotonic() + LONGEST_STEP
        time.sleep(PACE)
        while len(self._transfers(*_NOT_BEGUN)) > BACKLOG and time.monotonic() < until:
            time.sleep(PACE)

    def _fault(self, step: Step) -> bool:
        options = dict(step.options)
        kind = options.pop("kind")
        self._stage.gateway.fault(kind, **options)
        said = f"{kind} {options['status']}" if kind == "status" else kind
        said += f" {options['code']}" if "code" in options else ""
        self.faults[f"{options['operation']}: {said}"] += options.get("times", 1)
        return True

    def _decline_late(self, step: Step) -> bool:
        open_ = [
            refund["id"]
            for sale in self._stage.gateway.audit()["sales"]
            for refund in sale["refunds"]
            if refund["status"] == "submitted_for_settlement"
        ]
        chosen = _picked(open_, step)
        if chosen is not None:
            self._stage.gateway.decline_settlement(chosen)
        return chosen is not None

    def _settle(self, _step: Step) -> bool:
        """Settle the oldest sales that have not; the others go on waiting."""
        open_ = self._unsettled()
        settled = [self._stage.shop.settle(sale) for sale in open_[: 1 + len(open_) // 10]]
        return any(settled)

    def _unsettled(self) -> list[str]:
        sales = self._stage.gateway.audit()["sales"]
        return [sale["id"] for sale in sales if sale["status"] == "submitted_for_settlement"]

    def _hide_settling(self, step: Step) -> bool:
        chosen = _picked(self._unsettled(), step)
        if chosen is not None:
            self._stage.gateway.hide_settling(chosen)
        return chosen is not None

    def _flush_queue(self, _step: Step) -> bool:
        with closing(Redis.from_url(self._stage.shop.runtime.config.redis_url or "")) as client:
            client.flushall()
        return True

    def _wake_twice(self, step: Step) -> bool:
        chosen = _picked(self._transfers(Transfer.state.in_(IN_FLIGHT)), step)
        if chosen is None:
            return False
        return all(self._stage.shop.runtime.queue.wake(chosen) for _ in range(4))

    def _retry(self, step: Step) -> bool:
        chosen = _picked(self._transfers(_FAILED), step)
        return chosen is not None and self._by_person(
            lambda: correcting.retry(self._stage.shop.runtime, chosen, STAFF, why="again")
        )

    def _pay_otherwise(self, step: Step) -> bool:
        chosen = _picked(self._transfers(_FAILED), step)
        return chosen is not None and self._by_person(
            lambda: correcting.pay_otherwise(
                self._stage.shop.runtime, chosen, STAFF, kind="cash", why="in the shop"
            )
        )

    def _by_person(self, work: Callable[[], object]) -> bool:
        with suppress(RefundsError, DBAPIError), self._stage.shop.context():
            work()
            return True
        return False

    def _transfers(self, *conditions: ColumnElement[bool]) -> list[int]:
        """Return the ids of the card transfers that meet *conditions*; none without a database."""
        with suppress(DBAPIError):
            return self._stage.shop.read(
                lambda session: list(
                    session.scalars(
                        select(Transfer.id)
                        .where(Transfer.method == Method.CARD, *conditions)
                        .order_by(Transfer.id)
                    )
                )
            )
        return []

    def _lose_database(self, _step: Step) -> bool:
        url = make_url(self._stage.shop.app.config["SQLALCHEMY_DATABASE_URI"])
        backend = url.get_backend_name()
        if backend == "sqlite":
            with closing(sqlite3.connect(url.database or "", isolation_level=None)) as connection:
                try:
                    connection.execute("BEGIN EXCLUSIVE")
                except sqlite3.OperationalError:  # too busy to be disturbed
                    return False
                time.sleep(GONE_FOR)
            return True
        until = time.monotonic() + GONE_FOR
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            while time.monotonic() < until:
                found = connection.scalars(text(_CONNECTIONS[backend])).all()
                for number in found if backend == "mysql" else ():
                    with suppress(DBAPIError):  # it has ended by itself
                        connection.execute(text(f"KILL {number}"))
                time.sleep(0.1)
        return True

    def _kill_worker(self, step: Step) -> bool:
        self._stage.end_worker(step.pick, signal.SIGKILL)
        return True

    def _restart_worker(self, step: Step) -> bool:
        self._stage.end_worker(step.pick, signal.SIGTERM)
        return True

    def _wrong_keys(self, step: Step) -> bool:
        wrong = {"REFUNDS_BRAINTREE_PRIVATE_KEY": "of another merchant"}
        self._stage.end_worker(step.pick, signal.SIGTERM, **wrong)
        return True

    def _sweep(self, _step: Step) -> bool:
        self._stage.sweep()
        return True

    def _restart_queue(self, _step: Step) -> bool:
        self._stage.restart_queue()
        return True

    def _restart_gateway(self, _step: Step) -> bool:
        self._stage.restart_gateway()
        return True


def _picked(choices: Sequence[T], step: Step) -> T | None:
    return choices[int(step.pick * len(choices))] if choices else None
