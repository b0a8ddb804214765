"""Who may do what. Opening a page is one permission, moving money another and explicit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flask import current_app

from flask_refunds.errors import NoActor, NotAllowed


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did something: a stable id, and a label for people, both kept for ever."""

    id: str
    label: str


SYSTEM = Actor(id="system", label="System")
"""The worker and the sweep. Never issues a refund."""


class Policy(Protocol):
    """The host's rules, asked in every request with the host's own login in place."""

    def actor(self) -> Actor | None:
        """Return who is signed in, or ``None``: no actor, no refund."""

    def can_view(self) -> bool:
        """Whether the actor may see Account History, the desk and the reports."""

    def can_issue(self, amount: int | None, currency: str | None) -> bool:
        """Whether the actor may move *amount* minor units of *currency*; ``None``: any at all."""

    def limit(self, currency: str) -> int | None:
        """Return the most minor units of *currency* that the actor may give back at once."""


class AdminAccessPolicy:
    """Whoever may open the host's orders in the admin may also refund them, without a limit.

    *actor* says who is signed in; by default Flask-Login's current user, by ``get_id()`` and
    its ``email``, ``username`` or ``name``.
    """

    def __init__(self, actor: Callable[[], Actor | None] | None = None) -> None:
        self._actor = actor

    def actor(self) -> Actor | None:
        return self._actor() if self._actor is not None else flask_login_actor()

    def can_view(self) -> bool:
        return True

    def can_issue(self, amount: int | None, currency: str | None) -> bool:
        return True

    def limit(self, currency: str) -> int | None:
        return None


def flask_login_actor() -> Actor | None:
    """Return Flask-Login's current user as an actor.

    ``None`` when nobody is signed in, and in a shop without Flask-Login: pass
    ``AdminAccessPolicy(actor=…)`` there.
    """
    try:
        from flask_login import current_user  # the host's; not ours to require
    except ImportError:
        return None
    if not hasattr(current_app, "login_manager") or not current_user.is_authenticated:
        return None
    identity = str(current_user.get_id())
    for name in ("email", "username", "name"):
        label = getattr(current_user, name, None)
        if label:
            return Actor(id=identity, label=str(label))
    return Actor(id=identity, label=identity)


def require_actor(policy: Policy) -> Actor:
    """Return the actor, or raise :exc:`~flask_refunds.errors.NoActor`."""
    actor = policy.actor()
    if actor is None or not actor.id or not actor.label:
        raise NoActor()
    return actor


def require_permission(policy: Policy, amount: int | None, currency: str | None) -> Actor:
    """Return the actor if they may move *amount* minor units of *currency*.

    Raises :exc:`~flask_refunds.errors.NoActor` or :exc:`~flask_refunds.errors.NotAllowed`.
    """
    actor = require_actor(policy)
    if not policy.can_view() or not policy.can_issue(amount, currency):
        raise NotAllowed("may not issue refunds")
    limit = policy.limit(currency) if currency else None
    if limit is not None and amount is not None and amount > limit:
        raise NotAllowed("above the limit", limit=limit, currency=currency or "")
    return actor
