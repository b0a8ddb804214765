"""Filling in the desk's forms as a browser without scripts does."""

import html
import re
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_refunds.models import Event, Transfer
from tests.functional.conftest import Shop

DESK = "/admin/refunds_desk/"
RETRY, OTHERWISE, REVERSE = "retry", "pay-otherwise", "reverse"


def url(transfer_id: int, action: str) -> str:
    """Return where *action* on a transfer is confirmed."""
    return f"{DESK}transfer/{transfer_id}/{action}"


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of the form on *page*."""
    fields = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page)
    named = [(re.search(r'name="([^"]*)"', f), re.search(r'value="([^"]*)"', f)) for f in fields]
    return {name[1]: html.unescape(value[1] if value else "") for name, value in named if name}


def opened(client: FlaskClient, url: str) -> dict[str, str]:
    """Open the form at *url* and return its hidden fields."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.status
    return hidden(answer.text)


def send(client: FlaskClient, url: str, **data: Any) -> TestResponse:
    """Open the form at *url*, fill in *data* and send it."""
    return client.post(url, data={**opened(client, url), **data})


def search(client: FlaskClient, text: str) -> TestResponse:
    """Search for *text* and return the page that it leads to."""
    answer = client.post(f"{DESK}search", data={**opened(client, DESK), "text": text})
    assert answer.status_code == 303
    return client.get(answer.headers["Location"])


def listed(page: str) -> list[int]:
    """Return the ids of the refunds that *page* lists, in its order."""
    return [int(found) for found in re.findall(r">R-(\d{6})</a>", page)]


def transfer_of(shop: Shop, refund_id: int, position: int = 0) -> Transfer:
    """Return one transfer of a refund as it is now."""
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        found = session.scalars(
            select(Transfer).where(Transfer.refund_id == refund_id).order_by(Transfer.position)
        ).all()
        return found[position]


def actions_of(shop: Shop, refund_id: int) -> list[str]:
    """Return what the history of a refund has, oldest first."""
    with shop.app.app_context(), shop.runtime.sessions.open() as session:
        return list(
            session.scalars(
                select(Event.action).where(Event.refund_id == refund_id).order_by(Event.id)
            )
        )


def failed(shop: Shop, name: str = "bobs", code: str = "2000") -> tuple[int, int]:
    """Issue a refund of the whole order called *name* that the bank declines.

    Returns the refund's and the transfer's id.
    """
    shop.simulator.fault("decline", "refund", code=code)
    refund_id = shop.issue(name, everything=True, to_card=True).refund_id
    shop.work()
    transfer = transfer_of(shop, refund_id)
    assert transfer.state == "failed"
    return refund_id, transfer.id


def recorded(shop: Shop, name: str = "cash") -> tuple[int, int]:
    """Record the refund of a whole order as made in cash; return its and the transfer's id."""
    refund_id = shop.issue(name, everything=True, other_kind="cash").refund_id
    return refund_id, transfer_of(shop, refund_id).id
