"""Blinker signals, sent after the commit of what they tell about.

The sender is the app's :class:`~flask_refunds.runtime.Runtime`; receivers get ids, not rows.
"""

from typing import Any

from blinker import Namespace, Signal

from flask_refunds import logs

_signals = Namespace()

refund_issued = _signals.signal("refund-issued")
"""A refund was recorded. ``refund_id``."""

transfer_changed = _signals.signal("transfer-changed")
"""A transfer changed its state. ``refund_id``, ``transfer_id``, ``before``, ``after``."""

refund_completed = _signals.signal("refund-completed")
"""All of a refund's money is back. ``refund_id``."""

event_recorded = _signals.signal("event-recorded")
"""Something happened to a refund: every row of the audit trail, a change of state or not.
``refund_id``, ``transfer_id`` (may be ``None``), ``action``."""

gateway_down = _signals.signal("gateway-down")
"""A gateway does not answer, its transfers wait; sent once. ``gateway``, ``reason``."""

gateway_up = _signals.signal("gateway-up")
"""A gateway that was down answers again. ``gateway``."""


def tell(signal: Signal, sender: Any, **what: Any) -> None:
    """Send *signal*; a receiver that raises is logged and keeps nobody else from hearing it."""
    if signal.is_muted:
        return
    for receiver in list(signal.receivers_for(sender)):
        try:
            receiver(sender, **what)
        except Exception as problem:  # the host's code; what it was told of is committed
            name = getattr(signal, "name", "")
            logs.exception("receiver_failed", problem, signal=name, **what)
