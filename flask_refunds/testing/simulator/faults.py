"""Faults on demand: what goes wrong between a caller and a gateway, and when."""

import random
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any

KINDS = {
    "drop_before": "close the connection, do nothing",
    "drop_after": "do it, then close the connection without an answer",
    "late_answer": "do it at once, answer after `seconds`",
    "late_landing": "do it only after `seconds`; with `drop`, close the connection at once",
    "status": "answer the HTTP `status`; `where` before (default) or after doing it",
    "html": "answer 200 with a page; `where` before (default) or after doing it",
    "empty": "answer 200 with nothing; `where` before (default) or after doing it",
    "cut": "do it, send half of the answer, close the connection",
    "decline": "the processor declines with `code` (2xxx); 1005 is the soft decline that captures",
    "refuse": "a validation error with `code`, nothing done",
    "other_answer": "do it, but answer with the transaction `answer_id`",
    "hold": "wait `where` before or after (default) doing it until released",
}
OPERATIONS = ("any", "sale", "find", "refund", "void", "submit", "search", "settle")


@dataclass
class Fault:
    """One fault. ``times`` is how often it strikes, ``None`` for always; the seconds are real."""

    kind: str
    operation: str = "any"
    transaction_id: str | None = None
    times: int | None = 1
    where: str = ""
    seconds: float = 0.0
    status: int = 500
    code: str = "2000"
    answer_id: str = ""
    drop: bool = False
    probability: float = 1.0
    id: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.operation not in OPERATIONS:
            raise ValueError(f"unknown operation {self.operation!r}; there are {OPERATIONS}")
        self.where = self.where or ("after" if self.kind == "hold" else "before")
        if self.where not in {"before", "after"}:
            raise ValueError(f"`where` is before or after, not {self.where!r}")

    def fits(self, operation: str, transaction_id: str | None) -> bool:
        """Return whether this fault is meant for such a request."""
        return self.operation in {"any", operation} and self.transaction_id in {
            None,
            transaction_id,
        }


class Faults:
    """The faults that wait for their request, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._count = 0
        self._random = random.Random(0)  # noqa: S311 - repeatable faults, no secret

    def add(self, wanted: dict[str, Any]) -> Fault:
        """Ask for a fault; raises :exc:`ValueError` for what there is not."""
        if unknown := set(wanted) - {field.name for field in fields(Fault)}:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        fault = Fault(**{key: value for key, value in wanted.items() if key != "id"})
        with self._lock:
            self._count += 1
            fault.id = self._count
            self._waiting.append(fault)
        return fault

    def take(self, operation: str, transaction_id: str | None) -> Fault | None:
        """Return the fault that strikes this request, and count it down."""
        with self._lock:
            for fault in self._waiting:
                if not fault.fits(operation, transaction_id):
                    continue
                if fault.probability < 1.0 and self._random.random() >= fault.probability:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget all faults, and start the chances afresh."""
        with self._lock:
            self._waiting.clear()
            self._random.seed(0)

    def listed(self) -> list[dict[str, Any]]:
        """Return the faults that still wait."""
        with self._lock:
            return [asdict(fault) for fault in self._waiting]


class Holds:
    """Requests that stand still until they are released, or until the server stops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, tuple[dict[str, Any], threading.Event]] = {}
        self._count = 0

    def wait(self, operation: str, transaction_id: str | None, where: str) -> None:
        """Stand still until released."""
        event = threading.Event()
        with self._lock:
            self._count += 1
            number = self._count
            about = {"id": number, "operation": operation, "transaction_id": transaction_id,
                     "where": where}  # fmt: skip
            self._held[number] = (about, event)
        event.wait()
        with self._lock:
            self._held.pop(number, None)

    def release(self, number: int | None = None) -> int:
        """Let request *number*, or all of them, go on; return how many."""
        with self._lock:
            chosen = [number] if number is not None else list(self._held)
            events = [self._held.pop(key)[1] for key in chosen if key in self._held]
        for event in events:
            event.set()
        return len(events)

    def listed(self) -> list[dict[str, Any]]:
        """Return what is held now."""
        with self._lock:
            return [about for about, _ in self._held.values()]
