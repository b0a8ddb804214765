"""The zoo: what each host tells the contract about itself and about the order that it sold.

A host is a package of ``tests/hosts`` with a ``wiring.py``. Its ``__init__.py`` offers ``HOST``, a
:class:`Host`. Names of databases are those of ``tests/databases.py``.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient

from flask_refunds import money
from flask_refunds.testing import Simulator

with warnings.catch_warnings():  # the SDK warns of a class of its own while it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    import braintree


class Till:
    """Where customers of the hosts pay by card: the simulator, over HTTP by the official SDK.

    ``now`` is when they pay, in UTC: what is sold has to be in the dashboard's last seven days.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.simulator = simulator
        address = urlsplit(simulator.url)
        self._gateway = braintree.BraintreeGateway(
            braintree.Configuration(
                braintree.Environment("till", address.hostname, str(address.port), "", False, None),
                merchant_id="integration_merchant_id",
                public_key="integration_public_key",
                private_key="integration_private_key",
            )
        )

    def charge(self, amount: int, currency: str = "USD") -> str:
        """Take *amount* minor units, settle the sale, and return its id at the gateway."""
        sale = {
            "amount": money.plain(amount, currency),
            "payment_method_nonce": "fake-valid-nonce",
            "options": {"submit_for_settlement": True},
        }
        if currency != "USD":
            sale["merchant_account_id"] = currency.lower()
        result = self._gateway.transaction.sale(sale)
        assert result.is_success, result
        assert result.transaction.currency_iso_code == currency
        self.simulator.client.settle(result.transaction.id)
        return str(result.transaction.id)

    def give_back(self, sale: str, amount: int, currency: str = "USD") -> str:
        """Refund *amount* minor units of a sale, as a program of the host's did; return its id."""
        result = self._gateway.transaction.refund(sale, money.plain(amount, currency))
        assert result.is_success, result
        return str(result.transaction.id)

    def given_back(self, sale: str) -> int:
        """Return what was truly given back of a sale, in minor units."""
        return int(self.simulator.client.sale(sale)["total_given_back"])

    def close(self) -> None:
        """Hang up."""
        self._gateway.config.http_strategy().close()


@dataclass(frozen=True, kw_only=True)
class SoldLine:
    """A line or a charge row of the order as the form must show it.

    ``left`` is what it may give back, ``tax`` the part of that which is tax, both in minor units.
    """

    ref: str
    name: str
    left: int
    tax: int = 0
    quantity: int = 0
    kind: Literal["line", "row"] = "line"


@dataclass(frozen=True, kw_only=True)
class Sold:
    """The one order that the host sold. Amounts are minor units of ``currency``.

    ``lines`` are in the order of the form: lines by key, then charge rows. ``sales`` has what each
    card payment took by its id at the gateway; ``prior`` is what the host itself gave back before.
    ``customer`` is the name that the page shows.
    """

    order_ref: str
    number: str
    customer: str
    paid: int
    lines: Sequence[SoldLine]
    sales: Mapping[str, int]
    currency: str = "USD"
    prior: int = 0

    @property
    def left(self) -> int:
        """What may still be given back of the whole order."""
        return self.paid - self.prior


def nobody(client: FlaskClient) -> None:
    """Sign nobody in."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A shop of the zoo.

    ``create_app`` takes settings (``SQLALCHEMY_DATABASE_URI``, ``REFUNDS_*``) and touches no
    database; ``sell`` runs in an application context, after the host's ``db.create_all()``.
    ``admin`` is the URL of the admin that refunds are wired into, ``users`` and ``orders`` those
    of the host's lists that must have the button (``None``: the host has no such list).
    ``without`` are lists of the host's that must not have it: those of another admin.
    ``headers`` go with every request, and ``sign_in`` signs the client in, whose refunds are then
    those of ``actor`` (its label; ``None``: not looked at); without them no page of ours may open.
    ``binds`` are the names of further binds, each of which gets a database of its own. ``csp``: the
    host's Content-Security-Policy is ``default-src 'self'``, which forbids whatever is inline.
    """

    create_app: Callable[[Mapping[str, Any]], Flask]
    sell: Callable[[Flask, Till], Sold]
    databases: Sequence[str] = ("sqlite",)
    admin: str = "/admin"
    users: str | None = "/admin/user/"
    orders: str | None = "/admin/order/"
    without: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    sign_in: Callable[[FlaskClient], None] = nobody
    actor: str | None = None
    binds: Sequence[str] = ()
    csp: bool = False


def names() -> list[str]:
    """Return the names of the hosts."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/wiring.py"))


def host(name: str) -> Host:
    """Return the host called *name*."""
    found: Host = import_module(f"tests.hosts.{name}").HOST
    return found


def cases() -> list[tuple[str, str]]:
    """Return each host's name with each of its databases."""
    return [(name, database) for name in names() for database in host(name).databases]
