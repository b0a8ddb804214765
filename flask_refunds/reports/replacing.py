"""Letting a class of ours serve in the place of the host's report that it subclasses."""

from typing import Any

from flask import Flask
from flask_admin import Admin, BaseView
from flask_admin.menu import BaseMenu

from flask_refunds.errors import ConfigurationError


def replace(app: Flask, admin: Admin, replacement: type[BaseView]) -> BaseView:
    """Let *replacement* serve for the view in *admin* whose class it subclasses.

    Menu entry, endpoint, URL and access stay the host's. Returns the new view. Raises
    :exc:`~flask_refunds.errors.ConfigurationError` when there is no such view, or several.
    """
    old = _served_by(admin, replacement)
    new: BaseView = object.__new__(replacement)
    new.__dict__.update(old.__dict__)
    # Flask-Admin has no public way to exchange a view.
    admin._views[:] = [new if view is old else view for view in admin._views]  # noqa: SLF001
    if admin.index_view is old:
        admin.index_view = new
    for entry in _entries(admin.menu()):
        if getattr(entry, "_view", None) is old:
            entry._view = new  # noqa: SLF001
    if admin.app is not None:  # otherwise the host registers its views later, the new one too
        _serve(app, old, new)
    return new


def _served_by(admin: Admin, replacement: Any) -> BaseView:
    """Return the view of the nearest class that *replacement* derives from."""
    if not (isinstance(replacement, type) and issubclass(replacement, BaseView)):
        raise ConfigurationError(
            f"reports= takes classes that subclass a report of the host's, not {replacement!r}."
        )
    for kind in replacement.__mro__[1:]:
        views: list[BaseView] = [v for v in admin._views if type(v) is kind]  # noqa: SLF001
        if len(views) == 1:
            return views[0]
        if views:
            endpoints = ", ".join(view.endpoint for view in views)
            raise ConfigurationError(
                f"{replacement.__name__} could replace several views of {kind.__name__} "
                f"({endpoints}). Give each of them a class of its own."
            )
    raise ConfigurationError(
        f"{replacement.__name__} subclasses no view that the admin has. Derive it from the class "
        "of the host's report, and call init_app after the host has added its views."
    )


def _entries(menu: list[BaseMenu]) -> list[BaseMenu]:
    found = list(menu)
    for entry in menu:
        found += _entries(entry._children)  # noqa: SLF001
    return found


def _serve(app: Flask, old: BaseView, new: BaseView) -> None:
    """Answer the old view's URLs by the new one, and add those that only the new one has."""
    known = {(url, name) for url, name, _ in old._urls}  # noqa: SLF001
    for url, name, methods in new._urls:  # noqa: SLF001
        endpoint = f"{new.blueprint.name}.{name}"
        if (url, name) in known:
            app.view_functions[endpoint] = getattr(new, name)
        else:
            prefix = (new.blueprint.url_prefix or "").rstrip("/")
            app.add_url_rule(prefix + url, endpoint, getattr(new, name), methods=methods)
