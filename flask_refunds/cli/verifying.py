"""``verify``: whether the books agree with each other, and with the gateway; nothing is changed."""

from dataclasses import asdict
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext

from flask_refunds.cli.group import services
from flask_refunds.cli.printing import json_option, print_json, print_table
from flask_refunds.figures.periods import EARLIEST, Period, choose
from flask_refunds.money import plain
from flask_refunds.runtime import Runtime
from flask_refunds.verify import Comparison, Finding, verify, verify_gateway

DAYS = 30

day = click.DateTime(formats=["%Y-%m-%d"])


@click.command("verify")
@click.option("--gateway", is_flag=True, help="Also compare card transfers with the gateway.")
@click.option(
    "--start",
    type=day,
    help=f"First day to compare; default: the last {DAYS} days. Needs --gateway.",
)
@click.option("--end", type=day, help="Last day to compare; default: today. Needs --gateway.")
@json_option
@click.pass_context
@with_appcontext
def check_books(
    context: click.Context,
    gateway: bool,
    start: datetime | None,
    end: datetime | None,
    as_json: bool,
) -> None:
    """Check that accounts, refunds, transfers and ledger agree; status 1 if they do not.

    With --gateway, compare what was issued, completed or failed by card on some days of the
    store with what the gateway has. What differs only until a refund settles or is looked at
    again is listed apart, and leaves the status 0. What the gateway could not be asked about is
    a difference.
    """
    if not gateway and (start or end):
        raise click.UsageError(
            "--start and --end are for --gateway; the other checks see all days."
        )
    runtime = services()
    findings = verify(runtime)
    compared = None
    if gateway:
        compared = verify_gateway(runtime, _period(runtime, start, end))
        findings += compared.findings
    if as_json:
        print_json(findings if compared is None else _document(runtime, compared, findings))
    else:
        if compared is not None:
            _tell(runtime, compared)
        for each in findings:
            click.echo(_line(each))
        if any(each.code == "not_compared" for each in findings):
            click.echo("NOT EVERYTHING WAS COMPARED: see not_compared above.")
        click.echo(f"{len(findings)} findings." if findings else "Everything ties out.")
    context.exit(1 if findings else 0)


def _period(runtime: Runtime, start: datetime | None, end: datetime | None) -> Period:
    zone, now = runtime.config.zone, runtime.now()
    last = end.date() if end else now.astimezone(zone).date()
    first = start.date() if start else max(last, EARLIEST) - timedelta(days=DAYS - 1)
    days = {"start": first.isoformat(), "end": last.isoformat()}
    period = choose(days, now=now, zone=zone).period
    if period is None:
        raise click.UsageError(
            f"{first} to {last} is no period: give two days in order, from {EARLIEST} on."
        )
    return period


def _document(runtime: Runtime, compared: Comparison, findings: list[Finding]) -> dict[str, object]:
    return {
        "start": str(compared.period.first),
        "end": str(compared.period.last),
        "timezone": runtime.config.timezone,
        "sales": compared.sales,
        "transfers": compared.transfers,
        "findings": findings,
        "timing": compared.timing,
        "totals": [asdict(total) for total in compared.totals],
    }


def _tell(runtime: Runtime, compared: Comparison) -> None:
    """Print what was compared, the totals, and what is only a matter of time."""
    click.echo(
        f"Compared with the gateway, {compared.period.first} to {compared.period.last} "
        f"({runtime.config.timezone}): {compared.transfers} card transfers, {compared.sales} sales."
    )
    amounts = ("ledger", "gateway", "timing", "not_compared")
    print_table(
        ("day", "currency", "by", *(name.replace("_", " ") for name in amounts)),
        [
            (
                total.day,
                total.currency,
                total.operation,
                *(_amount(getattr(total, name), total.currency) for name in amounts),
            )
            for total in compared.totals
        ],
    )
    for each in compared.timing:
        click.echo(_line(each))
    if compared.timing:
        click.echo(f"{len(compared.timing)} differ for a while only: no damage.")


def _line(finding: Finding) -> str:
    rows = ", ".join(f"{name} {key}" for name, key in finding.refs)
    expected, found = (
        _figure(each, finding.currency) for each in (finding.expected, finding.found)
    )
    return f"{finding.code} ({rows}): {finding.what}; expected {expected}, found {found}"


def _figure(value: int | str, currency: str) -> str:
    if isinstance(value, str) or not currency:
        return str(value)
    return f"{_amount(value, currency)} {currency}"


def _amount(minor: int, currency: str) -> str:
    """Return *minor* units for people; as they are when damage has made the currency unknown."""
    try:
        return plain(minor, currency)
    except ValueError:
        return str(minor)


COMMANDS = (check_books,)
