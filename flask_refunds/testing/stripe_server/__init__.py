"""A server that speaks the part of Stripe's API that refunds need, to the official SDK."""

from flask_refunds.testing.stripe_server.server import StripeServer

__all__ = ["StripeServer"]
