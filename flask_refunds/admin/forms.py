"""Forms that carry our own CSRF token, on whatever the host configures, and a one-time token."""

import hmac
import secrets
from typing import Any

from flask import session
from flask_wtf import FlaskForm
from itsdangerous import BadSignature, SignatureExpired
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, ValidationError
from wtforms.csrf.core import CSRF

from flask_refunds.admin import references
from flask_refunds.admin.refusals import Explained, explain
from flask_refunds.admin.words import gettext
from flask_refunds.errors import RefundsError
from flask_refunds.policy import Actor

CSRF_FIELD = "refunds_csrf"
CSRF_AGE = 3600.0
"""For how long an open form may be sent, in seconds."""


class FormExpired(ValidationError):
    """The CSRF token is missing, of another session, or too old."""


class OwnCSRF(CSRF):
    """Binds a form to the browser's session, by a nonce in it and the application's secret."""

    def generate_csrf_token(self, csrf_token_field: Any) -> str:
        nonce = session.get(CSRF_FIELD)
        if not nonce:
            nonce = session[CSRF_FIELD] = secrets.token_urlsafe(16)
        return str(references.timed("csrf").dumps(nonce))

    def validate_csrf_token(self, form: Any, field: Any) -> None:
        expected = session.get(CSRF_FIELD) or ""
        try:
            given = references.timed("csrf").loads(field.data or "", max_age=int(CSRF_AGE))
        except (SignatureExpired, BadSignature):
            given = None
        if not expected or not hmac.compare_digest(str(given or ""), expected):
            raise FormExpired(
                gettext("This form was open too long; nothing was refunded. Please send it again.")
            )


class OwnForm(FlaskForm):
    """A form with our CSRF token, whether or not the host protects its own forms."""

    class Meta(FlaskForm.Meta):
        """Ours whatever ``WTF_CSRF_ENABLED`` says."""

        csrf = True
        csrf_class = OwnCSRF
        csrf_field_name = CSRF_FIELD

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """Return what was sent as our tables can keep it, nested forms included."""
            given = super().wrap_formdata(form, formdata)
            if given is None:
                return None
            return MultiDict((name, storable(value)) for name, value in given.items(multi=True))

    token = HiddenField()

    def expired(self) -> bool:
        """Return whether the CSRF token was refused, after :meth:`validate`."""
        return bool(self[CSRF_FIELD].errors)

    def refuse(self, refusal: RefundsError) -> Explained:
        """Put the words of *refusal* at its field, or at the whole form, and return them."""
        explained = explain(refusal)
        field = self[explained.field if explained.field in self else "token"]
        field.errors = [*field.errors, explained.message]
        return explained

    def renew_csrf(self) -> None:
        """Give the form a fresh CSRF token, to be shown and sent again."""
        field = self[CSRF_FIELD]
        field.current_token = field.data = self.meta.csrf_class().generate_csrf_token(field)


def storable(value: Any) -> Any:
    """Return *value* without NUL characters, which PostgreSQL's text types refuse."""
    return value.replace("\0", "") if isinstance(value, str) else value


def one_time_token(actor: Actor, order_ref: str) -> str:
    """Return a token that one form of *actor* about *order_ref* may be sent with, once."""
    return references.sign("once", [secrets.token_urlsafe(16), actor.id, order_ref])


def check_one_time_token(token: str, actor: Actor, order_ref: str) -> bool:
    """Return whether *token* was made for *actor* and *order_ref* by this application."""
    value = references.unsign("once", token) if token else None
    return isinstance(value, list) and value[1:] == [actor.id, order_ref]
