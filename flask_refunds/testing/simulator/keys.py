"""The at-most-once table of ``api_request_key`` (Braintree, ``articles/guides/at-most-once``)."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from flask_refunds.testing.simulator.rules import NOT_FOUND, Answer, Rules, refused
from flask_refunds.testing.simulator.store import Store

MODES = ("on", "refused", "ignored")
"""``refused``: an account without the feature (915231). ``ignored``: one that does not look."""

_LIFETIME = timedelta(days=30)


class RequestKeys:
    """Runs a request at most once for its key.

    Same key and same request: the original record as it is now. Other request: 915232. Still
    running: 915233. The first made no record: 915234. Longer than 255: 915230. After 30 days
    Braintree promises nothing; here the key is forgotten, which is the dangerous reading.
    """

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store, self._rules = store, rules
        self._lock = threading.Lock()
        self._in_flight: dict[str, str] = {}

    @property
    def mode(self) -> str:
        """Return one of :data:`MODES`."""
        return self._store.setting("keys", "on")

    def run(
        self, key: str | None, request: str, wait: Callable[[], None], act: Callable[[], Answer]
    ) -> Answer:
        """Return the answer to *request*: from *act*, after *wait*, or what the key says."""
        if not key or self.mode == "ignored":
            wait()
            with self._store.transaction():
                return act()
        if self.mode == "refused":
            wait()
            return refused("915231")
        if len(key) > 255:
            wait()
            return refused("915230")
        with self._lock:
            running = self._in_flight.get(key)
            if running is None:
                self._in_flight[key] = request
        if running is not None:
            return refused("915233" if running == request else "915232")
        try:
            wait()
            with self._store.transaction():
                answer = self._earlier(key, request)
                if answer is None:
                    answer = act()
                    self._remember(key, request, answer)
                return answer
        finally:
            with self._lock:
                del self._in_flight[key]

    def _earlier(self, key: str, request: str) -> Answer | None:
        known = self._store.request_key(key)
        if known is None:
            return None
        first_request, record_id, at = known
        if self._store.now() - datetime.fromisoformat(at) > _LIFETIME:
            return None
        if first_request != request:
            return refused("915232")
        return self._rules.find(record_id) if record_id else refused("915234")

    def _remember(self, key: str, request: str, answer: Answer) -> None:
        if answer.status != NOT_FOUND.status:  # what is not found burns no key
            record_id = answer.record.id if answer.record else None
            self._store.keep_request_key(key, request, record_id)
