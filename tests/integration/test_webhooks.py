"""Webhooks over HTTP, signed as the official SDK wants it: a hint, in whatever order they come."""

import base64
import http.client
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from braintree.util.crypto import Crypto
from flask import Flask
from flask_admin import Admin
from flask_wtf import CSRFProtect
from sqlalchemy import event, func, select, text
from werkzeug.serving import make_server

from example_app import db, wiring
from flask_refunds import Refunds, breaker, correcting, hinting, reconciling
from flask_refunds.gateways.base import GatewayEvent
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.models import Account, Posting, Transfer
from flask_refunds.processing import process
from flask_refunds.states import Detail, TransferState
from flask_refunds.webhooks import LARGEST
from tests.integration.conftest import StartWorker
from tests.integration.workshop import AGENT, PATIENT, Ticket, Workshop, opened

PATH = "/refunds/webhooks/braintree"
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


FORM = "application/x-www-form-urlencoded"


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


@pytest.fixture
def served(sqlite_url: str) -> Iterator[Served]:
    with opened(sqlite_url, **CALM) as shop, serving(shop.app) as port:
        yield Served(shop, port)


@pytest.fixture
def any_served(database_url: str) -> Iterator[Served]:
    with opened(database_url, **CALM) as shop, serving(shop.app) as port:
        yield Served(shop, port)


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


def signed(kind: str, subject: str, *, key: str = "integration_private_key") -> bytes:
    """Return a notification as Braintree posts it, with any subject."""
    xml = (
        '<notification><timestamp type="datetime">2026-03-01T12:00:00Z</timestamp>'
        f"<kind>{kind}</kind><subject>{subject}</subject></notification>"
    )
    payload = base64.encodebytes(xml.encode())
    signature = f"integration_public_key|{Crypto.sha1_hmac_hash(key, payload)}"
    return urlencode({"bt_signature": signature, "bt_payload": payload}).encode()


def credit(transfer: Transfer, status: str) -> str:
    """Return the subject of a notification about our refund."""
    return (
        f"<transaction><id>{transfer.gateway_refund_id}</id><type>credit</type>"
        f"<status>{status}</status><amount>10.00</amount>"
        f"<refunded-transaction-id>{transfer.charge_id}</refunded-transaction-id></transaction>"
    )


# ------------------------------------------------------------------ refunds that fail later


@pytest.mark.parametrize("settled", [False, True])
def test_refund_failed_after_completed_fails_it_and_reverses_the_ledger(
    any_served: Served, settled: bool
) -> None:
    shop = any_served.shop
    ticket = completed(shop, settled=settled)
    shop.gateway.decline_settlement(refund_id(ticket))
    any_served.work()
    assert ticket.now.state == TransferState.COMPLETED

    assert any_served.deliver("refund_failed", refund_id(ticket)) == 204
    assert ticket.now.state == TransferState.COMPLETED
    any_served.work()

    failed = ticket.now
    assert (failed.state, failed.poll_at) == (TransferState.FAILED, None)
    assert posted(shop) == [1000, -1000]
    assert committed(shop) == 0
    assert ticket.audit["total_given_back"] == 0


def test_a_replay_changes_nothing_and_posts_nothing(served: Served) -> None:
    ticket = completed(served.shop)
    shop, body = (
        served.shop,
        urlencode(served.shop.gateway.webhook("refund_failed", refund_id(ticket))).encode(),
    )
    shop.gateway.decline_settlement(refund_id(ticket))
    assert served.post(body) == 204
    served.work()
    before = ticket.events

    assert [served.post(body) for _ in range(3)] == [204, 204, 204]
    served.work()

    assert ticket.now.state == TransferState.FAILED
    assert (ticket.events, posted(shop)) == (before, [1000, -1000])


def test_a_replay_after_a_retry_does_not_touch_what_is_under_way(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop)
    body = urlencode(shop.gateway.webhook("refund_failed", refund_id(ticket))).encode()
    shop.gateway.decline_settlement(refund_id(ticket))
    served.post(body)
    served.work()
    shop.do(correcting.retry, ticket.id, AGENT)
    before = columns(ticket)
    assert before["state"] == TransferState.STARTED

    assert served.post(body) == 204

    assert columns(ticket) == before
    assert posted(shop) == [1000, -1000]


def test_an_older_settled_that_comes_after_the_failure_changes_nothing(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop)
    shop.gateway.decline_settlement(refund_id(ticket))
    served.deliver("refund_failed", refund_id(ticket))
    served.work()

    assert served.post(signed("transaction_settled", credit(ticket.now, "settled"))) == 204
    assert served.deliver("transaction_settled", ticket.sale) == 204
    served.work()

    assert ticket.now.state == TransferState.FAILED
    assert posted(shop) == [1000, -1000]


def test_a_failure_that_the_gateway_does_not_confirm_changes_nothing(served: Served) -> None:
    ticket = completed(served.shop, settled=True)
    before = (ticket.events, ticket.now.settled_at)

    for _ in range(2):
        assert served.deliver("refund_failed", refund_id(ticket)) == 204
        assert ticket.now.poll_at is not None
        served.work()

    assert ticket.now.poll_at is None
    assert (ticket.events, ticket.now.settled_at) == before
    ticket.given_back_once()


def test_a_hint_that_comes_while_the_gateway_answers_is_not_lost(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop)
    shop.gateway.settle(refund_id(ticket))
    shop.gateway.fault("hold", "find", where="after")
    asking = threading.Thread(target=shop.do, args=(reconciling.poll, ticket.id))
    asking.start()
    shop.gateway.wait_held(1)
    shop.gateway.decline_settlement(refund_id(ticket))
    assert served.deliver("refund_failed", refund_id(ticket)) == 204
    shop.gateway.release()
    asking.join()
    assert ticket.now.detail == Detail.SETTLED

    served.work()

    assert ticket.now.state == TransferState.FAILED


def test_a_hint_outlasts_a_gateway_that_is_down(served: Served) -> None:
    shop, ticket = served.shop, completed(served.shop, settled=True)
    for _ in range(shop.runtime.config.breaker_after):
        shop.do(
            lambda runtime: breaker.note(
                runtime, "braintree", answered=False, reason="test", began=runtime.now()
            )
        )
    shop.gateway.decline_settlement(refund_id(ticket))
    served.deliver("refund_failed", refund_id(ticket))
    calls = len(shop.gateway.requests())
    served.work()
    waiting = ticket.now
    assert len(shop.gateway.requests()) == calls
    assert waiting.poll_at is not None
    assert waiting.poll_at > shop.runtime.now()

    shop.do(
        lambda runtime: breaker.note(
            runtime, "braintree", answered=True, reason="", began=runtime.now()
        )
    )
    shop.do(reconciling.poll, ticket.id)

    assert ticket.now.state == TransferState.FAILED


# ------------------------------------------------------------------ what else it brings forward


def test_what_waits_for_the_sale_to_settle_runs_on_news_of_the_sale(served: Served) -> None:
    shop = served.shop
    ticket = shop.refund_of(3000, part=1000, settled=False)
    served.work()
    assert ticket.now.detail == Detail.WAITING_FOR_SETTLEMENT
    shop.gateway.settle(ticket.sale)
    served.work()
    assert ticket.now.state == TransferState.STARTED

    assert served.deliver("transaction_settled", ticket.sale) == 204
    served.work()

    ticket.given_back_once()


def test_an_unknown_outcome_is_looked_up_on_news_of_the_sale(served: Served) -> None:
    shop = served.shop
    shop.gateway.fault("drop_after", "refund")
    ticket = shop.refund_of(3000, part=1000)
    served.work()
    assert ticket.now.detail == Detail.OUTCOME_UNKNOWN
    made = ticket.audit["refunds"][0]["id"]
    told = f"<transaction><id>{made}</id><type>credit</type><amount>10.00</amount>"
    told += f"<refunded-transaction-id>{ticket.sale}</refunded-transaction-id></transaction>"

    assert served.post(signed("transaction_settled", told)) == 204
    served.work()

    ticket.given_back_once()


def test_an_event_of_a_sale_hints_at_all_of_its_refunds(served: Served) -> None:
    shop = served.shop
    order_ref, (sale,) = shop.sell(3000)
    tickets = [Ticket(shop, order_ref, sale, shop.issue(order_ref, 1000)) for _ in range(2)]
    other = completed(shop)
    shop.do(process, tickets[0].id)
    with shop.app.app_context():
        db.session.execute(text("UPDATE refunds_attempt SET called_at = '2026-01-01'"))
        db.session.commit()
    shop.do(process, tickets[1].id)
    before = [ticket.now.poll_at for ticket in tickets]

    assert served.deliver("dispute_opened", sale) == 204

    for ticket, poll_at in zip(tickets, before, strict=True):
        now = ticket.now.poll_at
        assert now is not None
        assert poll_at is not None
        assert now < poll_at
    assert (other.now.poll_at or shop.runtime.now()) > shop.runtime.now()


def test_a_void_is_final_and_not_asked_about(served: Served) -> None:
    ticket = served.shop.refund_of(3000, settled=False)
    served.work()
    assert ticket.now.operation == "void"

    assert served.deliver("transaction_settlement_declined", ticket.sale) == 204

    assert ticket.now.poll_at is None


def test_what_a_worker_has_in_hand_is_left_alone(served: Served) -> None:
    shop = served.shop
    ticket = shop.refund_of(3000, part=1000)
    shop.gateway.fault("hold", "refund", where="after")
    calling = threading.Thread(target=shop.do, args=(process, ticket.id))
    calling.start()
    shop.gateway.wait_held(1)
    before = columns(ticket)

    assert served.deliver("dispute_opened", ticket.sale) == 204

    assert columns(ticket) == before
    shop.gateway.release()
    calling.join()
    ticket.given_back_once()


def test_another_gateway_with_the_same_ids_is_not_meant(served: Served) -> None:
    ticket = completed(served.shop)
    before = ticket.now.poll_at

    assert served.shop.do(hinting.hint, "elsewhere", [about(ticket.sale)]) == ()

    assert ticket.now.poll_at == before


def about(charge_id: str) -> GatewayEvent:
    return GatewayEvent(kind="told", refund_id=None, charge_id=charge_id, state=None)


# ------------------------------------------------------------------ what is refused


Junk = Callable[[Served, Ticket], int]


def _forged(served: Served, ticket: Ticket) -> int:
    form = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    key, _, signature = form["bt_signature"].partition("|")
    return served.post(urlencode({**form, "bt_signature": f"{key}|{signature[::-1]}"}).encode())


def _other_public_key(served: Served, ticket: Ticket) -> int:
    form = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    signature = form["bt_signature"].partition("|")[2]
    return served.post(urlencode({**form, "bt_signature": f"another|{signature}"}).encode())


def _other_private_key(served: Served, ticket: Ticket) -> int:
    return served.post(signed("refund_failed", credit(ticket.now, "failed"), key="another"))


def _unsigned(served: Served, ticket: Ticket) -> int:
    form = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    return served.post(urlencode({"bt_payload": form["bt_payload"]}).encode())


def _no_notification(served: Served, ticket: Ticket) -> int:
    payload = base64.encodebytes(b"<nothing/>")
    key = Crypto.sha1_hmac_hash("integration_private_key", payload)
    form = {"bt_signature": f"integration_public_key|{key}", "bt_payload": payload}
    return served.post(urlencode(form).encode())


def _multipart(served: Served, ticket: Ticket) -> int:
    form = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form.items()
    ]
    body = "".join([*parts, "--x--\r\n"]).encode()
    return served.post(body, **{"Content-Type": "multipart/form-data; boundary=x"})


def _chunked(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 65536):
        yield b"x" * 65536


TEN_MB = 10 * 1024 * 1024
JUNK: dict[str, tuple[int, Junk]] = {
    "forged": (400, _forged),
    "another public key": (400, _other_public_key),
    "another private key": (400, _other_private_key),
    "unsigned": (400, _unsigned),
    "signed, and no notification": (400, _no_notification),
    "multipart": (400, _multipart),
    "empty": (400, lambda served, _: served.post(b"")),
    "JSON": (400, lambda served, _: served.post(b"{}", **{"Content-Type": "application/json"})),
    "bytes": (400, lambda served, _: served.post(bytes(range(256)))),
    "largest": (400, lambda served, _: served.post(b"x" * LARGEST)),
    "too large": (413, lambda served, _: served.post(b"x" * (LARGEST + 1))),
    "10 MB": (413, lambda served, _: declared(served, TEN_MB)),
    "10 MB in chunks": (413, lambda served, _: chunked(served, _chunked(TEN_MB))),
    "a length that is no number": (400, lambda served, _: raw(served, b"Content-Length: x")),
    "less than declared": (400, lambda served, _: cut_off(served)),
    "a chunk that is none": (400, lambda served, _: bad_chunk(served)),
    "unknown gateway": (404, lambda served, _: served.post(b"", "/refunds/webhooks/elsewhere")),
    "GET": (405, lambda served, _: served.ask("GET", PATH, None, {})),
}


def declared(served: Served, size: int) -> int:
    """Declare *size* bytes, and be answered before they are sent."""
    return raw(served, b"Content-Length: %d" % size)


def chunked(served: Served, body: Iterator[bytes]) -> int:
    """Send *body* in chunks, as far as the server lets us."""
    with socket.create_connection(("127.0.0.1", served.port), 30) as connection:
        connection.sendall(head(b"Transfer-Encoding: chunked"))
        try:
            for part in body:
                connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        except OSError:  # it has answered and hung up
            pass
        return status(connection)


def bad_chunk(served: Served) -> int:
    with socket.create_connection(("127.0.0.1", served.port), 30) as connection:
        connection.sendall(head(b"Transfer-Encoding: chunked") + b"no length\r\nx\r\n0\r\n\r\n")
        return status(connection)


def cut_off(served: Served) -> int:
    with socket.create_connection(("127.0.0.1", served.port), 30) as connection:
        connection.sendall(head(b"Content-Length: 1000") + b"bt_signature=x")
        connection.shutdown(socket.SHUT_WR)
        return status(connection)


def raw(served: Served, header: bytes) -> int:
    with socket.create_connection(("127.0.0.1", served.port), 30) as connection:
        connection.sendall(head(header))
        return status(connection)


def head(header: bytes) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: shop\r\n%s\r\n\r\n" % (PATH.encode(), header)


def status(connection: socket.socket) -> int:
    with connection.makefile("rb") as answer:
        return int(answer.readline().split()[1])


@pytest.mark.parametrize("name", JUNK)
def test_junk_is_refused_and_changes_nothing(served: Served, name: str) -> None:
    ticket = completed(served.shop)
    served.shop.gateway.decline_settlement(refund_id(ticket))
    before = columns(ticket)
    wanted, send = JUNK[name]

    assert send(served, ticket) == wanted
    served.work()

    assert columns(ticket) == before
    assert served.post(urlencode(served.shop.gateway.webhook("check", "")).encode()) == 204


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("check", ""),
        ("refund_failed", "nobodys"),
        ("transaction_settled", "nobodys"),
        ("dispute_lost", "nobodys"),
        ("subscription_charged_successfully", "subject1"),
        ("disbursement", "subject1"),
        ("a_kind_of_tomorrow", "subject1"),
    ],
)
def test_what_is_about_nothing_of_ours_is_acknowledged(
    served: Served, kind: str, about: str
) -> None:
    ticket = completed(served.shop)
    before = ticket.now.poll_at

    assert served.deliver(kind, about) == 204

    assert ticket.now.poll_at == before


def test_a_subject_of_tomorrow_is_acknowledged(served: Served) -> None:
    assert served.post(signed("a_kind_of_tomorrow", "<novelty><id>1</id></novelty>")) == 204


# ------------------------------------------------------------------ what is down


def test_missing_tables_ask_the_gateway_to_tell_again(served: Served) -> None:
    ticket = completed(served.shop)
    with served.shop.app.app_context():
        db.session.execute(text("ALTER TABLE refunds_transfer RENAME TO refunds_away"))
        db.session.commit()
        try:
            assert served.deliver("refund_failed", "x") == 503
            assert served.deliver("check", "") == 204
        finally:
            db.session.execute(text("ALTER TABLE refunds_away RENAME TO refunds_transfer"))
            db.session.commit()
    assert served.deliver("refund_failed", refund_id(ticket)) == 204


def test_a_database_that_is_down_asks_the_gateway_to_tell_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served.shop.app.app_context():
        engine = db.engine
    url = engine.url.set(database="/nowhere/at/all.sqlite")
    engine.dispose()
    monkeypatch.setattr(engine.dialect, "create_connect_args", lambda _: ([url.database], {}))
    monkeypatch.setattr(engine.pool, "_creator", lambda *_: engine.dialect.connect(url.database))

    assert served.deliver("refund_failed", "x") == 503


def test_a_gateway_without_its_settings_cannot_verify(sqlite_url: str) -> None:
    with opened(sqlite_url) as shop:
        body = urlencode(shop.gateway.webhook("check", "")).encode()
    with opened(sqlite_url, REFUNDS_BRAINTREE_PRIVATE_KEY="") as shop, serving(shop.app) as port:
        assert Served(shop, port).post(body) == 503


def test_a_queue_that_is_down_does_not_matter(sqlite_url: str) -> None:
    with (
        opened(sqlite_url, "redis://127.0.0.1:1/0", **CALM) as shop,
        serving(shop.app) as port,
    ):
        served, ticket = Served(shop, port), completed(shop)
        shop.gateway.decline_settlement(refund_id(ticket))
        assert served.deliver("refund_failed", refund_id(ticket)) == 204
        served.work()
        assert ticket.now.state == TransferState.FAILED


def test_the_answer_does_not_wait_for_the_gateway(served: Served) -> None:
    ticket = completed(served.shop)
    body = urlencode(served.shop.gateway.webhook("refund_failed", refund_id(ticket))).encode()
    served.shop.simulator.stop()

    assert served.post(body) == 204


# ------------------------------------------------------------------ the host around it


@pytest.mark.parametrize("protected", ["before", "after"])
def test_the_hosts_csrf_protection_does_not_stop_it(sqlite_url: str, protected: str) -> None:
    with opened(sqlite_url) as shop:
        body = urlencode(shop.gateway.webhook("check", "")).encode()
        app = Flask("host")
        app.config.update(shop.settings)
        if protected == "before":
            CSRFProtect(app)
        db.init_app(app)
        refunds = Refunds(
            wiring.STOREFRONT,
            policy=wiring.ShopPolicy(),
            gateways={"braintree": BraintreeGateway.from_config},
        )
        refunds.init_app(app, db=db, admin=Admin(app))
        if protected == "after":
            CSRFProtect(app)
        app.add_url_rule("/other", "other", lambda: "", methods=["POST"])

        client = app.test_client()

        assert client.post("/other").status_code == 400
        assert client.post(PATH, data=body, content_type=FORM).status_code == 204
        with app.app_context():
            db.engine.dispose()


def test_the_hosts_session_is_not_used_and_no_cookie_is_set(served: Served) -> None:
    ticket = completed(served.shop)
    body = urlencode(served.shop.gateway.webhook("refund_failed", refund_id(ticket))).encode()
    statements: list[str] = []
    with served.shop.app.app_context():
        engine = db.engine

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    answer = served.shop.app.test_client().post(PATH, data=body, content_type=FORM)
    event.remove(engine, "before_cursor_execute", note)

    assert answer.status_code == 204
    assert "Set-Cookie" not in answer.headers
    assert statements
    assert [each for each in statements if "refunds_" not in each] == []


def test_a_hosts_smaller_limit_holds_too(sqlite_url: str) -> None:
    with opened(sqlite_url, MAX_CONTENT_LENGTH=100) as shop, serving(shop.app) as port:
        assert Served(shop, port).post(b"x" * 101) == 413
        assert Served(shop, port).post(b"x" * 99) == 400


def test_the_log_has_ids_and_neither_body_nor_signature(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    ticket = completed(served.shop)
    form = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    with caplog.at_level(logging.DEBUG):
        served.post(urlencode(form).encode())
        served.post(urlencode({**form, "bt_signature": "integration_public_key|x"}).encode())

    ours = [record.getMessage() for record in caplog.records if record.name == "flask_refunds"]
    assert f"refunds: webhook gateway=braintree kind=refund_failed transfers=[{ticket.id}]" in ours
    assert "refunds: webhook gateway=braintree refused: InvalidSignatureError" in ours
    for secret in (form["bt_signature"].partition("|")[2], form["bt_payload"].split("\n")[0]):
        assert secret not in caplog.text


# ------------------------------------------------------------------ a real worker


def test_a_webhook_a_job_and_a_worker_make_it_failed(
    sqlite_url: str, redis_url: str, start_worker: StartWorker
) -> None:
    slow = {**CALM, "REFUNDS_SWEEP_INTERVAL": 3600}
    with opened(sqlite_url, redis_url, **slow) as shop, serving(shop.app) as port:
        served = Served(shop, port)
        start_worker(shop)
        ticket = shop.refund_of(3000, part=1000)
        ticket.wait()
        shop.gateway.decline_settlement(refund_id(ticket))

        assert served.deliver("refund_failed", refund_id(ticket)) == 204

        ticket.wait(TransferState.FAILED)
        assert posted(shop) == [1000, -1000]
        assert committed(shop) == 0
