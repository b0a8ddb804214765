"""What a host's own tests may use: the Braintree simulator and the gateway conformance suite."""

from flask_refunds.testing.simulator import Simulator, SimulatorClient

__all__ = ["Simulator", "SimulatorClient"]
