"""``issue`` and ``retry`` move money; without ``--yes`` they only tell what they would do."""

import secrets
from dataclasses import asdict
from typing import Any

import click
from flask.cli import with_appcontext

from flask_refunds import correcting, dossier, errors, issuing, money
from flask_refunds.admin.presenting import failure_text
from flask_refunds.cli.group import services
from flask_refunds.cli.printing import json_option, print_json, print_table
from flask_refunds.deciding import DISPUTED
from flask_refunds.planning import Plan, RefundRequest, Selection, Standing
from flask_refunds.policy import Actor
from flask_refunds.runtime import Runtime
from flask_refunds.storefront.reading import read_page

LOOKED_AT = 50

actor_option = click.option("--actor", help="Who does this: stands on the refund for ever.")
dispute_option = click.option(
    "--despite-dispute", is_flag=True, help="Also when the customer disputes the sale."
)
yes_option = click.option("--yes", is_flag=True, help="Do it. Without, only the plan is shown.")


@click.command()
@click.argument("order")
@click.option("--key", is_flag=True, help="ORDER is the shop's key of the order, not its number.")
@click.option("--line", "lines", multiple=True, metavar="REF:QTY[:AMOUNT]", help="What of a line.")
@click.option("--adjustment", metavar="AMOUNT", help="More, or less if negative, than the lines.")
@click.option("--everything", is_flag=True, help="All that is left.")
@click.option("--to-card", is_flag=True, help="To the cards that paid.")
@click.option("--other", metavar="KIND", help="By other means: what the cards do not take, or all.")
@click.option("--reference", default="", help="A reference of the other means.")
@click.option("--reason", required=True, help="One of REFUNDS_REASONS.")
@click.option("--note", default="", help="More about the reason.")
@click.option("--token", help="The same token again gives the same refund again, not another one.")
@dispute_option
@actor_option
@yes_option
@json_option
@with_appcontext
def issue(
    order: str,
    key: bool,
    lines: tuple[str, ...],
    adjustment: str | None,
    everything: bool,
    to_card: bool,
    other: str | None,
    reference: str,
    reason: str,
    note: str,
    token: str | None,
    despite_dispute: bool,
    actor: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Refund the ORDER with this number: some lines, or everything.

    Amounts are typed with a decimal point. REF is the shop's key of a line, or the name of a
    charge such as shipping.
    """
    runtime = services()
    order_ref = order if key else _order_ref(runtime, order)
    standing = issuing.quote(runtime, order_ref).standing
    request = RefundRequest(
        order_ref=order_ref,
        token=token or secrets.token_urlsafe(24),
        reason=reason,
        selections=tuple(_selection(standing, each) for each in lines),
        adjustment=_amount(adjustment, standing) if adjustment else 0,
        everything=everything,
        to_card=to_card,
        other_kind=other,
        other_reference=reference,
        note=note,
        despite_dispute=despite_dispute,
    )
    if not yes:
        _print_plan(standing, issuing.quote(runtime, order_ref, request).plan, as_json)
        return
    issued = issuing.issue(runtime, request, _named(actor))
    if as_json:
        print_json(asdict(issued))
        return
    click.echo(
        f"Refund {issued.refund_id} was recorded before."
        if issued.replayed
        else f"Refund {issued.refund_id} is recorded."
    )
    if issued.transfer_ids and not issued.woken:
        click.echo("The queue is down or not set up: the next sweep picks it up.")


@click.command()
@click.argument("transfer", type=int)
@click.option("--why", default="", help="Why it should work this time.")
@dispute_option
@actor_option
@yes_option
@json_option
@with_appcontext
def retry(
    transfer: int, why: str, despite_dispute: bool, actor: str | None, yes: bool, as_json: bool
) -> None:
    """Start the failed card TRANSFER again, with a new key.

    One that failed since the sale is disputed needs --despite-dispute.
    """
    runtime = services()
    _, move = dossier.read_movement(runtime, transfer)
    if move.failure_code == DISPUTED and not despite_dispute:
        raise click.ClickException(
            f"{failure_text(move.failure_code, move.failure_message)} To refund it all the same, "
            "add --despite-dispute."
        )
    if yes:
        woken = correcting.retry(
            runtime,
            transfer,
            _named(actor),
            why=why,
            generation=move.generation,
            despite_dispute=despite_dispute,
        )
        _, move = dossier.read_movement(runtime, transfer)
    elif not move.may_retry:
        if move.may_acknowledge:
            raise errors.InConflict()
        raise click.ClickException(f"Transfer {transfer} is {move.state}: it cannot be retried.")
    if as_json:
        state = {"transfer": transfer, "state": move.state, "generation": move.generation}
        print_json({**state, "done": yes, "woken": yes and woken})
        return
    amount = f"{money.plain(move.amount, move.currency)} {move.currency}"
    if yes:
        click.echo(f"Transfer {transfer} is {move.state} again: {amount} to {move.card_label}.")
    else:
        click.echo(f"Would try again: {amount} to {move.card_label}, which failed with")
        click.echo(f"{move.failure_message} ({move.failure_code}). Add --yes to do it.")


def _order_ref(runtime: Runtime, number: str) -> str:
    """Return the key of the order with this *number*, or *number* if that is a key."""
    page = runtime.sessions.read(
        lambda session: read_page(session, runtime.storefront, limit=LOOKED_AT, number=number)
    )
    found = [bundle.order.ref for bundle in page.bundles if bundle.order.number == number]
    if len(found) == 1:
        return found[0]
    if found or page.next is not None:
        raise click.ClickException(f"Many orders are called {number!r}: pass the key, and --key.")
    return number


def _selection(standing: Standing, text: str) -> Selection:
    """Read ``REF:QTY[:AMOUNT]``; a key may have colons of its own."""
    for item in sorted(standing.items, key=lambda each: (-len(each.ref), each.kind)):
        if text.startswith(f"{item.ref}:"):
            quantity, _, amount = text[len(item.ref) + 1 :].partition(":")
            if not quantity.isdecimal():
                break
            return Selection(
                kind=item.kind,
                ref=item.ref,
                quantity=int(quantity),
                paid=_amount(amount, standing) if amount else None,
            )
    refs = ", ".join(item.ref for item in standing.items)
    raise click.BadParameter(f"{text!r} is not REF:QTY[:AMOUNT] with a REF of {refs}.")


def _amount(text: str, standing: Standing) -> int:
    return money.parse(text, standing.order.currency)


def _named(actor: str | None) -> Actor:
    if not actor or not actor.strip():
        raise click.UsageError("Say who does this: --actor NAME.")
    return Actor(id=actor.strip()[:190], label=actor.strip()[:255])


def _print_plan(standing: Standing, plan: Plan | None, as_json: bool) -> None:
    assert plan is not None
    order = standing.order
    if as_json:
        print_json({"done": False, "order": order, **_plain_plan(plan), "left": standing.balance})
        return

    def shown(amount: int) -> str:
        return f"{money.plain(amount, order.currency)} {order.currency}"

    click.echo(f"Order {order.number} of {order.customer_name}: {shown(standing.balance)} left.")
    print_table(
        ("line", "description", "pieces", "amount"),
        [
            (p.item.ref, p.item.description, p.components.quantity, shown(p.components.paid))
            for p in plan.lines
        ],
    )
    for transfer in plan.transfers:
        to = f"card {transfer.card.label}" if transfer.card else "other means"
        click.echo(f"{shown(transfer.amount)} to {to}")
    click.echo(f"Would refund {shown(plan.amount)}. Add --yes to do it.")


def _plain_plan(plan: Plan) -> dict[str, Any]:
    return {
        "amount": plan.amount,
        "tax": plan.tax,
        "lines": [
            {"kind": p.item.kind, "ref": p.item.ref, **asdict(p.components)} for p in plan.lines
        ],
        "transfers": [
            {
                "method": t.method,
                "amount": t.amount,
                "payment": t.card.ref if t.card else None,
            }
            for t in plan.transfers
        ],
    }


COMMANDS = (issue, retry)
