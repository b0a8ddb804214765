"""``upgrade`` and ``check``: our tables."""

import click
from flask.cli import with_appcontext

from flask_refunds import migrating, wired


@click.command()
@with_appcontext
def upgrade() -> None:
    """Make our tables, or bring them to this version."""
    engine = wired.current().runtime.sessions.engine
    before = migrating.current(engine)
    migrating.upgrade(engine)
    now = migrating.current(engine)
    if before == now:
        click.echo(f"The refunds tables were at {now} already.")
    else:
        click.echo(f"The refunds tables are at {now} (before: {before or 'none'}).")


@click.command()
@with_appcontext
def check() -> None:
    """Tell whether our tables are those of this version; status 1 if not."""
    engine = wired.current().runtime.sessions.engine
    current, head = migrating.current(engine), migrating.head()
    if current != head:
        raise click.ClickException(
            f"The refunds tables are at {current or 'none'}, this version needs {head}. "
            "Run: flask refunds upgrade"
        )
    drift = migrating.check(engine)
    for difference in drift:
        click.echo(difference, err=True)
    if drift:
        raise click.ClickException("The refunds tables differ from what this version made.")
    click.echo(f"The refunds tables are at {current}, as they should be.")


COMMANDS = (upgrade, check)
