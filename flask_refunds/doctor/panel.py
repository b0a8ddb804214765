"""The host's admin: who may open our pages, the buttons, the menu, and the base template."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import TemplateError

from flask_refunds.admin.row_actions import AccountHistoryAction
from flask_refunds.doctor.findings import Finding, finding
from flask_refunds.doctor.templates import Shelf, templates
from flask_refunds.reports.registering import entries
from flask_refunds.wired import Wired

MENU = ("refunds_desk", "refunds_report")
"""The endpoints of ours that the menu leads to."""


def panel(app: Flask, wired: Wired) -> list[Finding]:
    """Return what in the admin of *app* keeps people from our pages, or lets everybody in."""
    found = [] if app.secret_key else [finding("secret_key")]
    if wired.gatekeeper is None:
        found.append(finding("pages_closed"))
    package = Path(app.blueprints["refunds"].root_path)
    shelf = Shelf(app.jinja_env, wired.admin.theme.base_template, package)
    return [*found, *_buttons(shelf, wired), *_menu(wired), *templates(shelf)]


def _buttons(shelf: Shelf, wired: Wired) -> Iterator[Finding]:
    storefront = wired.runtime.storefront
    customers, orders = storefront.customers is not None, wired.gatekeeper is not None
    for part, code, model, mapped in (
        ("Customers", "users_without_button", storefront.customer_model, customers),
        ("Orders", "orders_without_button", storefront.order_model, orders),
    ):
        views = [view for view in wired.admin._views if model and _model(view) is model]  # noqa: SLF001 - Flask-Admin has no public list
        if model is None:
            if mapped:
                yield finding("model_unknown", part=part)
        elif mapped and not views:
            yield finding(code, example=f"the class {model.__name__}")
        if views and not any(_shows_button(shelf, view) for view in views):
            yield finding("button_lost", example=f"the view {views[0].endpoint}")


def _model(view: Any) -> Any:
    return getattr(view, "model", None)


def _shows_button(shelf: Shelf, view: Any) -> bool:
    """Return whether the list of *view* has our button, as far as its template can be read."""
    if not view.column_display_actions:
        return False
    if not any(isinstance(each, AccountHistoryAction) for each in view.get_list_row_actions()):
        return False
    try:
        chain = shelf.chain(view.list_template)
    except TemplateError:
        return False
    return any("list_row_actions" in each.source for each in chain)


def _menu(wired: Wired) -> Iterator[Finding]:
    there = {
        getattr(getattr(entry, "_view", None), "endpoint", None)
        for entry in entries(wired.admin.menu())
    }
    for view in wired.admin._views:  # noqa: SLF001
        if view.endpoint in MENU and view.endpoint not in there:
            yield finding("menu_missing", example=f"{view.name} ({view.endpoint})")
