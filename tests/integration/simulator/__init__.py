"""The SDK warns of a class of its own while it is imported; here warnings are errors."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import braintree

__all__ = ["braintree"]
