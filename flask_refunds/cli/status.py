"""``status``: whether the work is being done, for people and for monitors."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from flask_refunds.attention import Need
from flask_refunds.cli.group import services
from flask_refunds.cli.printing import json_option, print_json, print_table
from flask_refunds.errors import NotMigrated
from flask_refunds.watching import GatewayStanding, Severity, Standing, read_standing


@click.command()
@json_option
@click.pass_context
@with_appcontext
def status(context: click.Context, as_json: bool) -> None:
    """Tell how many transfers are in which state, what needs a person, and who does the work.

    Exits with 2 when something is stuck, or due while no worker is alive, or when the tables or
    the database are not there; with 1 when something needs a person, the queue or a gateway is
    down or a gateway's settings are wrong; and with 0 otherwise.
    """
    try:
        found = read_standing(services())
    except NotMigrated as error:
        click.echo(f"Error: {error}", err=True)
        context.exit(Severity.CRITICAL)
    except DBAPIError as error:
        click.echo(f"Error: The database says: {error.orig}", err=True)
        context.exit(Severity.CRITICAL)
    if as_json:
        print_json(_document(found))
    else:
        _print(found)
    context.exit(found.severity)


def _document(found: Standing) -> dict[str, object]:
    failed = sum(each.transfers for each in found.attention if each.need is Need.FAILED)
    return {
        **asdict(found),
        "failed": failed,
        "idle": found.idle,
        "exit_status": int(found.severity),
    }


def _print(found: Standing) -> None:
    click.echo("; ".join(_reasons(found)) or "all is well")
    _print_part(
        "transfers",
        ("state", "number", "oldest"),
        [(each.state, each.transfers, _age(each.oldest)) for each in found.counts],
    )
    _print_part(
        "needs a person",
        ("reason", "number", "oldest", "transfers"),
        [
            (
                each.need,
                each.transfers,
                _ago(found, each.since),
                _ids(each.transfer_ids, each.transfers),
            )
            for each in found.attention
        ],
    )
    _print_part(
        "gateways",
        ("name", "standing"),
        [(each.name, _gateway(found, each)) for each in found.gateways],
    )
    _print_part(
        "workers",
        ("host", "pid", "threads", "seen", "standing"),
        [
            (
                each.host,
                each.pid,
                None if each.is_sweep else each.concurrency,
                f"{_ago(found, each.seen_at)} ago",
                f"{'alive' if each.alive else 'gone'}{' (sweep)' if each.is_sweep else ''}",
            )
            for each in found.workers
        ],
    )
    if not found.workers:
        click.echo("\nworkers: none was seen in the last hour")
    click.echo(f"\nqueue: {found.queue}")


def _print_part(title: str, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    if rows:
        click.echo(f"\n{title}")
        print_table(head, rows)


def _reasons(found: Standing) -> Iterator[str]:
    """Yield what is wrong, the worst first."""
    if found.stuck:
        yield f"CRITICAL: {found.stuck} stuck ({_ids(found.stuck_ids, found.stuck)})"
    if found.idle:
        yield "CRITICAL: something is due and no worker is alive"
    if found.attention:
        yield f"WARNING: {sum(each.transfers for each in found.attention)} need a person"
    for gateway in found.gateways:
        if gateway.down or gateway.problem:
            yield f"WARNING: gateway {gateway.name} cannot be used"
    if found.queue == "down":
        yield "WARNING: the queue is down"


def _gateway(found: Standing, gateway: GatewayStanding) -> str:
    if gateway.problem:
        return gateway.problem
    if gateway.down is None:
        return "well"
    since, again = gateway.down.since, gateway.down.probe_at
    wait = _age(max((again - found.now).total_seconds(), 0))
    reason = f" ({gateway.down.reason})" if gateway.down.reason else ""
    return f"down since {since:%Y-%m-%d %H:%M:%S}Z{reason}, tried again in {wait}"


def _ids(ids: tuple[int, ...], number: int) -> str:
    return " ".join([*map(str, ids), *(["..."] if number > len(ids) else [])])


def _ago(found: Standing, moment: datetime) -> str:
    return _age((found.now - moment).total_seconds())


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else str(timedelta(seconds=int(seconds)))


COMMANDS = (status,)
