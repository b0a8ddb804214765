"""What every service needs of one application: settings, mapping, sessions, gateways, queue."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from flask_refunds.config import Config
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import RefundGateway
from flask_refunds.models import Refund
from flask_refunds.queueing import WakeUp
from flask_refunds.sessions import Sessions
from flask_refunds.storefront import Storefront


def utc_now() -> datetime:
    """Return the time now, aware, in UTC."""
    return datetime.now(UTC)


class GatewayRegistry:
    """The gateways by the name that the host's payments carry, built on first use."""

    def __init__(self, builders: Mapping[str, Callable[[], RefundGateway]]) -> None:
        self._builders = builders
        self._built: dict[str, RefundGateway] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._builders

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def problems(self) -> Mapping[str, str]:
        """Return what is the matter with the gateways whose settings are not complete."""
        found = {}
        for name in self._builders:
            try:
                self.get(name)
            except ConfigurationError as error:
                found[name] = str(error)
        return found

    def usable(self) -> Mapping[str, bool]:
        """Return all names, and whether the settings of each gateway are complete."""
        broken = self.problems()
        return {name: name not in broken for name in self._builders}

    def get(self, name: str) -> RefundGateway:
        """Return the gateway *name*.

        Raises :exc:`~flask_refunds.errors.ConfigurationError` when there is none of that name or
        its settings are missing.
        """
        if name not in self._builders:
            raise ConfigurationError(
                f"No gateway is called {name!r}; pass it in Refunds(gateways={{{name!r}: …}})."
            )
        if name not in self._built:
            self._built[name] = self._builders[name]()
        return self._built[name]


@dataclass(frozen=True, kw_only=True, eq=False)
class Runtime:
    """The wired parts of one application, passed to every service."""

    config: Config
    storefront: Storefront
    sessions: Sessions
    gateways: GatewayRegistry
    queue: WakeUp
    clock: Callable[[], datetime] = utc_now
    after_refund: Callable[[Session, Refund], None] | None = None
    """The host's hook, run in our transaction when all of a refund's money is back. It loads the
    host's rows through the session that it is given, and may change them (to restock)."""

    def now(self) -> datetime:
        """Return the time now, aware, in UTC."""
        return self.clock()
