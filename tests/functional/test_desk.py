"""The desk: which refunds it lists, what a search finds, and what it keeps out of URLs."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient

from example_app import db
from flask_refunds import wired
from flask_refunds.models import Base
from tests.functional.conftest import Shop, fragment
from tests.functional.desk_forms import (
    DESK,
    OTHERWISE,
    failed,
    listed,
    recorded,
    search,
    send,
    transfer_of,
    url,
)


@pytest.fixture
def filled(shop: Shop) -> Shop:
    """The shop with a completed, a failed, a recorded and a waiting refund: R-1 to R-4."""
    shop.issue("plain", everything=True, to_card=True)
    shop.work()
    failed(shop, "bobs")
    recorded(shop, "cash")
    shop.issue("guest", everything=True, to_card=True)
    return shop


def later(shop: Shop, **by: float) -> None:
    """Let the shop's clock be ahead *by* so much."""
    here = shop.app.extensions[wired.KEY]
    now: datetime = here.runtime.now() + timedelta(**by)

    def clock() -> datetime:
        return now

    shop.app.extensions[wired.KEY] = replace(here, runtime=replace(here.runtime, clock=clock))


def test_lists_the_newest_first_with_their_card_status(filled: Shop, admin: FlaskClient) -> None:
    page = admin.get(DESK).text
    assert listed(page) == [4, 3, 2, 1]
    badges = re.findall(r"refunds-badge[^>]*>.*?<span>([^<]*)</span>", page, re.DOTALL)
    assert badges == ["Started", "Not Requested by Administrator", "Failed", "Completed"]
    assert "Bob &lt;Builder&gt;" in page
    assert "Bob <Builder>" not in page
    assert "Visa •••• 1111" in page
    assert "$119.00" in page
    assert "Anna Admin" in page


def test_a_failed_refund_says_why_until_it_is_paid_otherwise(
    shop: Shop, admin: FlaskClient
) -> None:
    _, transfer_id = failed(shop, "bobs", code="2046")
    assert len(re.findall(r"refunds-detail\">[^<]*2046", admin.get(DESK).text)) == 1
    paid = send(admin, url(transfer_id, OTHERWISE), other_kind="cash")
    assert paid.status_code == 303
    assert "2046" not in admin.get(DESK).text


def test_a_status_that_there_is_not_is_not_found(admin: FlaskClient) -> None:
    assert admin.get(f"{DESK}?status=").status_code == 200
    answer = admin.get(f"{DESK}?status=lost")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text


def test_the_search_says_what_it_finds(shop: Shop, admin: FlaskClient) -> None:
    assert "Orders: number or whole e-mail address." in admin.get(DESK).text
    page = search(admin, "Ada Lovelace").text
    assert "No refund fits this search." in page
    assert "open their Account History" in page
    assert "2026-001001" not in page


def test_a_shop_without_refunds_says_how_to_make_one(shop: Shop, admin: FlaskClient) -> None:
    assert "No refunds yet" in admin.get(DESK).text


@pytest.mark.parametrize(
    ("status", "ids"),
    [
        ("all", [4, 3, 2, 1]),
        ("needs_person", [2]),
        ("in_flight", [4]),
        ("completed", [3, 1]),
        ("failed", [2]),
        ("reversed", []),
        ("", [4, 3, 2, 1]),
    ],
)
def test_filters_by_status(filled: Shop, admin: FlaskClient, status: str, ids: list[int]) -> None:
    assert listed(admin.get(f"{DESK}?status={status}").text) == ids


def test_counts_each_status(filled: Shop, admin: FlaskClient) -> None:
    page = admin.get(DESK).text
    counts = re.findall(
        r'nav-link.*?([A-Z][\w ]+?)\s*<span class="badge[^>]*>(\d+)', page, re.DOTALL
    )
    assert dict(counts) == {
        "All": "4",
        "Needs a person": "1",
        "In flight": "1",
        "Completed": "2",
        "Failed": "1",
        "Reversed": "0",
    }


def test_an_outcome_unknown_for_long_needs_a_person(shop: Shop, admin: FlaskClient) -> None:
    shop.simulator.fault("drop_after", "refund")
    shop.issue("plain", everything=True, to_card=True)
    shop.work()
    assert transfer_of(shop, 1).detail == "outcome_unknown"
    assert listed(admin.get(f"{DESK}?status=needs_person").text) == []
    later(shop, minutes=16)
    assert listed(admin.get(f"{DESK}?status=needs_person").text) == [1]


@pytest.mark.parametrize("shop_settings", [{"REFUNDS_PAGE_SIZE": 3}])
def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(
    filled: Shop, admin: FlaskClient
) -> None:
    first = admin.get(DESK).text
    assert listed(first) == [4, 3, 2]
    older = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert older
    second = admin.get(older[1].replace("&amp;", "&")).text
    assert listed(second) == [1]
    assert 'rel="next"' not in second


def test_a_page_costs_the_same_number_of_queries_however_long_it_is(
    shop: Shop, admin: FlaskClient
) -> None:
    recorded(shop, "cash")
    with shop.queries() as few:
        admin.get(DESK)
    for name in ("plain", "bobs", "guest", "euros", "discounted"):
        recorded(shop, name)
    with shop.queries() as many:
        assert len(listed(admin.get(DESK).text)) == 6
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("2026-001007", [2]),
        ("2026-0010", [4, 3, 2, 1]),
        ("lovelace", [3, 1]),
        ("Bob <B", [2]),
        ("grace@EXAMPLE.net", [4]),
        ("R-000003", [3]),
        ("r-3", [3]),
        ("3", [3]),
        ("100%", []),
        ("nobody", []),
        ("R-99999999999999", []),
    ],
)
def test_finds_refunds_by_words(
    filled: Shop, admin: FlaskClient, text: str, ids: list[int]
) -> None:
    page = search(admin, text).text
    assert listed(page) == ids
    assert ("No refund fits this search." in page) == (not ids)


def test_finds_refunds_by_what_the_gateway_calls_them(filled: Shop, admin: FlaskClient) -> None:
    done = transfer_of(filled, 1)
    for name in (done.reference, done.gateway_refund_id, done.charge_id):
        assert listed(search(admin, str(name)).text) == [1], name
    assert listed(search(admin, str(done.reference).lower()).text) == [1]


def test_a_search_keeps_to_the_status_that_was_chosen(filled: Shop, admin: FlaskClient) -> None:
    answer = admin.post(f"{DESK}search", data={"text": "lovelace", "status": "completed"})
    assert listed(admin.get(answer.headers["Location"]).text) == [3, 1]
    answer = admin.post(f"{DESK}search", data={"text": "lovelace", "status": "failed"})
    assert listed(admin.get(answer.headers["Location"]).text) == []


@pytest.mark.parametrize("text", ["grace@example.net", "Grace Guest", "Ada", "o'hara@example.com"])
def test_a_name_or_an_address_is_never_in_a_url(
    filled: Shop, admin: FlaskClient, text: str
) -> None:
    answer = admin.post(f"{DESK}search", data={"text": text})
    page = admin.get(answer.headers["Location"]).text
    urls = [answer.headers["Location"], *re.findall(r'(?:href|action)="([^"]*)"', page)]
    for word in re.split(r"[@ ]", text):
        assert not [url for url in urls if word.lower() in url.lower()]


def test_an_address_in_a_url_is_not_searched_for(filled: Shop, admin: FlaskClient) -> None:
    page = admin.get(f"{DESK}?q=grace@example.net").text
    assert listed(page) == [4, 3, 2, 1]


def test_a_number_stands_in_the_url_to_be_sent_to_somebody(
    filled: Shop, admin: FlaskClient
) -> None:
    answer = admin.post(f"{DESK}search", data={"text": " 2026-001007 "})
    assert answer.headers["Location"] == f"{DESK}?q=2026-001007"
    assert listed(filled.client("support").get(answer.headers["Location"]).text) == [2]


def test_an_empty_search_shows_everything(filled: Shop, admin: FlaskClient) -> None:
    assert admin.post(f"{DESK}search", data={"text": "  "}).headers["Location"] == DESK


def test_a_search_of_another_session_has_ended_and_says_so(
    filled: Shop, admin: FlaskClient
) -> None:
    where = admin.post(f"{DESK}search", data={"text": "Ada"}).headers["Location"]
    page = filled.client("support").get(where).text
    assert "This search has ended" in page
    assert listed(page) == [4, 3, 2, 1]


def test_finds_a_guests_orders_by_address_and_links_to_their_history(
    shop: Shop, admin: FlaskClient
) -> None:
    page = search(admin, "grace@example.net").text
    assert "2026-001008" in page
    assert "2026-001009" in page
    assert "2026-001007" not in page
    links = re.findall(r'href="([^"]*refunds_history[^"]*)"', page)
    assert len(links) == 2
    history = admin.get(links[0].replace("&amp;", "&"))
    assert history.status_code == 200
    assert "Grace Guest" in history.text


def test_finds_a_customers_orders_with_what_is_left_of_them(
    filled: Shop, admin: FlaskClient
) -> None:
    page = search(admin, "ADA@example.com").text
    rows = re.findall(r"<tr>(.*?)</tr>", page.split("refunds-orders-heading")[2], re.DOTALL)
    cash = next(row for row in rows if "2026-001006" in row)
    assert re.findall(r"refunds-money\">([^<]*)", cash) == ["$119.00", "$0.00"]


def test_finds_an_order_by_its_number_though_it_has_no_refund(
    shop: Shop, admin: FlaskClient
) -> None:
    page = search(admin, "2026-001002").text
    assert "2026-001002" in page
    assert "No refund fits this search." in page


def test_whoever_may_look_sees_the_desk(filled: Shop) -> None:
    assert listed(filled.client("viewer").get(DESK).text) == [4, 3, 2, 1]


@pytest.mark.parametrize("path", ["", "refund/1", "refund/1/status", "transfer/2/retry"])
def test_the_desk_is_closed_to_strangers_and_customers(filled: Shop, path: str) -> None:
    assert filled.client(None).get(DESK + path).headers["Location"].startswith("/login")
    assert filled.client("ada").get(DESK + path).status_code == 403
    assert fragment(filled.client(None), "GET", DESK + path)[0] == 401
    assert fragment(filled.client("ada"), "GET", DESK + path)[0] == 403


def test_without_our_tables_it_says_what_to_run(shop: Shop, admin: FlaskClient) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(db.engine)
    for path in ("", "?q=2026-001001", "refund/1", "refund/1/status", "transfer/1/retry"):
        answer = admin.get(DESK + path)
        assert answer.status_code == 503
        assert "flask refunds upgrade" in answer.text
    assert admin.get("/admin/order/").status_code == 200


def test_the_pages_have_nothing_that_a_strict_policy_would_block(
    filled: Shop, admin: FlaskClient
) -> None:
    for path in ("", "refund/1", "refund/2", "transfer/2/retry", "transfer/2/pay-otherwise"):
        ours = admin.get(DESK + path).text.split('<div class="refunds')[1].split("<script")[0]
        assert not re.search(r"\sstyle=|\son\w+=|javascript:|<style", ours)
