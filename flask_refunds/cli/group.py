"""The group, and what all commands share: the application's services, and errors in words."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from alembic.util import CommandError
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from flask_refunds import migrating, wired
from flask_refunds.admin.refusals import explain
from flask_refunds.errors import (
    NotMigrated,
    OtherMeansMissing,
    RefundsError,
    Refusal,
    UnknownOrder,
    UnknownReason,
    UnknownRefund,
)
from flask_refunds.runtime import Runtime


class Commands(AppGroup):
    """A group whose commands end with a message and status 1 instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (RefundsError, CommandError) as error:  # wiring, tables, Alembic
            raise click.ClickException(str(error)) from error
        except DBAPIError as error:
            raise click.ClickException(f"The database says: {error.orig}") from error

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.callback = _spoken(cmd.callback)
        super().add_command(cmd, name)


@click.group("refunds", cls=Commands)
def refunds() -> None:
    """Refund customers, and look after the refunds that are under way."""


def services() -> Runtime:
    """Return the services of the current application, whose tables are there and of this version.

    Raises :exc:`~flask_refunds.errors.ConfigurationError` and
    :exc:`~flask_refunds.errors.NotMigrated`.
    """
    runtime = wired.current().runtime
    if not migrating.is_current(runtime.sessions.engine):
        raise NotMigrated("The refunds tables are missing or old. Run: flask refunds upgrade")
    return runtime


def _spoken(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Have a refusal said in the words of the pages, while there is an application context."""
    assert callback is not None

    @wraps(callback)
    def speaking(*args: Any, **options: Any) -> Any:
        try:
            return callback(*args, **options)
        except Refusal as refusal:
            about = str(refusal) if isinstance(refusal, _ABOUT) else ""
            message = explain(refusal).message
            raise click.ClickException(f"{message} ({about})" if about else message) from refusal

    return speaking


_ABOUT = (UnknownOrder, UnknownRefund, UnknownReason, OtherMeansMissing)
"""Refusals of something that was typed here, and that a form cannot bring about."""
