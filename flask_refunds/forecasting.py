"""What will happen to a planned refund at the gateway, as far as the gateway says now.

Reads only. May take as long as the gateway does, so nobody should have to wait for it.
"""

from dataclasses import dataclass

from flask_refunds import logs
from flask_refunds.deciding import Decision, Step, decide
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import GatewayError, Rejected
from flask_refunds.planning import Plan
from flask_refunds.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What will happen to one card. ``amount`` in minor units; ``step`` of ``None``: unknown now.

    ``code`` and ``message`` say why, as :class:`~flask_refunds.deciding.Decision` does.
    """

    card_label: str
    amount: int
    step: Step | None
    code: str = ""
    message: str = ""


def foresee(runtime: Runtime, plan: Plan, currency: str) -> tuple[Foreseen, ...]:
    """Return what would become of each card transfer of *plan*, asking each one's gateway."""
    seen = []
    for transfer in plan.transfers:
        card = transfer.card
        if card is None:
            continue
        decision = _ask(
            runtime, card.gateway or "", card.charge_id or "", transfer.amount, currency
        )
        seen.append(
            Foreseen(
                card_label=card.label,
                amount=transfer.amount,
                step=decision.step if decision else None,
                code=decision.code if decision else "unavailable",
                message=decision.message if decision else "",
            )
        )
    return tuple(seen)


def _ask(
    runtime: Runtime, gateway: str, charge_id: str, amount: int, currency: str
) -> Decision | None:
    try:
        return decide(runtime.gateways.get(gateway).inspect(charge_id), amount, currency)
    except Rejected as error:
        return Decision(step=Step.REFUSE, code=error.code or "rejected", message=error.message)
    except ConfigurationError as error:
        return Decision(step=Step.REFUSE, code="configuration", message=str(error))
    except GatewayError as error:
        logs.warning("forecast_not_answered", gateway=gateway, reason=error.message)
    except Exception as error:  # a gateway is a plug-in; a forecast must not fail with it
        logs.exception("forecast_failed", error, gateway=gateway)
    return None
