"""What a person may do about a transfer: three small forms, and the services behind them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_admin.babel import lazy_gettext
from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from flask_refunds import correcting, wired
from flask_refunds.admin.forms import OwnForm
from flask_refunds.admin.presenting import when_text
from flask_refunds.admin.words import gettext
from flask_refunds.dossier import Dossier, Movement
from flask_refunds.policy import Actor
from flask_refunds.runtime import Runtime

LONGEST_WHY = 1000


def at_most(most: int) -> Length:
    """Return the validator of a text of *most* characters at most."""
    return Length(max=most, message=lazy_gettext("This is too long."))


class RetryForm(OwnForm):
    """Confirms a retry. ``generation`` is the failure that the person saw."""

    generation = HiddenField()
    despite_dispute = BooleanField(lazy_gettext("Refund although the sale is disputed"))
    why = StringField(lazy_gettext("Note (optional)"), [at_most(LONGEST_WHY)])


class PayOtherwiseForm(OwnForm):
    """How the money went back instead."""

    other_kind = SelectField(lazy_gettext("Given back by"), validate_choice=False)
    reference = StringField(lazy_gettext("Reference (optional)"), [at_most(255)])
    despite_dispute = BooleanField(lazy_gettext("Give back although the sale is disputed"))
    why = StringField(lazy_gettext("Note (optional)"), [at_most(LONGEST_WHY)])

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        means = wired.current().runtime.config.other_means
        self.other_kind.choices = [("", gettext("Choose…")), *means.items()]


class ReverseForm(OwnForm):
    """Why the record was a mistake."""

    why = TextAreaField(
        lazy_gettext("Why was it a mistake?"),
        [InputRequired(lazy_gettext("Say why.")), at_most(LONGEST_WHY)],
    )


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing to do about a transfer.

    ``form`` makes its form, or raises :exc:`~flask_refunds.errors.WrongState`; ``run`` calls the
    service and returns what to tell the person. ``done_by`` are the actions in the history after
    which it cannot be done (again).
    """

    name: str
    form: Callable[[Movement], OwnForm]
    allowed: Callable[[Movement], bool]
    run: Callable[[Runtime, Movement, Actor, Any], str]
    done_by: Mapping[str, str]


def _retry(runtime: Runtime, movement: Movement, actor: Actor, form: RetryForm) -> str:
    seen = form.generation.data or ""
    woken = correcting.retry(
        runtime,
        movement.id,
        actor,
        why=(form.why.data or "").strip(),
        generation=int(seen) if seen.isdecimal() and len(seen) < 10 else -1,
        despite_dispute=bool(form.despite_dispute.data),
    )
    if woken:
        return gettext("The retry is recorded and a worker was told. This page follows it.")
    if runtime.config.redis_url is None:
        return gettext("The retry is recorded. It runs with the next sweep.")
    return gettext(
        "The retry is recorded. The queue cannot be reached just now: it will run later, by itself."
    )


def _pay_otherwise(
    runtime: Runtime, movement: Movement, actor: Actor, form: PayOtherwiseForm
) -> str:
    correcting.pay_otherwise(
        runtime,
        movement.id,
        actor,
        kind=form.other_kind.data or "",
        reference=(form.reference.data or "").strip(),
        why=(form.why.data or "").strip(),
        despite_dispute=bool(form.despite_dispute.data),
    )
    return gettext("Recorded: the money went back by other means.")


def _reverse(runtime: Runtime, movement: Movement, actor: Actor, form: ReverseForm) -> str:
    correcting.reverse(runtime, movement.id, actor, why=form.why.data or "")
    return gettext("The record was taken back. The reports are corrected from now on.")


_RETRIED = "Already retried by %(who)s on %(when)s. Nothing was done twice."
_PAID = "Already given back by other means by %(who)s on %(when)s. Nothing was done twice."
_REVERSED = "This record was already taken back by %(who)s on %(when)s. Nothing was done twice."

RETRY = Action(
    name="retry",
    form=lambda _: RetryForm(),
    allowed=lambda movement: movement.may_retry,
    run=_retry,
    done_by={"retried": _RETRIED, "paid_otherwise": _PAID},
)
PAY_OTHERWISE = Action(
    name="pay_otherwise",
    form=lambda _: PayOtherwiseForm(),
    allowed=lambda movement: movement.may_retry,
    run=_pay_otherwise,
    done_by={"retried": _RETRIED, "paid_otherwise": _PAID},
)
REVERSE = Action(
    name="reverse",
    form=lambda _: ReverseForm(),
    allowed=lambda movement: movement.may_reverse,
    run=_reverse,
    done_by={"reversed": _REVERSED},
)


def already(action: Action, dossier: Dossier, movement: Movement) -> str:
    """Return why *action* is not possible (any more), naming who was faster, if anybody was."""
    about = {movement.id, movement.replaced_by}
    for entry in dossier.history:
        if entry.transfer_id in about and entry.action in action.done_by:
            words = action.done_by[entry.action]
            return gettext(words, who=entry.actor_label, when=when_text(entry.at))
    return gettext("This is not possible in the transfer's present state. Nothing was done.")
