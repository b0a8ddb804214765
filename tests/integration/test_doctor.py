"""``flask refunds doctor``: each planted mistake is found, and a healthy shop is silent."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, redirect, request
from flask_admin.contrib.sqla import ModelView
from flask_wtf import CSRFProtect
from jinja2 import ChoiceLoader, DictLoader
from sqlalchemy import create_engine, insert, make_url, text, update
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from example_app.config import settings
from example_app.till import CARDS, Till
from flask_refunds import Actor, RefundRequest, issuing, major, migrating, minor
from flask_refunds.cli import refunds
from flask_refunds.doctor import CODES, Finding, Severity, examine
from flask_refunds.doctor.sampling import AT_ONCE, ROWS_EACH
from flask_refunds.heartbeats import beat, of_sweep, of_worker
from flask_refunds.models import Worker
from flask_refunds.runtime import Runtime
from flask_refunds.testing import Simulator
from tests.hosts.examined import Clinic, Item, Order, Payment, StaffView, db, sell

Before = Callable[[Flask], object]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with our tables and nothing else, made once: tests have copies."""
    path = tmp_path_factory.mktemp("doctor") / "migrated.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    migrating.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def clinic(sqlite_url: str, migrated: Path) -> Clinic:
    shutil.copy(migrated, str(make_url(sqlite_url).database))
    return Clinic(sqlite_url)


def bad(app: Flask, **options: Any) -> list[str]:
    """Return the codes of errors and warnings."""
    found = examine(app, **{"offline": True, **options})
    return sorted({each.code for each in found if each.severity is not Severity.NOTE})


def one(app: Flask, code: str, **options: Any) -> Finding:
    """Return the only finding called *code*."""
    [found] = [each for each in examine(app, **{"offline": True, **options}) if each.code == code]
    return found


def runtime_of(app: Flask) -> Runtime:
    runtime: Runtime = app.extensions["refunds"].runtime
    return runtime


def test_a_healthy_shop_has_nothing(clinic: Clinic) -> None:
    app = clinic.made()
    sell(app, 1, 2, 3)

    assert examine(app, offline=True) == ()


MAPPED: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], tuple[int, str]]] = {
    # What the developer wrote, what is in the rows, and how many of which example is found.
    "unit_price": ({"lines": {"total": minor(Item.piece)}}, {}, (3, "order 3: 1100 and 2300")),
    "line_tax_apart": ({"lines": {"total": minor(Item.net)}}, {}, (3, "order 3: 1900 and 2300")),
    "line_unit": (
        {"lines": {"total": major(Item.cents)}, "orders": {"charges": []}},
        {"order_cents": 2400},
        (3, "order 3: 240000 and 2400"),
    ),
    "payment_unit": (
        {"payments": {"amount": major(Payment.cents)}},
        {},
        (3, "order 3: 230000 and 2300"),
    ),
    "amount_fraction": (
        {"orders": {"total": minor(Order.dollars)}},
        {},
        (3, "order 3: 23.45"),
    ),
    "amount_null": ({}, {"order_cents": None}, (3, "order 3")),
    "order_total": ({"orders": {"charges": []}}, {}, (3, "order 3: 2400 and 2300")),
    "charge_negative": ({}, {"order_discount": -100}, (3, "order 3")),
    "order_without_lines": ({"lines": {"where": Item.id == 0}}, {}, (3, "order 3")),
    "order_missing": ({}, {"item_order_id": 99}, (3, "key 3, of order 99")),
    "customer_missing": ({}, {"order_user_id": 7}, (3, "order 3")),
    "payment_missing": ({"payments": {"where": Payment.id == 0}}, {}, (3, "order 3")),
    "captured_differs": ({}, {"payment_cents": 2200}, (3, "order 3: 2200 and 2300")),
    "currency_unknown": ({}, {"order_currency": "Dollar"}, (3, "order 3: DOLLAR")),
    "payment_currency_unknown": ({}, {"payment_currency": None}, (3, "order 3: NULL")),
    "payment_currency": ({}, {"payment_currency": "EUR"}, (3, "order 3, payment 30: EUR, USD")),
    "charge_shared": ({}, {"payment_sale": "the-same"}, (2, "orders 3 and 2")),
    "charge_missing": ({}, {"payment_sale": None}, (3, "order 3, payment 30")),
    "gateway_spelling": ({}, {"payment_gateway": "Braintree"}, (3, "order 3, payment 30")),
    "gateway_unused": ({}, {"payment_gateway": "stripe"}, (1, "configured: braintree")),
    "time_missing": ({}, {"order_placed_at": None}, (3, "order 3")),
    "key_duplicate": ({"orders": {"key": Order.shop}}, {}, (2, "order 1")),
    "key_null": ({"lines": {"key": Item.net}}, {"item_net": None}, (3, "")),
    "key_round_trip": ({"orders": {"key": Order.weight}}, {}, (3, "order ")),
    "row_unreadable": ({}, {"item_quantity": -1}, (3, "order 3: Lines.quantity of order N3")),
}


@pytest.mark.parametrize("code", MAPPED)
def test_finds_what_is_wrong_with_mapping_and_rows(clinic: Clinic, code: str) -> None:
    mapping, facts, (count, example) = MAPPED[code]
    app = clinic.made(**mapping)
    sell(app, 1, 2, 3, **facts)

    found = one(app, code)

    assert (found.count, found.severity) == (count, CODES[code].severity)
    assert found.example.startswith(example)
    assert found.severity is not Severity.NOTE
    assert found.remedy


def test_a_query_that_fails_is_named_with_what_the_database_said(clinic: Clinic) -> None:
    app = clinic.made()
    sell(app, 1)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE item RENAME COLUMN piece TO each_cents"))
        connection.execute(text("ALTER TABLE payment DROP COLUMN sale"))

    found = one(app, "sql_fails")

    assert found.what.startswith("Payments cannot be read")
    assert found.example == "OperationalError: no such column: payment.sale"


def test_orders_of_the_future_ask_for_the_zone(clinic: Clinic) -> None:
    app = clinic.made(REFUNDS_TIMEZONE="Europe/Berlin")
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=2)
    sell(app, 1)
    sell(app, 2, order_placed_at=later)

    found = one(app, "time_future")

    assert (found.count, found.of, found.severity) == (1, 2, Severity.WARNING)
    assert found.example == f"order 2: {later:%Y-%m-%d %H:%M}Z"
    assert "timezone" in found.remedy
    assert one(app, "zone_assumed").severity is Severity.NOTE


def test_several_payments_are_a_note_and_one_sale_twice_is_not(clinic: Clinic) -> None:
    app = clinic.made()
    sell(app, 1, pays=2)
    assert one(app, "payments_several").example == "order 1"
    assert bad(app) == []

    with app.app_context():
        db.session.execute(update(Payment).values(sale="s"))
        db.session.commit()

    assert one(app, "charge_twice").example == "order 1"


def test_an_order_paid_in_two_currencies(clinic: Clinic) -> None:
    app = clinic.made()
    sell(app, 1, pays=2)
    with app.app_context():
        db.session.execute(update(Payment).where(Payment.id == 11).values(currency="EUR"))
        db.session.commit()

    assert one(app, "currencies_mixed").example == "order 1"


def test_what_few_rows_have_is_a_note(clinic: Clinic) -> None:
    app = clinic.made()
    sell(app, *range(1, 12))
    sell(app, 12, item_cents=2500)

    found = one(app, "order_total")

    assert (found.count, found.of, found.severity) == (1, 12, Severity.NOTE)
    assert bad(app) == []


def test_no_example_tells_an_address_or_a_card(clinic: Clinic) -> None:
    app = clinic.made(payments={"gateway": Payment.currency})
    sell(app, 1, order_currency="ada@example.com")
    sell(app, 2, payment_currency="4111111111111111")

    told = json.dumps([(each.what, each.example) for each in examine(app, offline=True)])

    assert "currency_unknown" in bad(app)
    assert "@" not in told
    assert "4111111111111111" not in told


def test_lines_of_orders_that_the_mapping_leaves_out_are_not_missing_theirs(
    clinic: Clinic,
) -> None:
    app = clinic.made(orders={"where": Order.paid})
    sell(app, 1)
    sell(app, 2, order_paid=False)

    assert bad(app) == []


def test_rows_that_the_mapping_leaves_out_need_no_order(clinic: Clinic) -> None:
    app = clinic.made(lines={"where": Item.order_id < 90})
    sell(app, 1)
    with app.app_context():
        db.session.add(Item(id=2, order_id=99))
        db.session.commit()

    assert bad(app) == []


def test_orders_of_more_lines_than_are_read_are_not_summed(clinic: Clinic) -> None:
    app = clinic.made()
    sell(app, 1)
    with app.app_context():
        row = {"order_id": 1, "quantity": 1, "cents": 1, "tax": 0}
        db.session.execute(insert(Item), [row] * (AT_ONCE * ROWS_EACH))
        db.session.commit()

    assert [each.code for each in examine(app, orders=500, offline=True)] == ["sample_cut"]


def test_cents_that_are_called_dollars_everywhere_are_asked_about(clinic: Clinic) -> None:
    app = clinic.made(
        orders={"total": major(Order.cents), "charges": []},
        lines={"total": major(Item.cents), "tax": None},
        payments={"amount": major(Payment.cents)},
    )
    sell(app, 1, order_cents=2400, payment_cents=2400)

    found = [each for each in examine(app, offline=True) if each.code == "amount_integer"]

    assert [each.what.split()[0] for each in found] == [
        "Orders.total", "Lines.total", "Payments.amount",
    ]  # fmt: skip


# Refunded orders.


def refunded(clinic: Clinic) -> Flask:
    app = clinic.made()
    sell(app, 1, 2)
    request = RefundRequest(
        order_ref="1", token="t", reason="returned", everything=True, other_kind="cash"
    )
    with app.app_context():
        issuing.issue(runtime_of(app), request, Actor(id="1", label="staff"))
    return app


@pytest.mark.parametrize(
    ("code", "change", "example"),
    [
        ("over_committed", "UPDATE payment SET cents = 2000", "order 1: 2300 of 2000 minor units"),
        ("order_gone", 'DELETE FROM "order" WHERE id = 1', "order 1"),
        ("order_currency", "UPDATE \"order\" SET currency = 'EUR'", "order 1: USD, now EUR"),
        ("order_changed", "UPDATE payment SET cents = 2400", "order 1: 2300, now 2400"),
    ],
)
def test_finds_what_became_of_refunded_orders(
    clinic: Clinic, code: str, change: str, example: str
) -> None:
    app = refunded(clinic)
    assert bad(app) == []
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(change))

    found = one(app, code)

    assert (found.count, found.of, found.example) == (1, 1, example)


# The admin.


class OpenView(ModelView):
    """A view for everybody."""


class WithoutActions(StaffView):
    column_display_actions = False


class OwnActions(StaffView):
    def get_list_row_actions(self) -> list[Any]:
        return []


class OwnList(StaffView):
    list_template = "own_list.html"


def with_templates(**templates: str) -> Before:
    def before(app: Flask) -> None:
        own = DictLoader({name.replace("__", "/") + ".html": t for name, t in templates.items()})
        app.jinja_loader = ChoiceLoader([own, app.jinja_loader])  # type: ignore[list-item]

    return before


BARE = "<html>{% block head_css %}{% endblock %}{% block body %}{% endblock %}</html>"


def with_policy(policy: str) -> Before:
    def before(app: Flask) -> None:
        @app.after_request
        def secure(response: Response) -> Response:
            response.headers["Content-Security-Policy"] = policy
            return response

    return before


def with_login(app: Flask) -> None:
    @app.before_request
    def login() -> Answer | None:
        return redirect("/login") if request.headers.get("X-Staff") != "yes" else None


PANELS: dict[str, tuple[Mapping[str, Any], str]] = {
    "pages_closed": ({"views": (StaffView, None)}, ""),
    "pages_open": ({"views": (StaffView, OpenView)}, "GET /admin/refunds_desk/"),
    "users_without_button": ({"views": (None, StaffView)}, "the class User"),
    "button_lost": ({"views": (WithoutActions, StaffView)}, "the view user"),
    "template_broken": (
        {"before": with_templates(refunds__desk="{% block %}")},
        "refunds/desk.html: TemplateSyntaxError",
    ),
    "template_blocks": (
        {"before": with_templates(admin__master=BARE)},
        "refunds/",
    ),
    "csp": (
        {"before": with_policy("default-src 'none'; script-src 'nonce-1'")},
        "default-src 'none'",
    ),
    "secret_key": ({"SECRET_KEY": None}, ""),
    "webhook_closed": ({"before": with_login}, "POST /refunds/webhooks/-: status 302"),
}


@pytest.mark.parametrize("code", PANELS)
def test_finds_what_is_wrong_with_the_admin(clinic: Clinic, code: str) -> None:
    changes, example = PANELS[code]
    app = clinic.made(**changes)
    sell(app, 1)

    found = [each for each in examine(app, offline=True) if each.code == code]

    assert found
    assert found[0].severity is not Severity.NOTE
    assert found[0].example.startswith(example)


@pytest.mark.parametrize("view", [WithoutActions, OwnActions, OwnList])
def test_finds_a_list_that_does_not_show_the_button(clinic: Clinic, view: type) -> None:
    app = clinic.made(
        views=(view, StaffView), before=with_templates(own_list="{% extends 'admin/master.html' %}")
    )

    assert one(app, "button_lost").example == "the view user"


def test_finds_a_menu_without_our_pages(clinic: Clinic) -> None:
    app = clinic.made()
    app.extensions["refunds"].admin._menu[:] = []

    found = [each for each in examine(app, offline=True) if each.code == "menu_missing"]

    assert [each.example for each in found] == [
        "Refunds (refunds_desk)", "Refunds (refunds_report)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "policy",
    [
        "default-src 'self'",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
        "script-src https:; form-action *",
        "frame-ancestors 'none'",
    ],
)
def test_a_strict_policy_that_lets_our_files_through_is_fine(clinic: Clinic, policy: str) -> None:
    assert bad(clinic.made(before=with_policy(policy))) == []


class SigningIn(StaffView):
    """A view that shows a form for signing in, as a page that is well."""

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Any:
        return "<form>Sign in</form>"


def test_a_page_for_signing_in_is_not_ours_opened(clinic: Clinic) -> None:
    assert bad(clinic.made(views=(StaffView, SigningIn))) == []


def test_an_application_that_fails_is_told(clinic: Clinic) -> None:
    def failing(app: Flask) -> None:
        @app.before_request
        def fail() -> None:
            raise LookupError

    app = clinic.made(before=failing, TESTING=True)

    assert bad(app) == ["page_fails", "static_missing", "webhook_closed"]
    assert one(app, "page_fails").example == "GET /admin/refunds_desk/: LookupError"


def test_csrf_protection_does_not_close_the_webhook(clinic: Clinic) -> None:
    assert bad(clinic.made(before=lambda app: CSRFProtect(app))) == []


# Tables, queue, workers and gateways.


def test_finds_that_our_tables_are_missing(sqlite_url: str) -> None:
    app = Clinic(sqlite_url).made()
    sell(app, 1)

    assert bad(app, offline=False)[-1] == "tables_missing"
    assert one(app, "tables_missing").remedy == "Run: flask refunds upgrade"


def test_finds_tables_of_another_version_and_changed_ones(clinic: Clinic) -> None:
    app = clinic.made()
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_refunds_posting_line_ref"))
    found = one(app, "tables_differ")
    assert (found.count, "ix_refunds_posting_line_ref" in found.example) == (1, True)

    with app.app_context():
        migrating.downgrade(db.engine, "0001")

    assert "this version needs" in one(app, "tables_old").what


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def settled(gateway: Simulator, app: Flask, cents: int = 2300) -> None:
    """Sell an order whose sale is at the gateway."""
    till = Till.from_config(settings({"BRAINTREE_URL": gateway.url, "DATABASE_URL": "sqlite://"}))
    assert till is not None
    sell(app, 1, payment_sale=till.charge(cents, "USD", "N1", next(iter(CARDS))))


def test_a_shop_that_is_looked_after_has_notes_only(clinic: Clinic, gateway: Simulator) -> None:
    app = clinic.made(**gateway.gateway_config())
    settled(gateway, app)
    with app.app_context():
        beat(runtime_of(app), of_sweep(runtime_of(app)))

    found = examine(app)

    assert [(each.code, each.severity) for each in found] == [("queue_none", Severity.NOTE)]


def test_finds_a_queue_that_is_down_and_nobody_at_work(clinic: Clinic, gateway: Simulator) -> None:
    app = clinic.made(REFUNDS_REDIS_URL="redis://127.0.0.1:1/0", **gateway.gateway_config())

    assert bad(app, offline=False) == ["queue_down", "worker_none"]


def test_a_queue_that_answers_is_fine(clinic: Clinic, gateway: Simulator, redis_url: str) -> None:
    app = clinic.made(REFUNDS_REDIS_URL=redis_url, **gateway.gateway_config())
    with app.app_context():
        beat(runtime_of(app), of_worker(runtime_of(app), 1))

    assert examine(app) == ()


def test_finds_a_worker_that_is_gone(clinic: Clinic, gateway: Simulator) -> None:
    app = clinic.made(**gateway.gateway_config())
    with app.app_context():
        runtime = runtime_of(app)
        beat(runtime, of_worker(runtime, 1))
        earlier = datetime.now(UTC) - timedelta(minutes=20)

        def age(session: Session) -> None:
            session.execute(update(Worker).values(seen_at=earlier))

        runtime.sessions.transact(age)

    found = one(app, "worker_old", offline=False)

    assert (found.count, f"seen {earlier:%Y-%m-%d %H:%M}Z" in found.example) == (1, True)


def test_finds_refunds_that_wait_while_nobody_works(clinic: Clinic, gateway: Simulator) -> None:
    app = clinic.made(**gateway.gateway_config())
    settled(gateway, app)
    with app.app_context():
        wanted = RefundRequest(
            order_ref="1", token="t", reason="returned", everything=True, to_card=True
        )
        issuing.issue(runtime_of(app), wanted, Actor(id="1", label="staff"))

    assert bad(app, offline=False) == ["work_waits"]


def test_finds_wrong_keys_missing_ones_and_a_gateway_that_is_away(
    clinic: Clinic, gateway: Simulator
) -> None:
    right = gateway.gateway_config()
    wrong = clinic.made(**{**right, "REFUNDS_BRAINTREE_PRIVATE_KEY": "wrong"})
    missing = clinic.made(**{**right, "REFUNDS_BRAINTREE_PUBLIC_KEY": ""})
    away = clinic.made(**{**right, "REFUNDS_BRAINTREE_URL": "http://127.0.0.1:1"})

    assert "refused our keys" in one(wrong, "gateway_keys", offline=False).example
    assert "PUBLIC_KEY is not set" in one(missing, "gateway_settings").example
    assert one(away, "gateway_down", offline=False).severity is Severity.WARNING


def test_finds_sales_that_are_not_at_the_gateway_or_are_others(
    clinic: Clinic, gateway: Simulator
) -> None:
    app = clinic.made(**gateway.gateway_config())
    sell(app, 2, 3)
    found = one(app, "gateway_sale_unknown", offline=False)
    assert (found.count, found.of, found.example) == (2, 2, "order 3, payment 30")

    settled(gateway, app, cents=2000)

    found = one(app, "gateway_sale_differs", offline=False)
    assert (found.count, found.of) == (1, 3)
    assert found.example == "order 1, payment 10: 2000 USD, here 2300 USD, in minor units"


# The command.


def test_the_command_groups_what_it_found_and_says_what_to_do(clinic: Clinic) -> None:
    app = clinic.made(lines={"total": minor(Item.piece)})
    sell(app, 1, 2)

    result = app.test_cli_runner().invoke(refunds, ["doctor", "--offline"])

    assert result.exit_code == 1
    assert result.output.startswith("mapping\n  error unit_price (2 of 2): ")
    assert "    for example: order 2: 1100 and 2300 minor units of USD\n" in result.output
    assert "minor(Item.price * Item.quantity)" in result.output
    assert result.output.endswith("1 error, 1 warning.\n")


def test_the_command_gives_json_and_leaves_out_what_is_known(clinic: Clinic) -> None:
    app = clinic.made(orders={"charges": []})
    sell(app, 1)
    run = app.test_cli_runner().invoke

    told = run(refunds, ["doctor", "--offline", "--json"])
    known = run(refunds, ["doctor", "--offline", "--json", "--ignore", "order_total"])

    [finding] = json.loads(told.output)["findings"]
    assert (told.exit_code, finding["part"], finding["code"]) == (1, "mapping", "order_total")
    assert (finding["severity"], finding["count"], finding["of"]) == ("warning", 1, 1)
    assert (known.exit_code, json.loads(known.output)) == (0, {"findings": [], "exit_status": 0})


def test_the_command_ends_with_2_when_it_cannot_look(clinic: Clinic) -> None:
    nothing = Flask("nothing").test_cli_runner().invoke(refunds, ["doctor"])
    app = clinic.made()
    with app.app_context():
        db.engine.dispose()
    database = Path(str(make_url(clinic.url).database))
    database.unlink()
    database.mkdir()

    away = app.test_cli_runner().invoke(refunds, ["doctor"])

    assert (nothing.exit_code, "has no refunds" in nothing.output) == (2, True)
    assert (away.exit_code, "The database says: " in away.output) == (2, True)
