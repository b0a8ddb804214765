"""Hosts of the zoo, opened on a database for what is peculiar to them."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from flask_refunds.testing import Simulator
from tests import databases
from tests.hosts import zoo
from tests.zoo.shop import Shop, opened


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """The gateway of all hosts."""
    with Simulator() as running:
        yield running


class OpenShop(Protocol):
    """The type of the fixture ``open_shop``."""

    def __call__(self, name: str, kind: str = "sqlite", **settings: Any) -> Shop:
        """Open the host *name* on a database of *kind*, with its order sold."""


@pytest.fixture
def open_shop(request: pytest.FixtureRequest, simulator: Simulator) -> Iterator[OpenShop]:
    """Open hosts with databases of their own, and close them after the test."""
    with ExitStack() as stack:

        def open_one(name: str, kind: str = "sqlite", **settings: Any) -> Shop:
            host = zoo.host(name)
            urls = {bind: _fresh(request, kind, stack) for bind in (None, *host.binds)}
            till = zoo.Till(simulator)
            stack.callback(till.close)
            known = {
                "TESTING": True,
                "SQLALCHEMY_DATABASE_URI": urls.pop(None),
                "SQLALCHEMY_BINDS": urls,
                "REFUNDS_REDIS_URL": None,
                "REFUNDS_SALE_PAUSE": 0.001,
                "REFUNDS_SETTLE_INTERVAL": 0.001,
                "REFUNDS_RETRY_INTERVAL": 0.001,
                **simulator.gateway_config(),
                **settings,
            }
            return stack.enter_context(opened(host, known, till))

        yield open_one
    simulator.client.reset()


def _fresh(request: pytest.FixtureRequest, kind: str, stack: ExitStack) -> str:
    """Return the URL of an empty database."""
    if kind == "sqlite":
        return databases.sqlite(request.getfixturevalue("tmp_path"))
    return stack.enter_context(databases.created(request.getfixturevalue("server_url")(kind)))
