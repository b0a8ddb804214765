"""How the shop writes amounts."""

from decimal import Decimal
from typing import Any

from flask import Flask

SYMBOLS = {"USD": "$", "EUR": "€"}


def money(cents: int | Decimal, currency: str) -> str:
    """Return ``cents`` of ``currency`` as people read it: ``$1,234.50``, ``-€3.00``."""
    amount = Decimal(cents) / 100
    sign = "-" if amount < 0 else ""
    symbol = SYMBOLS.get(currency, f"{currency} ")
    return f"{sign}{symbol}{abs(amount):,.2f}"


def plain(cents: int | Decimal) -> str:
    """Return ``cents`` as a figure for a spreadsheet: ``1234.50``."""
    return f"{Decimal(cents) / 100:.2f}"


def money_column(_view: Any, _context: Any, model: Any, name: str) -> str:
    """Format a column of cents in a Flask-Admin list, in the row's own currency."""
    return money(getattr(model, name), getattr(model, "currency", "USD"))


def init_app(app: Flask) -> None:
    """Add the ``money`` filter to the application's templates."""
    app.add_template_filter(money, "money")
