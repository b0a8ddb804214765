"""The SDK warns of a class of its own while it is imported; here warnings are errors."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from braintree.exceptions.http.connection_error import ConnectionError as SdkConnectionError

__all__ = ["SdkConnectionError"]
