"""From an HTTP request of Stripe's SDK to its answer: routes, idempotency keys and faults."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask_refunds.testing.serving import DROPPED, PAGE, Reply, Stopped
from flask_refunds.testing.simulator.faults import Fault, Faults, Holds
from flask_refunds.testing.stripe_server.books import Books, Record, Refused

_ROUTES = (
    ("POST", r"/v1/refunds", "refund"),
    ("GET", r"/v1/refunds", "search"),
    ("GET", r"/v1/disputes", "search"),
    ("POST", r"/v1/payment_intents/(?P<id>\w+)/cancel", "void"),
    ("GET", r"/v1/(?:refunds|charges|payment_intents)/(?P<id>\w+)", "find"),
)
_KINDS = {"refunds": "refund", "charges": "charge", "payment_intents": "payment_intent",
          "disputes": "dispute"}  # fmt: skip
_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    402: "card_error",
    403: "invalid_request_error",
    404: "invalid_request_error",
    409: "idempotency_error",
    429: "invalid_request_error",
}
_CODES = {409: "idempotency_key_in_use", 429: "rate_limit"}
_IN_USE = (
    "There is currently another in-progress request using this Idempotency Key. Please try again"
    " later."
)
_OTHER_REQUEST = (
    "Keys for idempotent requests can only be used with the same parameters they were first used"
    " with."
)


@dataclass(frozen=True)
class Call:
    """A request that was understood. ``params`` are the form or the query, unfolded."""

    operation: str
    kind: str
    id: str | None
    params: Mapping[str, str]
    key: str | None

    @property
    def fingerprint(self) -> str:
        """What must be the same when the key is."""
        return json.dumps([self.operation, self.id, sorted(self.params.items())])


class Api:
    """Stripe's API under ``/v1`` for one account and one secret key."""

    def __init__(self, books: Books, secret_key: str) -> None:
        self.books, self.secret_key = books, secret_key
        self.faults, self.holds = Faults(), Holds()
        self.requests: list[str] = []
        self.stopping = threading.Event()
        self._kept: dict[str, tuple[str, Reply | None]] = {}
        self._keys_lock = threading.Lock()

    def respond(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """Return what the caller gets for one request. Raises :exc:`Stopped`."""
        if self.stopping.is_set():
            raise Stopped
        if headers.get("Authorization") != f"Bearer {self.secret_key}":
            return _error(401, "Invalid API Key provided")
        call = _understood(method, path, query or body.decode(), headers.get("Idempotency-Key"))
        if call is None:
            return _error(404, f"Unrecognized request URL ({method}: {path}).")
        self.requests.append(call.operation)
        fault = self.faults.take(call.operation, call.id or call.params.get("charge"))
        return self._struck(call, fault) if fault else self._once(call, lambda: self._do(call))

    def _struck(self, call: Call, fault: Fault) -> Reply:
        """Return what the caller gets when *fault* strikes."""

        def done() -> Reply:
            return self._once(call, lambda: self._do(call))

        match fault.kind:
            case "drop_before":
                return DROPPED
            case "drop_after":
                done()
                return DROPPED
            case "cut":
                whole = done()
                return Reply(whole.status, whole.body, whole.content_type, cut=True)
            case "hold":
                return self._held(call, fault)
            case "refuse":
                reply = _error(fault.status, "refused as asked", code=fault.code)
                return self._once(call, lambda: reply)
            case "status" if fault.status >= 500 and fault.where == "after":
                return self._once(call, lambda: self._broken(call, fault))
            case "status" if fault.status in {401, 403, 409, 429}:
                return _error(fault.status, "as asked", code=_CODES.get(fault.status))
            case "status":
                return self._once(call, lambda: _error(fault.status, "as asked"))
            case "html" | "empty":
                if fault.where == "after":
                    done()
                page = PAGE if fault.kind == "html" else b""
                return Reply(fault.status, page, "text/html; charset=utf-8")
            case _:
                raise ValueError(f"this server has no fault {fault.kind!r}")

    def _broken(self, call: Call, fault: Fault) -> Reply:
        self._do(call)
        return _error(fault.status, "as asked")

    def _held(self, call: Call, fault: Fault) -> Reply:
        """Stand still before or after doing it, until released or the server stops."""

        def act() -> Reply:
            if fault.where == "before":
                self._stand(call, fault)
            return self._do(call)

        reply = self._once(call, act)
        if fault.where == "after":
            self._stand(call, fault)
        return reply

    def _stand(self, call: Call, fault: Fault) -> None:
        self.holds.wait(call.operation, call.id, fault.where)
        if self.stopping.is_set():
            raise Stopped

    def _once(self, call: Call, act: Callable[[], Reply]) -> Reply:
        """Do *act* once for the key of *call*, and give its answer again, refusals and 500s too."""
        if call.key is None:
            return act()
        with self._keys_lock:
            known = self._kept.get(call.key)
            if known is None:
                self._kept[call.key] = (call.fingerprint, None)
        if known is not None:
            fingerprint, kept = known
            if fingerprint != call.fingerprint:
                return _error(400, _OTHER_REQUEST, type="idempotency_error")
            if kept is None:
                return _error(409, _IN_USE, code="idempotency_key_in_use")
            return Reply(
                kept.status,
                kept.body,
                kept.content_type,
                headers={**kept.headers, "Idempotent-Replayed": "true"},
            )
        reply = act()
        with self._keys_lock:
            self._kept[call.key] = (call.fingerprint, reply)
        return reply

    def _do(self, call: Call) -> Reply:
        with self.books.lock:
            try:
                return _answer(200, self._answered(call))
            except Refused as refused:
                return _answer(refused.status, {"error": refused.error})

    def _answered(self, call: Call) -> Record:
        params = call.params
        match call.operation:
            case "find":
                return self._expanded(self.books.get(call.id or "", call.kind), params)
            case "void":
                return self.books.cancel(call.id or "")
            case "refund":
                sale_id = params.get("payment_intent") or params.get("charge") or ""
                amount = int(params["amount"]) if "amount" in params else None
                found = re.compile(r"metadata\[(\w+)\]")
                metadata = {
                    match[1]: value
                    for name, value in params.items()
                    if (match := found.match(name))
                }
                return self.books.refund(self.books.charge_of(sale_id), amount, metadata)
            case _:
                return self._listed(call)

    def _listed(self, call: Call) -> Record:
        params = call.params
        found = [each for each in self.books.of_kind(call.kind) if _fits(each, params)]
        if after := params.get("starting_after"):
            found = found[[each["id"] for each in found].index(after) + 1 :]
        limit = int(params.get("limit", 10))
        page = [self._expanded(each, params, "data.") for each in found[:limit]]
        return {
            "object": "list",
            "url": f"/v1/{call.kind}s",
            "has_more": len(found) > limit,
            "data": page,
        }

    def _expanded(self, record: Record, params: Mapping[str, str], prefix: str = "") -> Record:
        names = [value for name, value in params.items() if name.startswith("expand[")]
        inside = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        return {
            name: self.books.records.get(value, value) if name in inside else value
            for name, value in record.items()
        }


def _understood(method: str, path: str, encoded: str, key: str | None) -> Call | None:
    for verb, pattern, operation in _ROUTES:
        match = re.fullmatch(pattern, path) if verb == method else None
        if match:
            kind = _KINDS[path.split("/")[2]]
            params = dict(parse_qsl(encoded))
            return Call(operation, kind, match.groupdict().get("id"), params, key)
    return None


def _fits(record: Record, params: Mapping[str, str]) -> bool:
    named = all(
        record[name] == params[name] for name in ("charge", "payment_intent") if name in params
    )
    since = int(params.get("created[gte]", 0))
    until = int(params.get("created[lte]", 1 << 60))
    return named and since <= record["created"] <= until


def _error(status: int, message: str, **more: str | None) -> Reply:
    error = {"type": _TYPES.get(status, "api_error"), "message": message, **more}
    return _answer(status, {"error": error})


def _answer(status: int, body: Record) -> Reply:
    number = f"req_{time.monotonic_ns()}"
    return Reply(
        status, json.dumps(body).encode(), "application/json", headers={"Request-Id": number}
    )
