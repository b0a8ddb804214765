"""Gateways by their names: what installed distributions offer in the entry points of our group.

A distribution that brings a gateway registers, under the name by which shops know it, a callable
that builds it from an app's config. Ours are registered in the same way.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import RefundGateway

GROUP = "flask_refunds.gateways"

GatewayBuilder = Callable[[Mapping[str, Any]], RefundGateway]
"""Builds a gateway from an app's config."""


def builders(
    wanted: Mapping[str, GatewayBuilder | str] | Iterable[str],
) -> dict[str, GatewayBuilder]:
    """Return the builders of the *wanted* gateways by the name that the host's payments carry.

    *wanted* names installed gateways, or has a builder or the name of an installed gateway for
    each name of the host's. Raises :exc:`~flask_refunds.errors.ConfigurationError` for a name that
    no distribution offers, or that cannot be loaded.
    """
    if isinstance(wanted, str):
        raise ConfigurationError(f"gateways= is {wanted!r}; pass a list of names: [{wanted!r}].")
    if not isinstance(wanted, Mapping):
        return {name: _load(name, f"gateways= names {name!r}") for name in wanted}
    return {
        name: _load(build, f"gateways[{name!r}] is {build!r}") if isinstance(build, str) else build
        for name, build in wanted.items()
    }


def _load(name: str, said: str) -> GatewayBuilder:
    """Return the builder of the installed gateway *name*; *said* is how the host asked for it."""
    found = _installed()
    offers = found.get(name, {})
    if not offers:
        known = ", ".join(sorted(found)) or "none"
        raise ConfigurationError(
            f"{said}, and no installed package offers a gateway of that name. Installed: {known}."
        )
    if len(offers) > 1:
        places = " and ".join(sorted(offers))
        raise ConfigurationError(
            f"{said}, and several installed packages offer it: {places}. Uninstall one, or pass"
            " the callable itself."
        )
    (offer,) = offers.values()
    try:
        build: GatewayBuilder = offer.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{said}, and {offer.value} cannot be loaded: {error}") from error
    return build


def _installed() -> Mapping[str, Mapping[str, EntryPoint]]:
    """Return what is offered under each name, by where it is: the path may have it twice."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for offer in entry_points(group=GROUP):
        found.setdefault(offer.name, {})[offer.value] = offer
    return found
