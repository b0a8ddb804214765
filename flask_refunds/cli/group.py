"""The group, and what all commands share: the application's services, and errors in words."""

from typing import Any

import click
from alembic.util import CommandError
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from flask_refunds import migrating, wired
from flask_refunds.errors import NotMigrated, RefundsError, Refusal
from flask_refunds.runtime import Runtime


class Commands(AppGroup):
    """A group whose commands end with a message and status 1 instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(in_words(refusal)) from refusal
        except (RefundsError, CommandError) as error:
            raise click.ClickException(str(error)) from error
        except DBAPIError as error:
            raise click.ClickException(f"The database says: {error.orig}") from error


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


def in_words(refusal: Refusal) -> str:
    """Return what was refused and, where it says more than that, about what."""
    meaning = (type(refusal).__doc__ or type(refusal).__name__).strip().split("\n")[0]
    about = str(refusal)
    return meaning if about in {"", meaning} else f"{meaning} ({about})"
