"""On paper our pages are black on white and hold what they say, not the ways about."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.walking import account_history, order_of, wear

SHOWN = """() => [...document.querySelectorAll("nav, form, button, .btn, dialog")]
  .filter(each => each.getClientRects().length && !each.querySelector("[aria-current=page]"))
  .map(each => each.outerHTML.slice(0, 80))"""


def style(locator: Locator, name: str) -> str:
    value: str = locator.evaluate(f"each => getComputedStyle(each).{name}")
    return value


@pytest.mark.parametrize("swatch", ["default", "darkly"])
def test_a_report_keeps_its_heading_and_its_rows_whole(demo: str, admin: Page, swatch: str) -> None:
    wear(admin, swatch)
    admin.goto(f"{demo}refunds_report/?start=2026-01-01&end=2026-01-31&part=requests")
    expect(admin.get_by_text("As of")).to_be_hidden()

    admin.emulate_media(media="print")

    assert admin.evaluate(SHOWN) == []
    heading = admin.locator(".refunds-report-heading")
    expect(heading).to_contain_text("January 2026")
    expect(heading).to_contain_text("By refund date")
    expect(heading).to_contain_text("Days in UTC")
    expect(heading.get_by_text("As of")).to_be_visible()
    parts = admin.locator(".refunds-report-parts")
    expect(parts.get_by_text("Requests", exact=True)).to_be_visible()
    expect(parts.get_by_text("Completed", exact=True)).to_be_hidden()
    assert style(admin.locator("body"), "backgroundColor") == "rgb(255, 255, 255)"
    assert style(heading.locator("h2"), "color") == "rgb(0, 0, 0)"
    assert admin.pdf(format="A4").startswith(b"%PDF")


def test_an_order_is_printed_as_a_table_on_a4(demo: str, admin: Page) -> None:
    wear(admin, "darkly")
    account_history(admin, demo)
    order = order_of(admin, "127.95")
    admin.emulate_media(media="print")
    admin.set_viewport_size({"width": 688, "height": 1000})  # A4 less the margins

    assert admin.evaluate(SHOWN) == []
    expect(admin.get_by_text("As of")).to_be_visible()
    assert style(order.locator("thead"), "display") == "table-header-group"
    row = order.locator("tbody tr").first
    assert (style(row, "display"), style(row, "breakInside")) == ("table-row", "avoid")
    assert style(row.locator("td").first, "color") == "rgb(0, 0, 0)"
    assert admin.evaluate("document.documentElement.scrollWidth") <= 688
