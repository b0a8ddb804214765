"""What our pages answer when something is wrong: our own page, or JSON to our script."""

import logging

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from example_app import db
from flask_refunds import Actor, correcting, errors
from flask_refunds.admin import references
from flask_refunds.dossier import read_refund
from tests.functional.conftest import Shop
from tests.functional.desk_forms import DESK, listed, search, send, url
from tests.functional.pages import OURS, Modal, customer, text_of, token

HISTORY, ISSUE = "/admin/refunds_history/", "/admin/refunds_issue/"


def assert_told(admin: FlaskClient, url: str, status: int, words: str) -> None:
    """Assert that a browser gets our page with *words* in the admin, and our script JSON."""
    page = admin.get(url)
    assert page.status_code == status
    assert "navbar" in page.text
    assert words in text_of(page.text)
    told = admin.get(url, headers=OURS)
    assert told.status_code == status
    assert told.get_json()["error"] == words


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{HISTORY}?order=x", "The shop has no such order."),
        (f"{HISTORY}orders?order=x", "The shop has no such order."),
        (f"{HISTORY}?customer=x", "The shop has no such customer."),
        (f"{HISTORY}?guest=x", "The shop has no such customer."),
        (HISTORY, "The shop has no such customer."),
        (ISSUE, "The shop has no such order."),
        (f"{ISSUE}?order=x", "The shop has no such order."),
    ],
)
def test_a_reference_that_is_not_ours_is_told_in_our_words(
    admin: FlaskClient, url: str, words: str
) -> None:
    assert_told(admin, url, 404, words)


def test_a_cursor_that_is_not_ours_is_told_in_our_words(shop: Shop, admin: FlaskClient) -> None:
    url = f"{HISTORY}?customer={customer(shop, 'ada')}&after=x"
    words = "There is no such page. Go back to the beginning of the list."
    assert_told(admin, url, 404, words)


def test_a_customer_who_is_gone_is_told_in_our_words(shop: Shop, admin: FlaskClient) -> None:
    with shop.app.test_request_context():
        gone = references.customer_token("9999")
    assert_told(admin, f"{HISTORY}?customer={gone}", 404, "The shop has no such customer.")


def test_a_row_that_the_mapping_cannot_read_is_logged_and_told(
    shop: Shop, admin: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with shop.app.app_context():
        db.session.execute(text("UPDATE \"order\" SET currency = ''"))
        db.session.commit()
    words = "Refunds are not set up right for this. The log of the application says what is wrong."
    assert_told(admin, f"{ISSUE}?order={token(shop, 'plain')}", 503, words)
    (record, _) = caplog.records
    assert (record.name, record.levelno) == ("flask_refunds", logging.ERROR)
    assert record.exc_info is not None
    assert "Orders.currency" in str(record.exc_info[1])


class TestOnPostgreSQL:
    """The database that is strict about numbers and text."""

    @pytest.fixture
    def sqlite_url(self, postgresql_url: str) -> str:
        return postgresql_url

    @pytest.mark.parametrize(
        "path", ["refund/{}", "refund/{}/status", "transfer/{}/retry", "transfer/{}/reverse"]
    )
    def test_a_number_that_no_refund_can_have_is_not_found(
        self, admin: FlaskClient, path: str
    ) -> None:
        for number in (2**63 - 1, 2**63, "9" * 30):
            assert_told(admin, f"{DESK}{path.format(number)}", 404, "There is no such refund.")

    def test_a_page_that_no_list_can_have_is_empty_or_refused(self, admin: FlaskClient) -> None:
        for number in ("9" * 30, "-" + "9" * 30, "0"):
            assert admin.get(f"{DESK}?after={number}").status_code == 200
            report = f"/admin/refunds_report/?after=20260101T000000000000-{number}"
            assert admin.get(report).status_code == 400

    def test_no_transfer_has_so_large_a_number(self, shop: Shop) -> None:
        with shop.app.app_context(), pytest.raises(errors.UnknownRefund):
            correcting.retry(shop.runtime, 2**63, Actor(id="1", label="Anna Admin"))

    def test_a_nul_in_a_field_is_left_out(self, shop: Shop, admin: FlaskClient) -> None:
        sent = {"other_kind": "cash", "reason": "returned", "lines__0__quantity": "1"}
        answer = (
            Modal(shop, "plain", admin)
            .open()
            .send(**sent, note="at\0 the counter", other_reference="V\0-17")
        )
        assert answer.status == 201
        with shop.app.app_context():
            dossier = read_refund(shop.runtime, answer.json["refund"])
        assert dossier.note == "at the counter"
        assert dossier.movements[0].other_reference == "V-17"
        why = send(admin, url(dossier.movements[0].id, "reverse"), why="a\0 mistake")
        assert why.status_code == 303
        assert "a mistake" in admin.get(why.headers["Location"]).text

    def test_a_nul_in_a_search_is_left_out(self, shop: Shop, admin: FlaskClient) -> None:
        shop.issue("plain", everything=True, other_kind="cash")
        assert listed(search(admin, "Ada\0 Love").text) == [1]
        assert "2026-001001" in search(admin, "2026\0-001001").text
        assert admin.get(f"{DESK}?q=1%00").status_code == 200
        ada = customer(shop, "ada")
        found = admin.get(f"{HISTORY}?customer={ada}&q=2026-%00001001")
        assert found.status_code == 200
        assert found.text.count('refunds-order-number">') == 1


def test_no_cache_keeps_what_our_pages_answer(shop: Shop, admin: FlaskClient) -> None:
    order = token(shop, "plain")
    paths = [
        DESK,
        f"{DESK}refund/999",
        f"{HISTORY}?order={order}",
        f"{HISTORY}orders?order={order}",
        f"{ISSUE}?order={order}",
        "/admin/refunds_report/",
        "/admin/refunds_report/csv",
        "/admin/refunds_report/?after=x",
    ]
    for path in paths:
        for client in (admin, shop.client("ada"), shop.client(None)):
            assert client.get(path).headers.get("Cache-Control") == "no-store", path
    assert admin.get("/admin/order/").headers.get("Cache-Control") is None
