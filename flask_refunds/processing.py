"""Processing a card transfer: claim it, call the gateway outside any transaction, record.

The order of work is always: the intent is committed, then the claim with its attempt, then the
operation that is about to move money, then the call, then the outcome, the last three only with
the claim's token. A crash between any two is recoverable from the tables alone.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from flask_refunds import breaker, logs
from flask_refunds.accounts import lock, own_gateway_ids, voided_by_another
from flask_refunds.deciding import Step, decide
from flask_refunds.errors import ConfigurationError, UnknownOrder
from flask_refunds.gateways.base import (
    AlreadyRefunded,
    Declined,
    GatewayError,
    NotYet,
    RefundGateway,
    Rejected,
    Unavailable,
    Unknown,
)
from flask_refunds.lifecycle import change
from flask_refunds.looking import call_may_begin, earlier_calls, look_after, look_first
from flask_refunds.models import AT_GATEWAY, Account, Attempt, Refund, Transfer
from flask_refunds.outcomes import (
    REFUND,
    VOID,
    Accepted,
    Claim,
    Look,
    Outcome,
    Refused,
    Wait,
)
from flask_refunds.policy import SYSTEM
from flask_refunds.recording import record, refuse_uncalled
from flask_refunds.runtime import Runtime
from flask_refunds.states import RESERVING, Detail, Method, TransferState
from flask_refunds.storefront.reading import read_bundle

ONLY_LOOKED = None
"""Whether the gateway answered an attempt that asked it for nothing: that can work alone."""


class Processed(StrEnum):
    """What :func:`process` did."""

    NOT_DUE = "not_due"
    DONE = "done"


def process(runtime: Runtime, transfer_id: int) -> Processed:
    """Bring the transfer *transfer_id* one step further, if it is due. Safe to call at any time.

    Two calls at once are harmless: the claim lets one of them through.
    """
    order_ref = runtime.sessions.read(
        lambda session: session.scalar(select(Transfer.order_ref).where(Transfer.id == transfer_id))
    )
    if order_ref is None:
        return Processed.NOT_DUE
    claim = runtime.sessions.transact(
        lambda session: _claim(session, runtime, order_ref, transfer_id)
    )
    if claim is None:
        return Processed.NOT_DUE
    began = runtime.now()
    outcome = _attempt(runtime, claim)
    if (
        isinstance(outcome, Refused)
        and outcome.answered is False
        and breaker.is_suspect(runtime, claim.gateway)
    ):
        outcome = Wait.for_suspicion(outcome)
    runtime.sessions.transact(lambda session: record(session, runtime, claim, outcome))
    breaker.note(
        runtime,
        claim.gateway,
        answered=outcome.answered,
        reason=outcome.message or "",
        began=began,
    )
    return Processed.DONE


def _claim(session: Session, runtime: Runtime, order_ref: str, transfer_id: int) -> Claim | None:
    """Take the transfer for one attempt, under the lock of its order; ``None`` if not due."""
    account = lock(session, order_ref)
    transfer = session.get_one(Transfer, transfer_id, populate_existing=True)
    now = runtime.now()
    if not _is_due(transfer, now) or _sale_is_busy(session, runtime, transfer, now):
        return None
    attempts = session.scalars(
        select(Attempt).where(Attempt.transfer_id == transfer.id).order_by(Attempt.id)
    ).all()
    earlier = earlier_calls(transfer, attempts)
    if earlier is not None and earlier.void and voided_by_another(session, transfer):
        earlier = replace(earlier, void=False)  # what is void there is not by a call of ours
    waited = transfer.state == TransferState.STARTED and transfer.detail != Detail.NONE
    covered = not waited or _still_covered(session, runtime, account)
    if earlier is None and not (covered and _is_room_for_it(session, transfer, account)):
        refuse_uncalled(session, runtime, transfer, now)
        return None
    if _gateway_is_down(session, runtime, transfer, now):
        return None
    token = secrets.token_hex(16)
    lease_until = now + timedelta(seconds=runtime.config.lease)
    transfer.attempts += 1
    attempt = Attempt(
        transfer_id=transfer.id,
        number=transfer.attempts,
        generation=transfer.generation,
        claim_token=token,
        request_key=transfer.request_key,
        reference=transfer.reference,
        amount=transfer.amount,
        currency=transfer.currency,
        started_at=now,
    )
    session.add(attempt)
    if transfer.state == TransferState.STARTED:
        change(
            session,
            runtime,
            transfer,
            TransferState.PROCESSING,
            now=now,
            actor=SYSTEM,
            action="claimed",
            detail=Detail.OUTCOME_UNKNOWN if earlier else Detail.NONE,
        )
    transfer.claim_token, transfer.lease_until = token, lease_until
    transfer.next_attempt_at = None
    session.flush()
    assert transfer.gateway is not None
    assert transfer.charge_id is not None
    assert transfer.request_key is not None
    assert transfer.reference is not None
    return Claim(
        transfer_id=transfer.id,
        attempt_id=attempt.id,
        order_ref=transfer.order_ref,
        token=token,
        gateway=transfer.gateway,
        charge_id=transfer.charge_id,
        amount=transfer.amount,
        currency=transfer.currency,
        key=transfer.request_key,
        reference=transfer.reference,
        earlier=earlier,
        refusal=_refusal(transfer),
        despite_dispute=transfer.dispute_accepted_at is not None,
    )


def _refusal(transfer: Transfer) -> Refused | None:
    """Return how *transfer* had failed, when it was opened again to be looked for."""
    if transfer.failure_message is None:
        return None
    return Refused(
        code=transfer.failure_code, message=transfer.failure_message, answered=ONLY_LOOKED
    )


def _is_due(transfer: Transfer, now: datetime) -> bool:
    if transfer.method != Method.CARD or transfer.gateway_refund_id is not None:
        return False
    if transfer.state == TransferState.STARTED:
        return transfer.next_attempt_at is None or transfer.next_attempt_at <= now
    if transfer.state != TransferState.PROCESSING:
        return False
    if transfer.lease_until is not None:
        return transfer.lease_until <= now
    return transfer.next_attempt_at is not None and transfer.next_attempt_at <= now


def _sale_is_busy(session: Session, runtime: Runtime, transfer: Transfer, now: datetime) -> bool:
    """Return whether another refund of the same sale is, or just was, at the gateway.

    Braintree: simultaneous refunds of one sale "are likely to fail", wait 5 to 10 seconds; so one
    at a time. One whose outcome is unknown blocks too, until it is known.
    """
    if transfer.state != TransferState.STARTED:
        return False
    pause = timedelta(seconds=runtime.config.sale_pause)
    of_sale = and_(
        Transfer.gateway == transfer.gateway,
        Transfer.charge_id == transfer.charge_id,
        Transfer.id != transfer.id,
    )
    open_now = select(Transfer.id).where(
        of_sale,
        Transfer.state == TransferState.PROCESSING,
        Transfer.gateway_refund_id.is_(None),
    )
    just_called = (
        select(Transfer.id)
        .join(Attempt, Attempt.transfer_id == Transfer.id)
        .where(of_sale, Attempt.called_at > now - pause)
    )
    busy = session.scalar(open_now.union_all(just_called).limit(1))
    if busy is None:
        return False
    transfer.detail = Detail.WAITING_FOR_SALE
    transfer.next_attempt_at = now + pause
    transfer.waiting_since = transfer.waiting_since or now
    return True


def _gateway_is_down(session: Session, runtime: Runtime, transfer: Transfer, now: datetime) -> bool:
    """Return whether nothing may be sent to its gateway now; then *transfer* waits, unclaimed."""
    until = breaker.pause(session, runtime, transfer.gateway or "", now)
    if until is None:
        return False
    transfer.next_attempt_at = until
    if transfer.state == TransferState.STARTED:
        transfer.detail = Detail.GATEWAY_UNAVAILABLE
    elif transfer.claim_token is not None:  # of a worker that is gone: nobody knows what it did
        transfer.claim_token = transfer.lease_until = None
        transfer.detail = Detail.OUTCOME_UNKNOWN
    transfer.waiting_since = transfer.waiting_since or now
    return True


def _still_covered(session: Session, runtime: Runtime, account: Account) -> bool:
    """Return whether what waited is still there: the host may have refunded it meanwhile.

    An order that the host deleted says nothing against it: the money is still owed.
    """
    try:
        bundle = read_bundle(session, runtime.storefront, account.order_ref)
    except UnknownOrder:
        return True
    prior = bundle.without_prior(own_gateway_ids(session, account.order_ref)).prior_total
    return prior <= account.prior or prior + account.committed <= account.paid


def _is_room_for_it(session: Session, transfer: Transfer, account: Account) -> bool:
    """Return whether nothing was given back in the gateway's panel that this was to give back.

    What was adopted from there counts although it was more than was left.
    """
    if transfer.state != TransferState.STARTED or not account.over_committed:
        return True
    adopted = (
        select(Transfer.id)
        .join(Refund, Refund.id == Transfer.refund_id)
        .where(
            Refund.order_ref == account.order_ref,
            Refund.source == AT_GATEWAY,
            Transfer.state.in_(RESERVING),
        )
    )
    return session.scalar(adopted.limit(1)) is None


def _attempt(runtime: Runtime, claim: Claim) -> Outcome:
    """Make the attempt of *claim* and return what is known after it. No transaction is open."""
    try:
        gateway = runtime.gateways.get(claim.gateway)
    except ConfigurationError as error:
        if claim.earlier:  # what became of the earlier call is as unknown as before
            return Look(code="configuration", message=str(error))
        return Wait.for_configuration(error)
    if claim.earlier:
        known = look_first(runtime, gateway, claim, claim.earlier)
        if known is not None:
            return known
    if claim.refusal is not None:  # a person decides what becomes of what was refused
        return claim.refusal
    try:
        return _first(runtime, gateway, claim)
    except NotYet as error:
        return Wait.for_settlement(error)
    except (Declined, Rejected) as error:
        if claim.earlier or isinstance(error, AlreadyRefunded):
            return look_after(gateway, claim, error)
        return Refused.of(error)
    except Unavailable as error:
        return Wait.for_gateway(error)
    except GatewayError as error:
        return Look.after(error)
    except Exception as error:  # whatever a gateway's code raises, the money may have moved
        logs.exception("call_failed", error, transfer_id=claim.transfer_id, gateway=claim.gateway)
        return Look.after(Unknown(type(error).__name__))


def _first(runtime: Runtime, gateway: RefundGateway, claim: Claim) -> Outcome:
    """Look at the sale, decide between void, refund and waiting, and do it."""
    charge = gateway.inspect(claim.charge_id)
    if charge.voided and claim.earlier and claim.earlier.void:  # by ours, held up for long
        return Accepted.by_charge(charge)
    decision = decide(charge, claim.amount, claim.currency, despite_dispute=claim.despite_dispute)
    if decision.step is Step.VOID:
        return _void(runtime, gateway, claim)
    if decision.step is Step.REFUND:
        return _refund(runtime, gateway, claim)
    if decision.step is Step.WAIT:
        return Wait(detail=Detail.WAITING_FOR_SETTLEMENT, code=decision.code, answered=ONLY_LOOKED)
    return Refused(code=decision.code, message=decision.message, answered=ONLY_LOOKED)


def _void(runtime: Runtime, gateway: RefundGateway, claim: Claim) -> Outcome:
    if not _announce(runtime, claim, VOID):
        return Look(code="lease_lost")
    try:
        receipt = gateway.void(claim.charge_id, key=f"{claim.key}-void")
    except NotYet:  # hidden settling: it may still read unsettled, but only a refund works now
        if gateway.inspect(claim.charge_id).voided:
            return Look(code="voided", message="The sale was voided at this moment.")
        return _refund(runtime, gateway, claim)
    if receipt.amount != claim.amount or receipt.charge_id != claim.charge_id:
        return Look.for_person("mismatch", "The void was of another sale or amount.")
    return Accepted.by_void(receipt)


def _refund(runtime: Runtime, gateway: RefundGateway, claim: Claim) -> Outcome:
    if not _announce(runtime, claim, REFUND):
        return Look(code="lease_lost")
    receipt = gateway.refund(
        claim.charge_id, claim.amount, claim.currency, key=claim.key, reference=claim.reference
    )
    return Accepted.by_refund(receipt)


def _announce(runtime: Runtime, claim: Claim, operation: str) -> bool:
    """Commit what is about to be called, if the claim still holds long enough for the call.

    Also ``False`` when the commit itself took so long that another worker may count the window
    of this call as over before it has begun.
    """

    def work(session: Session) -> datetime | None:
        lock(session, claim.order_ref)
        transfer = session.get_one(Transfer, claim.transfer_id, populate_existing=True)
        now = runtime.now()
        ends = now + timedelta(seconds=runtime.config.gateway_timeout)
        if transfer.claim_token != claim.token:
            return None
        if transfer.lease_until is None or transfer.lease_until <= ends:
            return None
        if _something_new(session, transfer, claim):
            return None
        if operation == VOID and voided_by_another(session, transfer):
            return None
        transfer.operation = operation
        attempt = session.get_one(Attempt, claim.attempt_id)
        attempt.operation, attempt.called_at = operation, now
        return now

    announced = runtime.sessions.transact(work)
    return announced is not None and runtime.now() <= announced + call_may_begin(runtime)


def _something_new(session: Session, transfer: Transfer, claim: Claim) -> bool:
    """Return whether a late answer told of a call that this claim has not looked for."""
    others = session.scalars(
        select(Attempt).where(Attempt.transfer_id == transfer.id, Attempt.id != claim.attempt_id)
    ).all()
    now_known = earlier_calls(transfer, others)
    looked_for = claim.earlier.references if claim.earlier else ()
    return now_known is not None and not set(now_known.references) <= set(looked_for)
