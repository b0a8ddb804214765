"""The built wheel, installed in an empty environment, refunds an order of a shop it never saw."""

import html
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from flask_refunds.testing import Simulator
from tests.building import build
from tests.integration.orders import sell
from tests.processes import ROOT
from tests.servers import free_port

HOST = ROOT / "tests" / "hosts" / "tiny.py"
FILL = """
from tiny import *
with create_app().app_context():
    db.create_all()
    db.session.add_all([
        User(id=1, name="Ada"),
        Order(id=1, user_id=1, cents=3000),
        Item(order_id=1, name="Mug", cents=1000), Item(order_id=1, name="Tea", cents=2000),
        Payment(order_id=1, sale=SALE, cents=3000),
    ])
    db.session.commit()
"""
COUNT = """
from tiny import *
with create_app().app_context():
    print([db.session.query(m).count() for m in (User, Order, Item, Payment)])
"""


class Installed:
    """An environment of its own with our wheel in it, and the tiny shop in its folder."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env
        self.python = str(folder / "venv" / "bin" / "python")

    def run(self, *args: str) -> str:
        ran = subprocess.run(
            [self.python, *args],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def installed(tmp_path: Path, simulator: Simulator) -> Installed:
    """Build the wheel and install it where nothing of this repository can be seen."""
    wheel = build(tmp_path, "--wheel")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "FLASK"))}
    env |= {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'shop.sqlite'}",
        "BRAINTREE_URL": simulator.url,
        "FLASK_APP": "tiny",
    }
    place = Installed(tmp_path, env)
    place.run("-m", "pip", "install", "--quiet", str(wheel))
    shutil.copy(HOST, tmp_path / "tiny.py")
    return place


@pytest.mark.timeout(400)
def test_the_wheel_serves_a_tiny_shop_and_completes_a_refund(
    installed: Installed, simulator: Simulator
) -> None:
    where = installed.run("-c", "import flask_refunds; print(flask_refunds.__file__)")
    assert str(installed.folder / "venv") in where
    sale = sell(simulator, "30.00")
    installed.run("-c", FILL.replace("SALE", repr(sale)))
    installed.run("-m", "flask", "refunds", "upgrade")
    installed.run("-m", "flask", "refunds", "check")

    port = free_port()
    server = subprocess.Popen(
        [installed.python, "-m", "flask", "run", "--port", str(port), "--no-reload"],
        cwd=installed.folder,
        env=installed.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        click_through(f"http://127.0.0.1:{port}")
        installed.run("-m", "flask", "refunds", "sweep")
        page = requests.get(f"http://127.0.0.1:{port}/admin/refunds_desk/", timeout=30)
        assert page.status_code == 200
        assert "Completed" in page.text
    finally:
        server.terminate()
        server.wait(20)

    assert simulator.client.sale(sale)["total_given_back"] == 3000
    installed.run("-m", "flask", "refunds", "verify")
    assert installed.run("-c", COUNT).strip() == "[1, 1, 2, 1]"


def click_through(base: str) -> None:
    """Refund the one order as a person without scripts does."""
    with requests.Session() as browser:
        users = wait_for(browser, f"{base}/admin/user/")
        history = follow(browser, base, users, "Account History")
        form = follow(browser, base, history, "Refund Order")
        fields = {
            named[1]: html.unescape(valued[1])
            for tag in re.findall(r"<input\b[^>]*>", form)
            if 'type="hidden"' in tag
            and (named := re.search(r'name="([^"]+)"', tag))
            and (valued := re.search(r'value="([^"]*)"', tag))
        }
        action = re.search(r'<form[^>]*class="refunds-issue"[^>]*action="([^"]+)"', form)
        assert action
        done = browser.post(
            base + html.unescape(action[1]),
            data={**fields, "everything": "y", "to_card": "y", "reason": "returned"},
            timeout=30,
        )
        assert done.status_code == 200, done.text
        assert "Started" in done.text


def follow(browser: requests.Session, base: str, page: str, words: str) -> str:
    """Return the page behind the link that says *words*."""
    for url, text in re.findall(r'<a\b[^>]*\bhref="([^"]+)"[^>]*>(.*?)</a>', page, re.DOTALL):
        if words in text:
            answer = browser.get(base + html.unescape(url), timeout=30)
            assert answer.status_code == 200, answer.text
            return answer.text
    raise AssertionError(f"no link says {words!r} on\n{page}")


def wait_for(browser: requests.Session, url: str, *, seconds: float = 30.0) -> str:
    """Return the page at *url* as soon as the server answers."""
    ends = time.monotonic() + seconds
    while True:
        try:
            answer = browser.get(url, timeout=30)
        except requests.ConnectionError:
            assert time.monotonic() < ends, "the server did not answer"
            time.sleep(0.2)
            continue
        assert answer.status_code == 200, answer.text
        return answer.text
