"""The whole journey in a shop that allows nothing inline, signed in by HTTP Basic alone."""

import logging
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from flask_refunds.testing import Simulator
from tests.browser.walking import order_of, refund_order
from tests.hosts import zoo
from tests.zoo.shop import Shop, opened

LISTEN = """
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
    if (location.pathname.includes("/refunds_")) told(`${violatedDirective} ${blockedURI}`);
  });
"""
"""Tells what is blocked on pages of ours; Flask-Admin's own lists have inline handlers."""
THEIRS = "img-src data"
"""Bootstrap's own pictures, in the style sheet that Flask-Admin brings."""


@pytest.fixture
def bakery(sqlite_url: str) -> Iterator[Shop]:
    with Simulator() as simulator:
        till = zoo.Till(simulator)
        settings = {
            "SQLALCHEMY_DATABASE_URI": sqlite_url,
            "REFUNDS_REDIS_URL": None,
            **simulator.gateway_config(),
        }
        with opened(zoo.host("float_money"), settings, till) as shop:
            yield shop
        till.close()


@pytest.fixture
def address(bakery: Shop) -> Iterator[str]:
    """The address of the running shop."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, bakery.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clerk(chromium: Browser) -> Iterator[Page]:
    """A page of whoever has the password; no script may fail, and nothing of ours be blocked."""
    wrong: list[str] = []
    context = chromium.new_context(http_credentials={"username": "bea", "password": "flour"})
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.expose_function("told", lambda words: wrong.append(words))
    page.add_init_script(LISTEN)
    yield page
    context.close()
    assert [each for each in wrong if each != THEIRS] == []


def test_an_order_is_refunded_where_nothing_inline_is_allowed(
    bakery: Shop, address: str, clerk: Page
) -> None:
    clerk.goto(f"{address}/admin/customer/")
    clerk.get_by_role("link", name="Account History").click()
    modal = refund_order(clerk, order_of(clerk, "41.09"))
    modal.get_by_label("Refund to the credit card automatically").check()
    modal.locator("input[name=lines-0-quantity]").fill("1")
    expect(modal.locator("input[name=lines-0-amount]")).to_have_value("3.69")
    modal.get_by_label("Reason").select_option("returned")
    modal.locator("[data-refunds-submit]").click()
    expect(modal).to_be_hidden()
    expect(clerk.locator("tr.refunds-line-red")).to_contain_text("Started")

    bakery.work()
    assert bakery.refunds() == [(369, "completed")]
    expect(clerk.locator("tr.refunds-line-red")).to_contain_text("Completed", timeout=30_000)
    for name in ("desk", "items", "summary", "report", "dashboard"):
        clerk.goto(f"{address}/admin/refunds_{name}/")
        expect(clerk.locator("body")).to_contain_text("3.69")
    expect(clerk.locator("figure canvas").first).to_be_visible()
