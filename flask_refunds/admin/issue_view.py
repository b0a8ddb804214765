"""Issue Refund: the modal, and the same form as a page for browsers without scripts."""

from typing import Any
from urllib.parse import urlencode

from flask import flash, jsonify, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from flask_refunds import errors, forecasting, histories, issuing, wired
from flask_refunds.admin import references
from flask_refunds.admin.access import wants_fragment
from flask_refunds.admin.forms import check_one_time_token, one_time_token
from flask_refunds.admin.history import HistoryView
from flask_refunds.admin.issue_form import IssueForm
from flask_refunds.admin.pages import RefundsPage
from flask_refunds.admin.presenting import failure_text, money_text
from flask_refunds.admin.quoting import for_quote, quoted
from flask_refunds.admin.refusals import card_problem_text
from flask_refunds.admin.words import gettext
from flask_refunds.desks import refund_number
from flask_refunds.history_facts import HistoryOrder
from flask_refunds.host_session import end_reads
from flask_refunds.issuing import Issued
from flask_refunds.planning import Standing
from flask_refunds.policy import Actor, require_permission


class IssueView(RefundsPage):
    """The form that issues a refund on one order; hidden from the menu."""

    def __init__(self, history: HistoryView, **options: Any) -> None:
        super().__init__(**options)
        self._history = history

    def is_visible(self) -> bool:
        return False

    @expose("/", methods=("GET", "POST"))
    def index(self) -> ResponseReturnValue:
        """Show the form of one order, or issue the refund that it asks for."""
        form, order_ref, actor = self._open()
        if request.method == "POST":
            return self._issue(form, order_ref, actor)
        standing = form.standing
        if standing.captured == 0:
            raise errors.NothingPaid()
        if standing.balance == 0:
            raise errors.AboveBalance(asked=0, left=0, currency=standing.order.currency)
        form.token.data = one_time_token(actor, order_ref)
        return self._show(form, 200)

    @expose("/quote", methods=("POST",))
    def quote(self) -> ResponseReturnValue:
        """Return what the form would give back if it were sent now. Writes nothing."""
        form, order_ref, _ = self._open()
        if not form.validate() and form.expired():
            return jsonify(error=form.problems[-1][1]), 400
        wanted = form.wanted(order_ref, None)
        plan = None
        try:
            if wanted is not None:
                wanted = for_quote(wanted, self.runtime.config)
                plan = issuing.quote(self.runtime, order_ref, wanted).plan
        except errors.NothingSelected:
            pass
        except errors.Refusal as refusal:
            form.refuse(refusal)
        body = quoted(form, plan)
        return jsonify(html=self.render("refunds/quote.html", quote=body, form=form), **vars(body))

    @expose("/forecast", methods=("POST",))
    def forecast(self) -> ResponseReturnValue:
        """Return what will happen at the gateway. Takes as long as the gateway does."""
        form, order_ref, _ = self._open()
        wanted = form.wanted(order_ref, None) if form.validate() else None
        seen: tuple[forecasting.Foreseen, ...] = ()
        try:
            if wanted is not None and wanted.to_card:
                wanted = for_quote(wanted, self.runtime.config)
                plan = issuing.quote(self.runtime, order_ref, wanted).plan
                if plan is not None:
                    seen = forecasting.foresee(
                        self.runtime,
                        plan,
                        form.standing.order.currency,
                        despite_dispute=wanted.despite_dispute,
                    )
        except errors.Refusal:
            pass  # the quote says what is wrong
        currency = form.standing.order.currency
        html = self.render(
            "refunds/forecast.html", seen=seen, currency=currency, failure_text=failure_text
        )
        return jsonify(html=html.strip(), disputed=any(card.disputed for card in seen))

    def _open(self) -> tuple[IssueForm, str, Actor]:
        """Return the form of the order that the URL names, for whoever may refund it."""
        order_ref = references.read_order_token(request.args.get("order", ""))
        standing = issuing.quote(self.runtime, order_ref).standing
        actor = self._permitted(None, standing.order.currency)
        if self._customer() not in {None, standing.order.customer_ref}:
            raise errors.OrderOfAnotherCustomer()
        sent = request.form if request.method == "POST" else None
        form = IssueForm(standing, self.runtime.config, formdata=sent)
        return form, order_ref, actor

    def _permitted(self, amount: int | None, currency: str) -> Actor:
        """Return the actor if the policy lets them; the host's reads for it are ended again."""
        here = wired.current()
        try:
            return require_permission(here.policy, amount, currency)
        finally:
            end_reads(here.host_session())

    def _issue(self, form: IssueForm, order_ref: str, actor: Actor) -> ResponseReturnValue:
        if not form.validate() and form.expired():
            form.renew_csrf()
            return self._show(form, 400)
        wanted = form.wanted(order_ref, self._customer())
        if wanted is None:
            return self._show(form, 422)
        try:
            if not check_one_time_token(wanted.token, actor, order_ref):
                raise errors.MissingToken()
            issued = issuing.issue(self.runtime, wanted, actor, permit=self._permitted)
        except (errors.Refusal, errors.Busy) as refusal:
            status = form.refuse(refusal).status
            if isinstance(refusal, errors.TokenReused | errors.MissingToken):
                form.token.data = one_time_token(actor, order_ref)
            return self._show(form, status)
        return self._done(order_ref, issued)

    def _show(self, form: IssueForm, status: int) -> ResponseReturnValue:
        name = "refunds/issue_form.html" if wants_fragment() else "refunds/issue.html"
        standing = form.standing
        page = self.render(
            name,
            form=form,
            standing=standing,
            order=standing.order,
            facts=histories.order_now(self.runtime, standing.order.ref),
            card_obstacle=_card_obstacle(standing),
            card_problem_text=card_problem_text,
            action=self._url("index"),
            quote_url=self._url("quote"),
            forecast_url=self._url("forecast"),
            back=self.get_url("refunds_history.index", order=request.args["order"]),
        )
        return make_response(page, status)

    def _done(self, order_ref: str, issued: Issued) -> ResponseReturnValue:
        now = histories.order_now(self.runtime, order_ref)
        message = self._message(issued, now)
        if not wants_fragment():
            flash(message, "success")
            where = self.get_url("refunds_history.index", order=request.args["order"])
            return redirect(where, 303)
        (shown,) = self._history.shown([now], request.args.get("customer"))
        body = jsonify(
            message=message,
            refund=issued.refund_id,
            order=shown.token,
            html=self._history.fragment(shown),
        )
        return make_response(body, 200 if issued.replayed else 201)

    def _message(self, issued: Issued, now: HistoryOrder) -> str:
        refund = next(r for r in now.refunds if r.id == issued.refund_id)
        amount = money_text(refund.amount, now.order.currency)
        if issued.replayed:
            words = "Refund %(number)s of %(amount)s was recorded before; nothing was added to it."
        elif not issued.transfer_ids:
            words = "Refund %(number)s of %(amount)s is recorded."
        elif issued.woken:
            words = "Refund %(number)s of %(amount)s is started."
        elif self.runtime.config.redis_url:
            words = (
                "Refund %(number)s of %(amount)s is recorded. The queue is down just now; the "
                "refund will run when it is back."
            )
        else:
            words = "Refund %(number)s of %(amount)s is recorded and will run with the next sweep."
        return gettext(words, number=refund_number(refund.id), amount=amount)

    def _url(self, name: str) -> str:
        return f"{self.get_url(f'.{name}')}?{urlencode(list(request.args.items(multi=True)))}"

    def _customer(self) -> str | None:
        token = request.args.get("customer")
        return references.read_customer_token(token) if token else None


def _card_obstacle(standing: Standing) -> str:
    """Return why no card of the order can take money back; empty when one can."""
    if any(card.problem is None for card in standing.cards):
        return ""
    problems = [card.problem for card in standing.cards if card.problem]
    return card_problem_text(problems[0] if problems else "no_payment")
