"""Consent to refund a disputed sale: in the modal, on the desk, and never by accident."""

import re

import pytest
from flask.testing import FlaskClient

from tests.functional.conftest import Shop
from tests.functional.desk_forms import (
    DESK,
    OTHERWISE,
    RETRY,
    actions_of,
    failed,
    opened,
    send,
    transfer_of,
    url,
)
from tests.functional.pages import Answer, Modal, form_of, text_of

CARD = {"to_card": "y", "reason": "returned", "everything": "y"}
WARNING = "This will fail: The customer disputes this sale"
BOX = "Refund although the sale is disputed"
OTHER_BOX = "Give back although the sale is disputed"


@pytest.fixture
def sale(shop: Shop) -> str:
    """The sale of Bob's order, which he disputes."""
    (sale,) = shop.sales["bobs"]
    shop.simulator.dispute(sale)
    return sale


def modal(shop: Shop, name: str = "bobs") -> Modal:
    return Modal(shop, name, shop.client()).open()


def forecast(shop: Shop, name: str = "bobs", **changes: str) -> Answer:
    answer = modal(shop, name).send("forecast", **CARD, **changes)
    assert answer.status == 200
    return answer


def disputed(shop: Shop) -> tuple[int, int]:
    """Issue a refund that fails since the sale is disputed; return its and its transfer's id."""
    refund_id = shop.issue("bobs", everything=True, to_card=True).refund_id
    shop.work()
    transfer = transfer_of(shop, refund_id)
    assert (transfer.state, transfer.failure_code) == ("failed", "disputed")
    return refund_id, transfer.id


# ------------------------------------------------------------------ at issue


def test_the_forecast_warns_and_has_the_consent_asked_for(shop: Shop, sale: str) -> None:
    told = forecast(shop).json

    assert told["disputed"] is True
    assert WARNING in text_of(told["html"])
    assert text_of(told["html"]).count("twice") == 1


def test_with_the_consent_the_forecast_warns_and_says_what_will_happen(
    shop: Shop, sale: str
) -> None:
    told = forecast(shop, despite_dispute="y").json

    assert told["disputed"] is True
    words = text_of(told["html"])
    assert "The customer disputes this sale and may get this money twice." in words
    assert "Refunded to the card at once" in words
    assert "This will fail" not in words


def test_a_sale_without_an_open_dispute_is_not_warned_about(shop: Shop, sale: str) -> None:
    shop.simulator.decide_dispute(sale, "won")
    for name in ("bobs", "plain"):
        told = forecast(shop, name).json
        assert told["disputed"] is False
        assert "disputes" not in told["html"]


def test_without_the_box_the_refund_fails_and_says_why(shop: Shop, sale: str) -> None:
    answer = modal(shop).send(**CARD)
    assert answer.status == 201
    shop.work()

    transfer = transfer_of(shop, answer.json["refund"])
    assert (transfer.state, transfer.dispute_accepted_at) == ("failed", None)
    assert shop.simulator.sale(sale)["total_given_back"] == 0
    page = shop.client().get(f"{DESK}refund/{answer.json['refund']}").text
    assert "The customer disputes this sale: the bank may be taking the money back" in page


def test_with_the_box_it_is_refunded_and_the_history_says_so(shop: Shop, sale: str) -> None:
    answer = modal(shop).send(**CARD, despite_dispute="y")
    assert answer.status == 201
    shop.work()

    transfer = transfer_of(shop, answer.json["refund"])
    assert transfer.state == "completed"
    assert transfer.dispute_accepted_at is not None
    audit = shop.simulator.sale(sale)
    assert audit["total_given_back"] == audit["amount"]
    page = shop.client().get(f"{DESK}refund/{answer.json['refund']}").text
    assert "Also if the customer disputes the sale." in text_of(page)


def test_the_box_is_there_without_scripts_and_kept_after_a_refusal(shop: Shop, sale: str) -> None:
    form = modal(shop)
    assert BOX in text_of(form.html)
    assert "despite_dispute" not in form.values

    refused = form.send(**{**CARD, "reason": ""}, despite_dispute="y")

    assert refused.status == 422
    assert form_of(refused.html)["despite_dispute"] == "y"


def test_where_no_card_can_be_paid_back_there_is_no_box(shop: Shop) -> None:
    assert BOX not in modal(shop, "cash").html


def test_another_card_of_the_order_is_not_held_up(shop: Shop) -> None:
    first, second = shop.sales["two_cards"]
    shop.simulator.dispute(first)

    refund_id = shop.issue("two_cards", everything=True, to_card=True).refund_id
    shop.work(3)

    states = [transfer_of(shop, refund_id, position).state for position in (0, 1)]
    assert states == ["failed", "completed"]
    given = [shop.simulator.sale(sale)["total_given_back"] for sale in (first, second)]
    assert given == [0, transfer_of(shop, refund_id, 1).amount]


# ------------------------------------------------------------------ at retry


def test_a_retry_asks_for_the_consent(shop: Shop, sale: str, admin: FlaskClient) -> None:
    refund_id, transfer_id = disputed(shop)
    page = admin.get(url(transfer_id, RETRY)).text
    assert BOX in page
    before = actions_of(shop, refund_id)

    refused = send(admin, url(transfer_id, RETRY), why="kept words")

    assert refused.status_code == 422
    assert "Look at the dispute; to refund anyway, tick the box." in refused.text
    assert "kept words" in refused.text
    assert actions_of(shop, refund_id) == before
    answer = send(admin, url(transfer_id, RETRY), despite_dispute="y")
    assert answer.status_code == 303
    shop.work()
    assert transfer_of(shop, refund_id).state == "completed"
    audit = shop.simulator.sale(sale)
    assert audit["total_given_back"] == audit["amount"]


def test_the_error_of_the_box_is_tied_to_it(shop: Shop, sale: str, admin: FlaskClient) -> None:
    _, transfer_id = disputed(shop)
    page = send(admin, url(transfer_id, RETRY)).text

    box = re.search(r'<input[^>]*id="despite_dispute"[^>]*>', page)
    assert box
    assert 'aria-describedby="despite_dispute-error"' in box[0]
    error = re.search(r'id="despite_dispute-error"([^>]*)>(.*?)</div>', page, re.DOTALL)
    assert error
    assert "hidden" not in error[1]
    assert "The customer disputes this sale." in text_of(error[2])


def test_a_retry_of_another_failure_has_no_box(shop: Shop, admin: FlaskClient) -> None:
    shop.simulator.fault("decline", "refund", code="2000")
    refund_id = shop.issue("bobs", everything=True, to_card=True).refund_id
    shop.work()
    transfer_id = transfer_of(shop, refund_id).id

    assert "despite_dispute" not in opened(admin, url(transfer_id, RETRY))
    assert BOX not in admin.get(url(transfer_id, RETRY)).text


# ------------------------------------------------------------------ at other means


def test_other_means_ask_for_the_consent(shop: Shop, sale: str, admin: FlaskClient) -> None:
    refund_id, transfer_id = disputed(shop)
    page = text_of(admin.get(url(transfer_id, OTHERWISE)).text)
    assert OTHER_BOX in page
    assert "what you give back by other means comes on top" in page
    before = actions_of(shop, refund_id)

    refused = send(admin, url(transfer_id, OTHERWISE), other_kind="cash", reference="kept words")

    assert refused.status_code == 422
    assert "Look at the dispute; to refund anyway, tick the box." in refused.text
    assert "kept words" in refused.text
    assert actions_of(shop, refund_id) == before
    consent = {"other_kind": "cash", "despite_dispute": "y"}
    answer = send(admin, url(transfer_id, OTHERWISE), **consent)
    assert answer.status_code == 303
    assert transfer_of(shop, refund_id, 1).state == "completed"
    assert "Also if the customer disputes the sale." in text_of(
        admin.get(answer.headers["Location"]).text
    )


def test_other_means_after_another_failure_have_no_box(shop: Shop, admin: FlaskClient) -> None:
    _, transfer_id = failed(shop)

    assert "despite_dispute" not in admin.get(url(transfer_id, OTHERWISE)).text
