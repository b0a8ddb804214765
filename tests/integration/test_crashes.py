"""A worker killed at every point of its work: each refund is completed, once.

The worker is a real process that stands still at the named place and is killed by SIGKILL there.
"""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_refunds.states import TransferState
from tests.conftest import RunFlask
from tests.integration.conftest import StartWorker
from tests.integration.workshop import APP, Ticket, Workshop, opened

CUTS = ["before inspect", "before call", "gateway", "after call"]
"""Claimed and looking, about to call, called and not answered, answered and not recorded."""


@pytest.fixture
def any_shop(database_url: str, redis_url: str) -> Iterator[Workshop]:
    with opened(database_url, redis_url) as shop:
        yield shop


@pytest.fixture
def killed_at(start_worker: StartWorker, tmp_path: Path) -> Callable[[Workshop, str], list[Ticket]]:
    """Issue a refund and a void, and kill their worker when both stand at the cut."""

    def kill(shop: Workshop, cut: str) -> list[Ticket]:
        file = tmp_path / "cut"
        env = {} if cut == "gateway" else {"SHOP_CUT": cut, "SHOP_CUT_FILE": str(file)}
        if cut == "gateway":
            shop.gateway.fault("hold", "refund", where="after")
            shop.gateway.fault("hold", "void", where="after")
        tickets = [shop.refund_of(3000, part=1000), shop.refund_of(2000, settled=False)]
        worker = start_worker(shop, env=env)
        if cut == "gateway":
            shop.gateway.wait_held(2)
        else:
            wait_for_lines(file, 2)
        worker.stop(signal.SIGKILL)
        shop.gateway.release()
        for ticket in tickets:
            assert ticket.now.state == TransferState.PROCESSING
            assert ticket.now.claim_token
            assert [attempt.outcome for attempt in ticket.attempts] == [None]
        moved = cut in {"gateway", "after call"}
        given = [ticket.audit["total_given_back"] for ticket in tickets]
        assert given == ([1000, 2000] if moved else [0, 0])
        return tickets

    return kill


def wait_for_lines(file: Path, count: int) -> None:
    until = time.monotonic() + 20
    while not file.exists() or len(file.read_text().splitlines()) < count:
        assert time.monotonic() < until, f"fewer than {count} calls came to the cut"
        time.sleep(0.05)


@pytest.mark.parametrize("keys", ["on", "ignored"])
@pytest.mark.parametrize("cut", CUTS)
def test_the_next_worker_completes_what_a_killed_one_had_in_hand(
    shop: Workshop,
    killed_at: Callable[[Workshop, str], list[Ticket]],
    start_worker: StartWorker,
    cut: str,
    keys: str,
) -> None:
    shop.gateway.keys(keys)
    tickets = killed_at(shop, cut)

    start_worker(shop)

    for ticket in tickets:
        ticket.wait()
        ticket.given_back_once()


def test_a_sweep_completes_it_on_every_database(
    any_shop: Workshop,
    killed_at: Callable[[Workshop, str], list[Ticket]],
    run_flask: RunFlask,
) -> None:
    any_shop.gateway.keys("ignored")
    tickets = killed_at(any_shop, "after call")

    time.sleep(any_shop.settings["REFUNDS_LEASE"])
    swept = run_flask(APP, "refunds", "sweep", env=any_shop.env())

    assert swept.returncode == 0, swept.stderr
    for ticket in tickets:
        ticket.given_back_once()


def test_a_worker_killed_twice_at_the_same_place_loses_nothing(
    shop: Workshop,
    killed_at: Callable[[Workshop, str], list[Ticket]],
    start_worker: StartWorker,
    tmp_path: Path,
) -> None:
    shop.gateway.keys("ignored")
    tickets = killed_at(shop, "after call")
    file = tmp_path / "second"
    second = start_worker(shop, env={"SHOP_CUT": "after find", "SHOP_CUT_FILE": str(file)})
    wait_for_lines(file, 1)
    second.stop(signal.SIGKILL)

    start_worker(shop)

    for ticket in tickets:
        ticket.wait()
        ticket.given_back_once()
