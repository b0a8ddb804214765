"""The browser that the tests drive is the real one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_chromium_runs_a_page_of_its_own(page: "Page") -> None:
    page.set_content("<button onclick='this.textContent = navigator.userAgent'>Who?</button>")

    page.get_by_role("button").click()

    assert "Chrome/" in page.get_by_role("button").inner_text()
