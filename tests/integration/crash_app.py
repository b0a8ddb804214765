"""The example shop for tests of the worker: settings and a place to stop come by environment.

``SHOP_CONFIG`` is a JSON object that overrides the shop's settings. ``SHOP_CUT`` names a place
such as ``before refund`` or ``after void``: the first calls of that kind write a line into the
file ``SHOP_CUT_FILE`` and then stand still, so that a test can kill the process right there.
``SHOP_LOG`` is the level of the log on standard error.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from example_app import create_app as create_shop
from example_app import db, wiring
from flask_refunds import Refunds
from flask_refunds.gateways.braintree import BraintreeGateway

MOVES = ("refund", "void")


class StandingStill:
    """A real gateway whose calls stop at one place, for ever."""

    def __init__(self, gateway: BraintreeGateway, cut: str, file: Path) -> None:
        self._gateway, self._file = gateway, file
        self._when, _, self._operation = cut.partition(" ")

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._gateway, name)
        here = name in MOVES if self._operation == "call" else name == self._operation
        return self._stopping(name, value) if here else value

    def _stopping(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stopping(*args: Any, **options: Any) -> Any:
            if self._when == "after":
                call(*args, **options)
            with self._file.open("a") as file:
                file.write(f"{name}\n")
            time.sleep(3600)

        return stopping


def gateway(config: Mapping[str, Any]) -> Any:
    """Build the shop's gateway, with its place to stop if there is one."""
    real = BraintreeGateway.from_config(config)
    cut = os.environ.get("SHOP_CUT")
    return StandingStill(real, cut, Path(os.environ["SHOP_CUT_FILE"])) if cut else real


def create_app() -> Flask:
    """Return the shop as the environment describes it."""
    if level := os.environ.get("SHOP_LOG"):
        logging.basicConfig(level=level)
    return made(json.loads(os.environ["SHOP_CONFIG"]))


def made(settings: Mapping[str, Any]) -> Flask:
    """Return the shop with *settings*."""
    app = create_shop({**settings, "SHOP_REFUNDS": False})
    refunds = Refunds(
        wiring.STOREFRONT, policy=wiring.ShopPolicy(), gateways={"braintree": gateway}
    )
    refunds.init_app(app, db=db, admin=app.extensions["admin"][0])
    return app
