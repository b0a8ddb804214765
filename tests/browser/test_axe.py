"""No barriers on our pages that axe-core knows of, light and dark, on a desk and on a telephone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import assert_no_barriers
from tests.browser.walking import account_history, issue, order_of, refund_order, sign_in, wear

ORDER = "198.90"
"""Total of the order of Ada's that these tests use; journeys take other ones."""


@pytest.fixture(scope="module", autouse=True)
def recorded(demo: str, chromium: Browser) -> None:
    """A refund made by other means, so that every page has something to show."""
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, demo)
    issue(page, demo, ORDER, "LIGHT-SET", to_card=False)
    context.close()


def history(page: Page, demo: str) -> str:
    account_history(page, demo)
    order_of(page, ORDER)
    return ".refunds"


def modal(page: Page, demo: str) -> str:
    account_history(page, demo)
    refund_order(page, order_of(page, ORDER))
    return ".refunds-dialog"


def issue_page(page: Page, demo: str) -> str:
    account_history(page, demo)
    link = order_of(page, ORDER).get_by_role("link", name="Refund Order").get_attribute("href")
    page.goto(demo.replace("/admin/", str(link)))
    return ".refunds"


def desk(page: Page, demo: str) -> str:
    page.goto(f"{demo}refunds_desk/")
    return ".refunds"


def refund(page: Page, demo: str) -> str:
    """Go to the page of a refund that can be reversed."""
    desk(page, demo)
    row = page.locator("tr", has_text="Not Requested by Administrator").first
    row.get_by_role("link", name=re.compile("^R-")).click()
    page.wait_for_url("**/refund/*")
    return ".refunds"


def reversal(page: Page, demo: str) -> str:
    refund(page, demo)
    page.get_by_role("link", name=re.compile("Reverse")).click()
    page.wait_for_url("**/reverse*")
    return ".refunds"


def postings(page: Page, demo: str) -> str:
    page.goto(f"{demo}refunds_report/?period=this_month")
    return ".refunds"


def requests(page: Page, demo: str) -> str:
    page.goto(f"{demo}refunds_report/?period=this_month&part=requests")
    return ".refunds"


def items(page: Page, demo: str) -> str:
    page.goto(f"{demo}refunds_items/")
    return ".refunds"


def summary(page: Page, demo: str) -> str:
    page.goto(f"{demo}refunds_summary/?by=week")
    expect(page.locator("figure.refunds-chart canvas").first).to_be_visible()
    return ".refunds"


def dashboard(page: Page, demo: str) -> str:
    page.goto(f"{demo}refunds_dashboard/")
    page.locator(".refunds-days summary").first.click()
    return ".refunds-report"


def wrong_dates(page: Page, demo: str) -> str:
    page.goto(f"{demo}refunds_summary/?start=2026-03-02&end=2026-03-01&by=moon")
    return ".refunds"


PAGES = [
    *(history, modal, issue_page, desk, refund, reversal),
    *(postings, requests, items, summary, dashboard, wrong_dates),
]


@pytest.mark.parametrize("swatch", ["default", "darkly"])
@pytest.mark.parametrize("arrive", PAGES)
def test_a_page_has_no_barriers(
    demo: str, admin: Page, arrive: Callable[[Page, str], str], swatch: str
) -> None:
    wear(admin, swatch)
    ours = arrive(admin, demo)
    for width in (1280, 390):
        admin.set_viewport_size({"width": width, "height": 900})
        assert_no_barriers(admin, ours)


def test_what_axe_finds_is_told_with_rule_element_and_remedy(page: Page) -> None:
    page.set_content('<main class="refunds"><img src="x.png" id="picture"></main>')
    with pytest.raises(AssertionError) as told:
        assert_no_barriers(page)
    for words in ("image-alt (critical)", "at #picture", "Fix any of", "dequeuniversity.com"):
        assert words in str(told.value)
