"""Void, refund or wait: what giving money back on a sale means now. Pure.

The worker decides by it, and the modal foretells by it.
"""

from dataclasses import dataclass
from enum import StrEnum

from flask_refunds.gateways.base import ChargeReceipt

DISPUTED = "disputed"
"""Why a disputed sale is refused, and the failure that only a person's consent gets over."""


class Step(StrEnum):
    """What can be done with a sale now."""

    VOID = "void"
    REFUND = "refund"
    WAIT = "wait"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The next step. ``code`` is a stable word for why, ``message`` the same for operators."""

    step: Step
    code: str = ""
    message: str = ""


def decide(
    charge: ChargeReceipt, amount: int, currency: str, *, despite_dispute: bool = False
) -> Decision:
    """Return what giving back *amount* minor units of *currency* on *charge* means now.

    A disputed sale is refused: a refund beside a chargeback gives the money back twice.
    *despite_dispute* is a person's word that it is to be refunded all the same.
    """
    if charge.currency != currency:
        return Decision(
            step=Step.REFUSE,
            code="currency",
            message=f"The sale is in {charge.currency} and the refund in {currency}.",
        )
    if charge.voided:
        return Decision(
            step=Step.REFUSE,
            code="voided",
            message="The sale was voided at the gateway already.",
        )
    if charge.disputed and not despite_dispute:
        return Decision(
            step=Step.REFUSE,
            code=DISPUTED,
            message="The sale is disputed: the bank may be taking the money back already.",
        )
    if may_void(charge, amount, currency):
        return Decision(step=Step.VOID, code=charge.raw_status)
    if charge.refundable:
        return Decision(step=Step.REFUND, code=charge.raw_status)
    if charge.settling_soon or charge.voidable:
        return Decision(step=Step.WAIT, code=charge.raw_status)
    return Decision(
        step=Step.REFUSE,
        code="not_refundable",
        message=f"The sale is {charge.raw_status} at the gateway and cannot be refunded.",
    )


def may_void(charge: ChargeReceipt, amount: int, currency: str) -> bool:
    """Return whether giving back *amount* minor units of *currency* is a void of *charge*.

    Only when it is unsettled, was never refunded, and the amount is all that the *gateway* has:
    anything else would void a tip or a shared charge too.
    """
    return (
        charge.voidable
        and not charge.refund_ids
        and charge.amount == amount
        and charge.currency == currency
    )
