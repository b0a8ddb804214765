"""A refund that the gateway does not tell of: what the desk shows, and the two buttons."""

from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import update

from flask_refunds.models import Transfer
from flask_refunds.runtime import utc_now
from flask_refunds.states import Detail
from tests.functional.conftest import Shop
from tests.functional.desk_forms import (
    DESK,
    actions_of,
    failed,
    opened,
    send,
    transfer_of,
    url,
)

ADOPT, TRY_AGAIN, ACKNOWLEDGE = "adopt", "try-again", "acknowledge"
LONG_AGO = timedelta(minutes=16)


def unknown(shop: Shop, name: str = "bobs", *, since: timedelta = LONG_AGO) -> tuple[int, int]:
    """Issue a refund whose request is lost, unknown *since* so long ago; return both ids."""
    shop.simulator.fault("drop_before", "refund")
    refund_id = shop.issue(name, everything=True, to_card=True).refund_id
    shop.work()
    transfer = transfer_of(shop, refund_id)
    assert transfer.detail == Detail.OUTCOME_UNKNOWN
    later = utc_now() + timedelta(hours=1)  # no sweep looks by itself
    change(shop, transfer.id, waiting_since=utc_now() - since, next_attempt_at=later)
    return refund_id, transfer.id


def change(shop: Shop, transfer_id: int, **values: object) -> None:
    """Change a transfer behind the services' back."""
    statement = update(Transfer).where(Transfer.id == transfer_id).values(**values)
    with shop.app.app_context():
        shop.runtime.sessions.transact(lambda session: session.execute(statement))


def panel(shop: Shop, transfer: Transfer, reference: str | None = None) -> str:
    """Make the refund at the gateway past the shop; return its number there."""
    with shop.app.app_context():
        gateway = shop.runtime.gateways.get("braintree")
        return gateway.refund(
            transfer.charge_id or "",
            transfer.amount,
            transfer.currency,
            key=f"panel-{transfer.id}",
            reference=reference or transfer.reference or "",
        ).id


def test_nobody_is_asked_before_the_gateway_had_its_time(shop: Shop, admin: FlaskClient) -> None:
    refund_id, _ = unknown(shop, since=timedelta(minutes=14))
    page = admin.get(f"{DESK}refund/{refund_id}").text
    assert "Outcome unknown: checking with the gateway." in page
    assert "It was refunded" not in page
    assert "Unknown since" not in page
    assert f"R-{refund_id:06d}" not in admin.get(f"{DESK}?status=needs_person").text


def test_then_the_page_says_what_to_look_for_and_asks(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = unknown(shop)
    transfer = transfer_of(shop, refund_id)
    page = admin.get(f"{DESK}refund/{refund_id}").text
    for shown in (transfer.charge_id, transfer.reference, "It was refunded…", "try again…"):
        assert str(shown) in page
    assert f"R-{refund_id:06d}" in admin.get(f"{DESK}?status=needs_person").text
    made = panel(shop, transfer)
    answer = send(admin, url(transfer_id, ADOPT), gateway_refund_id=made, why="seen in the panel")
    assert answer.status_code == 303
    page = admin.get(answer.headers["Location"]).text
    assert "Recorded: the gateway has paid this back. Nothing was sent." in page
    assert "Found at the gateway by a person" in page
    assert transfer_of(shop, refund_id).state == "completed"


def test_a_wrong_number_is_answered_at_its_field(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = unknown(shop)
    for typed, words in (
        ("", "Copy the number from the gateway&#39;s panel."),
        ("nothing", "The gateway has no refund with this number."),
        (shop.sales["bobs"][0], "This is the sale itself, and it was not cancelled."),
    ):
        answer = send(admin, url(transfer_id, ADOPT), gateway_refund_id=typed, why="my note")
        assert answer.status_code == 422
        assert words in answer.text
        assert "my note" in answer.text
    assert transfer_of(shop, refund_id).state == "processing"


def test_a_refund_of_somebody_elses_is_taken_when_ours_can_land_no_more(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = unknown(shop)
    made = panel(shop, transfer_of(shop, refund_id), "by hand")
    answer = send(admin, url(transfer_id, ADOPT), gateway_refund_id=made)
    assert answer.status_code == 409
    assert "The first request may still arrive at the gateway." in answer.text
    with shop.app.app_context():
        object.__setattr__(shop.runtime, "clock", lambda: utc_now() + timedelta(minutes=3))
    assert send(admin, url(transfer_id, ADOPT), gateway_refund_id=made).status_code == 303
    assert transfer_of(shop, refund_id).gateway_refund_id == made


def test_try_again_waits_for_late_requests_and_then_starts_again(
    shop: Shop, admin: FlaskClient
) -> None:
    refund_id, transfer_id = unknown(shop)
    answer = send(admin, url(transfer_id, TRY_AGAIN), why="it is not in the panel")
    assert answer.status_code == 409
    assert "The first request may still arrive at the gateway." in answer.text
    assert "it is not in the panel" in answer.text
    with shop.app.app_context():
        object.__setattr__(shop.runtime, "clock", lambda: utc_now() + timedelta(minutes=3))
    form = opened(admin, url(transfer_id, TRY_AGAIN)) | {"why": "it is not in the panel"}
    assert admin.post(url(transfer_id, TRY_AGAIN), data=form).status_code == 303
    again = admin.post(url(transfer_id, TRY_AGAIN), data=form)
    assert again.status_code == 409
    assert "admin@example.com already had it started again" in again.text
    shop.work()
    assert transfer_of(shop, refund_id).state == "completed"
    assert shop.simulator.sale(shop.sales["bobs"][0])["total_given_back"] == 5735
    assert actions_of(shop, refund_id).count("declared_not_done") == 1


def test_it_is_not_sent_again_when_the_gateway_has_it(shop: Shop, admin: FlaskClient) -> None:
    shop.simulator.fault("drop_after", "refund")
    refund_id = shop.issue("bobs", everything=True, to_card=True).refund_id
    shop.work()
    transfer = transfer_of(shop, refund_id)
    change(shop, transfer.id, waiting_since=utc_now() - LONG_AGO)
    with shop.app.app_context():
        object.__setattr__(shop.runtime, "clock", lambda: utc_now() + timedelta(minutes=3))
    answer = send(admin, url(transfer.id, TRY_AGAIN), why="I did not see it")
    (made,) = shop.simulator.sale(shop.sales["bobs"][0])["refunds"]
    assert answer.status_code == 409
    assert f"The gateway does have it, as {made['id']}." in answer.text


def test_who_may_not_issue_may_not_say_either(shop: Shop) -> None:
    refund_id, transfer_id = unknown(shop)
    viewer = shop.client("viewer")
    assert "It was refunded…" not in viewer.get(f"{DESK}refund/{refund_id}").text
    for action in (ADOPT, TRY_AGAIN, ACKNOWLEDGE):
        assert viewer.get(url(transfer_id, action)).status_code == 403
        assert viewer.post(url(transfer_id, action), data={"why": "x"}).status_code == 403


def test_a_known_outcome_is_nobodys_to_say(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = failed(shop)
    for action in (ADOPT, TRY_AGAIN, ACKNOWLEDGE):
        assert admin.get(url(transfer_id, action)).status_code == 409
    assert transfer_of(shop, refund_id).state == "failed"


def test_a_conflict_is_shown_until_somebody_has_settled_it(shop: Shop, admin: FlaskClient) -> None:
    refund_id, transfer_id = failed(shop)
    change(shop, transfer_id, detail=Detail.CONFLICT)
    page = admin.get(f"{DESK}refund/{refund_id}").text
    assert "The gateway may have paid this beside the books" in page
    answer = send(admin, url(transfer_id, ACKNOWLEDGE), why="")
    assert answer.status_code == 422
    answer = send(admin, url(transfer_id, ACKNOWLEDGE), why="The customer sent it back")
    page = admin.get(answer.headers["Location"]).text
    assert "The gateway may have paid this beside the books" not in page
    assert "The customer sent it back" in page
