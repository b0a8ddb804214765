"""Who may act from the desk, in which state, and with which form."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from flask_refunds import wired
from tests.functional.conftest import Shop
from tests.functional.desk_forms import (
    OTHERWISE,
    RETRY,
    REVERSE,
    actions_of,
    failed,
    hidden,
    opened,
    recorded,
    send,
    transfer_of,
    url,
)


@pytest.mark.parametrize("action", [RETRY, OTHERWISE, REVERSE])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_may_only_look_may_not_act(shop: Shop, action: str, method: str) -> None:
    refund_id, transfer_id = recorded(shop) if action == REVERSE else failed(shop)
    before = actions_of(shop, refund_id)
    admins = opened(shop.client("admin"), url(transfer_id, action))
    data = {**admins, "why": "x", "other_kind": "cash"}
    answer = shop.client("viewer").open(url(transfer_id, action), method=method, data=data)
    assert answer.status_code == 403
    assert actions_of(shop, refund_id) == before


def test_an_amount_above_the_actors_limit_is_refused_with_the_limit(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = failed(shop)
    form = opened(admin, url(transfer_id, RETRY))
    here = shop.app.extensions[wired.KEY]

    class Limited(type(here.policy)):  # type: ignore[misc]
        def limit(self, currency: str) -> int | None:
            return 5000

    shop.app.extensions[wired.KEY] = replace(here, policy=Limited())
    answer = admin.post(url(transfer_id, RETRY), data=form)
    assert answer.status_code == 403
    assert "at most $50.00" in answer.text
    assert transfer_of(shop, refund_id).state == "failed"


@pytest.mark.parametrize("action", [RETRY, OTHERWISE, REVERSE])
def test_a_form_without_our_token_changes_nothing(
    shop: Shop, admin: FlaskClient, action: str
) -> None:
    refund_id, transfer_id = recorded(shop) if action == REVERSE else failed(shop)
    before = actions_of(shop, refund_id)
    strangers = opened(shop.client("support"), url(transfer_id, action))["refunds_csrf"]
    for token in ("", "made-up", strangers):
        data = {"refunds_csrf": token, "why": "x", "other_kind": "cash", "generation": "1"}
        answer = admin.post(url(transfer_id, action), data=data)
        assert answer.status_code == 400
        assert "Please send it again." in answer.text
    assert actions_of(shop, refund_id) == before


def test_a_form_that_was_open_too_long_can_be_sent_again(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = recorded(shop)
    data = {"refunds_csrf": "old", "why": "kept <words>"}
    answer = admin.post(url(transfer_id, REVERSE), data=data)
    assert "kept &lt;words&gt;" in answer.text
    renewed = {**hidden(answer.text), "why": "kept <words>"}
    assert admin.post(url(transfer_id, REVERSE), data=renewed).status_code == 303
    assert transfer_of(shop, refund_id).state == "reversed"


@pytest.mark.parametrize(
    ("name", "action"),
    [("card", REVERSE), ("card", RETRY), ("card", OTHERWISE), ("cash", RETRY), ("cash", OTHERWISE)],
)
def test_what_does_not_fit_the_state_is_refused(
    shop: Shop, admin: FlaskClient, name: str, action: str
) -> None:
    if name == "card":
        refund_id = shop.issue("plain", everything=True, to_card=True).refund_id
        shop.work()
    else:
        refund_id, _ = recorded(shop)
    transfer = transfer_of(shop, refund_id)
    assert transfer.state == "completed"
    before = actions_of(shop, refund_id)
    answer = admin.get(url(transfer.id, action))
    assert answer.status_code == 409
    assert "not possible in the transfer&#39;s present state" in answer.text
    other = failed(shop)[1] if action != REVERSE else recorded(shop, "guest")[1]
    data = {**opened(admin, url(other, action)), "why": "x", "other_kind": "cash"}
    assert admin.post(url(transfer.id, action), data=data).status_code == 409
    assert actions_of(shop, refund_id) == before


def test_a_transfer_that_was_replaced_cannot_be_retried(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = failed(shop)
    form = opened(admin, url(transfer_id, RETRY))
    send(admin, url(transfer_id, OTHERWISE), other_kind="cash")
    answer = admin.post(url(transfer_id, RETRY), data=form)
    assert answer.status_code == 409
    assert "Already given back by other means" in answer.text
    assert "retried" not in actions_of(shop, refund_id)
