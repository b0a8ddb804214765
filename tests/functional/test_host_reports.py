"""The host's base reports, in the three shapes that they have, show what was refunded.

Their access rules, their chrome and their menu stay their own.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask_admin import Admin, AdminIndexView, BaseView, expose
from sqlalchemy import Select

from flask_refunds import Actor, RefundRequest, Refunds, Selection, issuing
from flask_refunds.errors import ConfigurationError
from flask_refunds.models import Base
from flask_refunds.reports import (
    Column,
    Dashboard,
    DashboardMixin,
    ItemsReport,
    ItemsReportMixin,
    NetReport,
    Netting,
    Period,
    RefundsReport,
    RefundsReportMixin,
    ReportFeed,
    SummaryReport,
    SummaryReportMixin,
    sources,
)
from tests.hosts import reporting
from tests.hosts.reporting import Sales, StaffView, TabularReport

STAFF = {"X-Staff": "yes"}
MARCH = {"start": "2026-03-01", "end": "2026-03-31"}


class BareItems(ItemsReportMixin, StaffView):
    """Shape (a) needs nothing but this."""


class BareSummary(SummaryReportMixin, StaffView):
    pass


class BareDashboard(DashboardMixin, StaffView):
    pass


class BareRefunds(RefundsReportMixin, StaffView):
    pass


class FedItems(ReportFeed, TabularReport):
    """Shape (b) needs to be told which report it is."""

    source = sources.ITEMS


class FedSummary(ReportFeed, TabularReport):
    source = sources.SUMMARY


class FedRefunds(ReportFeed, TabularReport):
    source = sources.REQUESTS


class NetSales(NetReport, Sales):
    """Shape (c) needs to be told how its SELECT is netted."""

    netting = Netting(
        key="day",
        bucket=reporting.utc_day,
        measures={"sales": "paid"},
        currency="currency",
        unit="minor",
    )

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        return self.net(super().select(start, end), start, end)


class Shop:
    """The shop with some of the reports above, three orders and two refunds."""

    def __init__(self, app: Flask, admin: Admin, refunds: Refunds) -> None:
        self.app, self.admin, self.refunds = app, admin, refunds
        self.client = app.test_client()

    def get(self, path: str, **args: str) -> Any:
        return self.client.get(f"/admin/{path}/", query_string=args, headers=STAFF)


def opened(url: str, *reports: Any, index_view: AdminIndexView | None = None) -> Shop:
    app, admin = reporting.create(url, index_view)
    sales = Sales(name="Sales", endpoint="sales", category="Numbers")
    admin.add_view(sales)
    refunds = reporting.install(app, admin, *reports)
    with app.app_context():
        reporting.trade()
        give_back(app, "1", 12, selections=(Selection(kind="line", ref="1", quantity=1),))
        give_back(app, "3", 13, everything=True)
        reporting.db.session.remove()
    return Shop(app, admin, refunds)


def give_back(app: Flask, order_ref: str, day: int, **wishes: Any) -> None:
    """Refund by bank transfer on a day of March 2026."""
    then = datetime(2026, 3, day, 9, tzinfo=UTC)
    runtime = replace(app.extensions["refunds"].runtime, clock=lambda: then)
    request = RefundRequest(
        order_ref=order_ref, token=order_ref, reason="returned", other_kind="cash", **wishes
    )
    issuing.issue(runtime, request, Actor(id="1", label="Clara Clerk"))


@pytest.fixture
def shop(sqlite_url: str) -> Iterator[Shop]:
    made = opened(
        sqlite_url,
        BareItems,
        BareSummary,
        BareDashboard,
        BareRefunds,
        FedItems(name="Fed items", endpoint="fed_items"),
        FedSummary(name="Fed summary", endpoint="fed_summary"),
        FedRefunds(name="Fed refunds", endpoint="fed_refunds"),
        NetSales,
    )
    yield made
    with made.app.app_context():
        reporting.db.engine.dispose()


BARE = {
    "refunds_items": "Mug",
    "refunds_summary": "Net sales",
    "refunds_dashboard": "Nothing was sold or refunded",
    "refunds_report": "Clara Clerk",
}


@pytest.mark.parametrize(("endpoint", "words"), BARE.items())
def test_a_base_that_only_renders_gets_the_whole_report_in_its_own_chrome(
    shop: Shop, endpoint: str, words: str
) -> None:
    answer = shop.get(endpoint, **({} if endpoint == "refunds_dashboard" else MARCH))

    assert answer.status_code == 200, answer.text
    assert "The shop's own chrome, who is staff" in answer.text
    assert words in answer.text
    assert "By refund date" in answer.text


@pytest.mark.parametrize("endpoint", [*BARE, "fed_items", "sales"])
def test_access_is_the_hosts_own(shop: Shop, endpoint: str) -> None:
    assert shop.client.get(f"/admin/{endpoint}/", query_string=MARCH).status_code == 418


def test_reports_of_the_hosts_base_take_the_place_of_the_ready_made(shop: Shop) -> None:
    views = {view.endpoint: type(view) for view in shop.admin._views}
    assert views["refunds_report"] is BareRefunds
    assert RefundsReport not in views.values()
    page = shop.get("refunds_items", **MARCH).text
    assert page.count('href="/admin/refunds_report/"') == 1


def cells(page: str) -> list[dict[str, str]]:
    """Return the rows of the host's own table."""
    return [
        dict(re.findall(r'<td data-key="(\w+)">(.*?)</td>', row))
        for row in page.split("<tr>")[1:]
        if "<td" in row
    ]


def test_a_base_with_columns_and_rows_is_fed_with_them(shop: Shop) -> None:
    rows = cells(shop.get("fed_items", **MARCH).text)

    found = {(r["currency"], r["name"]): (r["units"], r["sold"], r["refunded"]) for r in rows}
    # The discount of 3.00 is borne by both lines of the first order, 1.80 and 1.20.
    assert found["USD", "Mug"] == ("2", "28.20", "9.40")
    assert found["USD", "Tee"] == ("3", "58.80", "0.00")
    assert found["JPY", "Mug"] == ("0", "900", "900")
    assert found["USD", "Shipping"] == ("0", "10.00", "0.00")
    assert {r["rate"] for r in rows} == {"0.3333", "0.0000", "1.0000"}


def test_what_a_base_is_fed_goes_into_its_own_files(shop: Shop) -> None:
    answer = shop.client.get("/admin/fed_summary/download", query_string=MARCH, headers=STAFF)

    lines = answer.text.split("\n")
    assert lines[0].startswith("Currency,From,Orders,Gross,Discounts")
    assert len(lines) == 1 + 2 * 31
    usd = [line for line in lines if line.startswith("USD,2026-03-12,")]
    assert usd[0].split(",")[-4:-1] == ["9.40", "-9.40", "0.00"]


def test_the_date_that_a_fed_report_goes_by_is_in_the_url_and_on_the_page(shop: Shop) -> None:
    days = {"start": "2026-03-10", "end": "2026-03-11"}

    assert {r["refunded"] for r in cells(shop.get("fed_items", **days).text)} >= {"0.00"}
    page = shop.get("fed_items", **days, basis="order").text
    assert "By order date" in page
    assert tuple(
        r["refunded"] for r in sorted(cells(page), key=lambda r: r["currency"], reverse=True)
        if r["name"] == "Mug"
    ) == ("9.40", "900")  # fmt: skip


def test_requests_are_fed_with_their_lines_and_status(shop: Shop) -> None:
    now = datetime.now(UTC)
    days = {"start": "2026-03-01", "end": now.date().isoformat()}
    rows = cells(shop.get("fed_refunds", **days).text)

    assert [(r["what"], r["amount"], r["status"]) for r in rows] == [
        ("1 × Mug", "900", "Not Requested by Administrator"),
        ("1 × Mug", "9.40", "Not Requested by Administrator"),
    ]


def test_a_base_that_builds_a_select_is_netted_in_its_place(shop: Shop) -> None:
    rows = cells(shop.get("sales", **MARCH).text)

    found = {(row["day"], row["sales"]) for row in rows}
    assert found == {
        ("2026-03-10", "5200"),
        ("2026-03-11", "4500"),
        ("2026-03-11", "900"),
        ("2026-03-12", "-940"),
        ("2026-03-13", "-900"),
    }
    rows = cells(shop.get("sales", **MARCH, basis="order").text)
    assert {(row["day"], row["sales"]) for row in rows} == {
        ("2026-03-10", "4260"),
        ("2026-03-11", "4500"),
        ("2026-03-11", "0"),
    }


def test_the_other_date_keeps_whatever_else_the_url_says(shop: Shop) -> None:
    """Also what Flask would take for its own: the page is no error, and leads nowhere else."""
    odd = {"endpoint": "x", "self": "1", "_method": "DELETE", "_scheme": "ftp", "_anchor": "a"}

    with shop.app.test_request_context("/admin/sales/", query_string={**odd, "item": ["a&b", "c"]}):
        [view] = [view for view in shop.admin._views if isinstance(view, NetSales)]
        urls = [choice.url.partition("?") for choice in view.basis_choices()]

    assert [(path, parse_qs(asked)) for path, _, asked in urls] == [
        (
            "/admin/sales/",
            {
                **{name: [value] for name, value in odd.items()},
                "basis": [basis],
                "item": ["a&b", "c"],
            },
        )
        for basis in ("refund", "order")
    ]


class Index(AdminIndexView):
    """A dashboard of the host's own that shows net figures by one call."""

    refunds: Any = None

    @expose("/")
    def index(self) -> str:
        totals = self.refunds.totals((date(2026, 3, 1), date(2026, 3, 31)))
        return " ".join(f"{code}={t.sales}-{t.refunds}={t.net}" for code, t in totals.items())


def test_a_hosts_dashboard_shows_net_figures_by_one_call(sqlite_url: str) -> None:
    index = Index()
    shop = opened(sqlite_url, index_view=index)
    index.refunds = shop.refunds

    assert shop.client.get("/admin/").text == "JPY=900-900=0 USD=9700-940=8760"
    with shop.app.app_context():
        by_order = shop.refunds.totals("all", basis="order")
        assert by_order["USD"].other == 940
        whole = Period.of_days(date(2026, 3, 12), date(2026, 3, 12), shop_zone(shop))
        assert shop.refunds.totals(whole)["USD"].net == -940
        with pytest.raises(ValueError, match="fortnight"):
            shop.refunds.totals("fortnight")


def shop_zone(shop: Shop) -> Any:
    return shop.app.extensions["refunds"].runtime.config.zone


class Including(AdminIndexView):
    """A dashboard of the host's own that includes our figures."""

    @expose("/")
    def index(self) -> str:
        page: str = self.render("host/including.html", staff="who is staff")
        return page


@pytest.fixture
def own_templates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A templates folder of the host's, before which it has none of its own."""
    folder = tmp_path / "templates"
    (folder / "host").mkdir(parents=True)
    (folder / "refunds").mkdir()
    original = Path(reporting.__file__).with_name("reporting_templates")
    for file in (original / "host").iterdir():
        (folder / "host" / file.name).write_text(file.read_text())

    def named(self: Path, name: str) -> Path:
        return folder if name == "reporting_templates" else self.parent / name

    monkeypatch.setattr(Path, "with_name", named)
    return folder


def test_a_hosts_dashboard_includes_our_figures(sqlite_url: str, own_templates: Path) -> None:
    (own_templates / "host" / "including.html").write_text(
        "{% extends admin_base_template %}{% block body %}<h1>Welcome</h1>"
        '{% include "refunds/dashboard_figures.html" %}{% endblock %}'
    )
    shop = opened(sqlite_url, index_view=Including())

    page = shop.client.get("/admin/").text
    assert "<h1>Welcome</h1>" in page
    assert "report.css" in page
    with shop.app.app_context():
        Base.metadata.drop_all(reporting.db.engine)
    answer = shop.client.get("/admin/")
    assert answer.status_code == 200
    assert "flask refunds upgrade" in answer.text


class TaxedItems(ItemsReport):
    """A column more, one less, and without files of its own."""

    columns = (
        *(c for c in ItemsReport.columns if c.key != "units_sold"),
        Column(key="tax", title="Tax in it", kind="money"),
    )


def test_a_developer_changes_a_column_a_block_and_a_chart_without_copying_a_page(
    sqlite_url: str, own_templates: Path
) -> None:
    (own_templates / "refunds" / "summary_report.html").write_text(
        '{% extends "flask_refunds/summary_report.html" %}'
        "{% block refunds_report_notes %}<p>Audited by Finch and Co.</p>{% endblock %}"
        "{% block refunds_report_chart %}{% set kind = 'spark' %}"
        '{{ chart(kind, "refunds-summary-" ~ block.currency, "Ours", block.currency) }}'
        "{% endblock %}"
    )
    (own_templates / "refunds" / "dashboard_tile.html").write_text(
        "<p>Tile of {{ tile.preset }}: {{ tile.takings.net|refunds_money(currency.code) }}</p>"
    )
    shop = opened(sqlite_url, TaxedItems, SummaryReport, Dashboard)

    items = shop.get("refunds_items", **MARCH).text
    assert "Tax in it" in items
    assert "Units sold" not in items
    summary = shop.get("refunds_summary", **MARCH).text
    assert summary.count("Audited by Finch and Co.") == 1
    assert 'data-refunds-chart="spark"' in summary
    assert 'data-refunds-chart="bars"' not in summary
    assert "Net sales" in summary


def test_what_is_no_report_is_refused_with_the_remedy(sqlite_url: str) -> None:
    app, admin = reporting.create(sqlite_url)
    with pytest.raises(ConfigurationError, match="takes reports of ours"):
        reporting.install(app, admin, dict)


class Picky(StaffView):
    def __init__(self, warehouse: str, **options: Any) -> None:
        super().__init__(**options)
        self.warehouse = warehouse


class PickyItems(ItemsReportMixin, Picky):
    def __init__(self, warehouse: str) -> None:
        Picky.__init__(self, warehouse, name="Picky", endpoint="picky")


def test_a_base_that_wants_arguments_is_passed_as_an_instance(sqlite_url: str) -> None:
    app, admin = reporting.create(sqlite_url)
    with pytest.raises(ConfigurationError, match="Pass an instance"):
        reporting.install(app, admin, PickyItems)
    app, admin = reporting.create(sqlite_url)
    reporting.install(app, admin, PickyItems("North"))
    answer = app.test_client().get("/admin/picky/", headers=STAFF)
    assert answer.status_code == 200
    view: BaseView = next(v for v in admin._views if v.endpoint == "picky")
    assert view.warehouse == "North"


@pytest.mark.parametrize("endpoint", ["refunds_items", "fed_items", "sales", "refunds_dashboard"])
def test_without_our_tables_each_says_how_to_make_them(shop: Shop, endpoint: str) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(reporting.db.engine)

    answer = shop.get(endpoint, **MARCH)

    assert answer.status_code == 503
    assert "flask refunds upgrade" in answer.text
