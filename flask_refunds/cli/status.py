"""``status``: whether the work is being done, for people and for monitors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext
from redis.exceptions import RedisError
from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from flask_refunds.attention import UNKNOWN_FOR
from flask_refunds.cli.group import services
from flask_refunds.cli.printing import json_option, print_json, print_table
from flask_refunds.errors import NotMigrated
from flask_refunds.models import Transfer
from flask_refunds.queueing import RqWakeUp
from flask_refunds.runtime import Runtime
from flask_refunds.states import IN_FLIGHT, Detail, Method, TransferState

OK, WARNING, CRITICAL = 0, 1, 2
"""Exit statuses, as monitors of the Nagios kind read them."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many transfers are in one state, and since when the oldest of them exists, in seconds."""

    state: str
    transfers: int
    oldest: float


@dataclass(frozen=True, kw_only=True)
class Status:
    """``stuck``: in flight and overdue, or unknown for so long that a person should look.

    ``failed`` waits for a person to decide; ``queue`` is its depth, ``"down"`` or ``"none"``;
    ``gateways`` says what is the matter with those that cannot be used.
    """

    counts: tuple[Count, ...]
    stuck: int
    failed: int
    queue: int | str
    gateways: Mapping[str, str]

    @property
    def exit_status(self) -> int:
        if self.stuck:
            return CRITICAL
        return WARNING if self.failed or self.gateways or self.queue == "down" else OK


@click.command()
@json_option
@click.pass_context
@with_appcontext
def status(context: click.Context, as_json: bool) -> None:
    """Tell how many transfers are in which state, and whether anything is stuck.

    Exits with 2 when something is stuck or the tables are missing, with 1 when something failed,
    the queue is down or a gateway cannot be used, and with 0 otherwise.
    """
    try:
        found = read(services())
    except NotMigrated as error:
        click.echo(f"Error: {error}", err=True)
        context.exit(CRITICAL)
    if as_json:
        print_json({**asdict(found), "exit_status": found.exit_status})
    else:
        print_table(
            ("state", "transfers", "oldest"),
            [(c.state, c.transfers, _age(c.oldest)) for c in found.counts],
        )
        click.echo(f"stuck: {found.stuck}  failed: {found.failed}  queue: {found.queue}")
        for name, problem in found.gateways.items():
            click.echo(f"gateway {name} cannot be used: {problem}")
    context.exit(found.exit_status)


def read(runtime: Runtime) -> Status:
    """Return how the work stands."""
    now = runtime.now()
    counts, stuck, failed = runtime.sessions.read(lambda session: _read(session, runtime, now))
    return Status(
        counts=counts,
        stuck=stuck,
        failed=failed,
        queue=_depth(runtime),
        gateways=runtime.gateways.problems(),
    )


def _read(session: Session, runtime: Runtime, now: datetime) -> tuple[tuple[Count, ...], int, int]:
    rows = session.execute(
        select(Transfer.state, func.count().label("transfers"), func.min(Transfer.created_at))
        .group_by(Transfer.state)
        .order_by(Transfer.state)
    )
    counts = tuple(
        Count(state=state, transfers=transfers, oldest=round((now - oldest).total_seconds(), 1))
        for state, transfers, oldest in rows
    )
    config = runtime.config
    overdue = now - timedelta(seconds=2 * config.sweep_interval + config.lease)
    stuck = or_(
        and_(Transfer.state.in_(IN_FLIGHT), Transfer.next_attempt_at <= overdue),
        and_(Transfer.state == TransferState.PROCESSING, Transfer.lease_until <= overdue),
        and_(
            Transfer.state.in_(IN_FLIGHT),
            Transfer.detail.in_([Detail.NONE, Detail.OUTCOME_UNKNOWN]),
            Transfer.created_at <= now - UNKNOWN_FOR,
        ),
    )
    replaced = select(Transfer.replaces_id).where(Transfer.replaces_id.is_not(None))
    failed = and_(Transfer.state == TransferState.FAILED, Transfer.id.not_in(replaced))
    numbers = session.execute(
        select(func.sum(case((stuck, 1), else_=0)), func.sum(case((failed, 1), else_=0))).where(
            Transfer.method == Method.CARD
        )
    ).one()
    return counts, int(numbers[0] or 0), int(numbers[1] or 0)


def _depth(runtime: Runtime) -> int | str:
    if not isinstance(runtime.queue, RqWakeUp):
        return "none"
    try:
        return runtime.queue.queue.count
    except RedisError:
        return "down"


def _age(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))


COMMANDS = (status,)
