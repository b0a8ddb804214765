"""``sync``: what was refunded in the gateways' own panels; without ``--yes`` it is only shown."""

from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext

from flask_refunds.cli.group import services
from flask_refunds.cli.printing import json_option, print_json, print_table
from flask_refunds.desks import refund_number
from flask_refunds.money import plain
from flask_refunds.outside import Found, Outcome
from flask_refunds.runtime import Runtime
from flask_refunds.syncing import Looked, Synced, sync

_DRY = {Outcome.ADOPTED: "would be adopted"}

day = click.DateTime(formats=["%Y-%m-%d"])


@click.command("sync")
@click.option("--since", type=day, help="First day; default: where the last whole run ended.")
@click.option("--until", type=day, help="Last day, included; default: now.")
@click.option("--gateway", help="Only this gateway; default: all that can list their refunds.")
@click.option("--yes", is_flag=True, help="Do it. Without, it is only shown what would be done.")
@json_option
@click.pass_context
@with_appcontext
def adopt_outside(
    context: click.Context,
    since: datetime | None,
    until: datetime | None,
    gateway: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Find refunds and voids made in a gateway's own panel, and adopt them.

    They count at once; somebody confirms on the desk for which items they were. Days are the
    store's. Exits with 1 when somebody has to do something, or not all could be looked through,
    and with 0 otherwise.
    """
    runtime = services()
    synced = sync(
        runtime,
        since=_midnight(runtime, since),
        until=_midnight(runtime, until + timedelta(days=1) if until else None),
        gateway=gateway,
        dry=not yes,
    )
    if as_json:
        print_json({**vars(synced), "needs_person": synced.needs_person})
    else:
        _tell(synced)
    context.exit(1 if synced.needs_person else 0)


def _midnight(runtime: Runtime, moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=runtime.config.zone) if moment is not None else None


def _tell(synced: Synced) -> None:
    if not synced.gateways:
        click.echo("No gateway can list its refunds.")
    for looked in synced.gateways:
        _tell_gateway(looked, dry=synced.dry)
    adopted = _count(synced, Outcome.ADOPTED)
    if adopted and synced.dry:
        click.echo(f"{adopted} would be adopted. Add --yes to do it.")
    elif adopted:
        click.echo(f"{adopted} adopted: somebody has to confirm on the desk for which items.")


def _tell_gateway(looked: Looked, *, dry: bool) -> None:
    click.echo(
        f"{looked.gateway}, {looked.since:%Y-%m-%d %H:%M}Z to {looked.until:%Y-%m-%d %H:%M}Z: "
        f"{looked.seen} refunds and voids, {looked.ours} of them known here, "
        f"{looked.failed} took no money."
    )
    if looked.found:
        print_table(
            ("at the gateway", "what", "amount", "made", "order", "outcome", "refund"),
            [_row(found, dry=dry) for found in looked.found],
        )
    for problem in looked.problems:
        click.echo(f"NOT EVERYTHING WAS LOOKED THROUGH: {problem}")


def _row(found: Found, *, dry: bool) -> tuple[object, ...]:
    given = found.given
    words = str(found.outcome).replace("_", " ")
    return (
        given.id,
        given.operation,
        f"{plain(given.amount, given.currency)} {given.currency}",
        given.at,
        ", ".join(found.order_refs) or None,
        _DRY.get(found.outcome, words) if dry else words,
        refund_number(found.refund_id) if found.refund_id is not None else None,
    )


def _count(synced: Synced, outcome: Outcome) -> int:
    return sum(found.outcome is outcome for looked in synced.gateways for found in looked.found)


COMMANDS = (adopt_outside,)
