"""The fault matrix as data: ``test_fault_matrix.py`` runs it, and ``docs/faults.md`` shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """What goes wrong with a call that moves money, and what is so right after it.

    ``fault`` is the simulator's; without one, ``way`` names what else is done to the call. ``made``
    says whether the gateway has carried it out. ``after`` is ``state, detail, attempt``; ``again``
    when the next attempt is due. ``end`` is the state in the end, and ``how`` its words. ``by``
    restricts a row to some operations, ``keys`` to some accounts.
    """

    what: str
    fault: Mapping[str, Any] = field(default_factory=dict)
    way: str = ""
    made: str
    after: tuple[str, str, str]
    again: str
    new_key: bool = False
    end: str = "completed"
    how: str
    by: tuple[str, ...] = ("void", "refund", "part")
    keys: tuple[str, ...] = ("on",)


WAITS = ("started", "gateway_unavailable", "gateway_unavailable")
UNKNOWN = ("processing", "outcome_unknown", "unknown")
FAILED = ("failed", "", "rejected")

SOON, LEASE, SETTLES, NEVER = "soon", "lease", "settles", "never"
"""After the retry interval, the lease, or the settle interval; the first and last with back-off."""

ALL_KEYS = ("on", "refused", "ignored")

SENT_AGAIN = "Sent again as it was. Completed."
FOUND = "Looked for, found, not sent again. Completed."
LOOKED = "Looked for; not there when nothing can land any more; sent again as it was. Completed."
BY_HAND = "Failed; a person retries, with a new key."


def _not_done(what: str, **how: Any) -> Row:
    known = {"made": "no", "after": WAITS, "again": SOON, "how": SENT_AGAIN, "keys": ALL_KEYS}
    return Row(what=what, **{**known, **how})


def _unknown(what: str, **how: Any) -> Row:
    known = {"after": UNKNOWN, "again": SOON, "keys": ALL_KEYS}
    words = FOUND if how["made"] != "no" else LOOKED
    return Row(what=what, **{**known, "how": words, **how})


def _both(what: str, fault: Mapping[str, Any]) -> list[Row]:
    """Return the rows of an answer that says nothing, before and after the work was done."""
    return [
        _unknown(f"{what}, nothing done", made="no", fault={**fault, "where": "before"}),
        _unknown(f"{what}, done", made="yes", fault={**fault, "where": "after"}),
    ]


ROWS = [
    _not_done("connection refused", way="refused"),
    _not_done("name not resolved (DNS)", way="dns"),
    _not_done("connect time-out", way="connect_timeout"),
    _unknown("read time-out, done at once", made="yes", way="done_at_once"),
    _unknown("read time-out, lands before the first look", made="later", way="lands_soon"),
    _unknown("read time-out, lands after the first look", made="later", way="lands_late"),
    _unknown("read time-out, never lands", made="no", way="silence"),
    _unknown("connection dropped before the work", made="no", fault={"kind": "drop_before"}),
    _unknown("connection dropped after the work", made="yes", fault={"kind": "drop_after"}),
    _unknown(
        "connection dropped, lands later",
        made="later",
        fault={"kind": "late_landing", "seconds": 0.5, "drop": True},
    ),
    _unknown("answer cut off", made="yes", fault={"kind": "cut"}),
    *_both("200 with an empty body", {"kind": "empty"}),
    *_both("200 with HTML", {"kind": "html"}),
    *_both("500", {"kind": "status", "status": 500}),
    *_both("502", {"kind": "status", "status": 502}),
    *_both("503", {"kind": "status", "status": 503}),
    *_both("504", {"kind": "status", "status": 504}),
    *_both("408", {"kind": "status", "status": 408}),
    *_both("a status that nobody knows (418)", {"kind": "status", "status": 418}),
    _unknown("an answer about another sale or refund", made="yes", way="other_answer"),
    _not_done("429", fault={"kind": "status", "status": 429}),
    _not_done("401: wrong keys", fault={"kind": "status", "status": 401}),
    _not_done("403: the keys may not do this", fault={"kind": "status", "status": 403}),
    _not_done("426: the SDK is too old", fault={"kind": "status", "status": 426}),
    Row(
        what="404: no such sale under these keys",
        fault={"kind": "status", "status": 404},
        made="no",
        after=FAILED,
        again=NEVER,
        end="failed",
        how=BY_HAND,
        keys=ALL_KEYS,
    ),
    Row(
        what="a sale id that the SDK refuses by itself",
        way="bad_id",
        made="no",
        after=FAILED,
        again=NEVER,
        end="failed",
        how="Failed; the order's payment names no sale.",
    ),
    Row(
        what="a job's time-out in the middle of the call (RQ's, which the SDK swallows)",
        way="job_timeout",
        made="later",
        after=UNKNOWN,
        again=SOON,
        how=FOUND,
        keys=ALL_KEYS,
    ),
    Row(
        what="the process ends in the middle of the call (SystemExit, SIGKILL)",
        way="exit",
        made="later",
        after=("processing", "", "none"),
        again=LEASE,
        how="Found when the lease has run out, not sent again. Completed.",
        keys=ALL_KEYS,
    ),
    Row(
        what="declined by the bank (2xxx)",
        fault={"kind": "decline", "code": "2005"},
        made="no",
        after=("failed", "", "declined"),
        again=NEVER,
        end="failed",
        how=BY_HAND,
        by=("refund", "part"),
        keys=ALL_KEYS,
    ),
    Row(
        what="declined softly and captured all the same (1005)",
        fault={"kind": "decline", "code": "1005"},
        made="yes",
        after=("completed", "accepted", "accepted"),
        again=NEVER,
        how="Completed at once.",
        by=("refund", "part"),
    ),
    Row(
        what="refused for good (91547 and the like)",
        fault={"kind": "refuse", "code": "91547"},
        made="no",
        after=FAILED,
        again=NEVER,
        end="failed",
        how=BY_HAND,
    ),
    Row(
        what="not settled yet (91506)",
        fault={"kind": "refuse", "code": "91506"},
        made="no",
        after=("started", "waiting_for_settlement", "not_yet"),
        again=SETTLES,
        new_key=True,
        how="Sent again when it may have settled, with a new key. Completed.",
        by=("refund", "part"),
        keys=ALL_KEYS,
    ),
    Row(
        what="not voidable any more (91504, hidden settling)",
        way="hidden_settling",
        made="yes",
        after=("completed", "accepted", "accepted"),
        again=NEVER,
        how="Refunded instead, at once. Completed.",
        by=("void",),
        keys=ALL_KEYS,
    ),
    Row(
        what="nothing left to refund (91512), because of a refund of somebody else",
        way="refunded_outside",
        made="no",
        after=FAILED,
        again=NEVER,
        end="failed",
        how="Looked for; not ours. Failed; a person decides.",
        by=("refund",),
    ),
    _not_done(
        "the account takes no request keys (915231)",
        fault={"kind": "refuse", "code": "915231"},
        how="Sent again without a key, now and from then on. Completed.",
        keys=("on",),
    ),
    Row(
        what="the key was used for another request (915232)",
        fault={"kind": "refuse", "code": "915232"},
        made="no",
        after=("processing", "outcome_unknown", "key_spent"),
        again=SOON,
        new_key=True,
        how="Looked for; not there when nothing can land any more; sent with a new key. Completed.",
    ),
    _unknown(
        "the first call is still in flight when it is sent again (915233)",
        made="later",
        way="in_flight",
        how="Sent again with the same key only, until it has landed; found. Completed.",
        keys=("on",),
    ),
    Row(
        what="the key's first request made no refund (915234)",
        fault={"kind": "refuse", "code": "915234"},
        made="no",
        after=("processing", "outcome_unknown", "key_spent"),
        again=SOON,
        new_key=True,
        how="Looked for; not there when nothing can land any more; sent with a new key. Completed.",
    ),
]

HEAD = ("what happens", "done?", "state", "detail", "attempt", "next", "key", "how it ends")
NEXT = {
    SOON: "retry interval, doubling",
    LEASE: "end of the lease",
    SETTLES: "settle interval, doubling",
    NEVER: "none",
}


def table() -> str:
    """Return the matrix as ``docs/faults.md`` shows it."""

    def cells(row: Row) -> tuple[str, ...]:
        state, detail, attempt = row.after
        key = "new" if row.new_key else "same"
        if row.end == "failed":
            key = "new, if retried"
        only = "" if "void" in row.by and "part" in row.by else f" ({', '.join(row.by)} only)"
        return (
            row.what + only,
            row.made,
            f"`{state}`",
            f"`{detail}`" if detail else "",
            f"`{attempt}`",
            NEXT[row.again],
            "" if row.after[0] == "completed" else key,
            row.how,
        )

    lines = [HEAD, ("---",) * len(HEAD), *map(cells, ROWS)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
