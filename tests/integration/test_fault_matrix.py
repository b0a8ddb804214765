"""Everything that can go wrong with a call to the gateway, each to its end, over HTTP.

The rows are in ``fault_matrix.py``. The settings are those of production: what takes minutes is
waited for by moving our clock, while the requests, and those that land late, are real.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException
from sqlalchemy import delete, func, select, update

from flask_refunds import correcting
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.models import Account, Gateway, Posting, Transfer
from flask_refunds.processing import process
from flask_refunds.runtime import GatewayRegistry, Runtime
from flask_refunds.states import IN_FLIGHT, TransferState
from flask_refunds.verify import verify
from tests import databases
from tests.integration.fault_matrix import FAILED, LEASE, NEVER, ROWS, SETTLES, SOON, WAITS, Row
from tests.integration.workshop import AGENT, PRODUCTION, Clock, Ticket, Workshop, opened, until

IMPATIENT = 0.4
"""Seconds after which a call that is to time out does."""
MOVES = ("refund", "void")
OPERATIONS = ("void", "refund", "part")


@pytest.fixture(scope="module")
def whole_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One shop for all rows; in the end all of its books tie out."""
    url = databases.sqlite(tmp_path_factory.mktemp("matrix"))
    with opened(url, **PRODUCTION) as shop:
        yield shop
        assert shop.do(verify) == []


@pytest.fixture
def shop(whole_shop: Workshop) -> Iterator[Workshop]:
    yield whole_shop
    whole_shop.gateway.clear_faults()
    whole_shop.gateway.release()
    whole_shop.gateway.keys("on")
    forget = delete(Gateway)
    whole_shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(forget) and None))


class Apart:
    """A gateway that is looked at by one way and called by another."""

    def __init__(self, looks: BraintreeGateway, moves: BraintreeGateway) -> None:
        self._looks, self._moves = looks, moves

    def __getattr__(self, name: str) -> Any:
        return getattr(self._moves if name in MOVES else self._looks, name)


class Bench:
    """One refund or void of a sale, whose call is struck."""

    def __init__(
        self, shop: Workshop, operation: str, keys: str, *, looks_there_too: bool = False
    ) -> None:
        self.shop, self.keys, self.clock = shop, keys, Clock()
        self._looks_there_too = looks_there_too
        shop.gateway.keys(keys)
        part = 1000 if operation == "part" else None
        self.ticket: Ticket = shop.refund_of(3000, settled=operation != "void", part=part)
        self.move = "void" if operation == "void" else "refund"
        self.calm = self.gateway()

    def gateway(self, **changes: Any) -> BraintreeGateway:
        """Return a gateway of its own; one of an account without keys knows that already."""
        config = {**self.shop.app.config, "REFUNDS_GATEWAY_TIMEOUT": 30, **changes}
        made = BraintreeGateway.from_config(config)
        if self.keys == "refused":
            made.capabilities = replace(made.capabilities, idempotency_key=False)
        return made

    def elsewhere(self, url: str) -> Apart:
        """Return the gateway whose moving calls go to another address."""
        moves = self.gateway(REFUNDS_BRAINTREE_URL=url, REFUNDS_GATEWAY_TIMEOUT=IMPATIENT)
        return Apart(moves if self._looks_there_too else self.calm, moves)

    def impatient(self) -> Apart:
        """Return the gateway whose moving calls time out soon."""
        return Apart(self.calm, self.gateway(REFUNDS_GATEWAY_TIMEOUT=IMPATIENT))

    def runtime(self, gateway: Any) -> Runtime:
        """Return the runtime of a worker with this gateway, at the time of our clock."""
        gateways = GatewayRegistry({"braintree": lambda: gateway})
        return replace(self.shop.runtime, gateways=gateways, clock=self.clock)

    def process(self, gateway: Any = None) -> None:
        """Bring the transfer one step further."""
        runtime = self.runtime(gateway or self.calm)
        with self.shop.app.app_context():
            process(runtime, self.ticket.id)

    def fault(self, operation: str = "", **fault: Any) -> None:
        """Have the next call of the sale struck."""
        self.shop.gateway.fault(
            operation=operation or self.move, transaction_id=self.ticket.sale, **fault
        )

    def wait(self) -> None:
        """Let the time pass until the transfer is due."""
        transfer = self.ticket.now
        due = transfer.lease_until or transfer.next_attempt_at
        assert due is not None, (transfer.state, transfer.detail)
        self.clock.ahead += due - self.clock() + timedelta(seconds=1)

    def go_on(self) -> None:
        """Wait and work until the transfer is at its end."""
        for _ in range(12):
            if self.ticket.now.state not in IN_FLIGHT:
                return
            self.wait()
            self.process()
        raise AssertionError(f"still {self.ticket.now.state} {self.ticket.now.detail}")

    def landed(self) -> None:
        """Let go what is held, and return when it has been carried out."""
        self.shop.gateway.release()
        until(lambda: self.ticket.audit["total_given_back"])

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What the gateway's log has of moving calls for the sale."""
        return [
            each
            for each in self.shop.gateway.requests()
            if each["operation"] in MOVES and each["transaction_id"] == self.ticket.sale
        ]

    def nothing_given_back(self, *, by_others: int = 0) -> None:
        """Assert that gateway, ledger and account agree that nothing went back."""
        assert self.ticket.audit["total_given_back"] == by_others
        posted = select(func.count(Posting.id)).where(Posting.transfer_id == self.ticket.id)
        assert self.shop.rows(posted) == [0]
        account = select(Account.committed).where(Account.order_ref == self.ticket.order_ref)
        assert self.shop.rows(account) == [0]


# The ways to strike that are not a fault of the simulator: each makes the first attempt.


def refused(bench: Bench) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    bench.process(bench.elsewhere(url))


def dns(bench: Bench) -> None:
    bench.process(bench.elsewhere("http://gateway.invalid:8080"))


def connect_timeout(bench: Bench) -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.1)
            filler.connect_ex(full.getsockname())
        bench.process(bench.elsewhere(f"http://127.0.0.1:{full.getsockname()[1]}"))


def silence(bench: Bench) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        bench.process(bench.elsewhere(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def done_at_once(bench: Bench) -> None:
    bench.fault(kind="hold", where="after")
    bench.process(bench.impatient())
    bench.shop.gateway.wait_held()


def lands_soon(bench: Bench) -> None:
    bench.fault(kind="hold", where="before")
    bench.process(bench.impatient())
    bench.shop.gateway.wait_held()


def other_answer(bench: Bench) -> None:
    _, (other,) = bench.shop.sell(3000)
    bench.fault(kind="other_answer", answer_id=other)
    bench.process()


def bad_id(bench: Bench) -> None:
    blank = update(Transfer).where(Transfer.id == bench.ticket.id).values(charge_id=" ")
    bench.shop.do(lambda runtime: runtime.sessions.transact(lambda s: s.execute(blank) and None))
    bench.process()


def job_timeout(bench: Bench) -> None:
    with interrupted_by(bench, JobTimeoutException("too long")):
        bench.process()


def exit_(bench: Bench) -> None:
    with interrupted_by(bench, SystemExit(1)), pytest.raises(SystemExit):
        bench.process()


@contextmanager
def interrupted_by(bench: Bench, error: BaseException) -> Iterator[None]:
    """Have *error* raised in the middle of the call, when the gateway holds the request."""

    def strike(_number: int, _frame: FrameType | None) -> None:
        raise error

    def when_held() -> None:
        bench.shop.gateway.wait_held()
        os.kill(os.getpid(), signal.SIGUSR1)

    bench.fault(kind="hold", where="before")
    before = signal.signal(signal.SIGUSR1, strike)
    watching = threading.Thread(target=when_held)
    watching.start()
    yield
    watching.join()
    signal.signal(signal.SIGUSR1, before)


def hidden_settling(bench: Bench) -> None:
    bench.shop.gateway.hide_settling(bench.ticket.sale)
    bench.process()


def refunded_outside(bench: Bench) -> None:
    bench.calm.refund(bench.ticket.sale, 3000, "USD", key="theirs", reference="theirs")
    bench.process()


WAYS: dict[str, Callable[[Bench], None]] = {
    "refused": refused,
    "dns": dns,
    "connect_timeout": connect_timeout,
    "silence": silence,
    "done_at_once": done_at_once,
    "lands_soon": lands_soon,
    "lands_late": lands_soon,
    "in_flight": lands_soon,
    "other_answer": other_answer,
    "bad_id": bad_id,
    "job_timeout": job_timeout,
    "exit": exit_,
    "hidden_settling": hidden_settling,
    "refunded_outside": refunded_outside,
}


def strike(bench: Bench, row: Row) -> None:
    """Make the first attempt, and have it struck as *row* says."""
    if row.way:
        WAYS[row.way](bench)
    else:
        bench.fault(**row.fault)
        bench.process()


def right_after(bench: Bench, row: Row) -> None:
    """Assert what *row* says of the transfer after its first attempt."""
    transfer, (attempt,) = bench.ticket.now, bench.ticket.attempts
    assert (transfer.state, transfer.detail, attempt.outcome or "none") == row.after
    new_at_once = row.again == SETTLES
    assert (transfer.request_key != attempt.request_key) is new_at_once
    assert (transfer.lease_until is not None) is (row.again == LEASE)
    if row.again in {LEASE, NEVER}:
        assert transfer.next_attempt_at is None
    else:
        config = bench.shop.runtime.config
        first = {SOON: config.retry_interval, SETTLES: config.settle_interval}[row.again]
        assert transfer.next_attempt_at is not None
        wait = (transfer.next_attempt_at - attempt.started_at).total_seconds()
        assert 0.8 * first <= wait < first + 30


def in_between(bench: Bench, row: Row) -> None:
    """Do what happens at the gateway between our first attempt and the end."""
    if row.way == "lands_late":
        bench.wait()
        bench.process()
        assert [attempt.code for attempt in bench.ticket.attempts][-1] == "window"
    elif row.way == "in_flight":
        while len(bench.calls) < 3:
            bench.wait()
            bench.process()
        assert bench.ticket.attempts[-1].code == "915233"
        assert bench.ticket.now.state == TransferState.PROCESSING
    if row.made == "later":
        bench.landed()


CASES = [
    pytest.param(row, operation, keys, id=f"{row.what}-{operation}-{keys}".replace(" ", "_"))
    for row in ROWS
    for operation in row.by
    for keys in row.keys
    if keys == "on" or operation != "refund"  # to an account, a part is the more dangerous one
]


@pytest.mark.parametrize(("row", "operation", "keys"), CASES)
def test_each_fault_ends_as_the_matrix_says(
    shop: Workshop, row: Row, operation: str, keys: str
) -> None:
    bench = Bench(shop, operation, keys)

    strike(bench, row)
    right_after(bench, row)
    in_between(bench, row)
    bench.go_on()

    assert bench.ticket.now.state == row.end
    if row.end == "failed":
        refunded_by_others = 3000 if row.way == "refunded_outside" else 0
        bench.nothing_given_back(by_others=refunded_by_others)
        if row.way:
            return  # nothing is left to be refunded, or no sale to refund
        bench.shop.do(correcting.retry, bench.ticket.id, AGENT)
        bench.go_on()
    bench.ticket.given_back_once()
    new = row.new_key or row.end == "failed"
    assert bench.ticket.now.generation == (2 if new else 1)
    if row.made in {"yes", "later"} and row.way not in {"in_flight", "hidden_settling"}:
        assert len(bench.calls) == 1


LOOKS = [row for row in ROWS if row.fault.get("kind") in
         {"drop_before", "drop_after", "cut", "empty", "html", "status"}]  # fmt: skip


@pytest.mark.parametrize("row", LOOKS, ids=lambda row: row.what.replace(" ", "_"))
def test_a_fault_while_we_look_leaves_everything_to_be_done(shop: Workshop, row: Row) -> None:
    bench = Bench(shop, "part", "on")
    bench.fault("find", **row.fault)

    bench.process()

    transfer, (attempt,) = bench.ticket.now, bench.ticket.attempts
    not_found = row.fault.get("status") == 404
    assert (transfer.state, transfer.detail, attempt.outcome) == (FAILED if not_found else WAITS)
    assert (attempt.operation, attempt.called_at, bench.calls) == (None, None, [])
    if not_found:
        return bench.nothing_given_back()
    bench.go_on()
    assert bench.ticket.now.generation == 1
    return bench.ticket.given_back_once()


@pytest.mark.parametrize("way", ["refused", "dns", "connect_timeout", "silence"])
def test_a_gateway_that_cannot_be_looked_at_is_not_called(shop: Workshop, way: str) -> None:
    bench = Bench(shop, "part", "on", looks_there_too=True)
    WAYS[way](bench)

    (attempt,) = bench.ticket.attempts
    assert (bench.ticket.now.state, bench.ticket.now.detail, attempt.outcome) == WAITS
    assert (attempt.called_at, bench.calls) == (None, [])
    bench.go_on()
    bench.ticket.given_back_once()


@pytest.mark.parametrize("looks", [1, 3])
def test_looks_that_fail_are_repeated_before_anything_is_sent(shop: Workshop, looks: int) -> None:
    bench = Bench(shop, "part", "ignored")
    bench.fault(kind="drop_before")
    bench.process()
    bench.fault("find", kind="status", status=503, times=looks)
    bench.clock.advance(600)  # nothing can land any more

    for _ in range(looks):
        bench.process()
        assert bench.ticket.now.state == TransferState.PROCESSING
        assert len(bench.calls) == 1
        bench.wait()
    bench.go_on()

    bench.ticket.given_back_once()
    assert len(bench.calls) == 2
