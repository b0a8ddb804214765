"""What stands before a page's snippets: its shop, and what every Python programmer has imported."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from importlib import import_module
from types import ModuleType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import flask_refunds
from flask_refunds import migrating
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.testing import Simulator
from tests.documents import shop

ZOO = {
    "docs/cookbook/guests.md": "guest_orders",
    "docs/cookbook/no-foreign-keys.md": "bare_tables",
    "docs/cookbook/payment-is-the-order.md": "payment_orders",
    "docs/cookbook/schemas-and-binds.md": "schema_binds",
    "docs/cookbook/uuids-and-json.md": "uuid_keys",
}
"""The host of ``tests/hosts`` whose wiring a page includes; its snippets speak of that one."""
OWN_TABLES = {"docs/cookbook/floats-and-discounts.md", "docs/cookbook/sales-tax.md"}
"""Pages that declare the tables of their shop themselves."""
OWN_WIRING = {*OWN_TABLES, "README.md"}
"""Pages whose snippets make ``storefront`` and ``refunds``."""

Names = Mapping[str, Any]


def names_before(page: str) -> Callable[[], Names]:
    """Return what makes the names that stand before each block of *page*, afresh for each."""
    if page in ZOO:
        models = import_module(f"tests.hosts.{ZOO[page]}.models")
        wiring = import_module(f"tests.hosts.{ZOO[page]}.wiring")
        own = {**vars(models), **vars(wiring), "storefront": wiring.STOREFRONT}
        own |= {"refunds": _refunds(wiring)}
        return lambda: _names(models.db, own)
    if page in OWN_TABLES:
        database = SQLAlchemy()
        return lambda: _names(database, {})
    own = {**shop.NAMES}
    if page not in OWN_WIRING:
        own |= {"storefront": shop.STOREFRONT, "refunds": shop.extension()}
    return lambda: _names(shop.db, own)


def _refunds(wiring: ModuleType) -> flask_refunds.Refunds:
    policy = flask_refunds.AdminAccessPolicy()
    return flask_refunds.Refunds(wiring.STOREFRONT, policy=policy)


def _names(database: SQLAlchemy, own: Names) -> Names:
    app, admin = shop.application(database, shop.ItemsReport, shop.SummaryReport)
    engine = create_engine("sqlite://")
    migrating.upgrade(engine)
    public = {name: getattr(flask_refunds, name) for name in flask_refunds.__all__}
    return {
        **public,
        "BraintreeGateway": BraintreeGateway,
        "DeclarativeBase": DeclarativeBase,
        "JSON": database.JSON,
        "Mapped": Mapped,
        "Simulator": Simulator,
        "UUID": UUID,
        "date": date,
        "datetime": datetime,
        "engine": engine,
        "mapped_column": mapped_column,
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
