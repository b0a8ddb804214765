"""What stands before a page's snippets: its shop, and what every Python programmer has imported."""

import os
import sys
from dataclasses import replace
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

import flask_refunds
from flask_refunds import migrating
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.testing import Simulator
from tests.documents import shop

ZOO = {
    "docs/cookbook/floats-and-discounts.md": "float_money",
    "docs/cookbook/guests.md": "guest_orders",
    "docs/cookbook/no-foreign-keys.md": "bare_tables",
    "docs/cookbook/payment-is-the-order.md": "payment_orders",
    "docs/cookbook/sales-tax.md": "sales_tax",
    "docs/cookbook/schemas-and-binds.md": "schema_binds",
    "docs/cookbook/uuids-and-json.md": "uuid_keys",
}
"""The host of ``tests/hosts`` whose wiring a page includes; its snippets speak of that one."""
OWN_WIRING = {"README.md"}
"""Pages whose snippets make ``storefront`` and ``refunds``."""


class Setting:
    """What stands before the blocks of *page*: names, and an application that is made afresh."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._own = _host(ZOO[page]) if page in ZOO else dict(shop.NAMES)
        if page not in {*ZOO, *OWN_WIRING}:
            self._own |= {"storefront": shop.STOREFRONT, "refunds": shop.extension()}
        self.database: SQLAlchemy = self._own.get("db", shop.db)
        self._apps: list[Flask] = []

    def names(self) -> dict[str, Any]:
        """Return the names for the next block."""
        app, admin = shop.application(self.database, shop.ItemsReport, shop.SummaryReport)
        self._apps.append(app)
        names = {**_COMMON, **self._own, "app": app, "admin": admin, "db": self.database}
        if self._page == "docs/upgrading.md":
            with app.app_context():
                names["engine"] = self.database.engine
                migrating.upgrade(self.database.engine)
        return names

    def close(self) -> None:
        """Close the connections that the blocks have left."""
        for app in self._apps:
            with app.app_context():
                for engine in self.database.engines.values():
                    engine.dispose()


def _host(name: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for module in ("models", "policy", "wiring"):
        if find_spec(f"tests.hosts.{name}.{module}"):
            names.update(vars(import_module(f"tests.hosts.{name}.{module}")))
    return {**names, "storefront": names["STOREFRONT"]}


_COMMON = {
    **{name: getattr(flask_refunds, name) for name in flask_refunds.__all__},
    "BraintreeGateway": BraintreeGateway,
    "Simulator": Simulator,
    "date": date,
    "os": os,
    "policy": flask_refunds.AdminAccessPolicy(),
    "replace": replace,
    "select": select,
    "send_mail": print,
    "zone": ZoneInfo("UTC"),
}
"""What every programmer has imported, and a few that the pages speak of."""


def module_for(page: str) -> ModuleType:
    """Return the module in which the snippets of *page* run; it is importable meanwhile."""
    name = "snippets_of_" + "".join(c if c.isalnum() else "_" for c in page)
    made = sys.modules[name] = ModuleType(name)
    return made
