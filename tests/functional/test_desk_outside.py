"""The desk about a refund of the gateway's own panel: what it says, and what a person can do."""

import html
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_refunds import syncing, wired
from flask_refunds.models import Account, Line, Posting
from flask_refunds.testing import Simulator
from tests.functional.conftest import Shop
from tests.functional.desk_forms import DESK, actions_of, hidden, listed, opened, transfer_of, url
from tests.functional.pages import text_of
from tests.integration.simulator.sdk import sdk_for

CONFIRM, IN_SHOP = "confirm", "in-shop"


def in_panel(shop: Shop, simulator: Simulator, name: str, cents: int) -> tuple[int, int]:
    """Refund so much of an order in the panel and sync; return the refund's and transfer's id."""
    amount = str(Decimal(cents) / 100)
    made = sdk_for(simulator, timeout=30).transaction.refund(shop.sales[name][0], amount)
    assert made.is_success, made.message
    with shop.app.app_context():
        (looked,) = syncing.sync(shop.runtime).gateways
    (found,) = looked.found
    assert found.refund_id is not None
    assert found.transfer_id is not None
    return found.refund_id, found.transfer_id


def typed(page: str) -> dict[str, str]:
    """Return what the form on *page* has in its text fields."""
    fields = re.findall(r'<input[^>]*type="text"[^>]*>', page)
    named = [(re.search(r'name="([^"]*)"', f), re.search(r'value="([^"]*)"', f)) for f in fields]
    return {name[1]: html.unescape(value[1] if value else "") for name, value in named if name}


def send(client: FlaskClient, where: str, **data: Any) -> TestResponse:
    """Open the form at *where*, change what *data* says, and send all of it."""
    answer = client.get(where)
    assert answer.status_code == 200, answer.status
    form = {**hidden(answer.text), **typed(answer.text)}
    return client.post(where, data={**form, **data})


def lines_of(shop: Shop, refund_id: int) -> dict[str, tuple[int, int]]:
    """Return quantity and amount of each line of a refund, by its description."""
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        lines = session.scalars(
            select(Line).where(Line.refund_id == refund_id).order_by(Line.position)
        )
        return {line.description: (line.quantity, line.paid) for line in lines}


def test_the_page_says_where_it_was_made_and_what_to_do(
    shop: Shop, admin: FlaskClient, simulator: Simulator
) -> None:
    refund_id, _ = in_panel(shop, simulator, "plain", 3000)

    page = text_of(admin.get(f"{DESK}refund/{refund_id}").text)

    assert "Made in the gateway's own panel on" in page
    assert "Confirm for which items…" in page
    assert "Already in the shop's records…" in page
    assert "Found in the gateway's own panel" in page
    assert "Our reference" not in page
    assert listed(admin.get(f"{DESK}?status=needs_person").text) == [refund_id]
    assert "somebody has to say for which items" in admin.get(DESK).text


def test_what_equals_the_rest_of_one_item_is_proposed_for_that_item(
    shop: Shop, admin: FlaskClient, simulator: Simulator
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3750)
    assert lines_of(shop, refund_id) == {"Brake pads, pair": (3, 3750)}

    form = typed(admin.get(url(transfer_id, CONFIRM)).text)

    assert {value for value in form.values() if value} == {"3", "37.50"}


def test_confirming_the_proposal_posts_it_and_the_banner_asks_no_more(
    shop: Shop, admin: FlaskClient, simulator: Simulator
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3750)

    answer = send(admin, url(transfer_id, CONFIRM), reason="damaged", note="Asked <Ann>")

    assert answer.status_code == 303
    page = admin.get(answer.headers["Location"]).text
    assert "The reports count it from now on." in page
    assert "Asked &lt;Ann&gt;" in page
    assert "Made in the gateway" in page
    assert "Confirm for which items" not in page
    assert transfer_of(shop, refund_id).state == "completed"
    assert shop.count(Posting) == 1
    assert actions_of(shop, refund_id) == ["adopted", "confirmed"]
    assert listed(admin.get(f"{DESK}?status=needs_person").text) == []


def test_another_split_is_what_is_posted(
    shop: Shop, admin: FlaskClient, simulator: Simulator
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3000)
    blank = dict.fromkeys(typed(admin.get(url(transfer_id, CONFIRM)).text), "")
    pads = {"lines-0-quantity": "2", "lines-0-amount": "25.00", "adjustment": "5.00"}

    answer = send(admin, url(transfer_id, CONFIRM), **{**blank, **pads}, reason="returned")

    assert answer.status_code == 303
    assert lines_of(shop, refund_id) == {"Brake pads, pair": (2, 2500), "Adjustment": (0, 500)}
    assert shop.count(Posting) == 2
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        assert sum(p.paid for p in session.scalars(select(Posting))) == 3000
        assert session.get_one(Account, shop.orders["plain"]).committed == 3000


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        ({"lines-0-amount": "20.00"}, "adjustment", "$10.00 less than the $30.00 that went back"),
        ({"lines-0-amount": "37.50"}, "adjustment", "$7.50 more than the $30.00 that went back"),
        ({"lines-0-amount": "37.51"}, "lines-0-amount", "At most $37.50 is left on this line."),
        ({"lines-0-quantity": "4"}, "lines-0-quantity", "At most 3 of this line"),
        ({"lines-0-amount": "a lot"}, "lines-0-amount", "This is not an amount."),
        ({"lines-0-quantity": "1.5"}, "lines-0-quantity", "This is not a whole number."),
        ({"lines-0-amount": "30.00", "reason": ""}, "reason", "Choose a reason."),
        ({}, "", "Nothing is selected to refund."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_is_kept(
    shop: Shop, admin: FlaskClient, simulator: Simulator, data: Any, field: str, said: str
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3000)
    before = lines_of(shop, refund_id)
    blank = dict.fromkeys(typed(admin.get(url(transfer_id, CONFIRM)).text), "")

    answer = send(
        admin, url(transfer_id, CONFIRM), **{**blank, "reason": "returned", "note": "kept", **data}
    )

    assert answer.status_code == 422
    assert said in text_of(answer.text)
    assert "Nothing was recorded yet." in answer.text
    assert "kept" in answer.text
    for name, value in data.items():
        assert name == "reason" or typed(answer.text)[name] == value
    if field:
        error = re.search(rf'id="{field}-error"[^>]*>(.*?)</div>', answer.text, re.DOTALL)
        assert error is not None
        assert said in text_of(error[1])
    assert lines_of(shop, refund_id) == before
    assert transfer_of(shop, refund_id).state == "processing"
    assert shop.count(Posting) == 0


def test_confirming_twice_says_who_was_first(
    shop: Shop, admin: FlaskClient, simulator: Simulator
) -> None:
    _, transfer_id = in_panel(shop, simulator, "plain", 3750)
    page = admin.get(url(transfer_id, CONFIRM)).text
    form = {**hidden(page), **typed(page), "reason": "returned"}
    assert admin.post(url(transfer_id, CONFIRM), data=form).status_code == 303

    again = admin.post(url(transfer_id, CONFIRM), data=form)

    assert again.status_code == 409
    assert "admin@example.com has said on" in again.text
    assert "Nothing was done twice." in again.text
    assert shop.count(Posting) == 1
    assert admin.get(url(transfer_id, IN_SHOP)).status_code == 409


def test_what_is_in_the_shops_records_is_released(
    shop: Shop, admin: FlaskClient, simulator: Simulator
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3000)
    asked = send(admin, url(transfer_id, IN_SHOP), why="  ")
    assert asked.status_code == 422
    assert "Say where." in asked.text

    answer = send(admin, url(transfer_id, IN_SHOP), why="Credit note 7")

    assert answer.status_code == 303
    page = admin.get(answer.headers["Location"]).text
    assert "It is not counted a second time." in page
    assert "Credit note 7" in page
    assert "Retry" not in page
    assert transfer_of(shop, refund_id).state == "reversed"
    assert shop.count(Posting) == 0
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        assert session.get_one(Account, shop.orders["plain"]).committed == 0


@pytest.mark.parametrize("action", [CONFIRM, IN_SHOP])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_may_only_look_may_not_act(
    shop: Shop, simulator: Simulator, action: str, method: str
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3750)
    admin = shop.client("admin")
    page = admin.get(url(transfer_id, action)).text
    data = {**hidden(page), **typed(page), "reason": "returned", "why": "x"}

    answer = shop.client("viewer").open(url(transfer_id, action), method=method, data=data)

    assert answer.status_code == 403
    assert actions_of(shop, refund_id) == ["adopted"]
    seen = shop.client("viewer").get(f"{DESK}refund/{refund_id}").text
    assert "Made in the gateway" in seen
    assert "Confirm for which items" not in seen


def test_an_amount_above_the_actors_limit_is_refused(
    shop: Shop, admin: FlaskClient, simulator: Simulator
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3750)
    form = opened(admin, url(transfer_id, CONFIRM))
    here = shop.app.extensions[wired.KEY]

    class Limited(type(here.policy)):  # type: ignore[misc]
        def limit(self, currency: str) -> int | None:
            return 3000

    shop.app.extensions[wired.KEY] = replace(here, policy=Limited())
    answer = admin.post(url(transfer_id, CONFIRM), data={**form, "reason": "returned"})
    assert answer.status_code == 403
    assert "at most $30.00" in answer.text
    assert actions_of(shop, refund_id) == ["adopted"]


@pytest.mark.parametrize("action", [CONFIRM, IN_SHOP])
def test_a_form_without_our_token_changes_nothing(
    shop: Shop, admin: FlaskClient, simulator: Simulator, action: str
) -> None:
    refund_id, transfer_id = in_panel(shop, simulator, "plain", 3750)
    page = admin.get(url(transfer_id, action)).text
    data = {**hidden(page), **typed(page), "refunds_csrf": "made-up", "reason": "other", "why": "x"}

    answer = admin.post(url(transfer_id, action), data=data)

    assert answer.status_code == 400
    assert "Please send it again." in answer.text
    assert actions_of(shop, refund_id) == ["adopted"]


def test_only_what_was_made_outside_can_be_confirmed(shop: Shop, admin: FlaskClient) -> None:
    refund_id = shop.issue("plain", everything=True, to_card=True).refund_id
    transfer = transfer_of(shop, refund_id)
    for action in (CONFIRM, IN_SHOP):
        answer = admin.get(url(transfer.id, action))
        assert answer.status_code == 409
        assert "not possible in the transfer&#39;s present state" in answer.text
