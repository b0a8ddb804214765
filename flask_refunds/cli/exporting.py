"""``export``: a report as a file, as its page gives it, for a scheduler or another program."""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

import click
from flask.cli import with_appcontext
from sqlalchemy import select

from flask_refunds.cli.group import services
from flask_refunds.cli.output import written
from flask_refunds.errors import TooManyRows
from flask_refunds.figures.buckets import Span
from flask_refunds.figures.filters import ENTRIES, Filters
from flask_refunds.figures.items import ITEM, ORDERS
from flask_refunds.figures.periods import BASES, Basis, Period, Preset, choose
from flask_refunds.figures.ways import Way
from flask_refunds.models import Posting, Refund
from flask_refunds.money import exponent
from flask_refunds.reports.csv_files import csv_pieces
from flask_refunds.reports.filing import report_table
from flask_refunds.reports.postings import postings_table
from flask_refunds.reports.sources import ITEMS, REQUESTS, SUMMARY, Query, Source
from flask_refunds.reports.tables import Table
from flask_refunds.reports.xlsx_files import write_xlsx
from flask_refunds.runtime import Runtime
from flask_refunds.states import RefundState

Format = Literal["csv", "xlsx"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report that can be exported: how, and which options it knows beside the days.

    Of ``model`` are the rows whose reasons and operators may be asked for.
    """

    table: Callable[[Runtime, Query, Mapping[str, str]], Table]
    options: tuple[str, ...]
    model: type[Posting | Refund] = Refund


def _postings(runtime: Runtime, query: Query, notes: Mapping[str, str]) -> Table:
    return postings_table(
        runtime.sessions,
        query.period,
        query.basis,
        *query.filters.of_postings(),
        zone=runtime.config.zone,
        made_at=runtime.now(),
        notes=notes,
    )


def _of(source: Source) -> Callable[[Runtime, Query, Mapping[str, str]], Table]:
    def table(runtime: Runtime, query: Query, notes: Mapping[str, str]) -> Table:
        return report_table(runtime, source, query, notes=notes)

    return table


_FILTERS = ("status", "method", "reason", "operator", "currency")

REPORTS: dict[str, Report] = {
    "postings": Report(table=_postings, options=_FILTERS, model=Posting),
    "requests": Report(table=_of(REQUESTS), options=_FILTERS),
    "items": Report(table=_of(ITEMS), options=("by", "text", "sort")),
    "summary": Report(table=_of(SUMMARY), options=("by",)),
}
"""The reports by the word that asks for them."""

_FREE = {"reason": "reason", "operator": "actor_label"}
"""Options whose values only the refunds know, and the columns that have them."""

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
@click.option("--method", type=click.Choice([Way.CARD.value, Way.VOID.value, Way.OTHER.value]))
@click.option("--status", help="Of postings: refund or reversal. Of requests: their state.")
@click.option("--reason", help="Only refunds for this reason, by its code.")
@click.option("--operator", help="Only refunds by this person, as the report writes the name.")
@click.option("--by", help="Items: item, or a dimension. Summary: day, week or month.")
@click.option("--text", help="Of items: only those with this SKU or name, as the page searches.")
@click.option("--sort", help="Of items: the column to sort by, as name; -net begins at the top.")
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
    **options: str | None,
) -> None:
    """Write the REPORT of a period, as its page would give it.

    Without --period, --start and --end: the last 30 days. By refund date, the file of postings of
    a period that has ended stays the same for ever; by order date, later refunds come into it.
    """
    runtime = services()
    asked = _given(options)
    for name in asked:
        if name not in REPORTS[report].options:
            known = ", ".join(f"--{each}" for each in REPORTS[report].options)
            raise click.UsageError(f"--{name} is nothing for {report}. It takes {known}.")
    _check(runtime, REPORTS[report], asked)
    query = Query(
        period=_period(runtime, _given({"period": period, "start": start, "end": end})),
        basis=basis,
        **_choices(runtime, report, asked),
    )
    path = None if str(output) == "-" else output
    if form is None:
        form = "xlsx" if output.suffix.lower() == ".xlsx" else "csv"
    if form == "xlsx" and path is None and _at_a_terminal():
        raise click.UsageError("--format xlsx is nothing for a terminal. Give --output FILE.")
    notes = {name.capitalize(): value for name, value in asked.items()}
    try:
        _write(REPORTS[report].table(runtime, query, notes), form, path)
    except TooManyRows as error:
        raise click.UsageError(f"--{error.field}: {error}.") from None


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


def _choices(runtime: Runtime, report: str, asked: Mapping[str, str]) -> dict[str, Any]:
    """Return what a report's own options mean."""
    if report == "summary":
        return {"span": Span(_one_of("by", asked["by"], Span))} if "by" in asked else {}
    if report == "items":
        known = {"by": [ITEM, *runtime.storefront.lines.dimensions], "sort": ORDERS}
        return {
            name: _one_of(name, value, known[name]) if name in known else value
            for name, value in asked.items()
        }
    status = asked.get("status")
    if status is not None:
        status = _one_of("status", status, ENTRIES if report == "postings" else RefundState)
    return {
        "filters": Filters(
            entry=status if report == "postings" else None,
            state=RefundState(status) if status and report == "requests" else None,
            way=Way(asked["method"]) if "method" in asked else None,
            reason=asked.get("reason"),
            operator=asked.get("operator"),
            currency=asked.get("currency"),
        )
    }


def _one_of(name: str, value: str, known: Iterable[str]) -> str:
    if value not in [str(each) for each in known]:
        raise click.UsageError(f"--{name} {value!r} is not one of {', '.join(map(str, known))}.")
    return value


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


def _check(runtime: Runtime, report: Report, asked: Mapping[str, str]) -> None:
    """Refuse what no row can have, rather than write a file without rows."""
    currency = asked.get("currency")
    if currency is not None:
        try:
            exponent(currency)
        except ValueError as error:
            raise click.UsageError(f"--currency: {error}. Give one as USD.") from None
    for name, column_name in _FREE.items():
        value, column = asked.get(name), getattr(report.model, column_name)
        if value is None or (name == "reason" and value in runtime.config.reasons):
            continue
        known = runtime.sessions.read(
            lambda session: session.scalars(select(column).distinct().order_by(column)).all()  # noqa: B023
        )
        if value not in known:
            thing = report.model.__name__.lower()
            raise click.UsageError(
                f"--{name} {value!r} is on no {thing}. There are: {', '.join(known) or 'none yet'}."
            )


COMMANDS = (export,)
