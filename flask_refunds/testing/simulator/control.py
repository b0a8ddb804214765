"""The control endpoint under ``/_simulator/``: JSON in, JSON out. No part of Braintree's API."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask_refunds.testing.simulator import currencies, webhooks
from flask_refunds.testing.simulator.audit import audit
from flask_refunds.testing.simulator.gateway import Gateway
from flask_refunds.testing.simulator.keys import MODES
from flask_refunds.testing.simulator.records import MOVES_NOTHING, Record

STATUSES = MOVES_NOTHING | {
    "authorizing",
    "authorized",
    "submitted_for_settlement",
    "settling",
    "settled",
    "settlement_pending",
    "settlement_confirmed",
}
_UNSETTLED = frozenset({"submitted_for_settlement", "settling", "settlement_pending"})


DISPUTES = frozenset(
    {
        "accepted",
        "auto_accepted",
        "disputed",
        "expired",
        "lost",
        "open",
        "under_review",
        "won",
    }
)


class Refused(ValueError):
    """A control request that makes no sense; the message says why."""


class Control:
    """What a test or a demo may do to the gateway behind the shop's back."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._store = gateway, gateway.store
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "audit"): lambda _: audit(self._store),
            ("GET", "requests"): lambda _: {"requests": self._store.requests()},
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._set_clock,
            ("GET", "keys"): lambda _: self._keys(),
            ("POST", "keys"): self._set_keys,
            ("GET", "faults"): lambda _: {"faults": gateway.faults.listed()},
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "held"): lambda _: {"held": gateway.holds.listed()},
            ("POST", "release"): lambda body: {"released": gateway.holds.release(body.get("id"))},
            ("POST", "settle"): self._settle,
            ("POST", "status"): self._set_status,
            ("POST", "settlement_decline"): self._decline_settlement,
            ("POST", "dispute"): self._dispute,
            ("POST", "dispute_status"): self._decide_dispute,
            ("POST", "webhook"): self._webhook,
            ("POST", "reset"): self._reset,
        }

    def respond(self, method: str, name: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the JSON answer."""
        route = self._routes.get((method, name))
        if route is None:
            paths = sorted(f"{verb} /_simulator/{known}" for verb, known in self._routes)
            return 404, {"error": f"no {method} {name}", "there_is": paths}
        try:
            given = json.loads(body) if body.strip() else {}
            if not isinstance(given, dict):
                raise Refused("the body must be a JSON object")
            return 200, route(given)
        except (ValueError, KeyError, TypeError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    def _clock(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"now": self._store.now().isoformat()}

    def _set_clock(self, body: dict[str, Any]) -> dict[str, Any]:
        if "set" in body:
            wanted = datetime.fromisoformat(body["set"])
            if wanted.tzinfo is None:
                raise Refused("`set` needs an offset, such as 2026-03-01T12:00:00+00:00")
            offset = (wanted - datetime.now(UTC)).total_seconds()
        else:
            offset = float(self._store.setting("clock_offset", "0")) + float(body["advance"])
        self._store.set_setting("clock_offset", str(offset))
        return self._clock(body)

    def _keys(self) -> dict[str, Any]:
        return {"mode": self._store.setting("keys", "on")}

    def _set_keys(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["mode"] not in MODES:
            raise Refused(f"`mode` is one of {', '.join(MODES)}")
        self._store.set_setting("keys", body["mode"])
        return self._keys()

    def _add_fault(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"id": self._gateway.faults.add(body).id}

    def _clear_faults(self, _: dict[str, Any]) -> dict[str, Any]:
        self._gateway.faults.clear()
        return {"faults": []}

    def _settle(self, body: dict[str, Any]) -> dict[str, Any]:
        """Settle one transaction, or the nightly batch: all, or all of one ``type``."""
        with self._store.transaction():
            if "id" in body:
                chosen = [self._record(body)]
            else:
                chosen = [
                    record
                    for record in self._store.all()
                    if record.status in _UNSETTLED
                    and record.type == (body.get("type") or record.type)
                ]
            for record in chosen:
                self._move(record, "settled")
        return {"settled": [record.id for record in chosen]}

    def _set_status(self, body: dict[str, Any]) -> dict[str, Any]:
        """Set any status; ``hidden_settling`` makes a void refused and a refund allowed."""
        with self._store.transaction():
            record = self._record(body)
            if body.get("hidden_settling"):
                record.hidden_settling = True
                self._store.save(record)
            else:
                if body["status"] not in STATUSES:
                    raise Refused(f"`status` is one of {', '.join(sorted(STATUSES))}")
                self._move(record, body["status"])
        return {"id": record.id, "status": record.status}

    def _decline_settlement(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._set_status({"id": body["id"], "status": "settlement_declined"})

    def _dispute(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._store.transaction():
            record = self._record(body)
            amount = currencies.from_text(str(body.get("amount", "")), record.currency)
            dispute: dict[str, Any] = {
                "id": f"dispute{len(record.disputes) + 1}{record.id}",
                "amount": amount or record.amount,
                "currency_iso_code": record.currency,
                "kind": "chargeback",
                "reason": "general",
                "status": "open",
                "received_date": None,
                "reply_by_date": None,
                "amount_won": None,
            }
            record.disputes.append(dispute)
            self._put_dispute(record, body.get("status", "open"), body.get("won"))
        return {"id": dispute["id"]}

    def _decide_dispute(self, body: dict[str, Any]) -> dict[str, Any]:
        """Bring the last dispute of a sale to a ``status``; ``won`` is what of it was won."""
        with self._store.transaction():
            record = self._record(body)
            if not record.disputes:
                raise Refused(f"{record.id} has no dispute")
            self._put_dispute(record, body["status"], body.get("won"))
        return {"id": record.disputes[-1]["id"], "status": body["status"]}

    def _put_dispute(self, record: Record, status: str, won: Any) -> None:
        if status not in DISPUTES:
            raise Refused(f"`status` is one of {', '.join(sorted(DISPUTES))}")
        dispute = record.disputes[-1]
        dispute["status"] = status
        if won is not None:
            dispute["amount_won"] = currencies.from_text(str(won), record.currency)
        elif status == "won":
            dispute["amount_won"] = dispute["amount"]
        self._store.save(record)

    def _webhook(self, body: dict[str, Any]) -> dict[str, Any]:
        return dict(webhooks.sample(self._gateway.credentials, body["kind"], body["id"]))

    def _reset(self, _: dict[str, Any]) -> dict[str, Any]:
        self._gateway.faults.clear()
        self._gateway.holds.release()
        self._store.reset()
        return {}

    def _record(self, body: dict[str, Any]) -> Record:
        record = self._store.find(body["id"])
        if record is None:
            raise Refused(f"no transaction {body['id']}")
        return record

    def _move(self, record: Record, status: str) -> None:
        record.move_to(status, self._store.now())
        self._store.save(record)
