"""Acting from the desk: each action once, by whom it is allowed, and never twice."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_refunds.models import Account, Posting, Transfer
from tests.functional.conftest import Shop
from tests.functional.desk_forms import (
    DESK,
    OTHERWISE,
    RETRY,
    REVERSE,
    actions_of,
    failed,
    opened,
    recorded,
    send,
    transfer_of,
    url,
)


def refunded_at_the_gateway(shop: Shop, name: str) -> int:
    """Return how many refunds of the order's sale took effect at the gateway."""
    sale = shop.simulator.sale(shop.sales[name][0])
    return len([r for r in sale["refunds"] if r["status"] != "processor_declined"])


# --- retry


def test_a_retry_is_recorded_and_runs(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = failed(shop)
    answer = send(admin, url(transfer_id, RETRY), why="The bank says yes now")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{DESK}refund/{refund_id}"
    page = admin.get(answer.headers["Location"]).text
    assert "The retry is recorded. It runs with the next sweep." in page
    assert "The bank says yes now" in page
    assert "admin@example.com" in page
    assert transfer_of(shop, refund_id).state == "started"
    shop.work()
    assert transfer_of(shop, refund_id).state == "completed"
    assert refunded_at_the_gateway(shop, "bobs") == 1


@pytest.mark.parametrize("shop_settings", [{"REFUNDS_REDIS_URL": "redis://127.0.0.1:1/0"}])
def test_with_the_queue_down_a_retry_says_that_it_runs_later(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = failed(shop)
    answer = send(admin, url(transfer_id, RETRY))
    page = admin.get(answer.headers["Location"]).text
    assert "The queue cannot be reached just now: it will run later, by itself." in page
    shop.work()
    assert transfer_of(shop, refund_id).state == "completed"


def test_the_same_retry_sent_twice_says_who_was_first(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = failed(shop)
    form = opened(admin, url(transfer_id, RETRY))
    assert admin.post(url(transfer_id, RETRY), data=form).status_code == 303
    again = admin.post(url(transfer_id, RETRY), data=form)
    assert again.status_code == 409
    assert "Already retried by admin@example.com" in again.text
    assert "Nothing was done twice." in again.text
    assert actions_of(shop, refund_id).count("retried") == 1


def test_a_form_sent_twice_does_not_retry_a_retry_that_failed_in_between(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = failed(shop)
    form = opened(admin, url(transfer_id, RETRY))
    shop.simulator.fault("decline", "refund", code="2000")
    admin.post(url(transfer_id, RETRY), data=form)
    shop.work()
    assert transfer_of(shop, refund_id).state == "failed"
    assert admin.post(url(transfer_id, RETRY), data=form).status_code == 409
    assert transfer_of(shop, refund_id).state == "failed"
    assert send(admin, url(transfer_id, RETRY)).status_code == 303


@pytest.mark.parametrize("round_", range(3))
def test_two_people_who_retry_at_once_start_one_retry(shop: Shop, round_: int) -> None:
    refund_id, transfer_id = failed(shop)
    clients = [shop.client("admin"), shop.client("support")]
    forms = [opened(client, url(transfer_id, RETRY)) for client in clients]
    answers = at_once(clients, [url(transfer_id, RETRY)] * 2, forms)
    assert sorted(a.status_code for a in answers) == [303, 409]
    assert actions_of(shop, refund_id).count("retried") == 1
    shop.work(2)
    assert refunded_at_the_gateway(shop, "bobs") == 1


def test_retry_and_other_means_at_once_give_the_money_back_once(shop: Shop) -> None:
    _, transfer_id = failed(shop)
    clients = [shop.client("admin"), shop.client("support")]
    urls = [url(transfer_id, RETRY), url(transfer_id, OTHERWISE)]
    forms = [opened(client, each) for client, each in zip(clients, urls, strict=True)]
    forms[1] |= {"other_kind": "cash"}
    answers = at_once(clients, urls, forms)
    assert sorted(a.status_code for a in answers) == [303, 409]
    shop.work(2)
    cash = shop.count(Transfer) - 1
    assert cash + refunded_at_the_gateway(shop, "bobs") == 1
    assert committed(shop, "bobs") == 5735


def test_a_retry_of_what_was_refunded_otherwise_meanwhile_is_refused(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = failed(shop)
    shop.issue("bobs", "meanwhile", everything=True, other_kind="cash")
    answer = send(admin, url(transfer_id, RETRY))
    assert answer.status_code == 422
    assert "is left on this line" in answer.text
    assert transfer_of(shop, refund_id).state == "failed"
    assert "retried" not in actions_of(shop, refund_id)


# --- other means


def test_paying_otherwise_records_it_and_keeps_the_failed_attempt(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = failed(shop)
    answer = send(
        admin,
        url(transfer_id, OTHERWISE),
        other_kind="bank_transfer",
        reference="SEPA <7>",
        why="Card was closed",
    )
    assert answer.status_code == 303
    page = admin.get(answer.headers["Location"]).text
    for said in ("Bank transfer", "SEPA &lt;7&gt;", "Card was closed", "Replaced"):
        assert said in page
    instead = transfer_of(shop, refund_id, 1)
    assert (instead.state, instead.replaces_id) == ("completed", transfer_id)
    assert transfer_of(shop, refund_id, 0).state == "failed"
    shop.work(2)
    assert refunded_at_the_gateway(shop, "bobs") == 0
    assert committed(shop, "bobs") == 5735


@pytest.mark.parametrize("kind", ["", "barter"])
def test_paying_otherwise_asks_by_what_means_at_the_field(
    shop: Shop, admin: FlaskClient, kind: str
) -> None:
    _, transfer_id = failed(shop)
    answer = send(admin, url(transfer_id, OTHERWISE), other_kind=kind, reference="kept")
    assert answer.status_code == 422
    assert 'aria-describedby="other_kind-error"' in answer.text
    assert "Choose by what other means the money goes back." in answer.text
    assert 'value="kept"' in answer.text
    assert shop.count(Transfer) == 1


def test_paying_otherwise_twice_records_it_once(shop: Shop, admin: FlaskClient) -> None:
    _, transfer_id = failed(shop)
    form = opened(admin, url(transfer_id, OTHERWISE)) | {"other_kind": "cash"}
    assert admin.post(url(transfer_id, OTHERWISE), data=form).status_code == 303
    again = admin.post(url(transfer_id, OTHERWISE), data=form)
    assert again.status_code == 409
    assert "Already given back by other means by admin@example.com" in again.text
    assert shop.count(Transfer) == 2


# --- reverse


def test_reversing_a_record_gives_the_amount_back_to_the_order(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = recorded(shop)
    assert committed(shop, "cash") == 11900
    answer = send(admin, url(transfer_id, REVERSE), why="It was the other customer")
    assert answer.status_code == 303
    page = admin.get(answer.headers["Location"]).text
    assert "Record taken back as a mistake" in page
    assert "It was the other customer" in page
    assert transfer_of(shop, refund_id).state == "reversed"
    assert committed(shop, "cash") == 0
    assert shop.count(Posting) == 2


@pytest.mark.parametrize("why", ["", "   "])
def test_reversing_asks_why_at_the_field(shop: Shop, admin: FlaskClient, why: str) -> None:
    refund_id, transfer_id = recorded(shop)
    answer = send(admin, url(transfer_id, REVERSE), why=why)
    assert answer.status_code == 422
    assert 'aria-describedby="why-error"' in answer.text
    assert "Say why." in answer.text
    assert transfer_of(shop, refund_id).state == "completed"


def test_reversing_twice_posts_one_reversal(shop: Shop, admin: FlaskClient) -> None:
    _, transfer_id = recorded(shop)
    form = opened(admin, url(transfer_id, REVERSE)) | {"why": "mistake"}
    assert admin.post(url(transfer_id, REVERSE), data=form).status_code == 303
    again = admin.post(url(transfer_id, REVERSE), data=form)
    assert again.status_code == 409
    assert "already taken back by admin@example.com" in again.text
    assert shop.count(Posting) == 2


def committed(shop: Shop, name: str) -> int:
    """Return what the order's account has reserved or given back, in minor units."""
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        return session.get_one(Account, shop.orders[name]).committed


def at_once(
    clients: list[FlaskClient], urls: list[str], forms: list[dict[str, Any]]
) -> list[TestResponse]:
    """Send all *forms* at the same moment."""
    start = Barrier(len(clients))

    def post(client: FlaskClient, where: str, form: dict[str, Any]) -> TestResponse:
        start.wait()
        return client.post(where, data=form)

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(post, clients, urls, forms))
