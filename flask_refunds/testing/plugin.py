"""Fixtures for the tests of a shop that has refunds. pytest loads this by itself.

Nothing else of the package is imported until a fixture is used. All of them need a fixture
``app`` of the shop's own that returns its Flask application, as pytest-flask does.
"""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from flask_refunds.dossier import Dossier
    from flask_refunds.testing.charging import Charging
    from flask_refunds.testing.shop import Issuing, Processing, Shop
    from flask_refunds.testing.simulator import Simulator
    from flask_refunds.testing.stages import RefundIn
    from flask_refunds.testing.working import RealWorker

pytest.register_assert_rewrite("flask_refunds.testing.conformance")

Scope = Literal["session", "package", "module", "class", "function"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare our settings in the host's pytest configuration."""
    parser.addini("refunds_app", "Flask application of refunds_worker, as FLASK_APP names it")
    parser.addini(
        "refunds_scope", "Scope of refunds_simulator and refunds_gateway_config", default="function"
    )


def _scope(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001 - pytest passes it
    return cast(Scope, config.getini("refunds_scope"))


@pytest.fixture(scope=_scope)
def refunds_simulator() -> "Iterator[Simulator]":
    """A running Braintree simulator: ``.url``, and ``.client`` to settle, dispute, break and audit.

    A new one for each test; with ``refunds_scope = session`` one for all, whose faults end with
    the test.
    """
    from flask_refunds.testing.simulator import Simulator

    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope=_scope)
def refunds_gateway_config(refunds_simulator: "Simulator") -> dict[str, Any]:
    """Settings for your ``app`` fixture, to be there before ``refunds.init_app()``.

    The simulator is the gateway; there is no Redis, and no pause between two calls.
    """
    return {
        **refunds_simulator.gateway_config(),
        "REFUNDS_REDIS_URL": None,
        "REFUNDS_SALE_PAUSE": 0,
    }


@pytest.fixture
def refunds_tables(app: "Flask", refunds_simulator: "Simulator") -> Iterator[None]:
    """Our tables in the database of your ``app``; gone, or empty, when the test ends.

    Refused when there are refunds in them already. The other fixtures ask for it themselves.
    """
    from flask_refunds.testing import tables

    with tables.made(app):
        yield
        refunds_simulator.start().calm()


@pytest.fixture
def _refunds_shop(
    app: "Flask",
    refunds_simulator: "Simulator",
    refunds_tables: None,  # noqa: ARG001 - made before, dropped after
) -> "Shop":
    from flask_refunds.testing.shop import Shop

    return Shop(app, refunds_simulator)


@pytest.fixture
def refunds_charge(refunds_simulator: "Simulator") -> "Charging":
    """Take money at the simulator: ``refunds_charge(3000, "EUR", settled=False)``.

    Returns the transaction's id, for the payment of an order of yours. Amounts are minor units.
    """
    from flask_refunds.testing.charging import Charging

    return Charging(refunds_simulator)


@pytest.fixture
def refunds_issue(_refunds_shop: "Shop") -> "Issuing":
    """Issue a refund: ``refunds_issue(order)``, with ``lines={key: pieces}`` or ``amount=``.

    *order* is a row of yours, or its key. The same service acts as in the Issue Refund window.
    Returns the refund.
    """
    from flask_refunds.testing.shop import Issuing

    return Issuing(_refunds_shop)


@pytest.fixture
def refunds_process(_refunds_shop: "Shop") -> "Processing":
    """Do what is due, here and now: ``refunds_process()``, or ``refunds_process(later=3600)``.

    Needs neither Redis nor a worker. Returns how many steps it took.
    """
    from flask_refunds.testing.shop import Processing

    return Processing(_refunds_shop)


@pytest.fixture
def refunds_read(_refunds_shop: "Shop") -> "Callable[[int], Dossier]":
    """Look at a refund again: ``refunds_read(refund.id).state``."""
    return _refunds_shop.read


@pytest.fixture
def refund_in(_refunds_shop: "Shop", refunds_issue: "Issuing") -> "Iterator[RefundIn]":
    """Refund an order and bring that into a state: ``refund_in("failed_late", order)``.

    ``flask_refunds.testing.Stage`` has the states. Returns the refund.
    """
    from flask_refunds.testing.stages import RefundIn

    bring = RefundIn(_refunds_shop, refunds_issue)
    yield bring
    bring.finish()


@pytest.fixture
def refunds_app(pytestconfig: pytest.Config) -> str:
    """Where ``refunds_worker`` finds your application: ``refunds_app`` of pytest, or ``FLASK_APP``.

    Override it for a path of your own, such as ``"shop:create_app('testing')"``.
    """
    path = str(pytestconfig.getini("refunds_app") or os.environ.get("FLASK_APP", ""))
    if not path:
        pytest.fail(
            "refunds_worker does not know your application: set `refunds_app = shop:create_app` "
            "in pytest's configuration, or FLASK_APP, or override the fixture `refunds_app`.",
            pytrace=False,
        )
    return path


@pytest.fixture
def refunds_worker_env(app: "Flask") -> dict[str, str]:
    """The environment of ``refunds_worker``: this one, and the settings that it must share.

    They are named as ``app.config.from_prefixed_env()`` reads them. Override it to add the
    variables that your application reads.
    """
    from flask_refunds.testing.working import prefixed

    return {**os.environ, **prefixed(app.config)}


@pytest.fixture
def refunds_worker(
    _refunds_shop: "Shop",
    refunds_app: str,
    refunds_worker_env: dict[str, str],
    pytestconfig: pytest.Config,
) -> "RealWorker":
    """Have a real ``flask refunds worker`` process do what is due: ``refunds_worker()``.

    It loads ``refunds_app`` itself, and refuses a database or gateway other than the test's.
    """
    from flask_refunds.testing.working import RealWorker

    return RealWorker(
        _refunds_shop, refunds_app, folder=pytestconfig.rootpath, env=refunds_worker_env
    )
