"""What the open form is told while a person fills it in: total, tax, each line, what is left."""

from dataclasses import dataclass, field, replace

from flask_refunds.admin.issue_form import IssueForm
from flask_refunds.admin.presenting import field_text, money_text
from flask_refunds.admin.words import gettext
from flask_refunds.config import Config
from flask_refunds.planning import Plan, RefundRequest
from flask_refunds.states import Method


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """The quote in words. ``lines`` and ``errors`` are by the ids of the form's fields.

    ``needs_other``: some of it has to go back by other means. ``submit`` is the button's text.
    """

    total: str = ""
    tax: str = ""
    left: str = ""
    to_cards: str = ""
    by_other: str = ""
    needs_other: bool = True
    submit: str = ""
    lines: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def for_quote(wanted: RefundRequest, config: Config) -> RefundRequest:
    """Return *wanted* with a reason and means filled in, which a quote does not ask for yet."""
    return replace(
        wanted,
        reason=wanted.reason or next(iter(config.reasons)),
        other_kind=wanted.other_kind or next(iter(config.other_means)),
    )


def quoted(form: IssueForm, plan: Plan | None) -> Quoted:
    """Return what *plan*, or the errors of *form* when there is none, says to people."""
    currency = form.standing.order.currency
    left = money_text(form.standing.balance, currency)
    problems = {name or "form": message for name, message in reversed(form.problems)}
    if plan is None:
        needs_other = not form.to_card.data
        return Quoted(
            left=left, errors=problems, needs_other=needs_other, submit=gettext("Issue Refund")
        )
    entries = form.entries
    lines = {}
    for line in plan.lines:
        entry = entries.get((line.item.kind, line.item.ref))
        if entry is not None:
            lines[entry.amount.id] = field_text(line.components.paid, currency)
            lines[entry.quantity.id] = str(line.components.quantity)
        elif form.everything.data:
            lines[form.adjustment.id] = field_text(line.components.paid, currency)
    cards = sum(t.amount for t in plan.transfers if t.method is Method.CARD)
    total = money_text(plan.amount, currency)
    words = "Refund %(total)s" if cards else "Record refund of %(total)s"
    return Quoted(
        total=total,
        tax=money_text(plan.tax, currency),
        left=left,
        to_cards=money_text(cards, currency) if cards else "",
        by_other=money_text(plan.amount - cards, currency) if plan.amount - cards else "",
        needs_other=plan.amount > cards,
        submit=gettext(words, total=total),
        lines=lines,
        errors=problems,
    )
