"""The example shop on its own: a storefront that has never heard of the extension."""

import csv
import io
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import example_app
from example_app import create_app, db
from example_app.children import Child, Register
from example_app.dashboard import Dashboard
from example_app.models import SOLD, Order, User
from example_app.reports import BaseReport, ItemsReport, SummaryReport
from example_app.seed import seed
from example_app.till import ChargeRefused, Till
from flask_refunds.testing.simulator import Simulator
from tests import databases

NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
TODAY = NOW.date()
START = TODAY - timedelta(days=89)


def shop(url: str) -> Flask:
    """The shop with 300 orders on the database at ``url``, the extension left out."""
    app = create_app({"DATABASE_URL": url, "SHOP_REFUNDS": False, "TESTING": True})
    with app.app_context():
        flask_migrate.upgrade()
        seed(db.session(), now=NOW, orders=300)
        db.session.remove()
    return app


# Not called "app": pytest-flask would hold a context of it open, which all clients would share.
@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = shop(databases.sqlite(tmp_path_factory.mktemp("shop")))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(running: Flask) -> FlaskClient:
    return running.test_client()


def sign_in(client: FlaskClient, name: str, password: str | None = None) -> str:
    """Sign in through the page, its CSRF token included; return where it leads, or its text."""
    page = client.get("/login").get_data(as_text=True)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    form = {
        "csrf_token": token[1],
        "email": f"{name}@example.com",
        "password": password or name,
    }
    answer = client.post("/login", data=form)
    return answer.headers.get("Location") or answer.get_data(as_text=True)


def test_staff_sign_in_leads_to_the_admin_and_a_customer_to_the_shop(running: Flask) -> None:
    assert sign_in(running.test_client(), "admin") == "/admin/"
    assert sign_in(running.test_client(), "viewer") == "/admin/"
    assert sign_in(running.test_client(), "ada") == "/"


def test_a_wrong_password_does_not_sign_in(client: FlaskClient) -> None:
    assert "is wrong" in sign_in(client, "admin", "guess")
    assert client.get("/admin/user/").status_code == 302


def test_a_login_without_a_csrf_token_is_refused(client: FlaskClient) -> None:
    form = {"email": "admin@example.com", "password": "admin"}
    assert client.post("/login", data=form).status_code == 400


def test_sign_in_does_not_lead_to_another_site(client: FlaskClient) -> None:
    page = client.get("/login?next=//elsewhere.example/").get_data(as_text=True)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    form = {"csrf_token": token[1], "email": "admin@example.com", "password": "admin"}
    answer = client.post("/login?next=//elsewhere.example/", data=form)
    assert answer.headers["Location"] == "/admin/"


def test_the_admin_sends_a_stranger_to_the_login_and_refuses_a_customer(
    client: FlaskClient,
) -> None:
    assert client.get("/admin/order/").headers["Location"] == "/login?next=/admin/order/"
    sign_in(client, "ada")
    assert client.get("/admin/order/").status_code == 403
    assert client.get("/admin/items_report/").status_code == 403


@pytest.mark.parametrize("role", ["admin", "viewer"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/orders",
        "/admin/",
        "/admin/user/",
        "/admin/user/?search=ada",
        "/admin/product/",
        "/admin/order/",
        "/admin/order/?search=lovelace",
        "/admin/order/details/?id=1",
        "/admin/payment/",
        "/admin/payment/details/?id=1",
        "/admin/items_report/",
        "/admin/items_report/csv",
        "/admin/summary_report/?start=nonsense",
    ],
)
def test_every_page_opens(client: FlaskClient, path: str, role: str) -> None:
    sign_in(client, role)
    assert client.get(path).status_code == 200


def test_only_an_editor_may_open_the_edit_page(running: Flask) -> None:
    for role, status in (("support", 200), ("viewer", 302)):
        client = running.test_client()
        sign_in(client, role)
        assert client.get("/admin/order/edit/?id=1").status_code == status


def test_a_customer_sees_her_own_orders_only(running: Flask, client: FlaskClient) -> None:
    with running.app_context():
        orders = db.session.scalars(select(Order).options(selectinload(Order.user))).all()
        hers = next(o.number for o in orders if o.user and o.user.name == "Ada Lovelace")
        not_hers = next(o.number for o in orders if not o.user)
    sign_in(client, "ada")
    assert client.get(f"/orders/{hers}").status_code == 200
    assert client.get(f"/orders/{not_hers}").status_code == 404


def all_orders() -> list[Order]:
    return list(
        db.session.scalars(
            select(Order).options(selectinload(Order.items), selectinload(Order.payments))
        )
    )


def test_each_order_adds_up(running: Flask) -> None:
    with running.app_context():
        for order in all_orders():
            goods = sum(item.total_cents for item in order.items)
            extras = order.shipping_cents + order.shipping_tax_cents
            assert order.total_cents == goods - order.discount_cents + extras
            assert 0 <= order.discount_cents <= goods
            for item in order.items:
                assert item.list_cents == item.quantity * item.unit_price_cents
                assert 0 <= item.tax_cents <= item.total_cents <= item.list_cents


def test_the_year_has_every_kind_of_order(running: Flask) -> None:
    with running.app_context():
        orders = all_orders()
        assert {order.status for order in orders} == {"pending", "paid", "shipped", "cancelled"}
        assert {order.currency for order in orders} == {"USD", "EUR"}
        assert {p.kind for order in orders for p in order.payments} == {
            "card",
            "cash",
            "bank",
            "voucher",
        }
        assert any(order.guest_email and not order.user_id for order in orders)
        assert any(item.total_cents == 0 for order in orders for item in order.items)
        assert any(item.total_cents < item.list_cents for order in orders for item in order.items)
        assert any(item.quantity > 1 for order in orders for item in order.items)
        assert any(order.discount_cents and order.shipping_tax_cents for order in orders)
        assert any(
            order.status in SOLD and captured(order) != order.total_cents for order in orders
        )
        assert all(order.placed_at <= NOW for order in orders)
        assert not any(p.transaction_id for order in orders for p in order.payments)


def captured(order: Order) -> int:
    return sum(p.amount_cents for p in order.payments if p.status == "captured")


def test_the_same_moment_gives_the_same_shop(running: Flask, tmp_path: Path) -> None:
    def totals() -> list[tuple[str, int]]:
        return sorted((order.number, order.total_cents) for order in all_orders())

    with running.app_context():
        first = totals()
    with shop(databases.sqlite(tmp_path)).app_context():
        assert totals() == first


def test_ada_has_the_orders_that_are_worth_trying(running: Flask) -> None:
    with running.app_context():
        ada = db.session.scalars(select(User).where(User.email == "ada@example.com")).one()
        paid = [sorted(p.kind for p in order.payments) for order in ada.orders]
        assert paid.count(["card", "card"]) == 1
        assert paid.count(["cash"]) == 1
        assert {order.currency for order in ada.orders} == {"USD", "EUR"}
        assert any(order.discount_cents and order.shipping_cents for order in ada.orders)
        # The gateway's test amounts: a refund of the bicycle alone is declined, the sale is not.
        touring = next(order for order in ada.orders if order.items[0].sku == "BIKE-TOUR")
        assert touring.items[0].total_cents == 204600
        assert touring.total_cents == 354600


class EuroRefusingTill(Till):
    """A till at a gateway that has dollars only, and cannot settle."""

    def __init__(self) -> None:
        self.charged: list[str] = []

    def charge(self, cents: int, currency: str, reference: str, card: str) -> str:
        if currency != "USD":
            raise ChargeRefused("no such merchant account")
        self.charged.append(reference)
        return f"sale{len(self.charged)}"

    def settle(self, transaction_id: str) -> bool:
        return False


def test_what_a_gateway_cannot_do_is_said_and_leaves_no_dangling_payment(sqlite_url: str) -> None:
    app = create_app({"DATABASE_URL": sqlite_url, "SHOP_REFUNDS": False})
    said: list[str] = []
    with app.app_context():
        flask_migrate.upgrade()
        till = EuroRefusingTill()
        seed(db.session(), now=NOW, orders=100, till=till, sales=30, say=said.append)
        payments = [p for order in all_orders() for p in order.payments]
        assert [p.gateway for p in payments].count("braintree") == len(till.charged) > 20
        assert all(bool(p.gateway) == bool(p.transaction_id) for p in payments)
        assert all(p.currency == "USD" for p in payments if p.gateway)
        db.session.remove()
        db.engine.dispose()
    assert said[0].startswith("No sales in EUR")
    assert said[1].endswith("could not be settled and are left as they are.")


def test_the_newest_sales_are_made_at_the_gateway_and_all_but_ten_settled(sqlite_url: str) -> None:
    with Simulator() as simulator:
        overrides = {"DATABASE_URL": sqlite_url, "BRAINTREE_URL": simulator.url}
        app = create_app({"SHOP_REFUNDS": False} | overrides)
        with app.app_context():
            flask_migrate.upgrade()
            till = Till.from_config(app.config)
            assert till
            seed(db.session(), now=NOW, orders=100, till=till, sales=40, say=pytest.fail)
            sales = [(order.number, p) for order in all_orders() for p in order.payments]
            found = [
                (till.find(p.transaction_id), number, p) for number, p in sales if p.transaction_id
            ]
            db.session.remove()
            db.engine.dispose()
    assert len(found) >= 40
    for sale, number, payment in found:
        assert sale.order_id == number
        assert int(sale.amount * 100) == payment.amount_cents
        assert sale.currency_iso_code == payment.currency
    statuses = [sale.status for sale, *_ in found]
    assert statuses.count("submitted_for_settlement") == 10
    assert statuses.count("settled") == len(found) - 10


def test_reports_agree_with_a_plain_count_on_every_database(database_url: str) -> None:
    with shop(database_url).test_request_context():
        sold = [o for o in all_orders() if o.status in SOLD and o.placed_at.date() >= START]
        items: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        days: dict[tuple[object, str], list[int]] = defaultdict(lambda: [0, 0])
        sales = dict.fromkeys(("USD", "EUR"), 0)
        for order in sold:
            sales[order.currency] += order.total_cents
            day = days[order.placed_at.date(), order.currency]
            day[0] += 1
            day[1] += order.total_cents
            for item in order.items:
                row = items[item.sku, order.currency]
                row[0] += item.quantity
                row[1] += item.list_cents

        rows = report(ItemsReport).rows(START, TODAY)
        assert {(r["sku"], r["currency"]): [r["units"], r["revenue_cents"]] for r in rows} == items
        summary = report(SummaryReport)
        rows = summary.rows(START, TODAY)
        assert {(r["day"], r["currency"]): [r["orders"], r["sales_cents"]] for r in rows} == days
        assert [r["day"] for r in rows] == sorted((r["day"] for r in rows), reverse=True)
        totals = summary.totals(START, TODAY)
        assert {r["currency"]: r["sales_cents"] for r in totals} == sales
        assert Dashboard().sales(START, TODAY) == sales
        db.session.remove()
        db.engine.dispose()


def report(kind: type[BaseReport]) -> BaseReport:
    return kind("A report", endpoint=kind.__name__.lower())


def test_the_download_has_the_rows_of_the_page(client: FlaskClient) -> None:
    sign_in(client, "admin")
    answer = client.get(f"/admin/summary_report/csv?start={START}&end={TODAY}")
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True))))
    assert rows[0] == ["Day", "Currency", "Orders", "Sales"]
    assert all(re.fullmatch(r"\d+\.\d\d", row[3]) for row in rows[1:])
    page = client.get(f"/admin/summary_report/?start={START}&end={TODAY}").get_data(as_text=True)
    assert page.count('class="shop-date"') == len(rows)


def test_dates_may_be_given_in_either_order(client: FlaskClient) -> None:
    sign_in(client, "admin")
    one = client.get(f"/admin/items_report/csv?start={START}&end={TODAY}").data
    assert client.get(f"/admin/items_report/csv?start={TODAY}&end={START}").data == one


def test_the_next_start_ends_what_a_killed_demo_left(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("import time; time.sleep(60)")
    command = [sys.executable, str(tmp_path / "sleeper.py")]
    left, other = subprocess.Popen(command), subprocess.Popen(command)
    register = Register(tmp_path)
    register.add(left.pid)
    # A process that has got the id of one of ours since then is none of our business.
    with (tmp_path / "processes").open("a") as file:
        file.write(f"{other.pid} something else\n")
    threading.Thread(target=left.wait, daemon=True).start()  # nobody's child any more
    Register(tmp_path).end_left_over()
    assert left.wait(10) == -signal.SIGTERM
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_child_says_how_it_ended(tmp_path: Path) -> None:
    child = Child("clock", ("no_such_module",), tmp_path)
    while not (said := child.ended()):
        time.sleep(0.05)
    assert said.startswith("The clock ended with status 1.")
    assert "No module named no_such_module" in said
    child.stop()


def test_the_migrations_make_what_the_models_say(running: Flask) -> None:
    with running.app_context():
        flask_migrate.check()


def test_the_shop_has_not_heard_of_the_extension() -> None:
    knowing = {
        "wiring.py",
        "net_reports.py",
        "config.py",
        "demo.py",
        "refunding.py",
        "net_report.html",
    }
    root = Path(example_app.__file__).parent
    files = [file for file in root.rglob("*") if file.suffix in (".py", ".html", ".css", ".svg")]
    assert len(files) > 25
    for file in files:
        # The switch at the one call site is the only other place.
        words = file.read_text().replace('app.config["SHOP_REFUNDS"]', "")
        assert file.name in knowing or "refund" not in words.lower(), file
