"""What all of our pages have in common: access, and an answer to everything that may go wrong."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, make_response
from flask.typing import ResponseReturnValue
from flask_admin import Admin, BaseView

from flask_refunds import errors, logs, wired
from flask_refunds.admin.access import HostAccess, wants_fragment
from flask_refunds.admin.refusals import Explained, explain
from flask_refunds.admin.words import gettext
from flask_refunds.policy import Actor
from flask_refunds.runtime import Runtime


class Page(BaseView):
    """A page that no cache keeps. Errors of ours that a view lets through get a page."""

    def create_blueprint(self, admin: Admin) -> Blueprint:
        """Return the blueprint of the view; what it answers is about people and their money."""
        blueprint: Blueprint = super().create_blueprint(admin)
        blueprint.after_request(_kept_nowhere)
        return blueprint

    @property
    def runtime(self) -> Runtime:
        """The services of the current application."""
        return wired.current().runtime

    def actor(self) -> Actor | None:
        """Return who is signed in, if anybody with an identity is."""
        return wired.current().policy.actor()

    def render(self, template: str, **kwargs: Any) -> str:
        """Return *template* rendered with what Flask-Admin's pages need."""
        return str(super().render(template, **kwargs))

    def get_url(self, endpoint: str, **kwargs: Any) -> str:
        """Return the URL of *endpoint*, relative to this view when it begins with a dot."""
        return str(super().get_url(endpoint, **kwargs))

    def problem(self, explained: Explained) -> ResponseReturnValue:
        """Return a page, or JSON for our script, that says what is the matter."""
        if wants_fragment():
            body = jsonify(error=explained.message, field=explained.field)
            return make_response(body, explained.status)
        return problem_page(self, explained)

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return fn(self, *args, **kwargs)
        except (errors.Refusal, errors.Busy, errors.NotMigrated) as error:
            return self.problem(explain(error))
        except errors.ConfigurationError as error:
            logs.exception("page_refused", error, page=self.endpoint)
            return self.problem(explain(error))


class RefundsPage(HostAccess, Page):
    """A page of ours in the host's admin, open to whoever may open the host's orders."""


def problem_page(view: BaseView, explained: Explained) -> ResponseReturnValue:
    """Return a page of *view* that says what is the matter, with its HTTP status."""
    page = view.render("refunds/problem.html", problem=explained, title=_title(explained))
    return make_response(page, explained.status)


def add_page(app: Flask, admin: Admin, page: BaseView) -> None:
    """Add *page* to *admin*; its forms check a CSRF token of their own, whatever the host does."""
    admin.add_view(page)
    protect = app.extensions.get("csrf")
    if protect is not None:
        protect.exempt(page.blueprint)


def _kept_nowhere(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _title(explained: Explained) -> str:
    titles = {
        403: gettext("Not allowed"),
        404: gettext("Not found"),
        503: gettext("Not available now"),
    }
    return titles.get(explained.status, gettext("This was refused"))
