"""The simulator ends cleanly, and what it knew survives in its file."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flask_refunds.testing import Simulator, SimulatorClient
from tests.integration.simulator import SdkConnectionError
from tests.integration.simulator.sdk import codes, sdk_for, sell

REFUND = {"amount": "4.00", "order_id": "r1", "api_request_key": "k1"}


def test_a_restart_on_the_same_file_knows_sales_refunds_and_keys(tmp_path: Path) -> None:
    file = tmp_path / "simulator.sqlite"
    with Simulator(file) as first:
        sdk = sdk_for(first)
        sale = sell(sdk, settled=True)
        refund = sdk.transaction.refund(sale.id, REFUND).transaction
        port = first.port
    with Simulator(file, port) as second:
        assert second.port == port
        assert sdk.transaction.refund(sale.id, REFUND).transaction.id == refund.id
        assert second.client.sale(sale.id)["total_given_back"] == 400
        assert codes(sdk.transaction.refund(sale.id, {"amount": "7.00"})) == ["91521"]


def test_a_stopped_simulator_answers_nobody(simulator: Simulator, sdk: Any) -> None:
    sale = sell(sdk)
    simulator.stop()
    with pytest.raises(SdkConnectionError):
        sdk.transaction.find(sale.id)


def test_a_held_request_is_lost_with_the_simulator(tmp_path: Path) -> None:
    with Simulator(tmp_path / "simulator.sqlite") as first:
        sdk = sdk_for(first)
        sale = sell(sdk, settled=True)
        first.client.fault("late_landing", "refund", seconds=1, drop=True)
        with pytest.raises(SdkConnectionError):
            sdk.transaction.refund(sale.id, REFUND)
    time.sleep(1.2)
    with Simulator(tmp_path / "simulator.sqlite") as second:
        assert second.client.sale(sale.id)["total_given_back"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_url_first_and_ends_cleanly(tmp_path: Path, number: int) -> None:
    port_file = tmp_path / "port"
    arguments = ["--port", "0", "--file", str(tmp_path / "s.sqlite"), "--port-file", str(port_file)]
    with subprocess.Popen(
        [sys.executable, "-m", "flask_refunds.testing.simulator", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url == f"http://127.0.0.1:{port_file.read_text().strip()}"
            assert SimulatorClient(url).audit()["sales"] == []
            process.send_signal(number)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_a_killed_simulator_has_lost_nothing_that_it_answered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flask_refunds.testing.simulator", "--file",
               str(tmp_path / "s.sqlite")]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            there = Simulator(port=int(process.stdout.readline().rpartition(":")[2]))
            sdk = sdk_for(there, timeout=10)
            sale = sell(sdk, settled=True)
            assert sdk.transaction.refund(sale.id, REFUND).is_success
        finally:
            process.kill()
    with Simulator(tmp_path / "s.sqlite") as second:
        assert second.client.sale(sale.id)["total_given_back"] == 400
