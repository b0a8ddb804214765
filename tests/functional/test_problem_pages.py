"""What our pages answer when something is wrong: our own page, or JSON to our script."""

import logging

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from example_app import db
from flask_refunds.admin import references
from tests.functional.conftest import Shop
from tests.functional.desk_forms import DESK
from tests.functional.pages import OURS, customer, text_of, token

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


def test_no_cache_keeps_what_our_pages_answer(shop: Shop, admin: FlaskClient) -> None:
    order = token(shop, "plain")
    urls = [
        DESK,
        f"{DESK}refund/999",
        f"{HISTORY}?order={order}",
        f"{HISTORY}orders?order={order}",
        f"{ISSUE}?order={order}",
        "/admin/refunds_report/",
        "/admin/refunds_report/csv",
        "/admin/refunds_report/?after=x",
    ]
    for url in urls:
        for client in (admin, shop.client("ada"), shop.client(None)):
            assert client.get(url).headers.get("Cache-Control") == "no-store", url
    assert admin.get("/admin/order/").headers.get("Cache-Control") is None
