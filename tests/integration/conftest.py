"""Fixtures of the tests that run a shop with a worker in another process."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import pytest

from tests.conftest import StartFlask
from tests.integration.webhooks import CALM, Served, serving
from tests.integration.workshop import APP, Workshop, opened
from tests.processes import FlaskProcess


@pytest.fixture
def shop(sqlite_url: str, redis_url: str) -> Iterator[Workshop]:
    """A shop on SQLite with a queue."""
    with opened(sqlite_url, redis_url) as shop:
        yield shop


@pytest.fixture
def quiet_shop(sqlite_url: str) -> Iterator[Workshop]:
    """A shop on SQLite without a queue: what runs is what the test or a sweep runs."""
    with opened(sqlite_url) as shop:
        yield shop


class StartWorker(Protocol):
    """The type of the fixture ``start_worker``."""

    def __call__(
        self, shop: Workshop, *, concurrency: int = 4, env: Mapping[str, str] | None = None
    ) -> FlaskProcess:
        """Start ``flask refunds worker`` on *shop* and return when it works."""


@pytest.fixture
def start_worker(start_flask: StartFlask) -> StartWorker:
    """Start real workers, which are stopped after the test."""

    def start(
        shop: Workshop, *, concurrency: int = 4, env: Mapping[str, str] | None = None
    ) -> FlaskProcess:
        options = ("refunds", "worker", "--concurrency", str(concurrency))
        worker = start_flask(APP, *options, env={**shop.env(), **(env or {})})
        worker.wait_for("Processing refunds")
        return worker

    return start


@pytest.fixture
def served(sqlite_url: str) -> Iterator[Served]:
    """A shop on SQLite, served on a real socket."""
    with opened(sqlite_url, **CALM) as shop, serving(shop.app) as port:
        yield Served(shop, port)


@pytest.fixture
def any_served(database_url: str) -> Iterator[Served]:
    """A shop on each database in turn, served on a real socket."""
    with opened(database_url, **CALM) as shop, serving(shop.app) as port:
        yield Served(shop, port)
