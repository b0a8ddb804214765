"""Issue Refund: what the form shows, what it does, and what it refuses without writing anything."""

import re
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from example_app import db
from example_app.checkout import pay
from example_app.models import Order
from flask_refunds import Actor, Selection, wired
from flask_refunds.admin import forms, references
from flask_refunds.models import Account, Base, Event, Line, Refund, Transfer
from tests.functional.conftest import Shop
from tests.functional.pages import OURS, Modal, customer, form_of, text_of, token

CARD = {"to_card": "y", "reason": "returned"}
CASH = {"other_kind": "cash", "reason": "returned"}
ONE_PAD = {"lines__0__quantity": "1"}


@pytest.fixture
def modal(shop: Shop) -> Modal:
    """The modal of an order of Ada's: three brake pads, a chain and shipping, on one card."""
    return Modal(shop, "plain", shop.client()).open()


def opened(shop: Shop, name: str, who: str = "admin") -> Modal:
    return Modal(shop, name, shop.client(who)).open()


def refunds(shop: Shop) -> list[Refund]:
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        found = list(session.scalars(select(Refund).order_by(Refund.id)))
        for refund in found:
            assert refund.lines is not None
            assert refund.transfers is not None
        return found


def assert_nothing_written(shop: Shop) -> None:
    assert [shop.count(model) for model in (Account, Refund, Line, Transfer, Event)] == [0] * 5


# ------------------------------------------------------------------ what it shows


def test_the_modal_shows_the_order_and_what_is_left_of_it(shop: Shop) -> None:
    shop.issue("plain", selections=(Selection(kind="line", ref="1", quantity=1),), to_card=True)
    html = opened(shop, "plain").html
    assert "<html" not in html
    words = text_of(html)
    assert "Issue Refund Order 2026-001001" in words
    assert "Customer Ada Lovelace ada@example.com" in words
    assert "Paid $79.90 Already refunded $0.00 In flight $12.50 Left $67.40" in words
    assert "Brake pads, pair BRAKE-PAD Partly refunded $25.00 2 of 3" in words
    assert "Shipping $7.45" in words
    assert "Refund to the credit card automatically" in words
    assert "Visa •••• 1111 can take back $67.40" in words


def test_the_same_form_is_a_whole_page_without_scripts(shop: Shop) -> None:
    answer = shop.client().get(f"/admin/refunds_issue/?order={token(shop, 'plain')}")
    html = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "<html" in html
    assert "lines-0-quantity" in form_of(html)


def test_an_odd_url_is_no_error(shop: Shop) -> None:
    client, odd = shop.client(), "endpoint=x&self=1&_method=DELETE&_anchor=a"

    page = client.get(f"/admin/refunds_issue/?order={token(shop, 'plain')}&{odd}")

    assert page.status_code == 200
    assert odd.replace("&", "&amp;") in page.text


def test_opening_it_writes_nothing(shop: Shop, modal: Modal) -> None:
    assert modal.values["reason"] == ""
    assert "to_card" not in modal.values
    assert_nothing_written(shop)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cash", "The payment did not go through a gateway that can pay it back."),
        ("lost", "The payment has no transaction number of the gateway."),
        ("strange", "The payment went through a gateway that is not set up here."),
    ],
)
def test_the_tick_box_is_disabled_with_the_reason(shop: Shop, name: str, words: str) -> None:
    html = opened(shop, name).html
    box = re.search(r'<input[^>]*id="to_card"[^>]*>', html)
    assert box
    assert "disabled" in box[0]
    assert words in text_of(html)


def test_every_field_has_a_label_and_its_place_for_errors(modal: Modal) -> None:
    inputs = re.findall(r"<(?:input|select|textarea)([^>]*)>", modal.html)
    for attributes in inputs:
        if 'type="hidden"' in attributes:
            continue
        field = re.search(r'id="([^"]+)"', attributes)
        assert field
        labelled = f'for="{field[1]}"' in modal.html or "aria-label=" in attributes
        assert labelled, attributes


# ------------------------------------------------------------------ what it does


def test_a_ticked_box_starts_a_card_refund(shop: Shop, modal: Modal) -> None:
    answer = modal.send(**CARD, **ONE_PAD)
    assert answer.status == 201
    assert answer.json["message"].startswith("Refund R-000001 of $12.50")
    assert "Started" in answer.json["html"]
    assert answer.json["order"] == token(shop, "plain")
    (refund,) = refunds(shop)
    assert (refund.amount, refund.reason, refund.actor_label) == (
        1250,
        "returned",
        "admin@example.com",
    )
    shop.work()
    assert shop.simulator.sale(shop.sales["plain"][0])["total_given_back"] == 1250


def test_an_unticked_box_records_other_means_and_calls_no_gateway(shop: Shop, modal: Modal) -> None:
    before = len(shop.simulator.requests())
    answer = modal.send(**CASH, **ONE_PAD, other_reference=" V-17 ", note="At the counter")
    assert answer.status == 201
    assert answer.json["message"] == "Refund R-000001 of $12.50 is recorded."
    assert "Not Requested by Administrator" in answer.json["html"]
    (refund,) = refunds(shop)
    assert refund.note == "At the counter"
    assert [(t.method, t.other_kind, t.other_reference) for t in refund.transfers] == [
        ("other", "cash", "V-17")
    ]
    shop.work()
    assert len(shop.simulator.requests()) == before


def test_everything_left_is_refunded_to_the_cent(shop: Shop) -> None:
    shop.issue("discounted", selections=(Selection(kind="line", ref="5", paid=1),), to_card=True)
    answer = opened(shop, "discounted").send(**CARD, everything="y")
    assert answer.status == 201
    assert sum(refund.amount for refund in refunds(shop)) == 8850


def test_quantity_amount_shipping_and_a_fee_add_up(shop: Shop, modal: Modal) -> None:
    answer = modal.send(
        **CARD, **ONE_PAD, lines__1__amount="10.00", lines__2__amount="7.45", adjustment="-2.50"
    )
    assert answer.status == 201
    (refund,) = refunds(shop)
    assert refund.amount == 1250 + 1000 + 745 - 250
    assert [(line.kind, line.quantity, line.paid) for line in refund.lines] == [
        ("line", 1, 1250),
        ("line", 0, 1000),
        ("row", 0, 745),
        ("adjustment", 0, -250),
    ]


def test_without_scripts_it_redirects_to_the_history_with_a_message(
    shop: Shop, modal: Modal
) -> None:
    answer = replace(modal, ours=False).send(**CARD, **ONE_PAD)
    assert answer.status == 303
    page = modal.client.get(answer.location).get_data(as_text=True)
    assert "Refund R-000001 of $12.50" in page
    assert f'data-order="{token(shop, "plain")}" data-moving open' in page


class TestGermanShop:
    """Amounts in the shop's locale."""

    @pytest.fixture
    def shop_settings(self) -> dict[str, Any]:
        return {"REFUNDS_LOCALE": "de_DE"}

    def test_amounts_are_read_and_shown_as_the_locale_writes_them(
        self, shop: Shop, modal: Modal
    ) -> None:
        answer = modal.send(**CASH, lines__0__amount="12,34")
        assert answer.status == 201
        assert "12,34" in answer.json["message"]
        assert refunds(shop)[0].amount == 1234


class TestQueueDown:
    """Redis is configured and does not answer."""

    @pytest.fixture
    def shop_settings(self) -> dict[str, Any]:
        return {"REFUNDS_REDIS_URL": "redis://127.0.0.1:1/0"}

    def test_the_refund_stands_and_the_message_says_when_it_runs(
        self, shop: Shop, modal: Modal
    ) -> None:
        answer = modal.send(**CARD, **ONE_PAD)
        assert answer.status == 201
        assert (
            "The queue is down just now; the refund will run when it is back."
            in (answer.json["message"])
        )
        assert shop.count() == 1


# ------------------------------------------------------------------ what it refuses


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"lines__0__amount": "0"}, "lines-0-amount", "The amount must be above zero."),
        ({"lines__0__amount": "-5"}, "lines-0-amount", "The amount must be above zero."),
        ({"lines__0__amount": "37.51"}, "lines-0-amount", "At most $37.50 is left on this line."),
        ({"lines__0__amount": "1.234"}, "lines-0-amount", "This has more decimals than"),
        ({"lines__0__amount": "ten"}, "lines-0-amount", "This is not an amount."),
        ({"lines__0__amount": "9" * 30}, "lines-0-amount", "This amount is too large."),
        ({"lines__0__quantity": "4"}, "lines-0-quantity", "At most 3 of this line can still"),
        ({"lines__0__quantity": "-1"}, "lines-0-quantity", "The quantity cannot be negative."),
        ({"lines__0__quantity": "1.5"}, "lines-0-quantity", "This is not a whole number."),
        ({"lines__2__amount": "7.46"}, "lines-2-amount", "At most $7.45 is left on this line."),
        ({**ONE_PAD, "adjustment": "x"}, "adjustment", "This is not an amount."),
        ({**ONE_PAD, "reason": ""}, "reason", "Choose a reason."),
        ({**ONE_PAD, "reason": "whim"}, "reason", "Choose a reason."),
        ({**ONE_PAD, "other_kind": ""}, "other_kind", "Choose by what other means"),
        ({**ONE_PAD, "other_kind": "gold"}, "other_kind", "Choose by what other means"),
        ({**ONE_PAD, "note": "x" * 2001}, "note", "This is too long."),
        ({}, "", "Nothing is selected to refund."),
        ({**ONE_PAD, "adjustment": "-12.50"}, "", "The refund must be above zero in all."),
        ({**ONE_PAD, "adjustment": "99"}, "", "At most $79.90 is left on this order."),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(
    shop: Shop, modal: Modal, changes: dict[str, str], field: str, words: str
) -> None:
    answer = modal.send(**{**CASH, **changes})
    assert answer.status == 422
    assert words in answer.summary
    if field:
        assert words in answer.error_at(field)
        assert 'aria-invalid="true"' in answer.html
    kept = form_of(answer.html)
    for name, value in changes.items():
        if value not in {"whim", "gold"}:
            assert kept[name.replace("__", "-")] == value
    assert_nothing_written(shop)


def test_a_corrected_form_goes_through_with_the_same_token(shop: Shop, modal: Modal) -> None:
    refused = modal.send(**ONE_PAD, reason="returned")
    assert refused.status == 422
    modal.values = form_of(refused.html)
    assert modal.send(other_kind="cash").status == 201
    assert shop.count() == 1


@pytest.mark.parametrize(
    "typed",
    [
        {"adjustment": "-10.00"},
        {"adjustment": "x"},
        {"lines__0__amount": "10.00"},
        {"lines__0__quantity": "1"},
        {"lines__0__quantity": "0"},
        {"lines__2__amount": "0"},
    ],
)
def test_everything_together_with_other_figures_is_refused(
    shop: Shop, modal: Modal, typed: dict[str, str]
) -> None:
    answer = modal.send(**CASH, everything="y", **typed)
    assert answer.status == 422
    assert "but other figures were typed" in answer.error_at("everything")
    told = modal.send("quote", everything="y", **typed).json
    assert "but other figures were typed" in told["errors"]["everything"]
    assert told["total"] == ""
    assert_nothing_written(shop)


def test_everything_together_with_what_is_left_goes_through(shop: Shop) -> None:
    with shop.app.app_context():
        order = db.session.get_one(Order, int(shop.orders["bobs"]))
        pay(order, "cash", 1000, "Cash")
        db.session.commit()
    modal = opened(shop, "bobs")
    told = modal.send("quote", everything="y").json
    assert told["lines"]["adjustment"] == "10.00"
    typed = {name.replace("-", "__"): value for name, value in told["lines"].items()}
    assert modal.send(**CASH, everything="y", **typed).status == 201
    assert refunds(shop)[0].amount == 5735 + 1000
    assert modal.send(**CASH, everything="y", **typed).status == 200
    assert len(refunds(shop)) == 1


@pytest.mark.parametrize("name", ["cash", "lost", "strange"])
def test_a_card_that_cannot_take_it_is_refused_at_the_tick_box(shop: Shop, name: str) -> None:
    answer = opened(shop, name).send(**CARD, everything="y")
    assert answer.status == 422
    assert answer.error_at("to_card")
    assert_nothing_written(shop)


def test_more_than_the_cards_can_take_asks_for_the_rests_means(shop: Shop) -> None:
    with shop.app.app_context():
        order = db.session.get_one(Order, int(shop.orders["bobs"]))
        pay(order, "cash", 1000, "Cash")
        db.session.commit()
    modal = opened(shop, "bobs")
    answer = modal.send(**CARD, everything="y")
    assert answer.status == 422
    assert "The cards of this order can take $57.35." in answer.error_at("to_card")
    assert_nothing_written(shop)
    assert modal.send(**CARD, everything="y", other_kind="cash").status == 201
    assert [(t.method, t.amount) for t in refunds(shop)[0].transfers] == [
        ("card", 5735),
        ("other", 1000),
    ]


class TestGatewayWithoutKeys:
    """The gateway's keys are missing."""

    @pytest.fixture
    def shop_settings(self) -> dict[str, Any]:
        return {"REFUNDS_BRAINTREE_PRIVATE_KEY": ""}

    def test_the_card_is_not_offered_and_not_taken(self, shop: Shop, modal: Modal) -> None:
        assert "The settings of the gateway are missing" in text_of(modal.html)
        answer = modal.send(**CARD, **ONE_PAD)
        assert answer.status == 422
        assert "The settings of the gateway are missing" in answer.error_at("to_card")
        assert_nothing_written(shop)

    def test_other_means_still_work(self, shop: Shop, modal: Modal) -> None:
        assert modal.send(**CASH, **ONE_PAD).status == 201


class TestGatewayWithWrongKeys:
    """The gateway refuses our keys."""

    @pytest.fixture
    def shop_settings(self) -> dict[str, Any]:
        return {"REFUNDS_BRAINTREE_PRIVATE_KEY": "wrong"}

    def test_the_forecast_says_that_it_will_wait(self, shop: Shop, modal: Modal) -> None:
        answer = modal.send("forecast", **CARD, **ONE_PAD)
        assert "Waits until the gateway's settings are mended" in text_of(answer.json["html"])
        assert_nothing_written(shop)


def test_an_order_of_another_customer_is_refused(shop: Shop) -> None:
    bob = customer(shop, "bob")
    url = f"/admin/refunds_issue/?order={token(shop, 'plain')}&customer={bob}"
    answer = shop.client().get(url, headers=OURS)
    assert answer.status_code == 422
    assert answer.get_json()["error"] == "This order belongs to another customer."
    sneaky = opened(shop, "plain")
    sneaky.customer = bob
    assert sneaky.send(**CASH, **ONE_PAD).status == 422
    assert_nothing_written(shop)


def test_an_unknown_order_is_not_found(shop: Shop) -> None:
    with shop.app.test_request_context():
        unknown = references.order_token("99999")
    answer = shop.client().get(f"/admin/refunds_issue/?order={unknown}", headers=OURS)
    assert answer.status_code == 404
    assert answer.get_json()["error"] == "The shop has no such order."
    page = shop.client().get(f"/admin/refunds_issue/?order={unknown}")
    assert page.status_code == 404
    assert b"The shop has no such order." in page.data
    assert shop.client().get("/admin/refunds_issue/?order=1").status_code == 404


def test_an_unpaid_order_is_refused(shop: Shop) -> None:
    answer = shop.client().get(f"/admin/refunds_issue/?order={token(shop, 'unpaid')}")
    assert answer.status_code == 422
    assert b"Nothing was paid on this order" in answer.data
    paid = opened(shop, "plain")
    paid.name = "unpaid"
    paid.values["token"] = _once(shop, "unpaid")
    sent = paid.send(**CASH, everything="y")
    assert sent.status == 422
    assert "Nothing was paid on this order" in sent.summary
    assert_nothing_written(shop)


def test_an_order_with_nothing_left_is_refused(shop: Shop) -> None:
    shop.issue("plain", everything=True, to_card=True)
    answer = shop.client().get(f"/admin/refunds_issue/?order={token(shop, 'plain')}", headers=OURS)
    assert answer.status_code == 422
    assert answer.get_json()["error"] == "Nothing is left to refund on this order."


def test_a_line_of_another_order_is_refused(shop: Shop, modal: Modal) -> None:
    answer = modal.send(**CASH, lines__0__ref="7", lines__0__quantity="1")
    assert answer.status == 422
    assert "is not on this order any more" in answer.summary
    assert_nothing_written(shop)


def test_a_line_that_was_sent_twice_is_refused(shop: Shop, modal: Modal) -> None:
    twice = {"lines__9__kind": "line", "lines__9__ref": modal.values["lines-0-ref"]}
    answer = modal.send(**CASH, **ONE_PAD, **twice, lines__9__quantity="2")
    assert answer.status == 422
    assert "A line was sent twice." in answer.summary
    assert_nothing_written(shop)


# ------------------------------------------------------------------ sent twice


def test_a_replayed_form_returns_the_same_refund(shop: Shop, modal: Modal) -> None:
    first = modal.send(**CARD, everything="y")
    again = modal.send(**CARD, everything="y")
    assert (first.status, again.status) == (201, 200)
    assert first.json["refund"] == again.json["refund"]
    assert "was recorded before" in again.json["message"]
    assert shop.count() == 1
    shop.work(2)
    assert shop.simulator.sale(shop.sales["plain"][0])["total_given_back"] == 7990


def test_a_replayed_form_with_another_body_is_a_conflict(shop: Shop, modal: Modal) -> None:
    modal.send(**CARD, **ONE_PAD)
    answer = modal.send(**CARD, lines__0__quantity="2")
    assert answer.status == 409
    assert "This form was sent before, with other content." in answer.summary
    assert shop.count() == 1
    assert form_of(answer.html)["token"] != modal.values["token"]


@pytest.mark.parametrize("given", [None, "", "made-up"])
def test_a_form_without_our_token_is_refused_and_given_one(
    shop: Shop, modal: Modal, given: str | None
) -> None:
    answer = modal.send(**CASH, **ONE_PAD, token=given)
    assert answer.status == 400
    assert "The form is incomplete. Nothing was refunded" in answer.summary
    assert_nothing_written(shop)
    modal.values = form_of(answer.html)
    assert modal.send().status == 201


def test_a_token_of_another_person_is_none(shop: Shop, modal: Modal) -> None:
    other = opened(shop, "plain", "support")
    answer = other.send(**CASH, **ONE_PAD, token=modal.values["token"])
    assert answer.status == 400
    assert_nothing_written(shop)


def test_a_token_of_another_order_is_none(shop: Shop, modal: Modal) -> None:
    answer = opened(shop, "bobs").send(**CASH, everything="y", token=modal.values["token"])
    assert answer.status == 400
    assert_nothing_written(shop)


def _once(shop: Shop, name: str) -> str:
    with shop.app.test_request_context():
        actor = Actor(id=shop.people["admin"], label="x")
        return forms.one_time_token(actor, shop.orders[name])


# ------------------------------------------------------------------ forgery and age


def test_an_expired_form_says_so_and_offers_a_fresh_token(
    shop: Shop, modal: Modal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(forms, "CSRF_AGE", -1.0)
        answer = modal.send(**CASH, **ONE_PAD)
    assert answer.status == 400
    assert "This form was open too long; nothing was refunded." in answer.summary
    assert_nothing_written(shop)
    modal.values = form_of(answer.html)
    assert modal.values["lines-0-quantity"] == "1"
    assert modal.send().status == 201


@pytest.mark.parametrize("given", [None, "", "made-up"])
def test_a_form_without_a_csrf_token_is_refused(
    shop: Shop, modal: Modal, given: str | None
) -> None:
    assert modal.send(**CASH, **ONE_PAD, refunds_csrf=given).status == 400
    assert_nothing_written(shop)


def test_a_csrf_token_of_another_session_is_refused(shop: Shop, modal: Modal) -> None:
    elsewhere = opened(shop, "plain")
    answer = modal.send(**CASH, **ONE_PAD, refunds_csrf=elsewhere.values["refunds_csrf"])
    assert answer.status == 400
    assert_nothing_written(shop)


def test_the_hosts_own_protection_does_not_stand_in_the_way(shop: Shop, modal: Modal) -> None:
    assert modal.send(**CASH, **ONE_PAD, csrf_token=None).status == 201


def test_the_quote_and_the_forecast_are_protected_too(modal: Modal) -> None:
    assert modal.send("quote", refunds_csrf=None).status == 400
    answer = modal.send("forecast", **CARD, **ONE_PAD, refunds_csrf=None)
    assert text_of(answer.json["html"]) == ""


class TestHostWithoutProtection:
    """The host has switched Flask-WTF's protection off."""

    @pytest.fixture
    def shop_settings(self) -> dict[str, Any]:
        return {"WTF_CSRF_ENABLED": False}

    def test_our_forms_keep_theirs(self, shop: Shop, modal: Modal) -> None:
        assert modal.send(**CASH, **ONE_PAD, refunds_csrf=None).status == 400
        assert_nothing_written(shop)
        assert modal.send(**CASH, **ONE_PAD).status == 201


# ------------------------------------------------------------------ who may


def test_a_viewer_may_not_open_or_send_it(shop: Shop, modal: Modal) -> None:
    viewer = Modal(shop, "plain", shop.client("viewer"), values=modal.values)
    answer = shop.client("viewer").get(f"/admin/refunds_issue/{viewer.query}", headers=OURS)
    assert answer.status_code == 403
    assert "not allowed" in answer.get_json()["error"]
    assert viewer.send(**CASH, **ONE_PAD).status == 403
    assert_nothing_written(shop)


def test_whoever_is_signed_out_gets_401_and_no_login_page(shop: Shop, modal: Modal) -> None:
    stranger = Modal(shop, "plain", shop.client(None), values=modal.values)
    answer = stranger.send(**CASH, **ONE_PAD)
    assert (answer.status, answer.json) == (401, {"error": "signed_out"})
    page = replace(stranger, ours=False).send(**CASH, **ONE_PAD)
    assert page.status == 302
    assert "/login" in page.location
    assert_nothing_written(shop)


def test_an_actor_without_an_identity_is_refused(
    shop: Shop, modal: Modal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.app.extensions[wired.KEY].policy, "actor", lambda: None)
    answer = modal.send(**CASH, **ONE_PAD)
    assert answer.status == 403
    assert "Nobody is signed in" in answer.json["error"]
    assert_nothing_written(shop)


def test_more_than_the_actors_limit_is_refused(
    shop: Shop, modal: Modal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.app.extensions[wired.KEY].policy, "limit", lambda _currency: 1249)
    answer = modal.send(**CARD, **ONE_PAD)
    assert answer.status == 403
    assert "You may give back at most $12.49 at once." in answer.summary
    assert_nothing_written(shop)
    assert modal.send(**CARD, lines__0__amount="12.49").status == 201


# ------------------------------------------------------------------ not now


@pytest.mark.parametrize("ours", [True, False])
def test_without_our_tables_it_answers_503_and_names_the_command(
    shop: Shop, modal: Modal, ours: bool
) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(db.engine)
    url = f"/admin/refunds_issue/{modal.query}"
    shown = modal.client.get(url, headers=OURS if ours else {})
    sent = replace(modal, ours=ours).send(**CASH, **ONE_PAD)
    assert (shown.status_code, sent.status) == (503, 503)
    assert "flask refunds upgrade" in shown.get_data(as_text=True)
    assert "flask refunds upgrade" in sent.html


class TestBusy:
    """Another transaction holds the database."""

    @pytest.fixture
    def shop_settings(self) -> dict[str, Any]:
        return {"SQLALCHEMY_ENGINE_OPTIONS": {"connect_args": {"timeout": 0.01}}}

    def test_a_database_that_stays_locked_is_503_and_the_form_is_kept(
        self, shop: Shop, modal: Modal
    ) -> None:
        with shop.app.app_context():
            path = db.engine.url.database
        assert path
        other = sqlite3.connect(path)
        try:
            other.execute("BEGIN IMMEDIATE")
            answer = modal.send(**CASH, **ONE_PAD)
        finally:
            other.close()
        assert answer.status == 503
        assert "very busy with this order" in answer.summary
        assert_nothing_written(shop)
        modal.values = form_of(answer.html)
        assert modal.send().status == 201


# ------------------------------------------------------------------ quote and forecast


def quote(modal: Modal, **changes: str) -> dict[str, Any]:
    answer = modal.send("quote", **changes)
    assert answer.status == 200
    told: dict[str, Any] = answer.json
    return told


def test_the_quote_follows_the_form_and_writes_nothing(shop: Shop, modal: Modal) -> None:
    told = quote(modal, **ONE_PAD, to_card="y")
    assert told["total"] == "$12.50"
    assert told["lines"]["lines-0-amount"] == "12.50"
    assert told["submit"] == "Refund $12.50"
    assert told["needs_other"] is False
    assert told["errors"] == {}
    assert_nothing_written(shop)


def test_the_quote_of_other_means_says_that_it_only_records(modal: Modal) -> None:
    told = quote(modal, **ONE_PAD)
    assert told["submit"] == "Record refund of $12.50"
    assert told["needs_other"] is True


def test_the_quote_of_everything_is_the_balance_line_by_line(modal: Modal) -> None:
    told = quote(modal, everything="y", to_card="y")
    assert told["total"] == "$79.90"
    amounts = [told["lines"][f"lines-{n}-amount"] for n in range(3)]
    assert amounts == ["37.50", "34.95", "7.45"]


def test_an_empty_form_is_no_error_yet(modal: Modal) -> None:
    told = quote(modal)
    assert told["errors"] == {}
    assert "Nothing is selected yet." in text_of(told["html"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines__0__amount": "99"}, "lines-0-amount"),
        ({"lines__0__quantity": "9"}, "lines-0-quantity"),
        ({"lines__1__amount": "x"}, "lines-1-amount"),
        ({"adjustment": "500"}, "form"),
    ],
)
def test_the_quote_names_the_field_that_is_wrong(
    modal: Modal, changes: dict[str, str], field: str
) -> None:
    told = quote(modal, **changes)
    assert list(told["errors"]) == [field]
    assert told["total"] == ""


def test_a_form_that_was_filled_in_is_not_called_empty(modal: Modal) -> None:
    assert "Nothing is selected yet." in text_of(modal.html)
    nothing = modal.send(**CASH)
    assert "Nothing is selected yet." in text_of(nothing.html)
    for typed in ({"everything": "y"}, {"adjustment": "5"}, ONE_PAD, {"lines__1__amount": "x"}):
        answer = modal.send(**typed)
        assert answer.status == 422
        assert "Nothing is selected yet." not in text_of(answer.html)


NOTHING = {"html": "", "disputed": False}


def test_without_a_forecast_nothing_at_all_comes(modal: Modal) -> None:
    assert modal.send("forecast", **CARD, lines__0__amount="x").json == NOTHING
    assert modal.send("forecast", **CARD).json == NOTHING


def foretold(modal: Modal, **changes: str) -> str:
    answer = modal.send("forecast", **{**CARD, **changes})
    assert answer.status == 200
    return text_of(answer.json["html"])


def test_a_settled_sale_will_be_refunded(modal: Modal) -> None:
    assert "Refunded to the card at once" in foretold(modal, **ONE_PAD)


def test_the_whole_of_an_unsettled_sale_will_be_voided(shop: Shop) -> None:
    words = foretold(opened(shop, "unsettled"), everything="y")
    assert "Visa •••• 1111 $79.35 : The sale is cancelled before it settles" in words


def test_a_part_of_an_unsettled_sale_will_wait(shop: Shop) -> None:
    words = foretold(opened(shop, "unsettled"), lines__0__quantity="1")
    assert "Waits until the sale has settled" in words


def test_each_card_has_its_own_forecast(shop: Shop) -> None:
    words = foretold(opened(shop, "two_cards"), everything="y")
    assert "Visa •••• 1111 $100.00" in words
    assert "Mastercard •••• 4444 $167.00" in words


def test_a_gateway_that_is_down_does_not_stop_the_modal(shop: Shop, modal: Modal) -> None:
    shop.simulator.fault("status", "find", status=503, times=None)
    assert "The gateway cannot be asked just now." in foretold(modal, **ONE_PAD)
    assert quote(modal, **ONE_PAD)["total"] == "$12.50"


def test_without_the_tick_there_is_no_forecast_and_no_call(shop: Shop, modal: Modal) -> None:
    before = len(shop.simulator.requests())
    answer = modal.send("forecast", **CASH, **ONE_PAD)
    assert text_of(answer.json["html"]) == ""
    assert len(shop.simulator.requests()) == before


def test_the_forecast_and_the_worker_agree(shop: Shop) -> None:
    modal = opened(shop, "unsettled")
    assert "cancelled before it settles" in foretold(modal, everything="y")
    modal.send(**CARD, everything="y")
    shop.work()
    assert shop.simulator.sale(shop.sales["unsettled"][0])["voided"] is True
