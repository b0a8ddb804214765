"""``export``: a report as a file, as its page gives it, for a scheduler or another program."""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

import click
from flask.cli import with_appcontext
from sqlalchemy import ColumnElement, select

from flask_refunds.cli.group import services
from flask_refunds.cli.output import written
from flask_refunds.figures.periods import BASES, Basis, Period, Preset, choose
from flask_refunds.models import Posting
from flask_refunds.money import exponent
from flask_refunds.reports.csv_files import csv_pieces
from flask_refunds.reports.postings import postings_table
from flask_refunds.reports.tables import Table
from flask_refunds.reports.xlsx_files import write_xlsx
from flask_refunds.runtime import Runtime
from flask_refunds.states import Method

Format = Literal["csv", "xlsx"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What of a report is wanted: *conditions* on postings, and what they mean by option."""

    period: Period
    basis: Basis
    conditions: tuple[ColumnElement[bool], ...]
    filters: Mapping[str, str]


def _postings(runtime: Runtime, asked: Asked) -> Table:
    return postings_table(
        runtime.sessions,
        asked.period,
        asked.basis,
        *asked.conditions,
        zone=runtime.config.zone,
        made_at=runtime.now(),
        notes={name.capitalize(): value for name, value in asked.filters.items()},
    )


REPORTS: dict[str, Callable[[Runtime, Asked], Table]] = {"postings": _postings}
"""The reports by the word that asks for them."""

_FILTERS: Mapping[str, Any] = {
    "currency": Posting.currency,
    "method": Posting.method,
    "reason": Posting.reason,
    "operator": Posting.actor_label,
}
_FREE = ("reason", "operator")
"""Filters whose values only the ledger knows."""

_WRONG = {
    "missing": "is missing. Give both --start and --end, or --period.",
    "not_a_date": "is not a date. Write it as 2026-01-31.",
    "out_of_range": "is out of range. Give a day from 1970 on.",
    "before_start": "is before --start. Give the first day as --start and the last as --end.",
}


@click.command()
@click.argument("report", type=click.Choice(list(REPORTS)))
@click.option("--format", "form", type=click.Choice(["csv", "xlsx"]), help="Default: CSV.")
@click.option("--period", type=click.Choice([str(each) for each in Preset]))
@click.option("--start", metavar="DATE", help="The first day, as 2026-01-01, in the store's zone.")
@click.option("--end", metavar="DATE", help="The last day, included.")
@click.option("--basis", type=click.Choice(BASES), default="refund", show_default=True)
@click.option("--currency", help="Only amounts in this currency, as USD.")
@click.option("--method", type=click.Choice([str(each) for each in Method]))
@click.option("--reason", help="Only refunds for this reason, by its code.")
@click.option("--operator", help="Only refunds by this person, as the report writes the name.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    help="A file; without, standard output. A name in .xlsx makes a workbook.",
)
@with_appcontext
def export(
    report: str,
    form: Format | None,
    period: str | None,
    start: str | None,
    end: str | None,
    basis: Basis,
    output: Path,
    **filters: str | None,
) -> None:
    """Write the REPORT of a period, as its page would give it: postings.

    Without --period, --start and --end: the last 30 days. The file of a period that has ended
    stays the same for ever.
    """
    runtime = services()
    chosen = _given(filters)
    _check(runtime, chosen)
    asked = Asked(
        period=_period(runtime, _given({"period": period, "start": start, "end": end})),
        basis=basis,
        conditions=tuple(_FILTERS[name] == value for name, value in chosen.items()),
        filters=chosen,
    )
    path = None if str(output) == "-" else output
    if form is None:
        form = "xlsx" if output.suffix.lower() == ".xlsx" else "csv"
    if form == "xlsx" and path is None and _at_a_terminal():
        raise click.UsageError("--format xlsx is nothing for a terminal. Give --output FILE.")
    _write(REPORTS[report](runtime, asked), form, path)


def _given(options: Mapping[str, str | None]) -> dict[str, str]:
    """Return the options that were typed, were it with nothing: a script's unset variable."""
    return {name: value for name, value in options.items() if value is not None}


def _at_a_terminal() -> bool:
    return sys.stdout.isatty()


def _write(table: Table, form: Format, path: Path | None) -> None:
    with written(path) as file:
        if form == "csv":
            for piece in csv_pieces(table):
                file.write(piece.encode())
        else:
            with TemporaryFile() as whole:
                write_xlsx(table, whole)
                whole.seek(0)
                shutil.copyfileobj(whole, file)
        file.flush()


def _period(runtime: Runtime, args: Mapping[str, str]) -> Period:
    """Return the period that the options ask for, as a page's URL would."""
    if "period" in args and args.keys() & {"start", "end"}:
        raise click.UsageError(
            "--period does not go with --start and --end. Give one or the other."
        )
    chosen = choose(args, now=runtime.now(), zone=runtime.config.zone)
    empty = {name: "missing" for name, value in args.items() if not value.strip()}
    for name, code in {**chosen.errors, **empty}.items():
        typed = " ".join(filter(None, [f"--{name}", args.get(name)]))
        raise click.UsageError(f"{typed} {_WRONG[code]}")
    assert chosen.period is not None
    return chosen.period


def _check(runtime: Runtime, filters: Mapping[str, str]) -> None:
    """Refuse what no posting can have, rather than write a file without rows."""
    currency = filters.get("currency")
    if currency is not None:
        try:
            exponent(currency)
        except ValueError as error:
            raise click.UsageError(f"--currency: {error}. Give one as USD.") from None
    for name in _FREE:
        value, column = filters.get(name), _FILTERS[name]
        if value is None or (name == "reason" and value in runtime.config.reasons):
            continue
        known = runtime.sessions.read(
            lambda session: session.scalars(select(column).distinct().order_by(column)).all()  # noqa: B023
        )
        if value not in known:
            raise click.UsageError(
                f"--{name} {value!r} is on no posting. There are: {', '.join(known) or 'none yet'}."
            )


COMMANDS = (export,)
