"""Adding reports to the host's admin, or letting them serve in the place of the host's own."""

from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask_admin import Admin, BaseView
from flask_admin.menu import BaseMenu

from flask_refunds.admin.pages import add_page
from flask_refunds.errors import ConfigurationError
from flask_refunds.reports.page import ReportMixin
from flask_refunds.reports.refunds import RefundsReport, RefundsReportMixin


def register(app: Flask, admin: Admin, reports: Sequence[type[BaseView] | BaseView]) -> None:
    """Add *reports*, classes or views, to *admin*; one that subclasses a view of it replaces it.

    Reporting > Refunds is always among them. Raises
    :exc:`~flask_refunds.errors.ConfigurationError` when one is neither.
    """
    for report in reports:
        if isinstance(report, BaseView):
            add_page(app, admin, report)
        elif _is_own(report) and not _replaceable(admin, report):
            add_page(app, admin, _made(report))
        else:
            replace(app, admin, report)
    if not any(isinstance(view, RefundsReportMixin) for view in admin._views):  # noqa: SLF001
        add_page(app, admin, RefundsReport())


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
    for entry in entries(admin.menu()):
        if getattr(entry, "_view", None) is old:
            entry._view = new  # noqa: SLF001
    if admin.app is not None:  # otherwise the host registers its views later, the new one too
        _serve(app, old, new)
    return new


def _is_own(report: Any) -> bool:
    return isinstance(report, type) and issubclass(report, ReportMixin)


def _replaceable(admin: Admin, report: type[BaseView]) -> bool:
    """Return whether *admin* has a view of a class that *report* derives from."""
    return any(type(view) in report.__mro__[1:] for view in admin._views)  # noqa: SLF001


def _made(report: type[BaseView]) -> BaseView:
    try:
        return report()
    except TypeError as error:
        raise ConfigurationError(
            f"{report.__name__} cannot be made without arguments ({error}). Pass an instance of "
            "it in reports=, made as its base class wants it."
        ) from error


def _served_by(admin: Admin, replacement: Any) -> BaseView:
    """Return the view of the nearest class that *replacement* derives from."""
    if not (isinstance(replacement, type) and issubclass(replacement, BaseView)):
        raise ConfigurationError(
            "reports= takes reports of ours, ready-made or over a base view of the host's, and "
            f"classes that subclass a report of the host's, not {replacement!r}."
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


def entries(menu: list[BaseMenu]) -> list[BaseMenu]:
    """Return all entries of a *menu*, those inside of others too, whoever may see them."""
    found = list(menu)
    for entry in menu:
        found += entries(entry._children)  # noqa: SLF001
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
