"""What stands before a page's snippets: its shop, and what every Python programmer has imported."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, select

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

Names = Mapping[str, Any]


def names_before(page: str) -> Callable[[], Names]:
    """Return what makes the names that stand before each block of *page*, afresh for each."""
    if page in ZOO:
        host = f"tests.hosts.{ZOO[page]}"
        modules = [f"{host}.{name}" for name in ("models", "policy", "wiring")]
        own = [vars(import_module(name)) for name in modules if find_spec(name)]
        together = {name: value for each in own for name, value in each.items()}
        together["storefront"] = together["STOREFRONT"]
        return lambda: _names(together["db"], together)
    own = {**shop.NAMES}
    if page not in OWN_WIRING:
        own |= {"storefront": shop.STOREFRONT, "refunds": shop.extension()}
    return lambda: _names(shop.db, own)


def _names(database: SQLAlchemy, own: Names) -> Names:
    app, admin = shop.application(database, shop.ItemsReport, shop.SummaryReport)
    engine = create_engine("sqlite://")
    migrating.upgrade(engine)
    public = {name: getattr(flask_refunds, name) for name in flask_refunds.__all__}
    return {
        **public,
        "BraintreeGateway": BraintreeGateway,
        "Simulator": Simulator,
        "date": date,
        "engine": engine,
        "os": os,
        "policy": public["AdminAccessPolicy"](),
        "replace": replace,
        "select": select,
        "send_mail": print,
        "zone": ZoneInfo("UTC"),
        **own,
        "admin": admin,
        "app": app,
        "db": database,
    }


def module_for(page: str) -> ModuleType:
    """Return the module in which the snippets of *page* run; it is importable meanwhile."""
    name = "snippets_of_" + "".join(c if c.isalnum() else "_" for c in page)
    made = sys.modules[name] = ModuleType(name)
    return made
