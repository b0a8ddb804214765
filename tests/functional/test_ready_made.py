"""The reports that a shop without any gets from the mapping alone, on pages and as files."""

import csv
import io
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import text
from werkzeug.test import TestResponse

from example_app import db
from flask_refunds.figures import requests
from flask_refunds.figures.periods import BASES
from flask_refunds.models import Base
from flask_refunds.reports import ItemsReportMixin
from tests.functional.conftest import Shop

ITEMS, SUMMARY, DASHBOARD = (f"/admin/refunds_{n}/" for n in ("items", "summary", "dashboard"))
REFUNDS = "/admin/refunds_report/"
CELLS = r'<th scope="row">(.*?)</th>.*?data-value="([\d.]+)"'
PAGES = (ITEMS, SUMMARY, DASHBOARD, REFUNDS)
TODAY = datetime.now(UTC).date()
ALL = {"start": "2026-01-01", "end": TODAY.isoformat()}
MARCH = {"start": "2026-03-01", "end": "2026-03-31"}


def rows(client: FlaskClient, page: str, **args: str) -> list[dict[str, str]]:
    """Return the rows of a report's CSV."""
    answer = client.get(f"{page}csv", query_string={**ALL, **args})
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))


def total(found: list[dict[str, str]], column: str, currency: str = "USD") -> int:
    return sum(cents(row[column]) for row in found if row["currency"] == currency)


@pytest.fixture
def refunded(shop: Shop) -> Shop:
    """A card refund, one by other means, a void, one in flight, and one that failed."""
    shop.issue("plain", everything=True, to_card=True, reason="damaged")
    shop.issue("unsettled", everything=True, to_card=True)
    shop.work(2)
    shop.issue("cash", everything=True, to_card=False, other_kind="cash", reason="goodwill")
    shop.issue("lost", everything=True, to_card=False, other_kind="cash")
    shop.issue("euros", everything=True, to_card=True)
    shop.issue("bobs", everything=True, to_card=True)
    shop.simulator.fault("decline", "refund", transaction_id=shop.sales["bobs"][0], code="2000")
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        later = "UPDATE refunds_transfer SET next_attempt_at = '2100-01-01' WHERE currency = 'EUR'"
        session.execute(text(later))
        session.commit()
    shop.work(1)
    return shop


def test_items_summary_and_dashboard_say_the_same(refunded: Shop, admin: FlaskClient) -> None:
    items, summary = rows(admin, ITEMS), rows(admin, SUMMARY)

    for currency in ("USD", "EUR"):
        for ours, theirs in (("sold", "sales"), ("refunded", "refunds"), ("net", "net")):
            assert total(items, ours, currency) == total(summary, theirs, currency)
    with refunded.app.app_context():
        extension = refunded.app.extensions["refunds"].extension
        taken = extension.totals((date(2026, 1, 1), TODAY))
    assert taken["USD"].net == total(summary, "net")
    assert taken["USD"].sales == total(summary, "sales")
    postings = rows(admin, REFUNDS)
    assert total(postings, "amount") == taken["USD"].refunds > 0
    assert taken["EUR"].refunds == 0
    by_way = {way: total(summary, way) for way in ("card", "void", "other", "shop")}
    assert by_way["shop"] == 0
    assert min(by_way["card"], by_way["void"], by_way["other"]) > 0
    assert total(summary, "refunds") == sum(by_way.values())


def test_sales_are_made_of_what_the_summary_says(refunded: Shop, admin: FlaskClient) -> None:
    for row in rows(admin, SUMMARY, **MARCH):
        parts = {name: cents(value) for name, value in row.items() if "." in value}
        assert parts["sales"] == (
            parts["gross"] - parts["discounts"] + parts["charges"] + parts["added"]
            + parts["adjustments"]
        )  # fmt: skip
        assert parts["net"] == parts["sales"] - parts["refunds"]


def test_items_are_sorted_by_their_columns(refunded: Shop, admin: FlaskClient) -> None:
    def listed(**args: str) -> list[str]:
        page = admin.get(ITEMS, query_string={**ALL, **args}).text
        dollars = page[page.index('id="refunds-items-USD"') :]
        return [
            re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell)).strip()
            for cell in re.findall(r'<tr class="refunds-kind-line">.*?</th>', dollars, re.DOTALL)
        ]

    by_net, by_name = listed(), listed(sort="name")
    assert sorted(by_net) == sorted(by_name)
    assert by_name == sorted(by_name)
    assert by_net != by_name
    assert listed(sort="-name") == by_name[::-1]
    page = admin.get(ITEMS, query_string={**ALL, "sort": "-refunded"}).text
    assert page.count('aria-sort="descending"') == 2  # once for each currency


@pytest.mark.parametrize("sort", ["name", "-name", "-refunded", ""])
def test_the_file_of_items_is_in_the_order_of_the_page(
    refunded: Shop, admin: FlaskClient, sort: str
) -> None:
    page = admin.get(ITEMS, query_string={**ALL, "sort": sort}).text
    dollars = page[page.index('id="refunds-items-USD"') :].split("</table>")[0]
    named = [
        row["name"]
        for row in rows(admin, ITEMS, sort=sort)
        if row["currency"] == "USD" and row["kind"] == "line"
    ]

    places = [dollars.index(name) for name in named]
    assert places == sorted(places)
    assert len(named) > 3


def test_items_are_grouped_by_what_the_mapping_keeps(refunded: Shop, admin: FlaskClient) -> None:
    by_item = rows(admin, ITEMS)
    with refunded.app.app_context():
        products = {r.id: r.sku for r in db.session.execute(text("SELECT id, sku FROM product"))}

    answer = admin.get(ITEMS, query_string={**ALL, "by": "product"})
    assert 'name="by"' in answer.text
    found = rows(admin, ITEMS, by="product")

    def sold(listed: list[dict[str, str]], key: Any) -> dict[Any, str]:
        return {(key(r), r["currency"]): r["net"] for r in listed if r["kind"] == "line"}

    assert sold(found, lambda r: products[int(r["name"])]) == sold(by_item, lambda r: r["sku"])


def test_a_search_shows_items_only_and_their_total(refunded: Shop, admin: FlaskClient) -> None:
    found = rows(admin, ITEMS, q="brake")

    assert {row["sku"] for row in found} == {"BRAKE-PAD"}
    assert {row["kind"] for row in found} == {"line"}
    page = admin.get(ITEMS, query_string={**ALL, "q": "100%_"}).text
    assert "Nothing was sold" in page


def test_items_go_on_on_further_pages(
    refunded: Shop, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ItemsReportMixin, "rows_per_page", 3)

    seen = []
    for number in range(1, 10):
        page = admin.get(ITEMS, query_string={**ALL, "page": str(number)})
        assert page.status_code == 200
        dollars = page.text.split('id="refunds-items-USD"')
        seen += re.findall(r"refunds-kind-(\w+)", dollars[1] if len(dollars) > 1 else "")
        if 'rel="next"' not in page.text:
            break
    assert len(seen) == len([r for r in rows(admin, ITEMS) if r["currency"] == "USD"])
    assert seen.count("adjustment") <= 1
    assert admin.get(ITEMS, query_string={**ALL, "page": "0"}).status_code == 404


@pytest.mark.parametrize(
    ("page", "args", "words"),
    [
        (ITEMS, {"by": "colour"}, "There is no such choice"),
        (ITEMS, {"sort": "luck"}, "There is no such choice"),
        (SUMMARY, {"by": "fortnight"}, "There is no such choice"),
        (SUMMARY, {"start": "2026-03-02", "end": "2026-03-01"}, "before the first one"),
        (REFUNDS, {"status": "gone"}, "There is no such choice"),
        (REFUNDS, {"method": "magic"}, "There is no such choice"),
        (REFUNDS, {"currency": "XXX"}, "There is no such choice"),
        (DASHBOARD, {"basis": "mood"}, "There is no such choice"),
    ],
)
def test_a_wrong_choice_is_answered_at_its_field(
    admin: FlaskClient, page: str, args: dict[str, str], words: str
) -> None:
    answer = admin.get(page, query_string=args)

    assert answer.status_code == 422
    if page != DASHBOARD:
        assert words in answer.text
        field = next(name for name in ("end", *args) if f"refunds-{name}-error" in answer.text)
        on_the_form = f'name="{field}"' in answer.text
        assert on_the_form == (f'aria-describedby="refunds-{field}-error"' in answer.text)


def test_a_form_sent_unchanged_keeps_its_preset(shop: Shop, admin: FlaskClient) -> None:
    page = admin.get(SUMMARY, query_string={"period": "this_year", "basis": "order"}).text
    form = page[page.index('<form class="refunds-report-dates"') :].split("</form>")[0]
    inputs = re.findall(r'name="(period|start|end)"\s+value="([^"]+)"', form)

    again = admin.get(SUMMARY, query_string={**dict(inputs), "basis": "order"}).text

    assert dict(inputs)["period"] == "this_year"
    assert "Before" in again[again.index("<tfoot") :]
    assert again[again.index("<tfoot") :].split("</tfoot>")[0] in page
    assert re.search(r'aria-current="true"\s+href="[^"]*period=this_year', again)


def test_the_summary_has_the_period_before_beside_its_total(shop: Shop, admin: FlaskClient) -> None:
    page = admin.get(SUMMARY, query_string={"start": "2026-03-12", "end": "2026-03-14"}).text
    foot = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<tfoot") :]))

    assert "Before Mar 9 – 11, 2026" in foot
    assert "Change" in foot
    before = rows(admin, SUMMARY, start="2026-03-09", end="2026-03-11")
    dollars = page[page.rindex("<tfoot") :]
    assert f"{total(before, 'net') / 100:,.2f}" in dollars


@pytest.mark.parametrize(("by", "first"), [("day", 31), ("week", 6), ("month", 1)])
def test_the_summary_is_cut_as_asked(shop: Shop, admin: FlaskClient, by: str, first: int) -> None:
    found = [r for r in rows(admin, SUMMARY, **MARCH, by=by) if r["currency"] == "USD"]

    assert len(found) == first
    assert found[0]["first"] == "2026-03-01"
    assert found[-1]["last"] == "2026-03-31"
    assert total(found, "sales") == total(rows(admin, SUMMARY, **MARCH), "sales")


@pytest.mark.parametrize("part", ["", "csv", "xlsx"])
@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"start": "2022-01-01", "end": "2026-03-31", "by": "day"}, "by"),
        ({"start": "1970-01-01", "end": "3000-12-31"}, "end"),
        ({"start": "1970-01-01", "end": "3000-12-31", "by": "month"}, "by"),
    ],
)
def test_more_rows_than_a_table_has_are_refused_at_the_field(
    shop: Shop, admin: FlaskClient, part: str, args: dict[str, str], field: str
) -> None:
    answer = admin.get(SUMMARY + part, query_string=args)

    assert answer.status_code == 422
    assert "More than 1,200 rows" in answer.text
    assert answer.text.count(f'aria-describedby="refunds-{field}-error"') == 1


def test_all_time_begins_with_the_first_sale(shop: Shop, admin: FlaskClient) -> None:
    answer = admin.get(f"{SUMMARY}csv", query_string={"period": "all", "by": "month"})
    found = list(csv.DictReader(io.StringIO(answer.text)))

    assert found[0]["first"] == "2026-03-03"
    assert found[-1]["last"] == TODAY.isoformat()
    assert admin.get(SUMMARY, query_string={"period": "all"}).status_code == 200


def test_the_dashboard_leads_to_what_needs_a_person(refunded: Shop, admin: FlaskClient) -> None:
    with refunded.app.app_context():
        db.session.execute(text('UPDATE "order" SET placed_at = CURRENT_TIMESTAMP'))
        db.session.commit()
    page = admin.get(DASHBOARD).text

    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "Needs a person 1" in said
    assert "Failed 1" in said
    assert "In flight, not counted yet 1" in said
    assert "On its way and not counted yet: €" in said
    for status in ("needs_person", "failed", "in_flight"):
        link = f"/admin/refunds_desk/?status={status}"
        assert link in page
        assert admin.get(link).status_code == 200
    assert f"/admin/refunds_summary/?start={TODAY}&amp;end={TODAY}" in page
    for words in ("Today", "Last 7 days", "Month to date", "Net sales", "Refund rate"):
        assert words in said


def filtered(client: FlaskClient, **args: str) -> list[str]:
    return sorted({row["order"] for row in rows(client, REFUNDS, **args)})


def test_refunds_are_filtered_and_the_file_with_them(refunded: Shop, admin: FlaskClient) -> None:
    with refunded.app.app_context():
        listed = text('SELECT CAST(id AS TEXT), number FROM "order"')
        numbers = {row[0]: row[1] for row in db.session.execute(listed)}
    number = {name: numbers[ref] for name, ref in refunded.orders.items()}

    assert filtered(admin, method="void") == [number["unsettled"]]
    assert filtered(admin, method="card") == [number["plain"]]
    assert filtered(admin, method="other") == sorted([number["cash"], number["lost"]])
    assert filtered(admin, reason="damaged") == [number["plain"]]
    assert filtered(admin, operator="Anna Admin", reason="goodwill") == [number["cash"]]
    assert filtered(admin, currency="EUR") == []
    assert filtered(admin, status="reversal") == []

    page = admin.get(REFUNDS, query_string={**ALL, "reason": "damaged"}).text
    assert number["plain"] in page
    assert number["cash"] not in page
    assert f"csv?reason=damaged&amp;start={ALL['start']}" in page
    nothing = admin.get(REFUNDS, query_string={**ALL, "status": "reversal"}).text
    assert "Choose other filters" in nothing


@pytest.mark.parametrize("part", ["postings", "requests"])
def test_a_reason_of_old_settings_and_an_operator_beyond_the_list_can_be_chosen(
    shop: Shop, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        for table in ("refund", "posting"):
            session.execute(text(f"UPDATE refunds_{table} SET reason = 'recalled'"))
        session.commit()
    monkeypatch.setattr(requests, "LISTED", 0)

    page = admin.get(REFUNDS, query_string={"part": part}).text
    assert '<option value="recalled" >' in page
    assert '<option value="Anna Admin"' not in page
    for name, value in (("reason", "recalled"), ("operator", "Anna Admin")):
        assert rows(admin, REFUNDS, part=part, **{name: value}) != []
        page = admin.get(REFUNDS, query_string={"part": part, name: value}).text
        assert f'<option value="{value}" selected>' in page
    nobody = admin.get(REFUNDS, query_string={"part": part, "operator": "Nobody"})
    assert nobody.status_code == 422


def test_requests_are_filtered_by_their_state(refunded: Shop, admin: FlaskClient) -> None:
    for state, count in (("failed", 1), ("started", 1), ("completed", 4), ("reversed", 0)):
        found = rows(admin, REFUNDS, part="requests", status=state)
        assert {row["state"] for row in found} == ({state} if count else set())
        assert len(found) == count
    [failed] = rows(admin, REFUNDS, part="requests", status="failed")
    assert failed["status"] == "Failed"
    assert failed["actor_label"] == "Anna Admin"
    voided = rows(admin, REFUNDS, part="requests", method="void")
    assert [row["gateway_id"] for row in voided] == refunded.sales["unsettled"]


def test_refunds_are_added_up_by_reason_and_by_operator(refunded: Shop, admin: FlaskClient) -> None:
    page = admin.get(REFUNDS, query_string=ALL).text
    table = page[page.index('id="refunds-reasons-USD"') :].split("</table>")[0]
    found = {
        re.sub(r"<[^>]+>", "", head).strip(): cents(value)
        for head, value in re.findall(CELLS, table, re.DOTALL)
    }

    by_reason: dict[str, int] = {}
    for row in rows(admin, REFUNDS):
        by_reason[row["reason"]] = by_reason.get(row["reason"], 0) + cents(row["amount"])
    assert found == {
        "Returned": by_reason["returned"],
        "Damaged or faulty": by_reason["damaged"],
        "Goodwill": by_reason["goodwill"],
    }
    operators = page[page.index('id="refunds-operators-USD"') :].split("</table>")[0]
    assert f'data-value="{sum(by_reason.values()) / 100:.2f}"' in operators


def test_the_date_that_a_report_goes_by_is_on_the_page_and_in_its_files(
    refunded: Shop, admin: FlaskClient
) -> None:
    for page in (ITEMS, SUMMARY, REFUNDS):
        shown = admin.get(page, query_string={**ALL, "basis": "order"}).text
        assert "By order date" in shown
        assert "past days change when more is refunded of their orders" in shown
        assert "basis=order" in shown
        assert {row["basis"] for row in rows(admin, page, basis="order")} <= {"order"}
        assert {row["basis"] for row in rows(admin, page)} == {"refund"}
    by_order = rows(admin, SUMMARY, **MARCH, basis="order")
    assert total(by_order, "refunds") == total(rows(admin, SUMMARY), "refunds")
    assert total(rows(admin, SUMMARY, **MARCH), "refunds") == 0


def test_a_closed_period_is_open_by_order_date_and_its_workbook_says_so(
    shop: Shop, admin: FlaskClient
) -> None:
    def files(basis: str) -> list[str]:
        args = {**MARCH, "basis": basis}
        with admin.get(f"{REFUNDS}xlsx", query_string=args) as answer:
            book = load_workbook(io.BytesIO(answer.data))
        notes = dict([cell.value for cell in line[:2]] for line in book["About"].iter_rows())
        return [admin.get(f"{REFUNDS}csv", query_string=args).text, str(notes.get("Note"))]

    before = {basis: files(basis) for basis in BASES}
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")

    assert files("refund") == before["refund"] == [before["refund"][0], "None"]
    assert files("order")[0] != before["order"][0]
    assert "Past days change" in before["order"][1]


def test_a_workbook_has_the_rows_of_the_csv_as_numbers_and_dates(
    refunded: Shop, admin: FlaskClient
) -> None:
    answer = admin.get(f"{SUMMARY}xlsx", query_string=MARCH)
    name = "summary_2026-03-01_2026-03-31_by-refund.xlsx"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    book = load_workbook(io.BytesIO(answer.data))

    head, *lines = book["Summary Report"].iter_rows(values_only=True)
    expected = rows(admin, SUMMARY, **MARCH)
    assert list(head) == list(expected[0])
    assert len(lines) == len(expected)
    for line, row in zip(lines, expected, strict=True):
        found = dict(zip(head, line, strict=True))
        assert found["first"].date().isoformat() == row["first"]
        assert round(found["net"] * 100) == cents(row["net"])
        assert isinstance(found["orders"], int)
    about = dict(book["About"].iter_rows(values_only=True))
    assert about["Basis"] == "by refund date"
    assert about["Period"] == "2026-03-01 to 2026-03-31"
    answer.close()


@pytest.mark.parametrize("page", [ITEMS, SUMMARY])
def test_a_file_of_a_wrong_period_is_the_page_that_says_so(admin: FlaskClient, page: str) -> None:
    answer: TestResponse = admin.get(f"{page}csv", query_string={"start": "soon", "end": "later"})

    assert answer.status_code == 422
    assert "Dates are written like" in answer.text


@pytest.mark.parametrize("page", PAGES)
def test_reports_are_open_to_whoever_may_open_the_orders(shop: Shop, page: str) -> None:
    assert shop.client(None).get(page).status_code == 302
    assert shop.client("ada").get(page).status_code == 403
    answer = shop.client("viewer").get(page)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("page", PAGES)
def test_without_our_tables_each_says_how_to_make_them(
    shop: Shop, admin: FlaskClient, page: str
) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(db.engine)

    answer = admin.get(page)

    assert answer.status_code == 503
    assert "flask refunds upgrade" in answer.text


@pytest.mark.parametrize("page", [ITEMS, SUMMARY, DASHBOARD])
def test_a_page_takes_as_many_queries_for_many_refunds_as_for_one(
    shop: Shop, admin: FlaskClient, page: str
) -> None:
    def asked() -> int:
        with shop.queries() as seen:
            assert admin.get(page).status_code == 200
        return len(seen)

    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    few = asked()
    for name in ("plain", "euros", "bobs", "guest", "discounted"):
        shop.issue(name, everything=True, to_card=False, other_kind="cash")

    assert asked() == few <= 12
