"""The ways through the demo that several tests, and the pictures of the documents, take."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, Route, expect

from tests.processes import ROOT

OURS = ("DATABASE_URL", "REDIS_URL", "BRAINTREE_URL", "FLASK_APP", "SHOP_SWATCH")


@contextmanager
def running_demo(folder: Path) -> Iterator[str]:
    """Run ``make demo``'s program from nothing in *folder*; give the address of its admin."""
    output = folder / "output"
    env = {name: value for name, value in os.environ.items() if name not in OURS}
    env |= {"PORT": "0", "DEMO_DIR": str(folder / "var"), "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "example_app.demo"],
            cwd=ROOT,
            env=env,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield address_in(output, process)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code == 0, output.read_text()


def address_in(output: Path, process: "subprocess.Popen[bytes]") -> str:
    """Return the address that the demo prints, as soon as it does."""
    ends = time.monotonic() + 120
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/admin/", output.read_text())):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < ends, output.read_text()
        time.sleep(0.2)
    return found[0]


def sign_in(page: Page, demo: str) -> None:
    """Sign in as the administrator."""
    page.goto(demo)
    page.fill("input[name=email]", "admin@example.com")
    page.fill("input[name=password]", "admin")
    page.keyboard.press("Enter")
    expect(page.locator("form.shop-session")).to_be_attached()


def account_history(page: Page, demo: str, name: str = "Ada") -> None:
    """Open the Account History of the customer called *name*."""
    page.goto(f"{demo}user/?search={name}")
    page.get_by_role("link", name="Account History").click()
    expect(page.get_by_role("heading", name="Account History")).to_be_visible()


def order_of(page: Page, total: str) -> Locator:
    """Return the order of *total* dollars, opened."""
    order = page.locator("details.refunds-order", has_text=total)
    token = order.get_attribute("data-order")
    order = page.locator(f'details[data-order="{token}"]')
    if order.get_attribute("open") is None:
        order.locator("summary").click()
    return order


def refund_order(page: Page, order: Locator) -> Locator:
    """Press Refund Order and return the Issue Refund modal."""
    order.get_by_role("link", name="Refund Order").click()
    modal = page.get_by_role("dialog")
    expect(modal.get_by_role("heading", name="Issue Refund")).to_be_visible()
    return modal


def issue(
    page: Page, demo: str, total: str, *items: str, to_card: bool, reason: str = "returned"
) -> None:
    """Give back one of each of *items* (SKUs) of Ada's order of *total*, or all of it."""
    account_history(page, demo)
    modal = refund_order(page, order_of(page, total))
    for item in items:
        line = modal.locator("tr", has_text=item)
        line.locator("input[name$=-quantity]").fill("1")
    modal.get_by_label("Reason").select_option(reason)
    if not items:
        modal.get_by_label(re.compile("Refund everything")).check()
    if to_card:
        modal.get_by_label("Refund to the credit card automatically").check()
    else:
        modal.locator("select[name=other_kind]").select_option("bank_transfer")
    modal.locator("[data-refunds-submit]").click()
    expect(modal).to_be_hidden()


def wear(page: Page, swatch: str) -> None:
    """Let the pages that follow wear *swatch* in place of Flask-Admin's default one.

    Its style sheet alone makes a Bootstrap 4 swatch, so no second demo is needed.
    """
    page.unroute_all()
    page.route("https://**", Route.abort)  # some swatches ask for a font of Google's
    if swatch == "default":
        return
    ours = f"/swatch/{swatch}/bootstrap.min.css"
    page.route(
        "**/swatch/default/bootstrap.min.css*",
        lambda route: route.continue_(
            url=route.request.url.replace("/swatch/default/bootstrap.min.css", ours)
        ),
    )
    page.route(
        "**/bootstrap4/css/bootstrap.min.css*",  # which only the default one has besides
        lambda route: route.fulfill(body="", content_type="text/css"),
    )
