"""The reports in Chromium, on the demo: pictures, filters, files, and a telephone."""

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

FIGURES = "table.refunds-figures-table"


def drawn(figure: Locator) -> int:
    """Return how many pixels of a chart's canvas are not empty, once it rests."""
    expect(figure.locator("canvas")).to_be_visible()
    count: int = figure.locator("canvas").evaluate(
        """canvas => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return data.filter((value, index) => index % 4 === 3 && value > 0).length;
        }"""
    )
    return count


@pytest.mark.parametrize("report", ["refunds_summary", "refunds_dashboard"])
def test_sales_refunds_and_net_are_drawn_from_the_table(
    demo: str, admin: Page, report: str
) -> None:
    admin.goto(f"{demo}{report}/")

    figure = admin.locator("figure[data-refunds-chart=bars]").first
    assert drawn(figure) > 2000
    table = admin.locator("#" + str(figure.get_attribute("data-refunds-table")))
    expect(table.locator("[data-refunds-series]")).to_have_count(3)
    for row in table.locator("tbody tr").all()[:10]:
        gross, refunds, net = (
            round(float(str(cell.get_attribute("data-value"))) * 100)
            for cell in row.locator("[data-value]").all()
        )
        assert net == gross - refunds


def test_reasons_are_drawn_and_filters_narrow_the_report(demo: str, admin: Page) -> None:
    admin.goto(f"{demo}refunds_report/?period=this_year")
    assert drawn(admin.locator("figure[data-refunds-chart=shares]").first) > 500
    before = admin.locator(".refunds-report-table tbody tr").count()

    admin.get_by_label("Reason", exact=True).select_option("goodwill")
    admin.get_by_role("button", name="Show").click()

    expect(admin).to_have_url(re.compile("reason=goodwill"))
    rows = admin.locator(".refunds-report-table tbody tr")
    expect(rows.first).to_contain_text("Goodwill")
    assert 0 < rows.count() < before
    for row in rows.all():
        expect(row).to_contain_text("Goodwill")
    with admin.expect_download() as download:
        admin.get_by_role("link", name="Download CSV").click()
    found = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert {row["reason"] for row in found} == {"goodwill"}


def test_the_choice_of_days_is_kept_from_the_form_to_the_files(demo: str, admin: Page) -> None:
    admin.goto(f"{demo}refunds_items/")
    admin.get_by_label("From", exact=True).fill("2026-01-05")
    admin.get_by_label("To", exact=True).fill("2026-01-04")
    admin.get_by_role("button", name="Show").click()
    expect(admin.locator("#refunds-end-error")).to_have_text(
        "The last day is before the first one."
    )
    expect(admin.get_by_label("To", exact=True)).to_have_attribute("aria-invalid", "true")

    admin.get_by_label("From", exact=True).fill("2026-01-01")
    admin.get_by_label("By", exact=True).select_option("order")
    admin.get_by_role("button", name="Show").click()
    expect(admin.get_by_text("By order date")).to_be_visible()
    link = admin.get_by_role("link", name="Download XLSX")
    expect(link).to_have_attribute(
        "href", re.compile("basis=order&start=2026-01-01&end=2026-01-04$")
    )
    admin.get_by_role("link", name="Sold", exact=True).first.click()
    expect(admin).to_have_url(re.compile("basis=order"))
    expect(admin.locator("th[aria-sort=descending]").first).to_have_text(re.compile("^\\s*Sold"))


@pytest.mark.parametrize(
    "report", ["refunds_items", "refunds_summary", "refunds_dashboard", "refunds_report"]
)
def test_on_a_telephone_nothing_is_wider_than_the_screen(
    demo: str, admin: Page, report: str
) -> None:
    admin.set_viewport_size({"width": 390, "height": 844})
    admin.goto(f"{demo}{report}/")

    assert admin.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_wide_table_is_scrolled_by_keys_and_keeps_its_first_column(
    demo: str, admin: Page
) -> None:
    admin.set_viewport_size({"width": 390, "height": 844})
    admin.goto(f"{demo}refunds_summary/")
    region = admin.locator(".refunds-scroll").first
    day = region.locator("tbody th").first
    left = day.evaluate("cell => cell.getBoundingClientRect().left")

    region.focus()
    for _ in range(12):
        admin.keyboard.press("ArrowRight")
    admin.wait_for_function("document.querySelector('.refunds-scroll').scrollLeft > 100")

    assert day.evaluate("cell => cell.getBoundingClientRect().left") == left
    behind = day.evaluate("cell => getComputedStyle(cell).backgroundColor")
    assert behind != "rgba(0, 0, 0, 0)"
