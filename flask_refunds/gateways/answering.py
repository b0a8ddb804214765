"""What every gateway's answers have in common: whose answer it is, and whether there can be one."""

from dataclasses import dataclass
from typing import Any

from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

from flask_refunds.gateways.base import RefundReceipt, Unknown


class Unreadable(ValueError):
    """An answer that we do not understand. What it means depends on what was asked."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a refund was asked for; its answer must be about just this."""

    charge_id: str
    amount: int
    currency: str
    reference: str

    def check(self, found: RefundReceipt) -> None:
        """Raise :exc:`Unknown` unless *found* answers this question.

        Two jobs that share one connection across a fork get each other's answers, and such an
        answer says nothing about our own refund.
        """
        for name in ("charge_id", "amount", "currency", "reference"):
            wanted, got = getattr(self, name), getattr(found, name)
            if wanted != got:
                raise Unknown(
                    f"the answer is about another refund: {name} {got!r}, not {wanted!r}",
                    raw_status=found.raw_status,
                    refund_id=found.id,
                )


def never_connected(error: BaseException | None) -> bool:
    """Return whether no connection was made, not even to a proxy.

    *error* is of a library that stands on urllib3, which wraps urllib3's own error in its first
    argument. A connection that was made and dropped looks alike but for its reason.
    """
    cause: Any = error
    while isinstance(cause, Exception) and not isinstance(cause, MaxRetryError):
        cause = cause.args[0] if cause.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
