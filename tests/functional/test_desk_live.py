"""A refund's page in a real browser: it follows the money by itself."""

from collections.abc import Iterator
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from tests.functional.conftest import Shop
from tests.functional.desk_forms import DESK

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def address(shop: Shop) -> Iterator[str]:
    """The shop on a port of this machine."""
    server = make_server("127.0.0.1", 0, shop.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def sign_in(shop: Shop, page: "Page", address: str) -> None:
    client = shop.client("admin")
    client.get("/admin/")
    cookie = client.get_cookie("session")
    assert cookie is not None
    page.context.add_cookies([{"name": "session", "value": cookie.value, "url": address}])


def test_the_page_shows_by_itself_that_the_money_is_back(
    shop: Shop, page: "Page", address: str
) -> None:
    shop.issue("plain", everything=True, to_card=True)
    sign_in(shop, page, address)
    page.goto(f"{address}{DESK}refund/1")
    status = page.locator("[data-refunds-status]")
    assert status.inner_text() == "Started"
    shop.work()
    page.wait_for_function(
        "document.querySelector('[data-refunds-status]').innerText === 'Completed'"
    )
    assert page.locator("p[role=status]").inner_text() == "Completed"
    assert page.locator(".refunds-told").first.inner_text().startswith("Refund accepted")


def test_a_narrow_page_does_not_scroll_sideways(shop: Shop, page: "Page", address: str) -> None:
    shop.issue("two_cards", everything=True, to_card=True, note="x" * 200)
    shop.work()
    sign_in(shop, page, address)
    for width in (390, 800):
        page.set_viewport_size({"width": width, "height": 844})
        for path in ("", "?q=2026-0010", "refund/1"):
            page.goto(f"{address}{DESK}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
