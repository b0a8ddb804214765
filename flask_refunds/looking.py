"""Looking before calling again: what earlier calls of a transfer may have left at the gateway.

Never a second call while a first one may have landed. Every call of the transfer that has no
certain end is looked for by its own reference, of whatever generation it was.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from flask_refunds import errors, logs
from flask_refunds.gateways.base import (
    Ambiguous,
    Declined,
    Found,
    GatewayError,
    NotThere,
    RefundGateway,
    Rejected,
    Unavailable,
)
from flask_refunds.models import Attempt, Transfer
from flask_refunds.outcomes import (
    ACCEPTED,
    KEY_SPENT,
    UNRESOLVED,
    VOID,
    Accepted,
    Claim,
    Earlier,
    Look,
    Outcome,
    Refused,
    Wait,
)
from flask_refunds.runtime import Runtime
from flask_refunds.states import Detail


class Sought(Protocol):
    """What to look for at the gateway."""

    @property
    def transfer_id(self) -> int: ...
    @property
    def gateway(self) -> str: ...
    @property
    def charge_id(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def amount(self) -> int: ...
    @property
    def currency(self) -> str: ...


def earlier_calls(transfer: Transfer, attempts: Sequence[Attempt]) -> Earlier | None:
    """Return what the *attempts* of *transfer* leave to be found out; ``None`` if nothing.

    An accepted call counts too: its answer may have come after the lease and only been kept.
    """
    open_ = [a for a in attempts if a.called_at is not None and _is_open(transfer, a)]
    if not open_:
        return None
    current = [a for a in open_ if a.generation == transfer.generation]
    return Earlier(
        references=tuple(dict.fromkeys(attempt.reference for attempt in open_)),
        void=any(attempt.operation == VOID for attempt in open_),
        called_at=max(attempt.called_at for attempt in open_ if attempt.called_at is not None),
        key_spent=bool(current) and current[-1].outcome == KEY_SPENT,
    )


def _is_open(transfer: Transfer, attempt: Attempt) -> bool:
    """Return whether *attempt* may have left something; what is known beats a person's word."""
    if attempt.outcome == ACCEPTED:
        return True
    return attempt.outcome in UNRESOLVED and attempt.generation >= transfer.certain_before


def look_first(
    runtime: Runtime, gateway: RefundGateway, claim: Sought, earlier: Earlier
) -> Outcome | None:
    """Return what became of the *earlier* calls; ``None`` when certainly none of them landed."""
    try:
        # Before looking: what lands while we look would be missed by a look that came too early.
        over = runtime.now() >= window_ends(runtime, gateway, earlier)
        found = _find(gateway, claim, earlier)
    except GatewayError as error:
        return Look.that_failed(error)
    except Exception as error:
        logs.exception("look_failed", error, transfer_id=claim.transfer_id, gateway=claim.gateway)
        return Look.that_failed(Unavailable(type(error).__name__))
    if found is not None:
        return found
    if not over:
        return Look(code="window", message="A late answer may still land.")
    return Wait.with_new_key() if earlier.key_spent else None


def require_unpaid(
    runtime: Runtime, gateway: RefundGateway, sought: Sought, earlier: Earlier
) -> None:
    """Refuse unless certainly none of the *earlier* calls landed, nor can land any more.

    Raises :exc:`~flask_refunds.errors.PaidAlready`, :exc:`~flask_refunds.errors.TooEarly` and
    :exc:`~flask_refunds.errors.GatewaySilent`.
    """
    outcome = look_first(runtime, gateway, sought, earlier)
    if isinstance(outcome, Accepted):
        raise errors.PaidAlready(found=outcome.gateway_refund_id)
    if not isinstance(outcome, Look):
        return
    if outcome.detail is Detail.UNDECIDED:
        raise errors.PaidAlready(found=outcome.message)
    ends = window_ends(runtime, gateway, earlier)
    if runtime.now() < ends:
        raise errors.TooEarly(until=ends)
    raise errors.GatewaySilent(outcome.message)


def look_after(gateway: RefundGateway, claim: Claim, refusal: Declined | Rejected) -> Outcome:
    """Return what a *refusal* means: it may be due to an earlier call of ours that landed late."""
    try:
        return _find(gateway, claim, claim.earlier) or Refused.of(refusal)
    except GatewayError as failure:
        return Look.after(failure)


def call_may_begin(runtime: Runtime) -> timedelta:
    """Return how long after its announcement a call may begin."""
    return timedelta(seconds=runtime.config.gateway_timeout / 4)


def window_ends(runtime: Runtime, gateway: RefundGateway, earlier: Earlier) -> datetime:
    """Return when (UTC) a request of the last call can no longer land at the gateway."""
    window = runtime.config.late_window
    if window is None:
        window = gateway.capabilities.late_window
    wait = timedelta(seconds=runtime.config.gateway_timeout + window)
    return earlier.called_at + call_may_begin(runtime) + wait


def _find(gateway: RefundGateway, claim: Sought, earlier: Earlier | None) -> Outcome | None:
    if earlier is not None and earlier.void:
        charge = gateway.inspect(claim.charge_id)
        if charge.voided and charge.amount == claim.amount:
            return Accepted.by_charge(charge)
        if charge.voided:
            return Look.for_person("mismatch", "The sale was voided, with another amount.")
    references = (*earlier.references, claim.reference) if earlier else (claim.reference,)
    for reference in dict.fromkeys(references):
        seen = gateway.find(
            claim.charge_id, reference=reference, amount=claim.amount, currency=claim.currency
        )
        if isinstance(seen, Found):
            return Accepted.by_refund(seen.receipt)
        if isinstance(seen, Ambiguous):
            listed = ", ".join(seen.ids)
            return Look.for_person("ambiguous", f"These refunds carry our reference: {listed}.")
        assert isinstance(seen, NotThere)
    return None
