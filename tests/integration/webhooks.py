"""A shop that is served on a real socket, for webhooks, and notifications of any content."""

import base64
import hashlib
import hmac
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import func, select
from werkzeug.serving import make_server

from flask_refunds import reconciling
from flask_refunds.models import Account, Posting, Transfer
from flask_refunds.processing import process
from flask_refunds.states import Detail, TransferState
from tests.integration.workshop import PATIENT, Ticket, Workshop

PATH = "/refunds/webhooks/braintree"
FORM = "application/x-www-form-urlencoded"
CALM = {**PATIENT, "REFUNDS_SETTLE_INTERVAL": 3600, "REFUNDS_RETRY_INTERVAL": 3600}
"""Nothing is due by itself: what happens, a webhook has brought about."""


@dataclass
class Served:
    """A shop that is served on a real socket."""

    shop: Workshop
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def deliver(self, kind: str, transaction_id: str) -> int:
        """Have the simulator post a notification; return the status of our answer."""
        return self.shop.gateway.deliver(self.url, kind, transaction_id)

    def post(self, body: bytes, path: str = PATH, **headers: str) -> int:
        """Post *body* and return the status of the answer."""
        return self.ask("POST", path, body, {"Content-Type": FORM, **headers})

    def ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            assert answer.read() in {b"", b"<"} or answer.status in {404, 405}
            return answer.status
        finally:
            connection.close()

    def work(self) -> None:
        """Do one round of what is due."""
        self.shop.do(reconciling.sweep)


@contextmanager
def serving(app: Flask) -> Iterator[int]:
    """Serve *app* on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def completed(shop: Workshop, *, settled: bool = False) -> Ticket:
    """Return a refund that the gateway has accepted, or that has settled there."""
    ticket = shop.refund_of(3000, part=1000)
    shop.do(process, ticket.id)
    assert ticket.now.state == TransferState.COMPLETED
    if settled:
        shop.gateway.settle(refund_id(ticket))
        shop.do(reconciling.poll, ticket.id)
        assert (ticket.now.detail, ticket.now.poll_at) == (Detail.SETTLED, None)
    return ticket


def refund_id(ticket: Ticket) -> str:
    return ticket.now.gateway_refund_id or ""


def columns(ticket: Ticket) -> dict[str, Any]:
    """Return all that the transfer's row has."""
    return {name: value for name, value in vars(ticket.now).items() if name[0] != "_"}


def posted(shop: Workshop) -> list[int]:
    return shop.rows(select(Posting.paid).order_by(Posting.id))


def committed(shop: Workshop) -> int:
    return int(shop.rows(select(func.sum(Account.committed)))[0])


def form(payload: bytes, key: str = "integration_private_key") -> bytes:
    """Return *payload*, signed with *key* as Braintree does it."""
    digest = hmac.new(hashlib.sha1(key.encode()).digest(), payload, hashlib.sha1).hexdigest()
    fields = {"bt_signature": f"integration_public_key|{digest}", "bt_payload": payload}
    return urlencode(fields).encode()


def signed(kind: str, subject: str, *, key: str = "integration_private_key") -> bytes:
    """Return a notification as Braintree posts it, with any subject."""
    xml = (
        '<notification><timestamp type="datetime">2026-03-01T12:00:00Z</timestamp>'
        f"<kind>{kind}</kind><subject>{subject}</subject></notification>"
    )
    payload = base64.encodebytes(xml.encode())
    return form(payload, key)


def credit(transfer: Transfer, status: str) -> str:
    """Return the subject of a notification about our refund."""
    return (
        f"<transaction><id>{transfer.gateway_refund_id}</id><type>credit</type>"
        f"<status>{status}</status><amount>10.00</amount>"
        f"<refunded-transaction-id>{transfer.charge_id}</refunded-transaction-id></transaction>"
    )
