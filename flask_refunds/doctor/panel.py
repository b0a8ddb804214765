"""The host's admin: who may open our pages, the buttons, the menu, and the base template."""

from collections.abc import Iterator
from typing import Any

from flask import Flask
from flask_admin.menu import BaseMenu
from jinja2 import Environment, TemplateError, nodes

from flask_refunds.admin.row_actions import AccountHistoryAction
from flask_refunds.doctor.findings import Finding, finding, shown
from flask_refunds.wired import Wired

MENU = ("refunds_desk", "refunds_report")
"""The endpoints of ours that the menu leads to."""
OURS = "refunds/"


def panel(app: Flask, wired: Wired) -> list[Finding]:
    """Return what in the admin of *app* keeps people from our pages, or lets everybody in."""
    found = [] if app.secret_key else [finding("secret_key")]
    if wired.gatekeeper is None:
        found.append(finding("pages_closed"))
    return [*found, *_buttons(app, wired), *_menu(wired), *_templates(app, wired)]


def _buttons(app: Flask, wired: Wired) -> Iterator[Finding]:
    storefront = wired.runtime.storefront
    for code, model, mapped in (
        ("users_without_button", storefront.customer_model, storefront.customers is not None),
        ("orders_without_button", storefront.order_model, wired.gatekeeper is not None),
    ):
        views = [view for view in wired.admin._views if model and _model(view) is model]  # noqa: SLF001 - Flask-Admin has no public list
        if mapped and not views:
            yield finding(code, example=model.__name__ if model else "")
        if views and not any(_shows_button(app, view) for view in views):
            yield finding("button_lost", example=f"the view {views[0].endpoint}")


def _model(view: Any) -> Any:
    return getattr(view, "model", None)


def _shows_button(app: Flask, view: Any) -> bool:
    """Return whether the list of *view* has our button, as far as its template can be read."""
    if not view.column_display_actions:
        return False
    if not any(isinstance(each, AccountHistoryAction) for each in view.get_list_row_actions()):
        return False
    environment = app.jinja_env
    try:
        chain = list(_chain(environment, view.list_template, view.admin.theme.base_template))
    except TemplateError:
        return False
    return any("list_row_actions" in source for source in chain)


def _menu(wired: Wired) -> Iterator[Finding]:
    there = {
        getattr(getattr(entry, "_view", None), "endpoint", None)
        for entry in _entries(wired.admin.menu())
    }
    for view in wired.admin._views:  # noqa: SLF001
        if view.endpoint in MENU and view.endpoint not in there:
            yield finding("menu_missing", example=f"{view.name} ({view.endpoint})")


def _entries(menu: list[BaseMenu]) -> Iterator[BaseMenu]:
    for entry in menu:
        yield entry
        yield from _entries(entry.get_children() if entry.is_category() else [])


def _templates(app: Flask, wired: Wired) -> Iterator[Finding]:
    """Yield what is wrong with our templates, the host's own versions of them included."""
    environment, base = app.jinja_env, wired.admin.theme.base_template
    lacking: dict[str, list[str]] = {}
    for name in sorted(_ours(environment)):
        try:
            environment.get_template(name)
            for block in _blocks_without_place(environment, name, base):
                lacking.setdefault(block, []).append(name)
        except TemplateError as error:
            said = f"{type(error).__name__}: {shown(error.message or name)}"
            yield finding("template_broken", example=f"{name}: {said}")
    for block, names in lacking.items():
        yield finding("template_blocks", block=block, count=len(names), example=names[0])


def _ours(environment: Environment) -> list[str]:
    return [
        name for name in environment.list_templates(extensions=["html"]) if name.startswith(OURS)
    ]


def _blocks_without_place(environment: Environment, name: str, base: str) -> set[str]:
    """Return the outermost blocks of *name* that no template that it extends has."""
    chain = list(_chain(environment, name, base))
    if len(chain) < 2:
        return set()
    outermost = {
        each.name for each in environment.parse(chain[0]).body if isinstance(each, nodes.Block)
    }
    places = {
        block.name
        for source in chain[1:]
        for block in environment.parse(source).find_all(nodes.Block)
    }
    return outermost - places


def _chain(environment: Environment, name: str, base: str) -> Iterator[str]:
    """Yield the sources of the template *name* and of all that it extends.

    What is extended by a variable is the admin's *base*.
    """
    next_: str | None = name
    while next_ is not None:
        assert environment.loader is not None
        source, _, _ = environment.loader.get_source(environment, next_)
        yield source
        extends = environment.parse(source).find(nodes.Extends)
        if extends is None:
            return
        constant = extends.template
        next_ = str(constant.value) if isinstance(constant, nodes.Const) else base
