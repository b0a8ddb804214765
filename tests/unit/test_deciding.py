"""Void, refund, wait or refuse; and what a dispute changes about it."""

from dataclasses import replace

import pytest

from flask_refunds.deciding import Step, decide
from flask_refunds.gateways.base import ChargeReceipt

SETTLED = ChargeReceipt(
    id="sale",
    amount=3000,
    currency="USD",
    raw_status="settled",
    voidable=False,
    refundable=True,
    voided=False,
    settling_soon=False,
)
UNSETTLED = replace(
    SETTLED, raw_status="submitted", voidable=True, refundable=False, settling_soon=True
)


@pytest.mark.parametrize(
    ("charge", "amount", "step"),
    [
        (SETTLED, 3000, Step.REFUND),
        (SETTLED, 1000, Step.REFUND),
        (UNSETTLED, 3000, Step.VOID),
        (UNSETTLED, 1000, Step.WAIT),
    ],
)
def test_a_disputed_sale_is_refused_unless_a_person_wants_it_all_the_same(
    charge: ChargeReceipt, amount: int, step: Step
) -> None:
    disputed = replace(charge, disputed=True)
    refused = decide(disputed, amount, "USD")
    assert (refused.step, refused.code) == (Step.REFUSE, "disputed")
    assert "bank" in refused.message
    assert decide(disputed, amount, "USD", despite_dispute=True) == decide(charge, amount, "USD")
    assert decide(charge, amount, "USD", despite_dispute=True).step is step


@pytest.mark.parametrize(
    ("charge", "code"),
    [
        (replace(SETTLED, currency="EUR"), "currency"),
        (replace(SETTLED, voided=True, refundable=False), "voided"),
    ],
)
def test_what_consent_cannot_mend_is_said_first(charge: ChargeReceipt, code: str) -> None:
    disputed = replace(charge, disputed=True)
    assert decide(disputed, 3000, "USD").code == code
    assert decide(disputed, 3000, "USD", despite_dispute=True).code == code


def test_consent_does_not_make_a_sale_refundable() -> None:
    lost = replace(SETTLED, refundable=False, disputed=True, raw_status="failed")
    assert decide(lost, 3000, "USD", despite_dispute=True).code == "not_refundable"
