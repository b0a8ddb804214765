"""The history of a refund and the attempts of its transfers, in words for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask_refunds.admin.presenting import means_text
from flask_refunds.admin.words import gettext
from flask_refunds.dossier import Dossier, Entry, Movement
from flask_refunds.policy import SYSTEM


@dataclass(frozen=True, kw_only=True)
class Told:
    """One entry of the history. ``about`` names the transfer where a refund has several."""

    at: datetime
    title: str
    tone: str
    who: str
    why: str
    about: str


_ACTIONS: dict[str, tuple[str, str]] = {
    "issued": ("Refund issued", "start"),
    "started": ("Refund to the card requested", "quiet"),
    "recorded": ("Recorded as given back by other means", "good"),
    "claimed": ("Taken up by a worker", "quiet"),
    "refunded": ("Refund accepted by the gateway", "good"),
    "voided": ("Sale cancelled at the gateway before it settled (void)", "good"),
    "accepted": ("Accepted by the gateway; complete when it settles", "waiting"),
    "declined": ("Declined by the gateway or the bank", "bad"),
    "rejected": ("Refused; no money moved", "bad"),
    "waiting_for_settlement": ("Waiting for the sale to settle", "waiting"),
    "gateway_unavailable": ("The gateway could not be reached", "waiting"),
    "outcome_unknown": ("No clear answer from the gateway; it will be asked", "waiting"),
    "late_answer": ("A late answer of the gateway was kept", "waiting"),
    "undecided": ("The gateway does not tell whether it was paid", "bad"),
    "new_key": ("Nothing is at the gateway; a new key is used", "quiet"),
    "reopened": ("Taken up again: it may have been paid after all", "waiting"),
    "conflict": ("Money may have moved beside the books", "bad"),
    "found_by_person": ("Found at the gateway by a person", "good"),
    "declared_not_done": ("Not found at the gateway by a person; started again", "start"),
    "acknowledged": ("Settled by a person", "good"),
    "settled": ("Settled at the gateway", "good"),
    "failed_late": ("Failed after it was accepted; the reports are corrected", "bad"),
    "retried": ("Retried", "start"),
    "paid_otherwise": ("Given back by other means instead", "good"),
    "reversed": ("Record taken back as a mistake", "bad"),
    "adopted": ("Found in the gateway's own panel", "start"),
    "confirmed": ("Said for which items it was", "good"),
    "in_shop": ("The shop's own records have it already", "quiet"),
    "hook_failed": ("The shop's own follow-up failed", "bad"),
}

_OUTCOMES: dict[str, str] = {
    "accepted": "Accepted",
    "declined": "Declined",
    "rejected": "Refused",
    "not_yet": "Not settled yet",
    "waiting_for_settlement": "Not settled yet",
    "gateway_unavailable": "Gateway unavailable",
    "unknown": "Unknown",
}

_OPERATIONS: dict[str, str] = {"refund": "Refund", "void": "Void"}


def history(dossier: Dossier) -> Iterator[Told]:
    """Yield the history of *dossier* in words, newest first."""
    named = {m.id: short_name(m) for m in dossier.movements} if len(dossier.movements) > 1 else {}
    for entry in dossier.history:
        title, tone = _ACTIONS.get(entry.action, (entry.action.replace("_", " "), "quiet"))
        code = entry.data.get("code") or ""
        consent = gettext("Also if the customer disputes the sale.") if _has_consent(entry) else ""
        yield Told(
            at=entry.at,
            title=gettext(title),
            tone=tone,
            who=gettext("System") if entry.actor_id == SYSTEM.id else entry.actor_label,
            why=" ".join(
                part for part in (consent, entry.why, f"({code})" if code else "") if part
            ),
            about=named.get(entry.transfer_id or 0, ""),
        )


def _has_consent(entry: Entry) -> bool:
    return bool(entry.data.get("despite_dispute"))


def short_name(movement: Movement) -> str:
    """Return what people call a transfer: its card, or its other means."""
    if movement.other_kind is not None:
        return means_text(movement.other_kind)
    return movement.card_label or gettext("Card")


def outcome_text(outcome: str | None) -> str:
    """Return the outcome of an attempt in words."""
    if outcome is None:
        return gettext("No answer yet")
    return gettext(_OUTCOMES.get(outcome, outcome.replace("_", " ")))


def operation_text(operation: str | None) -> str:
    """Return what was asked of the gateway; without an operation it was only looked at."""
    return gettext(_OPERATIONS.get(operation or "", "Look-up"))
