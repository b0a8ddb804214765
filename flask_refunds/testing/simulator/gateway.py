"""From an HTTP request of an SDK to the answer that it gets, faults included."""

import base64
import binascii
import hmac
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask_refunds.testing.serving import DROPPED, PAGE, Reply, Stopped
from flask_refunds.testing.simulator import wire
from flask_refunds.testing.simulator.faults import Fault, Faults, Holds
from flask_refunds.testing.simulator.keys import RequestKeys
from flask_refunds.testing.simulator.rules import Answer, Rules, refused
from flask_refunds.testing.simulator.search import Search, Unsupported
from flask_refunds.testing.simulator.store import Store

_ROUTES = (
    ("POST", r"/transactions", "sale"),
    ("POST", r"/transactions/advanced_search_ids", "search"),
    ("POST", r"/transactions/advanced_search", "search"),
    ("GET", r"/transactions/(?P<id>[\w-]+)", "find"),
    ("PUT", r"/transactions/(?P<id>[\w-]+)/void", "void"),
    ("POST", r"/transactions/(?P<id>[\w-]+)/refund", "refund"),
    ("PUT", r"/transactions/(?P<id>[\w-]+)/submit_for_settlement", "submit"),
    ("PUT", r"/transactions/(?P<id>[\w-]+)/settle", "settle"),
    ("PUT", r"/transactions/(?P<id>[\w-]+)/settlement_(?:confirm|decline|pending)", "settle"),
)
_SETTLEMENTS = {
    "settle": "settled",
    "settlement_confirm": "settlement_confirmed",
    "settlement_decline": "settlement_declined",
    "settlement_pending": "settlement_pending",
}


@dataclass(frozen=True)
class Credentials:
    """The one merchant that the simulator knows."""

    merchant_id: str = "integration_merchant_id"
    public_key: str = "integration_public_key"
    private_key: str = "integration_private_key"

    def admit(self, authorization: str) -> bool:
        """Return whether the Basic *authorization* header is right."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return False
        wanted = f"{self.public_key}:{self.private_key}".encode()
        return scheme == "Basic" and hmac.compare_digest(given, wanted)


@dataclass(frozen=True)
class Call:
    """A request that was understood."""

    operation: str
    path: str
    transaction_id: str | None
    params: dict[str, Any] = field(default_factory=dict)


class Gateway:
    """The API under ``/merchants/<id>``."""

    def __init__(self, store: Store, credentials: Credentials) -> None:
        self.store, self.credentials = store, credentials
        self.rules = Rules(store)
        self.faults, self.holds = Faults(), Holds()
        self.stopping = threading.Event()
        self._keys = RequestKeys(store, self.rules)
        self._search = Search(store, self.rules)

    def respond(self, method: str, path: str, authorization: str, body: bytes) -> Reply:
        """Return what the caller gets for one request."""
        if not self.credentials.admit(authorization):
            return Reply(401)
        base = f"/merchants/{self.credentials.merchant_id}"
        call = self._understand(method, path[len(base) :], body) if path.startswith(base) else None
        if call is None:
            return Reply(404)
        fault = self.faults.take(call.operation, call.transaction_id)
        number = self.store.log(call.operation, call.transaction_id, fault.kind if fault else "")
        try:
            reply = self._struck(call, fault) if fault else self._rendered(self._perform(call))
        except Unsupported as error:
            reply = Reply(501, f"the simulator cannot search by {error}".encode(), "text/plain")
        self.store.log_answer(number, reply.status)
        return reply

    def _understand(self, method: str, path: str, body: bytes) -> Call | None:
        for verb, pattern, operation in _ROUTES:
            match = re.fullmatch(pattern, path) if verb == method else None
            if match:
                document = wire.parse(body)
                params = document.get("search" if operation == "search" else "transaction") or {}
                return Call(operation, path, match.groupdict().get("id"), params)
        return None

    def _perform(
        self, call: Call, *, wait: Callable[[], None] = lambda: None, fault: Fault | None = None
    ) -> Answer:
        """Do what *call* asks, once for its key; *wait* stands between arrival and doing."""

        def act() -> Answer:
            if fault and fault.kind == "refuse":
                return refused(fault.code)
            return self._act(call, fault.code if fault and fault.kind == "decline" else None)

        request = json.dumps([call.path, call.params], sort_keys=True, default=str)
        key = None if call.operation == "search" else call.params.get("api_request_key")
        return self._keys.run(key, request, wait, act)

    def _act(self, call: Call, decline: str | None) -> Answer:
        record_id = call.transaction_id or ""
        match call.operation:
            case "sale":
                return self.rules.sale(call.params)
            case "find":
                return self.rules.find(record_id)
            case "void":
                return self.rules.void(record_id)
            case "refund":
                return self.rules.refund(record_id, call.params, decline)
            case "submit":
                return self.rules.submit_for_settlement(record_id, call.params)
            case "settle":
                return self.rules.settle(record_id, _SETTLEMENTS[call.path.rpartition("/")[2]])
            case _:
                ids = call.path.endswith("_ids")
                return (self._search.ids if ids else self._search.page)(call.params)

    def _struck(self, call: Call, fault: Fault) -> Reply:
        """Return what the caller gets when *fault* strikes."""
        match fault.kind:
            case "drop_before":
                return DROPPED
            case "drop_after":
                self._perform(call)
                return DROPPED
            case "late_answer":
                answer = self._perform(call)
                self._pause(fault.seconds)
                return self._rendered(answer)
            case "late_landing":
                return self._land_late(call, fault)
            case "cut":
                whole = self._rendered(self._perform(call))
                return Reply(whole.status, whole.body, whole.content_type, cut=True)
            case "other_answer":
                self._perform(call)
                return self._rendered(self.rules.find(fault.answer_id))
            case "hold":
                return self._hold(call, fault)
            case "status" | "html" | "empty":
                if fault.where == "after":
                    self._perform(call)
                if fault.kind == "status":
                    return Reply(fault.status)
                page = PAGE if fault.kind == "html" else b""
                return Reply(200, page, "text/html; charset=utf-8")
            case _:
                return self._rendered(self._perform(call, fault=fault))

    def _land_late(self, call: Call, fault: Fault) -> Reply:
        def land() -> Reply:
            answer = self._perform(call, wait=lambda: self._pause(fault.seconds))
            return self._rendered(answer)

        if not fault.drop:
            return land()
        threading.Thread(target=self._quietly, args=(land,), daemon=True).start()
        return DROPPED

    def _hold(self, call: Call, fault: Fault) -> Reply:
        def stand() -> None:
            self.holds.wait(call.operation, call.transaction_id, fault.where)
            self._pause(0)

        if fault.where == "before":
            return self._rendered(self._perform(call, wait=stand))
        answer = self._perform(call)
        stand()
        return self._rendered(answer)

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds) if seconds else self.stopping.is_set():
            raise Stopped

    @staticmethod
    def _quietly(land: Callable[[], Reply]) -> None:
        try:
            land()
        except Stopped:
            return

    @staticmethod
    def _rendered(answer: Answer) -> Reply:
        return Reply(answer.status, wire.render(answer.root, answer.body) if answer.root else b"")
