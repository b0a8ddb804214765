"""What is refunded is taken off every report at once, and the reports agree to the cent."""

import csv
import io
import re
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from flask_admin import Admin, AdminIndexView, BaseView, expose
from openpyxl import load_workbook
from sqlalchemy import insert, select, text
from werkzeug.test import TestResponse

from example_app import db
from example_app.models import OrderItem, User
from flask_refunds import Actor, correcting
from flask_refunds.errors import ConfigurationError
from flask_refunds.models import Allocation, Base, Line, Posting, Transfer
from flask_refunds.planning import Selection
from flask_refunds.processing import process
from flask_refunds.reports import NetReport
from flask_refunds.reports.csv_files import safe
from flask_refunds.reports.downloads import XLSX
from flask_refunds.reports.postings import FIRST
from flask_refunds.reports.registering import replace
from tests.functional.conftest import Shop
from tests.integration.workshop import PATIENT, Workshop, opened

ANNA = Actor(id="1", label="Anna Admin")
ALL = {"start": "2026-01-01", "end": "2027-12-31"}
REPORT = "/admin/refunds_report/"


def cents(amount: str) -> int:
    return int(amount.replace(".", "").replace("-0", "-"))


def table(answer: TestResponse) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def items(client: FlaskClient) -> dict[tuple[str, str], dict[str, str]]:
    rows = table(client.get("/admin/items_report/csv", query_string=ALL))
    return {(row["SKU"], row["Currency"]): row for row in rows}


def summary(client: FlaskClient) -> list[dict[str, str]]:
    return table(client.get("/admin/summary_report/csv", query_string=ALL))


def postings(client: FlaskClient, **args: str) -> list[dict[str, str]]:
    return table(client.get(f"{REPORT}csv", query_string={**ALL, **args}))


def dashboard(shop: Shop) -> dict[str, int]:
    with shop.app.app_context():
        view: Any = shop.app.extensions["admin"][0].index_view
        sales = view.sales(date.fromisoformat(ALL["start"]), date.fromisoformat(ALL["end"]))
        return dict(sales)


def figures(shop: Shop, client: FlaskClient) -> Any:
    """Everything that the four reports say, to be compared as a whole."""
    return items(client), summary(client), dashboard(shop), postings(client)


def line(shop: Shop, name: str, sku: str, **what: int) -> Selection:
    with shop.app.app_context():
        order, number = int(shop.orders[name]), OrderItem.id
        where = (OrderItem.order_id == order, OrderItem.sku == sku)
        ref = db.session.scalars(select(number).where(*where)).one()
    return Selection(kind="line", ref=str(ref), **what)


def agree(shop: Shop, client: FlaskClient) -> dict[str, int]:
    """Check that the reports take off the same, and return it by currency."""
    posted: dict[str, int] = defaultdict(int)
    listed: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in postings(client):
        posted[row["currency"]] += cents(row["amount"])
        if row["kind"] == "line":
            listed[row["sku"], row["currency"]][0] += cents(row["list_price"])
            listed[row["sku"], row["currency"]][1] += int(row["quantity"])

    by_day: dict[str, int] = defaultdict(int)
    net: dict[str, int] = defaultdict(int)
    for row in summary(client):
        by_day[row["Currency"]] += cents(row["Refunds"])
        net[row["Currency"]] += cents(row["Sales"])
        assert cents(row["Sales"]) == cents(row["Gross"]) - cents(row["Refunds"])
    assert {key: by_day[key] for key in posted} == dict(posted)
    assert sum(by_day.values()) == sum(posted.values())
    assert net == {key: value for key, value in dashboard(shop).items() if key in net}

    for key, row in items(client).items():
        assert cents(row["Refunds"]) == listed[key][0]
        assert cents(row["Revenue"]) == cents(row["Gross"]) - listed[key][0]
    return dict(posted)


def test_a_partial_refund_counts_once_completed_and_in_all_reports_alike(
    shop: Shop, admin: FlaskClient
) -> None:
    before = figures(shop, admin)
    shop.issue("plain", selections=(line(shop, "plain", "BRAKE-PAD", quantity=1),), to_card=True)
    assert figures(shop, admin) == before  # started

    shop.simulator.fault("drop_after", "refund")
    shop.work()
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        assert session.scalars(select(Transfer.state)).all() == ["processing"]
    assert figures(shop, admin) == before

    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        session.execute(text("UPDATE refunds_transfer SET next_attempt_at = created_at"))
        session.execute(text("UPDATE refunds_attempt SET called_at = started_at"))
        session.commit()
    completed(shop)

    pad = before[0]["BRAKE-PAD", "USD"]
    now = items(admin)["BRAKE-PAD", "USD"]
    price = cents(pad["Revenue"]) // int(pad["Units"])
    assert int(now["Units"]) == int(pad["Units"]) - 1
    assert (cents(now["Gross"]), cents(now["Refunds"])) == (cents(pad["Revenue"]), price)
    assert agree(shop, admin) == {"USD": price}


def completed(shop: Shop) -> None:
    """Work until nothing is on its way."""
    for _ in range(50):
        shop.work()
        with shop.app.app_context(), shop.runtime.sessions.open() as session:
            if "processing" not in session.scalars(select(Transfer.state)).all():
                return
    raise AssertionError("still processing")


def test_list_and_paid_prices_both_net_to_nothing_after_a_full_refund_of_a_discounted_order(
    shop: Shop, admin: FlaskClient
) -> None:
    with shop.app.app_context():
        db.session.execute(
            text("DELETE FROM order_item WHERE order_id <> :id"), {"id": shop.orders["discounted"]}
        )
        db.session.execute(
            text("UPDATE \"order\" SET status = 'cancelled' WHERE id <> :id"),
            {"id": shop.orders["discounted"]},
        )
        db.session.commit()
    shop.issue("discounted", everything=True, to_card=True)
    shop.work()

    assert {cents(row["Revenue"]) for row in items(admin).values()} == {0}
    assert {int(row["Units"]) for row in items(admin).values()} == {0}
    assert dashboard(shop) == {"USD": 0, "EUR": 0}
    agree(shop, admin)


def test_of_two_cards_of_which_one_fails_only_what_moved_is_posted_to_its_items(
    shop: Shop, admin: FlaskClient
) -> None:
    issued = shop.issue("two_cards", everything=True, to_card=True)
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        [failing] = session.scalars(
            select(Transfer).where(Transfer.id == issued.transfer_ids[1])
        ).all()
    shop.simulator.fault("decline", "refund", transaction_id=failing.charge_id, code="2000")
    shop.work(2)

    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        moved = session.get_one(Transfer, issued.transfer_ids[0])
        assert session.get_one(Transfer, failing.id).state == "failed"
        carried = session.execute(
            select(Line.sku, Allocation.list_price)
            .join(Allocation, Allocation.line_id == Line.id)
            .where(Allocation.transfer_id == moved.id, Line.kind == "line")
        ).all()
    taken = {sku: cents(row["Refunds"]) for (sku, _), row in items(admin).items()}
    assert {sku: amount for sku, amount in taken.items() if amount} == {
        row.sku: row.list_price for row in carried
    }
    assert agree(shop, admin) == {"USD": moved.amount} == {"USD": 10000}


def test_other_means_counts_at_once_and_a_reversal_undoes_it_by_postings_dated_then(
    shop: Shop, admin: FlaskClient
) -> None:
    before = figures(shop, admin)[:3]
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    [row] = [r for r in postings(admin) if r["kind"] == "line"]
    assert (row["method"], row["entry"], row["sku"]) == ("other", "refund", "SADDLE-LEA")
    assert items(admin)["SADDLE-LEA", "USD"]["Units"] == "0"
    whole = agree(shop, admin)["USD"]
    assert whole > 0
    age(shop, "2026-05-05 12:00:00.000000")
    may = {"start": "2026-05-01", "end": "2026-05-31"}
    closed = admin.get(f"{REPORT}csv", query_string=may).data
    assert closed.count(b"\r\n") == 1 + len(postings(admin))

    with shop.app.app_context():
        correcting.reverse(shop.runtime, transfer_id(shop), ANNA, why="It was a mistake.")

    assert agree(shop, admin) == {"USD": 0}
    reports = figures(shop, admin)
    assert {k: r["Revenue"] for k, r in reports[0].items()} == {
        k: r["Revenue"] for k, r in before[0].items()
    }
    assert reports[2] == before[2]
    entries = [(r["entry"], r["posted_at"][:7]) for r in postings(admin)]
    today = datetime.now(UTC).strftime("%Y-%m")
    assert set(entries) == {("refund", "2026-05"), ("reversal", today)}
    assert admin.get(f"{REPORT}csv", query_string=may).data == closed
    assert cents(by_day(admin, "2026-05-05")["Sales"]) == -whole


def by_day(client: FlaskClient, day: str) -> dict[str, str]:
    [row] = [row for row in summary(client) if row["Day"] == day]
    return row


def age(shop: Shop, moment: str) -> None:
    """Have everything in the ledger posted at *moment* (UTC)."""
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        session.execute(text("UPDATE refunds_posting SET posted_at = :at"), {"at": moment})
        session.commit()


def transfer_id(shop: Shop) -> int:
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        return session.scalars(select(Transfer.id)).one()


def test_by_order_date_a_refund_belongs_to_the_day_of_its_order(
    shop: Shop, admin: FlaskClient
) -> None:
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    march = {"start": "2026-03-01", "end": "2026-03-31"}

    assert postings(admin, **march) == []
    rows = postings(admin, **march, basis="order")
    assert {row["basis"] for row in rows} == {"order"}
    assert {row["order_placed_at"] for row in rows} == {"2026-03-10T09:30:00+00:00"}
    page = admin.get(REPORT, query_string={**march, "basis": "order"}).text
    assert "By order date" in page
    assert "Comfort saddle" in page or "SADDLE" in page.upper()


def test_a_net_report_of_the_hosts_says_and_keeps_the_date_that_it_goes_by(
    shop: Shop, admin: FlaskClient
) -> None:
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    march = {"start": "2026-03-01", "end": "2026-03-31"}

    page = admin.get("/admin/items_report/", query_string=march).text
    assert "By refund date" in page
    assert "basis=order&amp;start=2026-03-01&amp;end=2026-03-31" in page
    page = admin.get("/admin/items_report/", query_string={**march, "basis": "order"}).text
    assert "By order date" in page
    assert 'name="basis" value="order"' in page
    link = re.search(r'href="(/admin/items_report/csv[^"]*)"', page)
    assert link is not None
    rows = {r["SKU"]: r for r in table(admin.get(unescape(link[1]))) if r["Currency"] == "USD"}
    assert {row["Refunds by"] for row in rows.values()} == {"order date"}
    assert rows["SADDLE-LEA"]["Units"] == "0"
    by_refund = table(admin.get("/admin/items_report/csv", query_string=march))
    assert {row["Refunds by"] for row in by_refund} == {"refund date"}
    assert {r["Units"] for r in by_refund if r["SKU"] == "SADDLE-LEA"} == {"1"}


def test_what_is_on_its_way_is_shown_and_not_netted(shop: Shop, admin: FlaskClient) -> None:
    before = dashboard(shop)
    shop.issue("plain", everything=True, to_card=True)
    shop.issue("euros", everything=True, to_card=True)

    page = admin.get("/admin/").text
    assert page.count("In flight, not counted") == 6
    assert dashboard(shop) == before
    report = admin.get(REPORT).text
    assert report.count("not counted yet") == 2
    assert "No refund was completed or reversed" in report
    requests = admin.get(REPORT, query_string={"part": "requests"}).text
    assert requests.count("R-00000") == 2
    assert "Started" in requests


def test_there_is_one_block_for_each_currency(shop: Shop, admin: FlaskClient) -> None:
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    shop.issue("euros", everything=True, to_card=True)
    shop.issue("unsettled", everything=True, to_card=True)
    shop.work(2)

    page = admin.get(REPORT).text

    assert [c for c in ("USD", "EUR") if f'aria-label="{c}"' in page] == ["USD", "EUR"]
    totals = agree(shop, admin)
    assert totals["EUR"] > 0
    void = [r for r in postings(admin) if r["operation"] == "void"]
    assert {row["order"] for row in void} == {"2026-001004"}


@pytest.mark.parametrize("path", ["", "csv", "xlsx"])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"start": "2026-02-30", "end": "2026-03-01"}, "Dates are written like"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, "before the first one"),
        ({"start": "2026-03-02"}, "Give both dates"),
        ({"period": "fortnight"}, "no such choice"),
    ],
)
def test_wrong_dates_are_answered_at_their_field(
    admin: FlaskClient, path: str, args: dict[str, str], words: str
) -> None:
    answer = admin.get(REPORT + path, query_string=args)

    assert answer.status_code == 422
    assert words in answer.text
    assert args.get("start", "") in answer.text


def test_the_period_is_in_the_links(admin: FlaskClient) -> None:
    page = admin.get(REPORT, query_string={"period": "all", "basis": "order"}).text
    assert "csv?basis=order&amp;period=all" in page

    days = {"start": "2026-03-01", "end": "2026-03-31"}
    page = admin.get(REPORT, query_string=days).text
    assert "csv?start=2026-03-01&amp;end=2026-03-31" in page
    assert "xlsx?start=2026-03-01&amp;end=2026-03-31" in page
    name = admin.get(f"{REPORT}csv", query_string=days).headers["Content-Disposition"]
    assert name == 'attachment; filename="refunds_2026-03-01_2026-03-31_by-refund.csv"'


def test_pages_follow_each_other_without_gap_or_repeat(
    shop: Shop, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    shop.issue("plain", everything=True, to_card=False, other_kind="cash")
    age(shop, "2026-05-05 12:00:00.000000")  # all at one moment
    view: Any = next(
        v for v in shop.app.extensions["admin"][0]._views if v.endpoint == "refunds_report"
    )
    monkeypatch.setattr(view, "rows_per_page", 2)

    seen, after = [], None
    for _ in range(10):
        args = {"period": "all"} | ({"after": after} if after else {})
        page = admin.get(REPORT, query_string=args).text
        seen += page.split("<tbody>")[1].count("<tr>") * ["row"]
        if 'rel="next"' not in page:
            break
        after = page.split('rel="next"')[1].split("after=")[1].split('"')[0].split("&")[0]

    assert len(seen) == len(postings(admin)) == 4


def test_a_cursor_that_is_none_is_refused(admin: FlaskClient) -> None:
    assert admin.get(REPORT, query_string={"after": "yesterday"}).status_code == 400


def test_the_file_has_plain_figures_and_no_formulas(shop: Shop, admin: FlaskClient) -> None:
    with shop.app.app_context():
        db.session.execute(text("UPDATE order_item SET name = '=HYPERLINK(\"x\")', sku = '@x'"))
        db.session.commit()
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")

    answer = admin.get(f"{REPORT}csv", query_string=ALL)

    assert answer.mimetype == "text/csv"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.split("\r\n")[0] == (
        "posting,posted_at,entry,reverses,refund,transfer,order,order_key,order_placed_at,customer,"
        "customer_name,kind,line,sku,description,quantity,currency,list_price,discount,tax,amount,"
        "method,operation,gateway,gateway_refund,gateway_at,reason,operator,basis"
    )
    [row] = [r for r in table(answer) if r["kind"] == "line"]
    assert (row["description"], row["sku"]) == ('\'=HYPERLINK("x")', "'@x")
    assert row["amount"] == f"{cents(row['amount']) / 100:.2f}"
    assert row["posted_at"].endswith("+00:00")
    assert (row["customer_name"], row["operator"]) == ("Ada Lovelace", "Anna Admin")


def test_the_workbook_has_the_rows_of_the_csv_in_types_of_excel(
    shop: Shop, admin: FlaskClient
) -> None:
    with shop.app.app_context():
        db.session.execute(text("UPDATE order_item SET name = '=1+1'"))
        db.session.commit()
    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    shop.issue("euros", everything=True, to_card=True)
    shop.work(2)

    with admin.get(f"{REPORT}xlsx", query_string=ALL) as answer:
        data = answer.data

    assert answer.status_code == 200
    assert answer.mimetype == XLSX
    assert answer.headers["Content-Length"] == str(len(data))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="refunds_2026-01-01_2027-12-31_by-refund.xlsx"'
    )
    book = load_workbook(io.BytesIO(data))
    head, *rows = book["Refunds"].iter_rows()
    listed = postings(admin)
    assert [cell.value for cell in head] == list(listed[0])
    assert len(rows) == len(listed)
    assert {row["currency"] for row in listed} == {"USD", "EUR"}
    for cells, row in zip(rows, listed, strict=True):
        got: dict[str, Any] = dict(zip(row, cells, strict=True))
        assert str(got["posting"].value) == row["posting"]
        assert f"{got['amount'].value:.2f}" == row["amount"]
        assert (got["amount"].data_type, got["amount"].number_format) == ("n", "#,##0.00")
        assert f"{got['posted_at'].value:%Y-%m-%dT%H:%M:%S}+00:00" == row["posted_at"]
        assert got["description"].data_type == "s"
        assert row["description"] in {got["description"].value, f"'{got['description'].value}"}
    told = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert told["Basis"] == "by refund date"
    assert told["Period"] == "2026-01-01 to 2027-12-31"
    assert (told["Time zone"], told["Rows"]) == ("UTC", str(len(rows)))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_begins_like_a_formula_is_text(start: str) -> None:
    assert safe(f"{start}1+1") == f"'{start}1+1"
    assert safe(f"1{start}") == f"1{start}"


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_download_that_is_broken_off_leaves_nothing_behind(
    postgresql_url: str, ending: str
) -> None:
    with opened(postgresql_url, **PATIENT) as workshop:
        client, pool = _with_postings(workshop)
        connections, files = pool.checkedout(), _open_files()

        answer = client.get(f"{REPORT}{ending}", query_string=ALL, buffered=False)
        pieces: Any = iter(answer.response)
        assert next(pieces)
        assert pool.checkedout() == connections
        answer.close()

        assert (pool.checkedout(), _open_files()) == (connections, files)
        with client.head(f"{REPORT}{ending}", query_string=ALL) as head:
            assert head.status_code == 200
        assert (pool.checkedout(), _open_files()) == (connections, files)


def _open_files() -> list[str]:
    """The files without a name that this process has open (Linux)."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(number.readlink()))
    return sorted(each for each in found if each.endswith(" (deleted)"))


def test_a_download_that_stands_still_keeps_no_refund_waiting(database_url: str) -> None:
    with opened(database_url, **PATIENT) as workshop:
        client, _ = _with_postings(workshop)
        answer = client.get(f"{REPORT}csv", query_string=ALL, buffered=False)
        pieces: Any = iter(answer.response)
        start = next(pieces)

        workshop.issue(workshop.sell(1000)[0])

        rest = "".join(map(_text, pieces))
        assert _text(start).count("\r\n") == 1 + FIRST
        assert _text(start).count("\r\n") + rest.count("\r\n") == 1 + 5000
        answer.close()


def test_the_host_has_its_session_back_before_the_client_has_the_file(sqlite_url: str) -> None:
    with opened(sqlite_url, **PATIENT) as workshop:
        client, _ = _with_postings(workshop)
        ended = []
        workshop.app.teardown_request(lambda error: ended.append(error))

        answer = client.get(f"{REPORT}csv", query_string=ALL, buffered=False)
        pieces: Any = iter(answer.response)
        next(pieces)

        assert ended == [None]
        for _ in pieces:
            assert not has_app_context()
        assert ended == [None]
        answer.close()


def _with_postings(workshop: Workshop) -> tuple[FlaskClient, Any]:
    """A signed-in client, the connection pool, and five thousand postings in the ledger."""
    ticket = workshop.refund_of(1000)
    workshop.do(process, ticket.id)
    [posting] = workshop.rows(select(Posting))
    copied = {c.key: getattr(posting, c.key) for c in Posting.__table__.columns if c.key != "id"}
    with workshop.app.app_context():
        with workshop.runtime.sessions.open() as session:
            rows = [{**copied, "generation": number} for number in range(2, 5001)]
            session.execute(insert(Posting), rows)
            session.commit()
        admin = User(name="admin", email="admin@example.com", role="admin")
        db.session.add(admin)
        db.session.commit()
        identity, pool = str(admin.id), db.engine.pool
        db.session.remove()
    client = workshop.app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = identity, True
    return client, pool


def _text(piece: bytes | str) -> str:
    return piece.decode() if isinstance(piece, bytes) else piece


def test_the_page_takes_as_many_queries_for_many_refunds_as_for_one(
    shop: Shop, admin: FlaskClient
) -> None:
    def asked(part: str) -> int:
        with shop.queries() as seen:
            assert admin.get(REPORT, query_string={"part": part}).status_code == 200
        return sum("refunds_" in statement for statement in seen)

    shop.issue("cash", everything=True, to_card=False, other_kind="cash")
    few = [asked("postings"), asked("requests")]
    for name in ("plain", "euros", "bobs", "guest", "discounted"):
        shop.issue(name, everything=True, to_card=False, other_kind="cash")

    assert [asked("postings"), asked("requests")] == few
    assert few == [8, 10]


def test_strangers_and_customers_see_no_report(shop: Shop) -> None:
    ours = (REPORT, f"{REPORT}csv", f"{REPORT}xlsx")
    for path in (*ours, "/admin/items_report/", "/admin/summary_report/csv"):
        assert shop.client(None).get(path).status_code == 302
        assert shop.client("ada").get(path).status_code == 403
        with shop.client("viewer").get(path) as answer:
            assert answer.status_code == 200


def test_without_our_tables_the_report_says_what_to_run(shop: Shop, admin: FlaskClient) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(shop.runtime.sessions.engine)

    for path in (REPORT, f"{REPORT}csv", f"{REPORT}xlsx"):
        answer = admin.get(path)
        assert answer.status_code == 503
        assert "flask refunds upgrade" in answer.text


def test_the_menu_has_each_report_once_and_refunds_among_them(admin: FlaskClient) -> None:
    page = admin.get("/admin/items_report/").text

    menu = page[page.index("Reporting") :]
    for path in ("items_report", "summary_report", "refunds_report"):
        assert menu.count(f'href="/admin/{path}/"') == 1
    assert "Net of refunds" in page
    assert ">Gross<" in page


class HostReport(BaseView):
    @expose("/")
    def index(self) -> str:
        return f"host {self.name} {self.figures()}"

    def figures(self) -> str:
        return "gross"


class SpecialReport(HostReport):
    pass


class Net(NetReport, HostReport):
    def figures(self) -> str:
        return f"net of {super().figures()}"

    @expose("/more")
    def more(self) -> str:
        return "more"


class Index(AdminIndexView):
    @expose("/")
    def index(self) -> str:
        return "index"


class NetIndex(NetReport, Index):
    @expose("/")
    def index(self) -> str:
        return "net index"


@pytest.fixture
def bare() -> tuple[Flask, Admin]:
    app = Flask(__name__)
    app.secret_key = "x"
    admin = Admin(app, index_view=Index())
    admin.add_view(HostReport(name="Sales", endpoint="sales", url="/numbers"))
    return app, admin


def test_a_replacement_answers_at_the_hosts_own_address(bare: tuple[Flask, Admin]) -> None:
    app, admin = bare
    entries = len(admin.menu())

    new = replace(app, admin, Net)
    replace(app, admin, NetIndex)

    client = app.test_client()
    assert client.get("/numbers/").text == "host Sales net of gross"
    assert client.get("/numbers/more").text == "more"
    assert client.get("/admin/").text == "net index"
    assert (type(new), new.endpoint, new.admin) == (Net, "sales", admin)
    assert len(admin.menu()) == entries
    assert [type(entry._view) for entry in admin.menu()] == [NetIndex, Net]


def test_a_replacement_before_the_admin_has_its_app_serves_too() -> None:
    app, admin = Flask(__name__), Admin()
    admin.add_view(HostReport(name="Sales", endpoint="sales"))

    replace(app, admin, Net)
    admin.init_app(app)

    assert app.test_client().get("/admin/sales/").text == "host Sales net of gross"


def test_the_nearest_class_is_the_one_that_is_replaced(bare: tuple[Flask, Admin]) -> None:
    app, admin = bare
    admin.add_view(SpecialReport(name="Special", endpoint="special"))

    replace(app, admin, type("NetSpecial", (NetReport, SpecialReport), {}))

    client = app.test_client()
    assert client.get("/numbers/").text == "host Sales gross"
    assert type(next(v for v in admin._views if v.endpoint == "special")).__name__ == "NetSpecial"


def test_a_replacement_that_fits_nothing_or_several_is_refused(bare: tuple[Flask, Admin]) -> None:
    app, admin = bare
    with pytest.raises(ConfigurationError, match="subclasses no view"):
        replace(app, admin, type("Lost", (NetReport, BaseView), {}))
    with pytest.raises(ConfigurationError, match="takes reports of ours"):
        replace(app, admin, dict)
    admin.add_view(HostReport(name="Again", endpoint="again"))
    with pytest.raises(ConfigurationError, match="several views of HostReport"):
        replace(app, admin, Net)


@pytest.mark.parametrize("page", ["", "items_report/", "summary_report/", "refunds_report/"])
def test_without_our_tables_a_net_report_says_how_to_make_them(shop: Shop, page: str) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(db.engine)
    answer = shop.client().get(f"/admin/{page}")
    assert answer.status_code == 503
    assert "flask refunds upgrade" in answer.text


@pytest.mark.parametrize("page", ["user/", "order/", "product/", "payment/"])
def test_without_our_tables_the_hosts_own_pages_go_on(shop: Shop, page: str) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(db.engine)
    assert shop.client().get(f"/admin/{page}").status_code == 200
