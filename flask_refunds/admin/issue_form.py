"""The Issue Refund form: its fields, and what they ask of the services. Checks shape only."""

from typing import Any

from flask_admin.babel import lazy_gettext
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import Length

from flask_refunds.admin.lines_form import LinesForm, is_filled, pieces_of
from flask_refunds.admin.words import gettext
from flask_refunds.config import Config
from flask_refunds.planning import RefundRequest, Standing


class IssueForm(LinesForm):
    """A refund as a person asks for it."""

    everything = BooleanField(lazy_gettext("Refund everything that is left"))
    to_card = BooleanField(lazy_gettext("Refund to the credit card automatically"))
    despite_dispute = BooleanField(lazy_gettext("Refund although the sale is disputed"))
    other_kind = SelectField(lazy_gettext("Other means"), validate_choice=False)
    other_reference = StringField(
        lazy_gettext("Reference"),
        [Length(max=255, message=lazy_gettext("This is too long."))],
    )

    def __init__(self, standing: Standing, config: Config, **options: Any) -> None:
        super().__init__(standing, config, **options)
        self.other_kind.choices = [("", gettext("Choose…")), *config.other_means.items()]

    @property
    def is_filled(self) -> bool:
        """Whether anything to refund was ticked or typed."""
        typed = [f for entry in self.entries.values() for f in (entry.quantity, entry.amount)]
        return bool(self.everything.data) or any(map(is_filled, [*typed, self.adjustment]))

    def wanted(self, order_ref: str, customer_ref: str | None) -> RefundRequest | None:
        """Return what the form asks for; ``None`` if malformed, with errors at the fields."""
        self.check_lines()
        # With nothing left it may be a replay, which issuing knows.
        if self.everything.data and self.standing.balance and self._contradicts():
            words = "This takes all that is left, but other figures were typed. Choose one of both."
            self.everything.errors = [*self.everything.errors, gettext(words)]
        request = RefundRequest(
            order_ref=order_ref,
            token=self.token.data or "",
            reason=self.reason.data or "",
            selections=() if self.everything.data else self.selections(),
            adjustment=0 if self.everything.data else self.amount_of(self.adjustment) or 0,
            everything=bool(self.everything.data),
            to_card=bool(self.to_card.data),
            other_kind=self.other_kind.data or None,
            other_reference=(self.other_reference.data or "").strip(),
            note=(self.note.data or "").strip(),
            customer_ref=customer_ref,
            despite_dispute=bool(self.despite_dispute.data),
        )
        return None if self.problems else request

    def _contradicts(self) -> bool:
        """Return whether anything was typed that is not what is left."""
        left = {(item.kind, item.ref): item.left for item in self.standing.items}
        for key, entry in self.entries.items():
            pieces, paid = (left[key].quantity, left[key].paid) if key in left else (0, 0)
            if is_filled(entry.quantity) and pieces_of(entry.quantity) != pieces:
                return True
            if is_filled(entry.amount) and self.amount_of(entry.amount) != paid:
                return True
        more = self.adjustment
        return is_filled(more) and self.amount_of(more) != self.standing.adjustment
