"""What a host's own tests may use: test servers of gateways and the gateway conformance suite."""

from flask_refunds.testing.simulator import Simulator, SimulatorClient
from flask_refunds.testing.stripe_server import StripeServer

__all__ = ["Simulator", "SimulatorClient", "StripeServer"]
