"""The ways in which money goes back, which reports keep apart."""

from enum import StrEnum

from sqlalchemy import ColumnElement, String, case, literal_column

from flask_refunds.models import Posting
from flask_refunds.states import Method


class Way(StrEnum):
    """How money went back: to a card, by cancelling its sale, by other means, or by the shop."""

    CARD = "card"
    VOID = "void"
    OTHER = "other"
    SHOP = "shop"


def way_of_posting() -> ColumnElement[str]:
    """Return the :class:`Way` of a posting, in SQL."""
    return case(
        (Posting.method == Method.OTHER, literal_column("'other'", String)),
        (Posting.operation == "void", literal_column("'void'", String)),
        else_=literal_column("'card'", String),
    )
