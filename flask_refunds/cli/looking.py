"""``list`` and ``show``: nothing is changed."""

from dataclasses import asdict

import click
from flask.cli import with_appcontext

from flask_refunds import desks, dossier
from flask_refunds.cli.group import services
from flask_refunds.cli.printing import json_option, print_json, print_table
from flask_refunds.desks import Row, Shown
from flask_refunds.errors import UnknownRefund
from flask_refunds.money import plain
from flask_refunds.runtime import Runtime


@click.command("list")
@click.option("--status", type=click.Choice([str(each) for each in Shown]), default="all")
@click.option("--order", help="Only refunds of the order with this number.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
@with_appcontext
def list_refunds(status: str, order: str | None, limit: int, as_json: bool) -> None:
    """List refunds, newest first."""
    rows = _rows(services(), Shown(status), order, limit)
    if as_json:
        print_json([{**asdict(row), "status": row.status, "detail": row.detail} for row in rows])
        return
    print_table(
        ("refund", "issued", "order", "amount", "state", "card status", "detail", "by"),
        [
            (
                row.id,
                row.created_at,
                row.order_number,
                f"{plain(row.amount, row.currency)} {row.currency}",
                row.state,
                row.status,
                row.detail,
                row.actor_label,
            )
            for row in rows
        ],
    )


def _rows(runtime: Runtime, shown: Shown, order: str | None, limit: int) -> list[Row]:
    """Return the *limit* newest refunds, page by page as the desk reads them."""
    rows: list[Row] = []
    after: int | None = None
    while True:
        page = desks.find(runtime, text=order or "", shown=shown, after=after)
        rows += [row for row in page.rows if order is None or row.order_number == order]
        after = page.next
        if after is None or len(rows) >= limit:
            return rows[:limit]


@click.command()
@click.argument("refund")
@json_option
@with_appcontext
def show(refund: str, as_json: bool) -> None:
    """Show REFUND (``12`` or ``R-000012``) with its lines, transfers, attempts and history."""
    runtime = services()
    number = refund.upper().removeprefix("R-")
    if not number.isdecimal():
        raise UnknownRefund(refund)
    found = dossier.read_refund(runtime, int(number))
    if as_json:
        print_json({**asdict(found), "status": found.status})
        return

    def money(amount: int) -> str:
        return f"{plain(amount, found.currency)} {found.currency}"

    click.echo(
        f"{desks.refund_number(found.id)}  {money(found.amount)}  {found.state}  "
        f"(card: {found.status or '-'})\n"
        f"order {found.order_number} of {found.customer_name} <{found.customer_email}>\n"
        f"{found.reason}, by {found.actor_label}, {found.created_at:%Y-%m-%d %H:%M:%S}Z"
    )
    if found.note:
        click.echo(found.note)
    click.echo()
    print_table(
        ("line", "description", "pieces", "tax", "given back"),
        [
            (
                each.sku or each.kind,
                each.description,
                each.quantity,
                money(each.tax),
                money(each.paid),
            )
            for each in found.lines
        ],
    )
    for move in found.movements:
        to = (move.card_label or move.gateway) if move.gateway else move.other_kind
        click.echo(
            f"\ntransfer {move.id}: {money(move.amount)} to {to}, {move.state} {move.detail}"
        )
        for name in ("reference", "charge_id", "gateway_refund_id", "gateway_status"):
            if value := getattr(move, name):
                click.echo(f"  {name.replace('_', ' ')}: {value}")
        if move.failure_message:
            click.echo(f"  failure: {move.failure_message} ({move.failure_code})")
        for tried in reversed(move.tried):
            click.echo(
                f"  attempt {tried.generation}.{tried.number} {tried.operation or 'no call'}: "
                f"{tried.outcome or 'no outcome'} {tried.message or ''}".rstrip()
            )
    click.echo()
    print_table(
        ("when", "transfer", "action", "from", "to", "by", "why"),
        [
            (e.at, e.transfer_id, e.action, e.before, e.after, e.actor_label, e.why)
            for e in reversed(found.history)
        ],
    )


COMMANDS = (list_refunds, show)
