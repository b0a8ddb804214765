"""What a report refuses to do."""

from flask_refunds.errors import ConfigurationError


class CannotNet(ConfigurationError):
    """A host's SELECT, or what was said about it, cannot be netted; the message has the remedy."""
