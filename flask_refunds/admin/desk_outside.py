"""What a person says about a refund that was made in the gateway's own panel."""

from typing import Any

from flask_admin.babel import lazy_gettext
from wtforms import TextAreaField
from wtforms.validators import DataRequired

from flask_refunds import confirming, wired
from flask_refunds.admin.desk_actions import LONGEST_WHY, Action, at_most
from flask_refunds.admin.forms import OwnForm
from flask_refunds.admin.lines_form import LinesForm
from flask_refunds.admin.presenting import field_text
from flask_refunds.admin.words import gettext
from flask_refunds.confirming import Confirmation, Proposal
from flask_refunds.dossier import Movement
from flask_refunds.policy import Actor
from flask_refunds.runtime import Runtime
from flask_refunds.states import TransferState


class ConfirmForm(LinesForm):
    """For which items it was; opened with the proposal filled in."""

    def __init__(self, proposal: Proposal, **options: Any) -> None:
        super().__init__(proposal.standing, wired.current().runtime.config, **options)
        if not self.is_submitted():
            self._fill(proposal)

    def validate(self, extra_validators: Any = None) -> bool:
        """Check the shape of all that was typed."""
        shaped = super().validate(extra_validators)
        self.check_lines()
        self.confirmation = Confirmation(
            selections=self.selections(),
            adjustment=self.amount_of(self.adjustment) or 0,
            reason=self.reason.data or "",
            note=(self.note.data or "").strip(),
        )
        return shaped and not self.problems

    def _fill(self, proposal: Proposal) -> None:
        currency, entries = proposal.standing.order.currency, self.entries
        for selection in proposal.selections:
            entry = entries.get((selection.kind, selection.ref))
            if entry is not None and selection.paid is not None:
                entry.amount.data = field_text(selection.paid, currency)
                entry.quantity.data = str(selection.quantity or "")
        if proposal.adjustment:
            self.adjustment.data = field_text(proposal.adjustment, currency)


class InShopForm(OwnForm):
    """Where the shop's own records have it."""

    why = TextAreaField(
        lazy_gettext("Where do the shop's own records have it?"),
        [DataRequired(lazy_gettext("Say where.")), at_most(LONGEST_WHY)],
    )


def _confirm_form(movement: Movement) -> OwnForm:
    return ConfirmForm(confirming.read_proposal(wired.current().runtime, movement.id))


def _confirm(runtime: Runtime, movement: Movement, actor: Actor, form: ConfirmForm) -> str:
    state = confirming.confirm_outside(runtime, movement.id, actor, form.confirmation)
    if state is TransferState.COMPLETED:
        return gettext("It is recorded for which items this was. The reports count it from now on.")
    return gettext(
        "It is recorded for which items this was. The reports count it when it has settled."
    )


def _in_shop(runtime: Runtime, movement: Movement, actor: Actor, form: InShopForm) -> str:
    confirming.disown(runtime, movement.id, actor, why=form.why.data or "")
    return gettext("The shop's own records count for this. It is not counted a second time.")


_DONE_BY = {
    "confirmed": "%(who)s has said on %(when)s for which items this was. Nothing was done twice.",
    "in_shop": (
        "%(who)s has said on %(when)s that the shop's own records have it. Nothing was done twice."
    ),
}

CONFIRM = Action(
    name="confirm",
    form=_confirm_form,
    allowed=lambda movement: movement.may_confirm,
    run=_confirm,
    done_by=_DONE_BY,
)
IN_SHOP = Action(
    name="in_shop",
    form=lambda _: InShopForm(),
    allowed=lambda movement: movement.may_confirm,
    run=_in_shop,
    done_by=_DONE_BY,
)
