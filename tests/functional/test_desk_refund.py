"""The page of one refund: what it tells, and how it follows what is in flight."""

import re

import pytest
from flask.testing import FlaskClient

from example_app import db
from example_app.models import Order
from flask_refunds.models import Transfer
from tests.functional.conftest import Shop, fragment
from tests.functional.desk_forms import DESK, failed, recorded, transfer_of


def page_of(client: FlaskClient, refund_id: int) -> str:
    answer = client.get(f"{DESK}refund/{refund_id}")
    assert answer.status_code == 200
    return answer.text


def history_of(page: str) -> list[str]:
    return re.findall(r'refunds-told-title">([^<]*)<', page)


def test_tells_everything_about_a_refund(shop: Shop, admin: FlaskClient) -> None:
    shop.issue("discounted", everything=True, to_card=True, note="Two left gloves")
    shop.work()
    transfer = transfer_of(shop, 1)
    page = page_of(admin, 1)
    for said in (
        "R-000001",
        "2026-001003",
        "Ada Lovelace",
        "ada@example.com",
        "Returned",
        "Two left gloves",
        "Anna Admin",
        "Helmet, medium",
        "GLOVE-WIN",
        "Visa •••• 1111",
        "$88.50",
        "$12.72",
        "submitted for settlement",
        transfer.reference,
        transfer.gateway_refund_id,
        transfer.charge_id,
    ):
        assert str(said) in page, said
    assert history_of(page) == [
        "Refund accepted by the gateway",
        "Taken up by a worker",
        "Refund to the card requested",
        "Refund issued",
    ]


def test_lines_add_up_to_the_refund(shop: Shop, admin: FlaskClient) -> None:
    shop.issue("discounted", everything=True, other_kind="cash")
    table = page_of(admin, 1).split("refund-lines-heading")[2].split("</table>")[0]
    rows = [re.findall(r'refunds-money">([^<]*)<', row) for row in table.split("</tr>")]
    paid = [float(row[-1].strip("$")) for row in rows if row]
    assert sum(paid[:-1]) == pytest.approx(paid[-1]) == pytest.approx(88.5)


def test_tells_why_a_transfer_failed_and_each_attempt(shop: Shop, admin: FlaskClient) -> None:
    refund_id, _ = failed(shop, code="2046")
    page = page_of(admin, refund_id)
    assert "Declined by the gateway or the bank" in history_of(page)
    assert "(2046)" in page
    attempts = page.split("<details")[1].split("</details>")[0]
    assert "Refund" in attempts
    assert "Declined" in attempts


def test_shows_each_card_of_an_order_that_two_paid(shop: Shop, admin: FlaskClient) -> None:
    shop.issue("two_cards", everything=True, to_card=True)
    shop.work()
    page = page_of(admin, 1)
    assert page.count('id="transfer-') == 2
    assert "Mastercard •••• 4444" in page


def test_says_that_a_whole_unsettled_sale_was_voided(shop: Shop, admin: FlaskClient) -> None:
    shop.issue("unsettled", everything=True, to_card=True)
    shop.work()
    page = page_of(admin, 1)
    assert "Sale cancelled at the gateway before it settled (void)" in history_of(page)
    assert ">Void<" in page


def test_says_what_a_refund_waits_for_and_when_it_is_tried_next(
    shop: Shop, admin: FlaskClient
) -> None:
    shop.issue("unsettled", adjustment=500, to_card=True)
    shop.work()
    assert transfer_of(shop, 1).next_attempt_at is not None
    page = page_of(admin, 1)
    assert "Waiting for the sale to settle" in page
    assert "Next attempt" in page


def test_says_that_nothing_is_sent_again_while_the_outcome_is_unknown(
    shop: Shop, admin: FlaskClient
) -> None:
    shop.simulator.fault("drop_after", "refund")
    shop.issue("plain", everything=True, to_card=True)
    shop.work()
    assert "Nothing is sent again" in page_of(admin, 1)


def test_escapes_what_people_typed(shop: Shop, admin: FlaskClient) -> None:
    evil = "<script>alert(1)</script>\"'"
    shop.issue("bobs", everything=True, other_kind="cash", other_reference=evil, note=evil)
    page = page_of(admin, 1)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert "Bob &lt;Builder&gt;" in page


def test_follows_a_refund_in_flight_until_it_rests(shop: Shop, admin: FlaskClient) -> None:
    shop.issue("plain", everything=True, to_card=True)
    url = re.search(r'data-refunds-live="([^"]*)"', page_of(admin, 1))
    assert url
    status, _, before = fragment(admin, "GET", url[1])
    assert status == 200
    assert "<html" not in before
    assert "data-refunds-in-flight" in before
    assert "Started" in before
    shop.work()
    after = fragment(admin, "GET", url[1])[2]
    assert "data-refunds-in-flight" not in after
    assert "Completed" in after


def test_there_is_no_page_of_a_refund_that_never_was(shop: Shop, admin: FlaskClient) -> None:
    assert admin.get(f"{DESK}refund/99").status_code == 404
    assert admin.get(f"{DESK}transfer/99/retry").status_code == 404
    assert fragment(admin, "GET", f"{DESK}refund/99/status")[0] == 404


def test_who_may_only_look_is_told_so_in_place_of_the_buttons(shop: Shop) -> None:
    refund_id, _ = failed(shop)
    other_id, _ = recorded(shop)
    for each in (refund_id, other_id):
        page = page_of(shop.client("viewer"), each)
        assert "You are not allowed to do this." in page
        assert "/transfer/" not in page


def test_reads_a_refund_with_a_bounded_number_of_queries(shop: Shop, admin: FlaskClient) -> None:
    recorded(shop)
    with shop.queries() as few:
        page_of(admin, 1)
    shop.issue("two_cards", everything=True, to_card=True)
    shop.work()
    with shop.queries() as many:
        page_of(admin, 2)
    ours = [s for s in many if "refunds_" in s]
    assert len(ours) == len([s for s in few if "refunds_" in s]) <= 7


def test_a_refund_keeps_its_page_when_the_order_is_gone(shop: Shop, admin: FlaskClient) -> None:
    recorded(shop, "cash")
    with shop.app.app_context():
        db.session.delete(db.session.get_one(Order, int(shop.orders["cash"])))
        db.session.commit()
    assert "2026-001006" in page_of(admin, 1)
    assert shop.count(Transfer) == 1
