"""Charts are drawn from tables, under a strict policy, in any swatch, and on paper."""

import logging
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from werkzeug.serving import make_server

from tests.browser.axe import assert_no_barriers
from tests.browser.walking import wear
from tests.hosts import charted

DARK = ("darkly", "cyborg", "slate", "superhero", "solar")

LISTEN = """
  window.told = [];
  document.addEventListener("refunds:chart", ({ detail, target }) => {
    const { kind, config, data, look, paper } = detail;
    told.push({ kind, config, data, look, paper, table: target.dataset.refundsTable });
  });
"""
"""Keeps what the script tells of each chart before it draws it."""

COLOURS = """canvas => {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const found = new Set();
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3]) found.add(pixels.slice(at, at + 3).join());
  }
  return found.size;
}"""


@pytest.fixture(scope="module")
def blocked() -> list[str]:
    """What browsers told the shop that they had blocked."""
    return []


@pytest.fixture(scope="module")
def charts_url(blocked: list[str]) -> Iterator[str]:
    """The address of the page of charts."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    app = charted.create_app(blocked)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/admin/charts/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def charts(page: Page, charts_url: str, blocked: list[str]) -> Iterator[Page]:
    """A page that tells what it draws; it must have nothing blocked, and no script fail."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(LISTEN)
    blocked.clear()
    yield page
    assert errors == []
    assert [each for each in blocked if "fonts.googleapis.com" not in each] == []


def opened(page: Page, url: str) -> Page:
    """Go to the page of charts and wait until all are drawn."""
    page.goto(url)
    expect(page.locator("figure canvas")).to_have_count(7)
    return page


def canvas(page: Page, kind: str, table: str) -> Locator:
    figure = f'figure[data-refunds-chart="{kind}"][data-refunds-table="{table}"]'
    return page.locator(f"{figure} canvas").first


def told(page: Page, table: str, what: str, kind: str = "bars") -> Any:
    """Return *what* of the latest chart of *table*, an expression over ``chart``."""
    last = f"told.findLast(each => each.table === '{table}' && each.kind === '{kind}')"
    return page.evaluate(f"() => {{ const chart = {last}; return chart && ({what}); }}")


def test_all_kinds_are_drawn_and_a_strict_policy_blocks_nothing(
    charts: Page, charts_url: str, blocked: list[str]
) -> None:
    opened(charts, charts_url)
    for kind, table in (("bars", "days"), ("shares", "reasons"), ("spark", "days")):
        assert canvas(charts, kind, table).evaluate(COLOURS) >= 3
    assert blocked == []
    assert charts.evaluate("typeof Chart") == "undefined"


def test_the_policy_of_these_tests_would_tell(page: Page, charts_url: str) -> None:
    page.goto(charts_url)
    with page.expect_request("**/blocked"):
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")


def test_labels_and_numbers_are_the_tables(charts: Page, charts_url: str) -> None:
    opened(charts, charts_url)
    labels, titles, series = told(
        charts, "days", "[chart.data.labels, chart.data.titles, chart.data.series]"
    )
    assert labels == [short for _, short, _ in charted.DAYS]
    assert titles == [label for label, _, _ in charted.DAYS]
    assert [(each["name"], each["title"]) for each in series] == [
        ("gross", "Gross"),
        ("refunds", "Refunds"),
        ("net", "Net"),
    ]
    assert [each["values"] for each in series] == [
        [values[column] for _, _, values in charted.DAYS] for column in range(3)
    ]


def test_refunds_go_down_and_net_is_a_line(charts: Page, charts_url: str) -> None:
    opened(charts, charts_url)
    drawn = told(charts, "days", "chart.config.data.datasets.map(d => [d.type, d.data[0]])")
    gross, back, net = charted.DAYS[0][2]
    assert drawn == [[None, gross], [None, -back], ["line", net]]


def test_tooltips_say_the_words_of_the_cell_and_the_axis_is_short(
    charts: Page, charts_url: str
) -> None:
    opened(charts, charts_url)
    say = "chart.config.options.plugins.tooltip.callbacks"
    item = "{datasetIndex: 0, dataIndex: 2}"
    assert told(charts, "days", f"{say}.title([{item}])") == "2026-03-03"
    words = charted.dollars(charted.DAYS[2][2][0])
    assert told(charts, "days", f"{say}.label({item})") == f"Gross: {words}"
    axis = "chart.config.options.scales.y.ticks.callback"
    assert told(charts, "days", f"[1200, -500].map({axis})") == ["$1.2K", "-$500"]


def test_a_picture_has_the_name_of_its_caption_and_points_to_the_table(
    charts: Page, charts_url: str
) -> None:
    opened(charts, charts_url)
    picture = charts.get_by_role("img", name="Refunds by reason")
    expect(picture).to_have_attribute("aria-describedby", "reasons-shares-USD-where")
    expect(charts.locator("#reasons-shares-USD-where")).to_have_text(
        "The same figures are in a table."
    )


@pytest.mark.parametrize("swatch", ["default", "darkly"])
def test_axe_finds_no_barriers_in_charts(page: Page, charts_url: str, swatch: str) -> None:
    wear(page, swatch)
    opened(page, charts_url)
    assert_no_barriers(page)


def test_a_chart_takes_the_first_rows_of_its_currency_in_the_order_of_time(
    charts: Page, charts_url: str
) -> None:
    opened(charts, charts_url)
    mixed = told(charts, "mixed", "[chart.data.labels, chart.data.series[0].values]")
    assert mixed == [["Week 1", "Week 2", "Week 3"], [10, 20, 30]]
    best = told(charts, "items", "chart.data.labels", "shares")
    assert best == ["Touring bicycle, steel, 54 cm", "Wheel", "Rain jacket"]


def test_where_there_is_nothing_a_sentence_says_so(charts: Page, charts_url: str) -> None:
    opened(charts, charts_url)
    figure = charts.locator('figure[data-refunds-table="nothing"]')
    expect(figure).to_contain_text("Nothing was sold in these days.")
    expect(figure.locator("canvas")).to_have_count(0)


@pytest.mark.parametrize("swatch", ["default", *DARK])
def test_every_swatch_gives_tones_that_stand_out(
    charts: Page, charts_url: str, swatch: str
) -> None:
    wear(charts, swatch)
    opened(charts, charts_url)
    for table, kind in (("days", "bars"), ("days", "spark"), ("items", "shares")):
        colours = "chart.config.data.datasets.map(d => d.borderColor)"
        surface, *tones = told(
            charts, table, f"[`rgb(${{chart.look.surface}})`, ...{colours}]", kind
        )
        assert all(contrast(tone, surface) >= 2.99 for tone in tones), (surface, tones)
    ink = told(charts, "days", "chart.config.options.color")
    assert contrast(ink, told(charts, "days", "`rgb(${chart.look.surface})`")) >= 4.5


def test_another_theme_or_colour_is_drawn_at_once(charts: Page, charts_url: str) -> None:
    opened(charts, charts_url)
    light = told(charts, "days", "chart.config.options.color")
    charts.evaluate(
        """() => {
          const [swatch, plain] = document.querySelectorAll("link[href*='bootstrap.min.css']");
          swatch.href = swatch.href.replace("/default/", "/darkly/");
          plain.disabled = true;
        }"""
    )
    until(charts, f"told.at(-1).config.options.color !== {light!r}")
    assert contrast(told(charts, "days", "chart.config.options.color"), "rgb(34, 34, 34)") > 7

    charts.evaluate(
        "document.querySelectorAll('figure')"
        ".forEach(each => each.style.setProperty('--refunds-chart-refunds', 'rgb(255, 1, 2)'))"
    )
    charts.evaluate("document.body.classList.add('another-theme')")
    until(
        charts,
        "told.findLast(each => each.table === 'reasons').config.data.datasets[0].borderColor"
        " === 'rgba(255, 1, 2, 1)'",
    )


def test_less_motion_is_none(charts: Page, charts_url: str) -> None:
    # The first drawing: a page that is resized meanwhile, or gets its type late, draws again.
    first = "told.find(each => each.table === 'days').config.options.animation"
    opened(charts, charts_url)
    assert charts.evaluate(first) == {"duration": 450}
    charts.emulate_media(reduced_motion="reduce")
    opened(charts, charts_url)
    assert charts.evaluate(first) is False


@pytest.mark.parametrize("swatch", ["default", "darkly"])
def test_paper_is_white_and_a_chart_is_no_wider(charts: Page, charts_url: str, swatch: str) -> None:
    wear(charts, swatch)
    opened(charts, charts_url)
    assert told(charts, "days", "chart.paper") is False
    charts.emulate_media(media="print")
    until(charts, "told.at(-1).paper")
    assert told(charts, "days", "[chart.paper, chart.look.surface, chart.look.ink]") == [
        True,
        [255, 255, 255],
        [0, 0, 0],
    ]
    assert canvas(charts, "bars", "days").evaluate("each => each.style.width") == "680px"
    charts.emulate_media(media="screen")
    until(charts, "!told.at(-1).paper")
    assert canvas(charts, "bars", "days").evaluate("each => each.style.width") != "680px"

    charts.evaluate("told.length = 0")
    charts.emulate_media(media=None)
    assert charts.pdf(format="Letter").startswith(b"%PDF")
    until(charts, "told.length && !told.at(-1).paper")
    assert charts.evaluate("told[0].paper") is True


def test_without_scripts_the_table_stands_alone(chromium: Browser, charts_url: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(charts_url)
    for figure in page.locator("figure").all():
        expect(figure).to_be_hidden()
    expect(page.locator("#mixed")).to_be_visible()
    context.close()


def test_without_the_library_the_table_stands_alone(page: Page, charts_url: str) -> None:
    page.route("**/chart.umd.min.js", lambda route: route.abort())
    with page.expect_console_message(lambda message: "could not be loaded" in message.text):
        page.goto(charts_url)
    expect(page.locator("figure:not([hidden])")).to_have_count(0)


def test_a_chart_js_of_the_host_stays_its_own(charts: Page, charts_url: str) -> None:
    charts.add_init_script("window.Chart = 'the host\\'s'")
    opened(charts, charts_url)
    assert charts.evaluate("Chart") == "the host's"


def test_a_script_of_the_host_changes_a_chart_or_leaves_it_out(
    charts: Page, charts_url: str
) -> None:
    charts.add_init_script(
        """document.addEventListener("refunds:chart", (event) => {
          const { kind, config } = event.detail;
          if (kind === "spark") event.preventDefault();
          if (kind === "shares") config.options.plugins.title = { display: true, text: "Ours" };
        });"""
    )
    charts.goto(charts_url)
    expect(charts.locator("figure canvas")).to_have_count(4)
    expect(charts.locator("figure[data-refunds-chart=spark]").first).to_be_hidden()
    assert told(charts, "items", "chart.config.options.plugins.title.text", "shares") == "Ours"


def test_a_script_of_the_host_draws_a_kind_of_its_own(charts: Page, charts_url: str) -> None:
    charts.add_init_script(
        """document.addEventListener("DOMContentLoaded", () => {
          document.querySelector("figure[data-refunds-table=mixed]").dataset.refundsChart = "steps";
        });
        document.addEventListener("refunds:chart", ({ detail }) => {
          const { kind, data, look } = detail;
          if (kind !== "steps") return;
          const [{ values }] = data.series;
          const borderColor = `rgb(${look.tone("gross")})`;
          detail.config = {
            type: "line",
            data: { labels: data.labels, datasets: [{ data: values, stepped: true, borderColor }] },
          };
        });"""
    )
    opened(charts, charts_url)
    assert canvas(charts, "steps", "mixed").evaluate(COLOURS) >= 3


def test_on_a_telephone_nothing_is_wider_than_the_screen(charts: Page, charts_url: str) -> None:
    charts.set_viewport_size({"width": 390, "height": 844})
    opened(charts, charts_url)
    assert charts.evaluate("document.documentElement.scrollWidth") <= 390
    charts.set_viewport_size({"width": 1280, "height": 900})
    charts.set_viewport_size({"width": 390, "height": 844})
    until(charts, "document.documentElement.scrollWidth <= 390")


def until(page: Page, condition: str) -> None:
    """Wait for a JavaScript condition; Playwright's own way to is what the policy forbids."""
    ends = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < ends, condition
        page.wait_for_timeout(50)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
