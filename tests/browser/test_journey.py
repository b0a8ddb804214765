"""The main journeys in Chromium, on the demo: web app, worker, Valkey, simulator as processes."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.axe import assert_no_barriers
from tests.browser.walking import account_history, order_of, refund_order
from tests.processes import ROOT

SETTLED, DECLINED = "97.30", "3,546.00"
"""Totals of Ada's orders: a settled one of several lines, and one whose bicycle is declined."""


def test_another_shell_works_on_the_demo_with_the_file_that_it_names(
    demo: str, demo_folder: Path
) -> None:
    command = f". {demo_folder}/var/environment && {sys.executable} -m flask refunds list --json"
    given = {"PATH": os.environ["PATH"]}
    ran = subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout), f"no refund of {demo}"


def test_a_refund_to_the_card_goes_from_started_to_completed_and_into_the_report(
    demo: str, admin: Page
) -> None:
    account_history(admin, demo)
    order = order_of(admin, SETTLED)
    modal = refund_order(admin, order)
    modal.get_by_label("Refund to the credit card automatically").check()
    modal.locator("input[name=lines-0-quantity]").fill("1")
    expect(modal.locator("input[name=lines-0-amount]")).to_have_value("12.50")
    expect(modal.get_by_text("Refunded to the card at once")).to_be_visible()
    modal.get_by_label("Reason").select_option("returned")
    modal.locator("[data-refunds-submit]").click()

    expect(modal).to_be_hidden()
    line = order.locator("tr.refunds-line-red")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("Partly refunded")
    expect(line).to_contain_text(re.compile("Started|Processing|Completed"))
    expect(line).to_contain_text("Completed", timeout=30_000)
    red, green, blue = rgb(line.locator(".refunds-line-name"))
    assert red > 2 * max(green, blue)

    admin.goto(f"{demo}refunds_report/")
    expect(admin.get_by_text("12.50").first).to_be_visible()
    with admin.expect_download() as download:
        admin.get_by_role("link", name=re.compile("CSV")).first.click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert any("12.50" in row.values() and "USD" in row.values() for row in rows)


def test_other_means_are_recorded_at_once_and_marked_as_not_requested(
    demo: str, admin: Page
) -> None:
    account_history(admin, demo)
    order = order_of(admin, "127.95")
    modal = refund_order(admin, order)
    modal.get_by_label(re.compile("Refund everything")).check()
    modal.get_by_label("Reason").select_option("goodwill")
    modal.locator("[data-refunds-submit]").click()
    expect(modal.get_by_role("alert")).to_be_visible()
    expect(modal.locator("select[name=other_kind]")).to_be_focused()

    modal.locator("select[name=other_kind]").select_option("bank_transfer")
    modal.locator("[data-refunds-submit]").click()
    expect(modal).to_be_hidden()
    expect(order.locator("tr.refunds-line-red").first).to_contain_text(
        "Not Requested by Administrator"
    )


def test_a_declined_refund_says_why_and_is_paid_otherwise_instead(demo: str, admin: Page) -> None:
    account_history(admin, demo)
    order = order_of(admin, DECLINED)
    modal = refund_order(admin, order)
    modal.get_by_label("Refund to the credit card automatically").check()
    bicycle = modal.locator("tr", has_text="BIKE-TOUR")
    bicycle.locator("input[name$=-quantity]").fill("1")
    modal.get_by_label("Reason").select_option("returned")
    modal.locator("[data-refunds-submit]").click()
    expect(modal).to_be_hidden()
    line = order.locator("tr.refunds-line-red")
    expect(line).to_contain_text("Failed", timeout=30_000)
    expect(line).to_contain_text("2046")
    expect(line.get_by_role("link", name="Contact support")).to_be_visible()

    order.get_by_role("link", name=re.compile("^R-")).first.click()
    otherwise = admin.get_by_role("link", name="Pay by other means instead")
    expect(otherwise).to_be_visible()
    assert_no_barriers(admin)
    otherwise.click()
    expect(admin.get_by_role("button", name="as given back")).to_be_visible()
    assert_no_barriers(admin)
    admin.locator("select[name=other_kind]").select_option("bank_transfer")
    admin.get_by_role("button", name="as given back").click()
    expect(admin.get_by_text("Not Requested by Administrator").first).to_be_visible()
    account_history(admin, demo)
    marked = order_of(admin, DECLINED).locator("tr.refunds-line-red")
    expect(marked).to_contain_text("Not Requested by Administrator")


def test_consent_is_asked_for_when_the_gateway_tells_of_a_dispute(demo: str, admin: Page) -> None:
    def dispute(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "disputed": True})

    def sent() -> list[str]:
        keys = "form => Array.from(new FormData(form).keys())"
        names: list[str] = modal.locator("form").evaluate(keys)
        return names

    account_history(admin, demo)
    modal = refund_order(admin, order_of(admin, SETTLED))
    box = modal.get_by_label("Refund although the sale is disputed")
    to_card = modal.get_by_label("Refund to the credit card automatically")
    modal.locator("input[name=lines-1-quantity]").fill("1")
    to_card.check()
    expect(modal.get_by_text("What will happen")).to_be_visible()
    expect(box).to_be_hidden()
    admin.route("**/forecast?**", dispute)
    to_card.uncheck()
    to_card.check()
    expect(box).to_be_visible()
    box.focus()

    with admin.expect_response("**/forecast?**"):
        admin.keyboard.press("Space")

    expect(box).to_be_checked()
    expect(box).to_be_focused()
    assert_no_barriers(admin)
    assert "despite_dispute" in sent()
    to_card.uncheck()
    expect(box).to_be_hidden()
    assert "despite_dispute" not in sent()


def test_the_modal_holds_the_focus_and_gives_it_back(demo: str, admin: Page) -> None:
    account_history(admin, demo)
    order = order_of(admin, "95.95")
    modal = refund_order(admin, order)
    for _ in range(60):
        admin.keyboard.press("Tab")
        behind = "document.activeElement.closest('main, .container') !== null"
        inside = "document.activeElement.closest('dialog, [role=dialog]') !== null"
        assert admin.evaluate(inside) or not admin.evaluate(behind)
    admin.keyboard.press("Escape")
    expect(modal).to_be_hidden()
    expect(order.get_by_role("link", name="Refund Order")).to_be_focused()


def test_on_a_telephone_nothing_is_wider_than_the_screen(demo: str, admin: Page) -> None:
    admin.set_viewport_size({"width": 390, "height": 844})
    account_history(admin, demo)
    order = order_of(admin, "95.95")
    assert admin.evaluate("document.documentElement.scrollWidth") <= 390
    refund_order(admin, order)
    assert admin.evaluate("document.documentElement.scrollWidth") <= 390


def rgb(locator: Locator) -> tuple[float, float, float]:
    """Return the colour in which the text of *locator* is drawn, as ``rgb()`` or ``color()``."""
    text = locator.evaluate("element => getComputedStyle(element).color")
    red, green, blue = (float(n) for n in re.findall(r"\d+(?:\.\d+)?", text)[:3])
    return red, green, blue
