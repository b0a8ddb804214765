"""What strangers post, what is down, and the host around our webhooks: no change, and no 500."""

import base64
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask_admin import Admin
from flask_wtf import CSRFProtect
from sqlalchemy import event, text

from example_app import db, wiring
from flask_refunds import Refunds
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.states import TransferState
from flask_refunds.webhooks import LARGEST
from tests.integration.webhooks import (
    CALM,
    FORM,
    PATH,
    Served,
    columns,
    completed,
    credit,
    form,
    refund_id,
    serving,
    signed,
)
from tests.integration.workshop import Ticket, opened

Junk = Callable[[Served, Ticket], int]


def _forged(served: Served, ticket: Ticket) -> int:
    fields = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    key, _, signature = fields["bt_signature"].partition("|")
    return served.post(urlencode({**fields, "bt_signature": f"{key}|{signature[::-1]}"}).encode())


def _other_public_key(served: Served, ticket: Ticket) -> int:
    fields = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    signature = fields["bt_signature"].partition("|")[2]
    return served.post(urlencode({**fields, "bt_signature": f"another|{signature}"}).encode())


def _other_private_key(served: Served, ticket: Ticket) -> int:
    return served.post(signed("refund_failed", credit(ticket.now, "failed"), key="another"))


def _unsigned(served: Served, ticket: Ticket) -> int:
    fields = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    return served.post(urlencode({"bt_payload": fields["bt_payload"]}).encode())


def _no_notification(served: Served, ticket: Ticket) -> int:
    return served.post(form(base64.encodebytes(b"<nothing/>")))


def _multipart(served: Served, ticket: Ticket) -> int:
    fields = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
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


def test_a_database_that_is_down_asks_the_gateway_to_tell_again(served: Served) -> None:
    with served.shop.app.app_context():
        folder = Path(db.engine.url.database or "").parent
        db.engine.dispose()
    away = folder.rename(folder.with_name("away"))
    try:
        assert served.deliver("refund_failed", "x") == 503
    finally:
        away.rename(folder)

    assert served.deliver("refund_failed", "x") == 204


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
    fields = served.shop.gateway.webhook("refund_failed", refund_id(ticket))
    with caplog.at_level(logging.DEBUG):
        served.post(urlencode(fields).encode())
        served.post(urlencode({**fields, "bt_signature": "integration_public_key|x"}).encode())

    ours = [record.getMessage() for record in caplog.records if record.name == "flask_refunds"]
    assert f"refunds: webhook gateway=braintree kind=refund_failed transfers={ticket.id}" in ours
    assert "refunds: webhook_refused gateway=braintree reason=InvalidSignatureError" in ours
    for secret in (fields["bt_signature"].partition("|")[2], fields["bt_payload"].split("\n")[0]):
        assert secret not in caplog.text
