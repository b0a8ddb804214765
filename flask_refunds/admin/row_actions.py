"""The **Account History** button in the rows of the host's own lists."""

from collections.abc import Callable
from typing import Any

from flask import render_template
from flask_admin import BaseView
from flask_admin.model.template import BaseListRowAction
from markupsafe import Markup

from flask_refunds import wired
from flask_refunds.admin import references
from flask_refunds.admin.history import HistoryView
from flask_refunds.admin.words import gettext


class AccountHistoryAction(BaseListRowAction):
    """A labelled link to the history of a row's customer, or of whoever placed a row's order.

    Renders nothing for whom the history is closed, and for a row that has no key of ours.
    """

    def __init__(
        self, view: HistoryView, argument: str, token: Callable[[Any], str | None]
    ) -> None:
        super().__init__(title="Account History")
        self._view, self._argument, self._token = view, argument, token

    def render(self, context: Any, row_id: str, row: Any) -> Markup:
        token = self._token(row)
        if token is None or not self._view.is_accessible():
            return Markup("")
        url = self._view.get_url("refunds_history.index", **{self._argument: token})
        html = render_template("refunds/row_action.html", url=url, title=gettext("Account History"))
        return Markup(html)  # noqa: S704  # an escaping template made it


def add_buttons(view: HistoryView, *, customers: BaseView | None, orders: BaseView | None) -> None:
    """Add the button to the host's lists of *customers* and *orders*, beside its own actions."""
    if customers is not None:
        _append(customers, AccountHistoryAction(view, "customer", _customer))
    if orders is not None:
        _append(orders, AccountHistoryAction(view, "order", _order))


def _append(view: Any, action: AccountHistoryAction) -> None:
    view.column_extra_row_actions = [*(view.column_extra_row_actions or ()), action]


def _customer(row: Any) -> str | None:
    key = wired.current().runtime.storefront.customer_key
    ref = key.of_instance(row) if key is not None else None
    return references.customer_token(ref) if ref is not None else None


def _order(row: Any) -> str | None:
    ref = wired.current().runtime.storefront.order_key.of_instance(row)
    return references.order_token(ref) if ref is not None else None
