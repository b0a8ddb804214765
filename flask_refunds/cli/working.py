"""``worker`` and ``sweep``: the work."""

import logging
from collections.abc import Collection

import click
from flask.cli import ScriptInfo, pass_script_info, with_appcontext
from sqlalchemy import select

from flask_refunds import heartbeats, reconciling
from flask_refunds.cli.group import services
from flask_refunds.cli.printing import json_option, print_json, print_table
from flask_refunds.models import Transfer
from flask_refunds.runtime import Runtime
from flask_refunds.worker import Worker


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=4,
    show_default=True,
    help="How many transfers to process at the same time.",
)
@click.option("--burst", is_flag=True, help="Do what is due now, and end.")
@with_appcontext
@pass_script_info
def worker(script: ScriptInfo, concurrency: int, burst: bool) -> None:
    """Process refunds, and sweep, until SIGTERM or SIGINT."""
    runtime = services()
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("rq.worker").setLevel(logging.WARNING)
    made = Worker(script.load_app(), concurrency=concurrency)
    queue = f"queue {runtime.config.queue}" if runtime.config.redis_url else "no queue"
    click.echo(f"Processing refunds with {concurrency} threads ({queue}).")
    if burst:
        made.run_burst()
    else:
        made.run()
    click.echo("The refunds worker has ended.")


@click.command()
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@json_option
@with_appcontext
def sweep(limit: int, as_json: bool) -> None:
    """Do one round of all that is due, here and now. For cron."""
    runtime = services()
    heartbeats.beat(runtime, heartbeats.of_sweep(runtime))
    done = reconciling.sweep(runtime, limit=limit)
    rows = _states(runtime, {*done.process, *done.poll})
    if as_json:
        transfers = [{"id": i, "state": state, "detail": detail} for i, state, detail in rows]
        print_json({"processed": done.process, "polled": done.poll, "transfers": transfers})
        return
    click.echo(f"{len(done.process)} processed, {len(done.poll)} asked about settlement.")
    if rows:
        print_table(("transfer", "state", "detail"), rows)


def _states(runtime: Runtime, transfer_ids: Collection[int]) -> list[tuple[int, str, str]]:
    query = select(Transfer.id, Transfer.state, Transfer.detail).order_by(Transfer.id)
    return runtime.sessions.read(
        lambda session: [
            (row.id, row.state, row.detail)
            for row in session.execute(query.where(Transfer.id.in_(transfer_ids)))
        ]
    )


COMMANDS = (worker, sweep)
