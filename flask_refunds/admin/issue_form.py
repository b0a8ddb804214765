"""The Issue Refund form: its fields, and what they ask of the services. Checks shape only."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_admin.babel import lazy_gettext
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import Length

from flask_refunds import errors, money
from flask_refunds.admin.forms import OwnForm
from flask_refunds.admin.refusals import Explained, explain
from flask_refunds.admin.words import gettext
from flask_refunds.config import Config
from flask_refunds.entitlement import Entitlement
from flask_refunds.planning import RefundRequest, Selection, Standing

LONGEST_QUANTITY = 9


class LineForm(Form):
    """What is to go back of one line or charge row, which ``kind`` and ``ref`` name."""

    kind = HiddenField()
    ref = HiddenField()
    quantity = StringField(lazy_gettext("Quantity"))
    amount = StringField(lazy_gettext("Amount"))


class IssueForm(OwnForm):
    """A refund as a person asks for it. Amounts are typed in ``REFUNDS_LOCALE``."""

    lines = FieldList(FormField(LineForm))
    everything = BooleanField(lazy_gettext("Refund everything that is left"))
    adjustment = StringField(lazy_gettext("Adjustment"))
    to_card = BooleanField(lazy_gettext("Refund to the credit card automatically"))
    despite_dispute = BooleanField(lazy_gettext("Refund although the sale is disputed"))
    other_kind = SelectField(lazy_gettext("Other means"), validate_choice=False)
    other_reference = StringField(
        lazy_gettext("Reference"),
        [Length(max=255, message=lazy_gettext("This is too long."))],
    )
    reason = SelectField(lazy_gettext("Reason"), validate_choice=False)
    note = TextAreaField(
        lazy_gettext("Note"), [Length(max=2000, message=lazy_gettext("This is too long."))]
    )

    def __init__(self, standing: Standing, config: Config, **options: Any) -> None:
        super().__init__(**options)
        self.standing, self.config = standing, config
        choose = ("", gettext("Choose…"))
        self.other_kind.choices = [choose, *config.other_means.items()]
        self.reason.choices = [choose, *config.reasons.items()]
        self.page_errors: list[str] = []
        for item in standing.items:
            if (item.kind, item.ref) not in self.entries:
                self.lines.append_entry({"kind": item.kind, "ref": item.ref})

    @property
    def entries(self) -> Mapping[tuple[str, str], Any]:
        """The form of each line by kind and ref."""
        return {(e.form.kind.data or "", e.form.ref.data or ""): e.form for e in self.lines}

    @property
    def rows(self) -> Sequence[tuple[Entitlement, Any]]:
        """Each line of the order as it stands, with its part of the form."""
        entries = self.entries
        return [(item, entries[item.kind, item.ref]) for item in self.standing.items]

    @property
    def is_filled(self) -> bool:
        """Whether anything to refund was ticked or typed."""
        typed = [f for entry in self.entries.values() for f in (entry.quantity, entry.amount)]
        return bool(self.everything.data) or any(map(_is_filled, [*typed, self.adjustment]))

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Every error with the id of its field, as the form shows them; no id: the whole form."""
        found = [("", message) for message in self.page_errors]
        for _, entry in self.rows:
            found += [(f.id, str(e)) for f in (entry.quantity, entry.amount) for e in f.errors]
        for field in self:
            if field.name != "lines":
                found += [(field.id, str(error)) for error in field.errors]
        return found

    def wanted(self, order_ref: str, customer_ref: str | None) -> RefundRequest | None:
        """Return what the form asks for; ``None`` if malformed, with errors at the fields."""
        if len(self.entries) < len(self.lines):
            self.page_errors.append(gettext("A line was sent twice. Reload the page."))
        # With nothing left it may be a replay, which issuing knows.
        if self.everything.data and self.standing.balance and self._contradicts():
            words = "This takes all that is left, but other figures were typed. Choose one of both."
            self.everything.errors = [*self.everything.errors, gettext(words)]
        request = RefundRequest(
            order_ref=order_ref,
            token=self.token.data or "",
            reason=self.reason.data or "",
            selections=() if self.everything.data else self._selections(),
            adjustment=0 if self.everything.data else self._amount(self.adjustment) or 0,
            everything=bool(self.everything.data),
            to_card=bool(self.to_card.data),
            other_kind=self.other_kind.data or None,
            other_reference=(self.other_reference.data or "").strip(),
            note=(self.note.data or "").strip(),
            customer_ref=customer_ref,
            despite_dispute=bool(self.despite_dispute.data),
        )
        return None if self.problems else request

    def refuse(self, refusal: errors.RefundsError) -> Explained:
        """Put the words of *refusal* at its field, and return them."""
        explained = explain(refusal)
        field = self._field(explained.field)
        if field is None:
            self.page_errors.append(explained.message)
        else:
            field.errors = [*field.errors, explained.message]
        return explained

    def _selections(self) -> tuple[Selection, ...]:
        selections = []
        for (kind, ref), entry in self.entries.items():
            quantity = _pieces(entry.quantity)
            paid = self._amount(entry.amount, of=entry, pieces=quantity)
            if quantity or paid is not None:
                selections.append(
                    Selection(kind=_kind(kind), ref=ref, quantity=quantity, paid=paid)
                )
        return tuple(selections)

    def _contradicts(self) -> bool:
        """Return whether anything was typed that is not what is left."""
        left = {(item.kind, item.ref): item.left for item in self.standing.items}
        for key, entry in self.entries.items():
            pieces, paid = (left[key].quantity, left[key].paid) if key in left else (0, 0)
            if _is_filled(entry.quantity) and _pieces(entry.quantity) != pieces:
                return True
            if _is_filled(entry.amount) and self._amount(entry.amount) != paid:
                return True
        more = self.adjustment
        return _is_filled(more) and self._amount(more) != self.standing.adjustment

    def _amount(self, field: Any, *, of: Any = None, pieces: int = 0) -> int | None:
        """Return a typed amount in minor units, ``None`` if blank; the adjustment is signed."""
        text = (field.data or "").strip()
        if not text:
            return None
        try:
            minor = money.parse(text, self.standing.order.currency, self.config.locale)
            if of is not None and minor <= 0 and not self._is_free(of, minor, pieces):
                raise errors.MalformedAmount(text=text, reason="not_positive")
        except errors.MalformedAmount as error:
            field.errors = [*field.errors, explain(error).message]
            return None
        return minor

    def _is_free(self, entry: Any, minor: int, pieces: int) -> bool:
        """Return whether nothing is right: pieces of a line that nothing is left on."""
        for item in self.standing.items:
            if (item.kind, item.ref) == (entry.kind.data, entry.ref.data):
                return minor == 0 and pieces > 0 and item.left.paid == 0
        return False

    def _field(self, name: str | None) -> Any:
        if name is None:
            return None
        part, _, ref = name.partition("-")
        if part in {"amount", "quantity"} and ref:
            for item, entry in self.rows:
                if item.ref == ref:
                    return entry[part]
        return self[name] if name in self and name != "lines" else None


def _is_filled(field: Any) -> bool:
    return bool((field.data or "").strip())


def _pieces(field: Any) -> int:
    text = (field.data or "").strip()
    if not text:
        return 0
    if not text.isdecimal() or len(text) > LONGEST_QUANTITY:
        sign = text.removeprefix("-")
        negative = text != sign and sign.isdecimal()
        words = "The quantity cannot be negative." if negative else "This is not a whole number."
        field.errors = [*field.errors, gettext(words)]
        return 0
    return int(text)


def _kind(text: str) -> Any:
    return text if text in {"line", "row"} else "line"
