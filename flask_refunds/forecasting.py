"""What will happen to a planned refund at the gateway, as far as the gateway says now.

Reads only. May take as long as the gateway does, so nobody should have to wait for it.
"""

from dataclasses import dataclass

from flask_refunds import logs
from flask_refunds.deciding import Decision, Step, decide
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import ChargeReceipt, GatewayError, Misconfigured, Rejected
from flask_refunds.planning import Plan
from flask_refunds.runtime import Runtime

MISCONFIGURED = "misconfigured"
"""Code of what waits until people have mended the gateway's settings."""


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What will happen to one card. ``amount`` in minor units; ``step`` of ``None``: unknown now.

    ``code`` and ``message`` say why, as :class:`~flask_refunds.deciding.Decision` does;
    ``disputed``: the customer disputes the sale, whatever the step.
    """

    card_label: str
    amount: int
    step: Step | None
    code: str = ""
    message: str = ""
    disputed: bool = False


def foresee(
    runtime: Runtime, plan: Plan, currency: str, *, despite_dispute: bool = False
) -> tuple[Foreseen, ...]:
    """Return what would become of each card transfer of *plan*, asking each one's gateway.

    *despite_dispute* as :func:`~flask_refunds.deciding.decide` has it.
    """
    seen = []
    for transfer in plan.transfers:
        card = transfer.card
        if card is None:
            continue
        charge = _ask(runtime, card.gateway or "", card.charge_id or "")
        decision = (
            decide(charge, transfer.amount, currency, despite_dispute=despite_dispute)
            if isinstance(charge, ChargeReceipt)
            else charge
        )
        seen.append(
            Foreseen(
                card_label=card.label,
                amount=transfer.amount,
                step=decision.step if decision else None,
                code=decision.code if decision else "unavailable",
                message=decision.message if decision else "",
                disputed=isinstance(charge, ChargeReceipt) and charge.disputed,
            )
        )
    return tuple(seen)


def _ask(runtime: Runtime, gateway: str, charge_id: str) -> ChargeReceipt | Decision | None:
    """Return the sale, or why nothing can be done with it; ``None`` when nobody can tell now."""
    try:
        return runtime.gateways.get(gateway).inspect(charge_id)
    except Rejected as error:
        return Decision(step=Step.REFUSE, code=error.code or "rejected", message=error.message)
    except Misconfigured as error:
        return Decision(step=Step.WAIT, code=MISCONFIGURED, message=error.message)
    except ConfigurationError as error:
        return Decision(step=Step.REFUSE, code="configuration", message=str(error))
    except GatewayError as error:
        logs.warning("forecast_not_answered", gateway=gateway, reason=error.message)
    except Exception as error:  # a gateway is a plug-in; a forecast must not fail with it
        logs.exception("forecast_failed", error, gateway=gateway)
    return None
