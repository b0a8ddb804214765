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
