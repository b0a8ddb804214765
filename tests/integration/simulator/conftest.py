"""A simulator of its own for every test, and the official SDK on it."""

from collections.abc import Iterator
from typing import Any

import pytest

from flask_refunds.testing import Simulator, SimulatorClient
from tests.integration.simulator.sdk import sdk_for


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def control(simulator: Simulator) -> SimulatorClient:
    return simulator.client


@pytest.fixture
def sdk(simulator: Simulator) -> Any:
    return sdk_for(simulator)


@pytest.fixture
def hasty(simulator: Simulator) -> Any:
    """Return an SDK that gives up soon, for the calls that are meant to time out."""
    return sdk_for(simulator, timeout=0.5)
