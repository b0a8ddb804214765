"""The desk: find refunds and orders, see everything about one refund, and act on it."""

from typing import Any

from flask import flash, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from flask_refunds import desks, errors, watching, wired
from flask_refunds.admin import desk_search, references
from flask_refunds.admin.desk_actions import PAY_OTHERWISE, RETRY, REVERSE, Action, already
from flask_refunds.admin.desk_history import history, operation_text, outcome_text, short_name
from flask_refunds.admin.desk_outside import CONFIRM, IN_SHOP
from flask_refunds.admin.desk_resolving import ACKNOWLEDGE, ADOPT, TRY_AGAIN
from flask_refunds.admin.forms import OwnForm
from flask_refunds.admin.pages import RefundsPage
from flask_refunds.admin.presenting import failure_text, support_url, transfer_status
from flask_refunds.admin.refusals import explain
from flask_refunds.admin.words import gettext
from flask_refunds.desks import Row, Shown
from flask_refunds.dossier import Dossier, Movement, read_movement, read_refund
from flask_refunds.host_session import end_reads
from flask_refunds.order_search import MOST, FoundOrder, find_orders
from flask_refunds.policy import Actor, require_permission

TABS = {
    Shown.ALL: "All",
    Shown.NEEDS_PERSON: "Needs a person",
    Shown.IN_FLIGHT: "In flight",
    Shown.COMPLETED: "Completed",
    Shown.FAILED: "Failed",
    Shown.REVERSED: "Reversed",
}


class DeskView(RefundsPage):
    """The desk, in the top menu as "Refunds"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"name": gettext("Refunds"), "endpoint": "refunds_desk", **options})

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """List refunds, newest first, and what a search found."""
        shown = _shown(request.args.get("status"))
        after = request.args.get("after", type=int)
        search = desk_search.recall(request.args)
        listing = desks.find(self.runtime, text=search.text, shown=shown, after=after)
        orders = find_orders(self.runtime, search.text) if after is None else ()
        page: str = self.render(
            "refunds/desk.html",
            listing=listing,
            notices=watching.notices(self.runtime),
            orders=orders,
            search=search,
            shown=shown,
            after=after,
            tabs={tab: gettext(words) for tab, words in TABS.items()},
            counted=desks.COUNTED,
            number=desks.refund_number,
            order_url=self._order_url,
            failure_text=failure_text,
            most=MOST,
        )
        return page

    @expose("/search", methods=("POST",))
    def search(self) -> ResponseReturnValue:
        """Take a search by POST, so that no name or e-mail address is ever in a URL."""
        shown = _shown(request.form.get("status"))
        arguments = dict(desk_search.remember(request.form.get("text", "")))
        if shown is not Shown.ALL:
            arguments["status"] = shown
        return redirect(self.get_url(".index", **arguments), 303)

    @expose("/refund/<int:id>")
    def refund(self, id: int) -> ResponseReturnValue:  # noqa: A002  # as it stands in the URL
        """Show everything about one refund."""
        return self._page(read_refund(self.runtime, id))

    @expose("/refund/<int:id>/status")
    def status(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Return the part of a refund's page that changes by itself."""
        dossier = read_refund(self.runtime, id)
        part: str = self.render("refunds/refund_status.html", **self._shared(dossier))
        return part

    @expose("/transfer/<int:id>/retry", methods=("GET", "POST"))
    def retry(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Retry a failed card transfer."""
        return self._act(RETRY, id)

    @expose("/transfer/<int:id>/pay-otherwise", methods=("GET", "POST"))
    def pay_otherwise(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Record that the money of a failed card transfer went back by other means."""
        return self._act(PAY_OTHERWISE, id)

    @expose("/transfer/<int:id>/reverse", methods=("GET", "POST"))
    def reverse(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Take back a mistaken record of other means."""
        return self._act(REVERSE, id)

    @expose("/transfer/<int:id>/adopt", methods=("GET", "POST"))
    def adopt(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Record which refund at the gateway a transfer without a known outcome is."""
        return self._act(ADOPT, id)

    @expose("/transfer/<int:id>/try-again", methods=("GET", "POST"))
    def try_again(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Record that a transfer without a known outcome was not made, and start it again."""
        return self._act(TRY_AGAIN, id)

    @expose("/transfer/<int:id>/acknowledge", methods=("GET", "POST"))
    def acknowledge(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Record that money beside the books was settled."""
        return self._act(ACKNOWLEDGE, id)

    @expose("/transfer/<int:id>/confirm", methods=("GET", "POST"))
    def confirm(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Say for which items a refund was that was made in the gateway's own panel."""
        return self._act(CONFIRM, id)

    @expose("/transfer/<int:id>/in-shop", methods=("GET", "POST"))
    def in_shop(self, id: int) -> ResponseReturnValue:  # noqa: A002
        """Say that the shop's own records have such a refund already."""
        return self._act(IN_SHOP, id)

    def _act(self, action: Action, transfer_id: int) -> ResponseReturnValue:
        dossier, movement = read_movement(self.runtime, transfer_id)
        actor = self._permitted(movement)
        try:
            form = action.form(movement)
        except errors.WrongState:
            return self._page(dossier, warning=already(action, dossier, movement))
        if request.method == "POST" and not form.validate():
            return self._form(action, dossier, movement, form, 400 if form.expired() else 422)
        if not action.allowed(movement):
            return self._page(dossier, warning=already(action, dossier, movement))
        if request.method == "GET":
            return self._form(action, dossier, movement, form, 200)
        try:
            message = action.run(self.runtime, movement, actor, form)
        except errors.WrongState:
            dossier, movement = read_movement(self.runtime, transfer_id)
            return self._page(dossier, warning=already(action, dossier, movement))
        except (errors.Refusal, errors.Busy) as refusal:
            status = form.refuse(refusal).status
            return self._form(action, dossier, movement, form, status)
        flash(message, "success")
        return redirect(self.get_url(".refund", id=dossier.id), 303)

    def _form(
        self, action: Action, dossier: Dossier, movement: Movement, form: OwnForm, status: int
    ) -> ResponseReturnValue:
        if form.expired():
            form.renew_csrf()
        page = self.render(
            f"refunds/refund_{action.name}.html",
            movement=movement,
            form=form,
            **self._shared(dossier),
        )
        return make_response(page, status)

    def _page(self, dossier: Dossier, warning: str = "") -> ResponseReturnValue:
        page = self.render("refunds/refund.html", warning=warning, **self._shared(dossier))
        return make_response(page, 409 if warning else 200)

    def _shared(self, dossier: Dossier) -> dict[str, Any]:
        """Return what the templates of one refund need."""
        return {
            "refund": dossier,
            "title": desks.refund_number(dossier.id),
            "history": list(history(dossier)),
            "refused": {m.id: self._refused(m) for m in dossier.movements},
            "order_url": self._order_url,
            "support_url": support_url(),
            "short_name": short_name,
            "operation_text": operation_text,
            "outcome_text": outcome_text,
            "failure_text": failure_text,
            "transfer_status": transfer_status,
        }

    def _order_url(self, found: FoundOrder | Row | Dossier) -> str:
        """Return where the Account History is that has the order of *found*, opened."""
        token = references.order_token(found.order_ref)
        return str(self.get_url("refunds_history.index", order=token))

    def _permitted(self, movement: Movement) -> Actor:
        """Return the actor if they may move this money; the host's reads for it are ended."""
        here = wired.current()
        try:
            return require_permission(here.policy, movement.amount, movement.currency)
        finally:
            end_reads(here.host_session())

    def _refused(self, movement: Movement) -> str:
        """Return why the actor may not act on *movement*; empty when they may."""
        try:
            self._permitted(movement)
        except errors.Refusal as refusal:
            return explain(refusal).message
        return ""


def _shown(name: str | None) -> Shown:
    """Return the status filter called *name*, all without one, or raise ``UnknownPage``."""
    if not name:
        return Shown.ALL
    if name not in set(Shown):
        raise errors.UnknownPage()
    return Shown(name)
