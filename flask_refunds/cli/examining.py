"""``doctor``: whether refunds are set up as they should be; nothing is changed."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from flask_refunds import doctor
from flask_refunds.cli.printing import json_option, print_json
from flask_refunds.doctor import CODES, ORDERS, Finding, Severity
from flask_refunds.errors import ConfigurationError

MOST = 100_000


@click.command("doctor")
@click.option(
    "--orders",
    type=click.IntRange(1, MOST),
    default=ORDERS,
    show_default=True,
    help="How many of the newest orders to look at.",
)
@click.option("--offline", is_flag=True, help="Ask neither the queue and workers nor a gateway.")
@click.option(
    "--ignore",
    multiple=True,
    type=click.Choice(list(CODES)),
    metavar="CODE",
    help="Leave out findings of this code, which you know of; may be given several times.",
)
@json_option
@click.pass_context
@with_appcontext
def examine(
    context: click.Context, orders: int, offline: bool, ignore: tuple[str, ...], as_json: bool
) -> None:
    """Tell what is wrong with the mapping, the admin and the operation, and what to do.

    Exits with 1 when there is an error or a warning, with 0 when there are only notes, and with 2
    when it could not look: no refunds in the application, or no way to the database.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        found = doctor.examine(app, orders=orders, offline=offline)
    except ConfigurationError as error:
        click.echo(f"Error: {error}", err=True)
        context.exit(2)
    except DBAPIError as error:
        click.echo(f"Error: The database says: {error.orig}", err=True)
        context.exit(2)
    found = tuple(each for each in found if each.code not in ignore)
    status = int(any(each.severity is not Severity.NOTE for each in found))
    if as_json:
        print_json({"findings": found, "exit_status": status})
    else:
        _print(found)
    context.exit(status)


def _print(found: Sequence[Finding]) -> None:
    for part, findings in groupby(found, key=lambda each: each.part):
        click.echo(part)
        for each in findings:
            click.echo(f"  {each.severity} {each.code}{_number(each)}: {each.what}")
            if each.example:
                click.echo(f"    for example: {each.example}")
            click.echo(f"    {each.remedy}")
        click.echo()
    numbers = Counter(each.severity for each in found)
    told = [
        f"{numbers[each]} {each}{'s' if numbers[each] > 1 else ''}"
        for each in Severity
        if numbers[each]
    ]
    click.echo(f"{', '.join(told)}." if told else "All is well.")


def _number(finding: Finding) -> str:
    if finding.of is not None:
        return f" ({finding.count} of {finding.of})"
    return f" ({finding.count})" if finding.count > 1 else ""


COMMANDS = (examine,)
