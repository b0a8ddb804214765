"""Translation, through the catalogue that Flask-Admin uses; as written without Flask-Babel."""

from flask_admin import babel


def gettext(text: str, **values: str) -> str:
    """Return *text* in the language of the request, with *values* filled in."""
    return str(babel.gettext(text, **values))
