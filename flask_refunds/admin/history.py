"""Account History: a customer's or guest's orders, and the refunds on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from flask_refunds import errors, histories, wired
from flask_refunds.admin import references
from flask_refunds.admin.forms import storable
from flask_refunds.admin.pages import RefundsPage
from flask_refunds.admin.presenting import failure_text, support_url
from flask_refunds.admin.refusals import explain
from flask_refunds.admin.words import gettext
from flask_refunds.desks import refund_number
from flask_refunds.histories import History, Owner
from flask_refunds.history_facts import HistoryLine, HistoryOrder
from flask_refunds.host_session import end_reads
from flask_refunds.policy import require_permission


@dataclass(frozen=True, kw_only=True)
class ShownOrder:
    """An order on the page. ``obstacle`` says in words why it cannot be refunded now."""

    facts: HistoryOrder
    token: str
    issue_url: str
    obstacle: str


class HistoryView(RefundsPage):
    """Account History, reached from the host's lists; hidden from the menu."""

    def is_visible(self) -> bool:
        return False

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show one page of a customer's or guest's orders, newest first."""
        number = storable(request.args.get("q", "")).strip()
        opened = references.read_order_token(request.args.get("order", "")) if _asked() else None
        history = self._history(opened, number)
        if history is None:
            raise errors.UnknownCustomer()
        whose = whose_arguments(history.owner)
        orders = self.shown(history.orders, whose.get("customer"))
        return self.render(
            "refunds/history.html",
            owner=history.owner,
            orders=orders,
            opened=references.order_token(opened) if opened else None,
            number=number,
            whose=whose,
            next=references.cursor_token(history.next),
            is_first="after" not in request.args,
            **self.shared(),
        )

    @expose("/orders")
    def orders(self) -> ResponseReturnValue:
        """Return orders as they are now, for the page to take over; 40 at most."""
        refs = [references.read_order_token(t) for t in request.args.getlist("order")[:40]]
        customer = request.args.get("customer")
        found = self.shown(histories.orders_now(self.runtime, refs), customer)
        return jsonify(orders={o.token: self.fragment(o) for o in found})

    def fragment(self, order: ShownOrder) -> str:
        """Return the HTML of one order, opened."""
        return self.render("refunds/history_order.html", order=order, is_open=True, **self.shared())

    def shown(self, orders: Sequence[HistoryOrder], customer: str | None) -> list[ShownOrder]:
        """Return *orders* with what may be done about them; *customer* is the owner's reference."""
        refused = _refusals({order.order.currency for order in orders})
        return [
            ShownOrder(
                facts=order,
                token=references.order_token(order.order.ref),
                issue_url=self._issue_url(order, customer),
                obstacle=_obstacle(order) or refused[order.order.currency],
            )
            for order in orders
        ]

    def _issue_url(self, order: HistoryOrder, customer: str | None) -> str:
        arguments = {"customer": customer} if customer else {}
        token = references.order_token(order.order.ref)
        return self.get_url("refunds_issue.index", order=token, **arguments)

    def shared(self) -> dict[str, Any]:
        """Return what the fragments need besides their order."""
        return {"support_url": support_url(), "reasons": reasons, "refund_number": refund_number}

    def _history(self, opened: str | None, number: str) -> History | None:
        after = references.read_cursor_token(request.args.get("after"))
        customer, guest = request.args.get("customer"), request.args.get("guest")
        if opened is None and customer is not None:
            ref = references.read_customer_token(customer)
            return histories.customer_history(self.runtime, ref, number=number, after=after)
        ref = opened if opened is not None else references.read_guest_token(guest or "")
        return histories.order_history(self.runtime, ref, number=number, after=after)


def whose_arguments(owner: Owner) -> dict[str, str]:
    """Return the URL arguments by which the history of *owner* is addressed.

    A shop whose customers are not mapped knows them by one of their orders, as it does guests.
    """
    mapped = wired.current().runtime.storefront.customers is not None
    if owner.customer_ref is not None and mapped:
        return {"customer": references.customer_token(owner.customer_ref)}
    return {"guest": references.guest_token(owner.order_ref or "")}


def reasons(line: HistoryLine) -> list[str]:
    """Return in plain words why refunds of *line* failed, each once."""
    return list(dict.fromkeys(failure_text(f.code, f.message) for f in line.failures))


def _obstacle(order: HistoryOrder) -> str:
    """Return why nobody can refund *order* now; empty when it can be."""
    if order.captured == 0:
        return explain(errors.NothingPaid()).message
    if order.balance == 0:
        return gettext("Nothing is left to refund on this order.")
    return ""


def _refusals(currencies: Iterable[str]) -> Mapping[str, str]:
    """Return why whoever asks may not refund in each of *currencies*; empty when they may."""
    here = wired.current()
    refused = {}
    for currency in currencies:
        try:
            require_permission(here.policy, None, currency)
            refused[currency] = ""
        except errors.Refusal as refusal:
            refused[currency] = explain(refusal).message
    end_reads(here.host_session())
    return refused


def _asked() -> bool:
    return "order" in request.args
