"""What the desk and the dashboard say on top when the work is held up."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from flask_refunds import heartbeats, watching
from flask_refunds.models import Gateway
from tests.functional.conftest import Shop

DESK, DASHBOARD = "/admin/refunds_desk/", "/admin/refunds_dashboard/"
DOWN = "Braintree has not answered since"
IDLE = "Refunds are due and no worker is running."


def down(shop: Shop, since: datetime) -> None:
    """Note that the gateway is down *since* then."""
    row = Gateway(
        name="braintree",
        failures=3,
        probes=1,
        reason="ConnectionError",
        opened_at=since,
        probe_at=since + timedelta(minutes=1),
    )
    with shop.app.app_context():
        shop.runtime.sessions.transact(lambda session: session.add(row))


@pytest.mark.parametrize("page", [DESK, DASHBOARD])
def test_a_gateway_that_is_down_is_said_with_the_time(
    shop: Shop, admin: FlaskClient, page: str
) -> None:
    assert DOWN not in admin.get(page).text

    down(shop, datetime.now(UTC))

    told = admin.get(page).text
    assert DOWN in told
    assert "refunds wait and go on by themselves" in told


def test_a_gateway_that_is_down_since_another_day_is_said_with_the_day(
    shop: Shop, admin: FlaskClient
) -> None:
    down(shop, datetime(2026, 1, 31, 14, 5, tzinfo=UTC))

    assert f"{DOWN} Jan 31, 2026, 2:05" in admin.get(DESK).text


def test_a_desk_without_a_worker_says_so_when_something_is_due(
    shop: Shop, admin: FlaskClient
) -> None:
    assert IDLE not in admin.get(DESK).text
    shop.issue("plain", everything=True, to_card=True)
    assert IDLE in admin.get(DESK).text
    assert IDLE not in admin.get(DASHBOARD).text

    with shop.app.app_context():
        heartbeats.beat(shop.runtime, heartbeats.of_worker(shop.runtime, 4))

    assert IDLE not in admin.get(DESK).text


def test_notices_cost_two_queries(shop: Shop) -> None:
    shop.issue("plain", everything=True, to_card=True)
    with shop.app.app_context(), shop.queries() as seen:
        watching.notices(shop.runtime)
    assert len(seen) == 2
