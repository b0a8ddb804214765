"""``flask`` processes of the tests are real, watched, and surely ended."""

import os
from pathlib import Path

import pytest

from tests.conftest import RunFlask, StartFlask

APP = """
import os, time
import click
from flask import Flask

app = Flask(__name__)

@app.cli.command()
def greet():
    click.echo("hello " + os.environ["WHO"])

@app.cli.command()
def wait():
    click.echo("waiting")
    time.sleep(60)
"""


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "bare_shop.py"
    path.write_text(APP)
    return f"{path}:app"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_run_flask_returns_what_the_command_wrote(run_flask: RunFlask, shop: str) -> None:
    ran = run_flask(shop, "greet", env={"WHO": "world"})

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "hello world\n", "")


def test_start_flask_runs_until_it_is_stopped(start_flask: StartFlask, shop: str) -> None:
    process = start_flask(shop, "wait")
    process.wait_for("waiting")
    assert alive(process.pid)

    assert process.stop() == -15
    assert not alive(process.pid)


def test_wait_for_tells_that_the_process_ended(start_flask: StartFlask, shop: str) -> None:
    process = start_flask(shop, "no-such-command")

    with pytest.raises(AssertionError, match="ended with 2"):
        process.wait_for("waiting")
