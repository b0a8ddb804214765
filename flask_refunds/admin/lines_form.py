"""The part of a form that says what of an order's lines goes back. Checks shape only."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_admin.babel import lazy_gettext
from wtforms import FieldList, Form, FormField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import Length

from flask_refunds import errors, money
from flask_refunds.admin.forms import OwnForm
from flask_refunds.admin.refusals import Explained, explain
from flask_refunds.admin.words import gettext
from flask_refunds.config import Config
from flask_refunds.entitlement import Entitlement
from flask_refunds.planning import Selection, Standing

LONGEST_QUANTITY = 9


class LineForm(Form):
    """What is to go back of one line or charge row, which ``kind`` and ``ref`` name."""

    kind = HiddenField()
    ref = HiddenField()
    quantity = StringField(lazy_gettext("Quantity"))
    amount = StringField(lazy_gettext("Amount"))


class LinesForm(OwnForm):
    """What goes back of each line of an order, and why. Amounts are typed in ``REFUNDS_LOCALE``."""

    lines = FieldList(FormField(LineForm))
    adjustment = StringField(lazy_gettext("Adjustment"))
    reason = SelectField(lazy_gettext("Reason"), validate_choice=False)
    note = TextAreaField(
        lazy_gettext("Note"), [Length(max=2000, message=lazy_gettext("This is too long."))]
    )

    def __init__(self, standing: Standing, config: Config, **options: Any) -> None:
        super().__init__(**options)
        self.standing, self.config = standing, config
        self.reason.choices = [("", gettext("Choose…")), *config.reasons.items()]
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
    def problems(self) -> list[tuple[str, str]]:
        """Every error with the id of its field, as the form shows them; no id: the whole form."""
        found = [("", message) for message in self.page_errors]
        for _, entry in self.rows:
            found += [(f.id, str(e)) for f in (entry.quantity, entry.amount) for e in f.errors]
        for field in self:
            if field.name != "lines":
                found += [(field.id, str(error)) for error in field.errors]
        return found

    def check_lines(self) -> None:
        """Say so if a line was sent twice."""
        if len(self.entries) < len(self.lines):
            self.page_errors.append(gettext("A line was sent twice. Reload the page."))

    def refuse(self, refusal: errors.RefundsError) -> Explained:
        explained = explain(refusal)
        field = self._field(explained.field)
        if field is None:
            self.page_errors.append(explained.message)
        else:
            field.errors = [*field.errors, explained.message]
        return explained

    def selections(self) -> tuple[Selection, ...]:
        """Return what is asked of the lines, with errors at the fields that are malformed."""
        selections = []
        for (kind, ref), entry in self.entries.items():
            quantity = pieces_of(entry.quantity)
            paid = self.amount_of(entry.amount, of=entry, pieces=quantity)
            if quantity or paid is not None:
                selections.append(
                    Selection(kind=_kind(kind), ref=ref, quantity=quantity, paid=paid)
                )
        return tuple(selections)

    def amount_of(self, field: Any, *, of: Any = None, pieces: int = 0) -> int | None:
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


def is_filled(field: Any) -> bool:
    """Return whether anything was typed."""
    return bool((field.data or "").strip())


def pieces_of(field: Any) -> int:
    """Return a typed quantity, with an error at *field* if it is none."""
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
