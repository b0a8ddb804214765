"""What a person does when the gateway does not tell what happened: three small forms."""

from flask_admin.babel import lazy_gettext
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from flask_refunds import resolving
from flask_refunds.admin.desk_actions import LONGEST_WHY, Action, at_most
from flask_refunds.admin.forms import OwnForm
from flask_refunds.admin.words import gettext
from flask_refunds.dossier import Movement
from flask_refunds.models import REF_LENGTH
from flask_refunds.policy import Actor
from flask_refunds.runtime import Runtime


class AdoptForm(OwnForm):
    """Which record of the gateway is this refund."""

    gateway_refund_id = StringField(
        lazy_gettext("Number of the refund at the gateway"),
        [
            InputRequired(lazy_gettext("Copy the number from the gateway's panel.")),
            at_most(REF_LENGTH),
        ],
    )
    why = StringField(lazy_gettext("Note (optional)"), [at_most(LONGEST_WHY)])


class WhyForm(OwnForm):
    """What the person saw."""

    why = TextAreaField(
        lazy_gettext("What did you see, and where?"),
        [InputRequired(lazy_gettext("Say what you saw.")), at_most(LONGEST_WHY)],
    )


def _adopt(runtime: Runtime, movement: Movement, actor: Actor, form: AdoptForm) -> str:
    resolving.adopt(
        runtime,
        movement.id,
        actor,
        gateway_refund_id=form.gateway_refund_id.data or "",
        why=(form.why.data or "").strip(),
    )
    return gettext("Recorded: the gateway has paid this back. Nothing was sent.")


def _try_again(runtime: Runtime, movement: Movement, actor: Actor, form: WhyForm) -> str:
    resolving.try_again(runtime, movement.id, actor, why=form.why.data or "")
    return gettext("Recorded: it was not paid back. It starts again; this page follows it.")


def _acknowledge(runtime: Runtime, movement: Movement, actor: Actor, form: WhyForm) -> str:
    resolving.acknowledge(runtime, movement.id, actor, why=form.why.data or "")
    return gettext("Recorded. This needs nobody any more.")


_ADOPTED = "%(who)s already found it at the gateway on %(when)s. Nothing was done twice."
_NOT_DONE = "%(who)s already had it started again on %(when)s. Nothing was done twice."
_SEEN = "%(who)s already settled this on %(when)s."
_RESOLVED = {"found_by_person": _ADOPTED, "declared_not_done": _NOT_DONE}

ADOPT = Action(
    name="adopt",
    form=lambda _: AdoptForm(),
    allowed=lambda movement: movement.may_resolve,
    run=_adopt,
    done_by=_RESOLVED,
)
TRY_AGAIN = Action(
    name="try_again",
    form=lambda _: WhyForm(),
    allowed=lambda movement: movement.may_resolve,
    run=_try_again,
    done_by=_RESOLVED,
)
ACKNOWLEDGE = Action(
    name="acknowledge",
    form=lambda _: WhyForm(),
    allowed=lambda movement: movement.may_acknowledge,
    run=_acknowledge,
    done_by={"acknowledged": _SEEN},
)
