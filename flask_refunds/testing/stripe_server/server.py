"""The Stripe test server in a thread of this process, and what a test has it do."""

import hashlib
import hmac
import json
import time
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from flask_refunds.testing.serving import Listener, Reply, Talker
from flask_refunds.testing.stripe_server.api import Api
from flask_refunds.testing.stripe_server.books import Books, Record

SECRET_KEY = "sk_test_of_our_own_server"  # noqa: S105 - of no account anywhere
WEBHOOK_SECRET = "whsec_of_our_own_server"  # noqa: S105


class Handler(Talker):
    """Answers for the API."""

    server: "Server"

    def version_string(self) -> str:
        """Say in every answer what this is."""
        return "Flask-Refunds Stripe test server"

    def reply(self, body: bytes) -> Reply:
        parts = urlsplit(self.path)
        headers = {name.title(): value for name, value in self.headers.items()}
        return self.server.api.respond(self.command, parts.path, parts.query, headers, body)


class Server(Listener):
    """Serves one :class:`Api`."""

    def __init__(self, api: Api) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), Handler)


class StripeServer:
    """A server that answers like Stripe, on the loopback interface; a context manager.

    It says that it is a test server, and no money moves. Amounts are Stripe's own minor units.
    Example::

        with StripeServer() as server:
            app.config.update(server.gateway_config())
            intent_id = server.sell(3000, "USD")
    """

    def __init__(self) -> None:
        self.books = Books()
        self.api = Api(self.books, SECRET_KEY)
        self._server = Server(self.api)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._server.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving and hang up on everybody; what is held is never done."""
        self.api.stopping.set()
        self.api.holds.release()
        self._server.end()

    @property
    def url(self) -> str:
        """``http://host:port``, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def gateway_config(self) -> dict[str, Any]:
        """Return the settings that make ``StripeGateway`` talk to this server."""
        return {
            "REFUNDS_STRIPE_SECRET_KEY": self.api.secret_key,
            "REFUNDS_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "REFUNDS_STRIPE_URL": self.url,
        }

    def sell(self, amount: int, currency: str, *, capture: bool = True, intent: bool = True) -> str:
        """Make a sale, captured or only authorized; return the id of its PaymentIntent.

        Without *intent* it is a charge of its own, and its id is returned.
        """
        with self.books.lock:
            made = self.books.sell(amount, currency, capture=capture, intent=intent)
            return str(made["payment_intent"] or made["id"])

    def charge_id(self, sale_id: str) -> str:
        """Return the charge's id of a sale."""
        with self.books.lock:
            return str(self.books.charge_of(sale_id)["id"])

    def capture(self, sale_id: str, amount: int | None = None) -> None:
        """Capture an authorized sale, or *amount* of it."""
        with self.books.lock:
            self.books.capture(sale_id, amount)

    def refund_by_hand(self, sale_id: str, amount: int | None = None) -> str:
        """Refund in the Dashboard, past the shop; return the refund's id."""
        with self.books.lock:
            return str(self.books.refund(self.books.charge_of(sale_id), amount, {})["id"])

    def begin_refunds_as(self, status: str) -> None:
        """Have the next refunds begin as *status*: ``"pending"``, ``"requires_action"``, …"""
        with self.books.lock:
            self.books.refund_status = status

    def succeed_refund(self, refund_id: str) -> None:
        """Have a pending refund arrive."""
        with self.books.lock:
            refund = self.books.get(refund_id, "refund")
            refund |= {"status": "succeeded", "balance_transaction": "txn_1"}

    def fail_refund(
        self,
        refund_id: str,
        reason: str = "expired_or_canceled_card",
        *,
        status: str = "failed",
    ) -> None:
        """Have a refund fail after all; *status* may be ``"canceled"``."""
        with self.books.lock:
            self.books.fail_refund(refund_id, reason, status)

    def dispute(self, sale_id: str, status: str = "needs_response") -> None:
        """Have the customer dispute a sale, or decide the dispute."""
        with self.books.lock:
            self.books.dispute(sale_id, status)

    def fault(self, kind: str, operation: str = "any", **details: Any) -> None:
        """Have something go wrong, once unless ``times`` says otherwise.

        Kinds are the simulator's (``drop_before``, ``drop_after``, ``cut``, ``html``, ``empty``,
        ``status``, ``hold``), and ``refuse`` with a ``status`` and a ``code`` of Stripe's.
        Operations: ``refund``, ``void``, ``find`` (one record) and ``search`` (a list).
        """
        details.setdefault("status", 200 if kind in {"html", "empty"} else 500)
        self.api.faults.add({"kind": kind, "operation": operation, **details})

    def given_back(self, sale_id: str) -> int:
        """Return how much truly went back on a sale, or never came, whoever did it."""
        with self.books.lock:
            return self.books.given_back(sale_id)

    def refunds(self, sale_id: str) -> list[Record]:
        """Return the refunds of a sale as they are now, the newest first."""
        with self.books.lock:
            charge = self.books.charge_of(sale_id)["id"]
            return [dict(r) for r in self.books.of_kind("refund") if r["charge"] == charge]

    def webhook(
        self, kind: str, record_id: str, *, at: int | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a signed event about a record, signed *at* (seconds)."""
        at = int(time.time()) if at is None else at
        with self.books.lock:
            told = dict(self.books.records[record_id])
        event = {"id": f"evt_{record_id}", "object": "event", "type": kind, "created": at}
        event |= {"api_version": "2025-09-30.clover", "livemode": False, "data": {"object": told}}
        body = json.dumps(event).encode()
        signed = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % at + body, hashlib.sha256)
        headers = {"Content-Type": "application/json"}
        return headers | {"Stripe-Signature": f"t={at},v1={signed.hexdigest()}"}, body

    def deliver(self, url: str, kind: str, record_id: str) -> int:
        """Post a signed event to *url*; return the status of the answer."""
        headers, body = self.webhook(kind, record_id)
        request = Request(url, body, headers, method="POST")  # noqa: S310 - a test's own address
        try:
            with urlopen(request, timeout=60) as answer:  # noqa: S310
                return int(answer.status)
        except HTTPError as error:
            error.close()
            return error.code
