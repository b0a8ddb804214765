"""A thin client of the simulator's control endpoint; needs nothing beyond the standard library."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any


class ControlError(Exception):
    """The control endpoint refused; the message is its own."""


class SimulatorClient:
    """Steers a running simulator at *url* (``http://host:port``)."""

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def audit(self) -> dict[str, Any]:
        """Return ``sales`` (with what was truly given back) and ``requests`` (counts)."""
        return self._call("GET", "audit")

    def sale(self, sale_id: str) -> dict[str, Any]:
        """Return the audit of one sale; raises :exc:`KeyError` for an unknown one."""
        for sale in self.audit()["sales"]:
            if sale["id"] == sale_id:
                return dict(sale)
        raise KeyError(sale_id)

    def requests(self) -> list[dict[str, Any]]:
        """Return the log of the requests that came, oldest first."""
        return list(self._call("GET", "requests")["requests"])

    def settle(self, transaction_id: str) -> None:
        """Settle one sale or refund."""
        self._call("POST", "settle", id=transaction_id)

    def settle_all(self, kind: str | None = None) -> list[str]:
        """Run the nightly batch: all, or only *kind* ``"sale"`` or ``"credit"``; return the ids."""
        return list(self._call("POST", "settle", type=kind)["settled"])

    def set_status(self, transaction_id: str, status: str) -> None:
        """Set any of Braintree's statuses."""
        self._call("POST", "status", id=transaction_id, status=status)

    def hide_settling(self, sale_id: str) -> None:
        """Refuse voids (91504) and allow refunds while the status reads as before."""
        self._call("POST", "status", id=sale_id, hidden_settling=True)

    def decline_settlement(self, transaction_id: str) -> None:
        """Decline a refund (or sale) after it was accepted."""
        self._call("POST", "settlement_decline", id=transaction_id)

    def dispute(self, sale_id: str, *, status: str = "open") -> str:
        """Open a dispute on a sale; return its id."""
        return str(self._call("POST", "dispute", id=sale_id, status=status)["id"])

    def decide_dispute(self, sale_id: str, status: str, *, won: str | None = None) -> None:
        """Bring the last dispute of a sale to *status*: ``"won"``, ``"lost"``, ``"expired"``, …

        *won* is how much of it was won, as ``"5.00"``; all of it unless given.
        """
        self._call("POST", "dispute_status", id=sale_id, status=status, won=won)

    def now(self) -> datetime:
        """Return the simulator's clock, UTC."""
        return datetime.fromisoformat(self._call("GET", "clock")["now"])

    def advance(self, seconds: float) -> datetime:
        """Move the simulator's clock on."""
        return datetime.fromisoformat(self._call("POST", "clock", advance=seconds)["now"])

    def set_clock(self, moment: datetime) -> None:
        """Set the simulator's clock to *moment* (aware); it runs on from there."""
        self._call("POST", "clock", set=moment.isoformat())

    def keys(self, mode: str) -> None:
        """Treat request keys as ``"on"``, ``"refused"`` (915231) or ``"ignored"``."""
        self._call("POST", "keys", mode=mode)

    def fault(self, kind: str, operation: str = "any", **options: Any) -> int:
        """Ask for a fault; return its number. See ``faults.Fault`` for kinds and *options*."""
        return int(self._call("POST", "faults", kind=kind, operation=operation, **options)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that still wait for their request."""
        return list(self._call("GET", "faults")["faults"])

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._call("DELETE", "faults")

    def held(self) -> list[dict[str, Any]]:
        """Return the requests that stand still now."""
        return list(self._call("GET", "held")["held"])

    def wait_held(self, count: int = 1, *, timeout: float = 10.0) -> list[dict[str, Any]]:
        """Return what is held as soon as it is *count* requests; else :exc:`TimeoutError`."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            held = self.held()
            if len(held) >= count:
                return held
            time.sleep(0.02)
        raise TimeoutError(f"fewer than {count} requests were held within {timeout} s")

    def release(self, number: int | None = None) -> int:
        """Let the held request *number*, or all, go on; return how many."""
        return int(self._call("POST", "release", id=number)["released"])

    def webhook(self, kind: str, transaction_id: str) -> dict[str, str]:
        """Return the signed form fields of a notification (needs the braintree package)."""
        return {key: str(value) for key, value in
                self._call("POST", "webhook", kind=kind, id=transaction_id).items()}  # fmt: skip

    def deliver(self, url: str, kind: str, transaction_id: str) -> int:
        """Post a signed notification to *url*, as the gateway does; return the HTTP status."""
        request = urllib.request.Request(  # noqa: S310 - the caller's own application
            url, data=urllib.parse.urlencode(self.webhook(kind, transaction_id)).encode()
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def reset(self) -> None:
        """Forget transactions, faults, keys, log and clock."""
        self._call("POST", "reset")

    def _call(self, method: str, name: str, **body: Any) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the caller's own simulator
            f"{self.url}/_simulator/{name}",
            method=method,
            data=json.dumps(body).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(error.read().decode(errors="replace")) from None
