"""A simulator of Braintree's gateway API: a real HTTP server for the official SDK.

No money moves and nothing leaves the machine. ``python -m flask_refunds.testing.simulator`` runs
it alone; :class:`Simulator` runs it in a thread of a test or a demo.
"""

from flask_refunds.testing.simulator.client import SimulatorClient
from flask_refunds.testing.simulator.simulator import Simulator

__all__ = ["Simulator", "SimulatorClient"]
