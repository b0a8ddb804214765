"""What a host's own tests may use: servers of gateways, the fixtures, the conformance suite.

:mod:`flask_refunds.testing.plugin` has the fixtures; pytest finds them by itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask_refunds.testing.charging import Charging
    from flask_refunds.testing.shop import Issuing, Processing
    from flask_refunds.testing.simulator import Simulator, SimulatorClient
    from flask_refunds.testing.stages import RefundIn, Stage
    from flask_refunds.testing.stripe_server import StripeServer
    from flask_refunds.testing.working import RealWorker

__all__ = [
    "Charging",
    "Issuing",
    "Processing",
    "RealWorker",
    "RefundIn",
    "Simulator",
    "SimulatorClient",
    "Stage",
    "StripeServer",
]

_HOMES = {
    "Charging": "charging",
    "Issuing": "shop",
    "Processing": "shop",
    "RealWorker": "working",
    "RefundIn": "stages",
    "Simulator": "simulator",
    "SimulatorClient": "simulator",
    "Stage": "stages",
    "StripeServer": "stripe_server",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
