"""What a check finds, and how it asks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, literal
from sqlalchemy.orm import Session, aliased

from flask_refunds.models import Allocation, Posting, Refund, Transfer

COMPONENTS = ("quantity", "list_price", "discount", "tax", "paid")

NO_MONEY = literal("")
"""In the place of a currency: what is compared is no amount."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Two figures that should be equal and are not.

    ``code`` is stable; ``refs`` has pairs of what the rows are and their keys; amounts are minor
    units, of ``currency`` where one is said. ``expected`` follows from the rows on which the other
    ones are built.
    """

    code: str
    what: str
    refs: tuple[tuple[str, str], ...]
    expected: int | str
    found: int | str
    currency: str = ""


Check = Callable[[Session], Iterator[Finding]]


def is_current() -> Any:
    """Return the condition that no other transfer replaces the transfer."""
    newer = aliased(Transfer)
    return ~exists().where(newer.replaces_id == Transfer.id).correlate(Transfer)


def sums(model: type[Allocation | Posting]) -> list[Any]:
    """Return the sum of each component of *model*, labelled by its name."""
    return [func.sum(getattr(model, name)).label(name) for name in COMPONENTS]


def currency_of(component: str, model: type[Refund | Transfer]) -> Any:
    """Return the currency in which *model* has *component*; pieces have none."""
    return NO_MONEY if component == "quantity" else model.currency


def differing(
    session: Session, code: str, what: str, names: tuple[str, ...], rows: "Select[*tuple[Any, ...]]"
) -> Iterator[Finding]:
    """Yield a finding for each of *rows*: the keys called *names*, currency, expected and found."""
    for *keys, currency, expected, found in session.execute(rows):
        yield Finding(
            code=code,
            what=what,
            refs=tuple(zip(names, map(str, keys), strict=True)),
            expected=plain(expected),
            found=plain(found),
            currency=currency,
        )


def plain(value: Any) -> int | str:
    """Return *value*, of any column of ours, as a finding says it; NULL is ``none``."""
    if value is None:
        return "none"
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else int(value)
