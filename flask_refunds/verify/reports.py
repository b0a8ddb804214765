"""The reports against the ledger: what each takes off is what was posted, by currency and day.

The ledger is added up here row by row, by another way than the reports count.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds.figures.buckets import Span, cut
from flask_refunds.figures.items import ItemFigures
from flask_refunds.figures.ledger_query import DATED, totals
from flask_refunds.figures.periods import BASES, Basis, Period
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.summary import read_summary
from flask_refunds.figures.takings import Takings, read_takings
from flask_refunds.models import Posting
from flask_refunds.runtime import Runtime
from flask_refunds.verify.findings import Finding

Day = tuple[str, date]


def compare_reports(runtime: Runtime) -> list[Finding]:
    """Return where a report takes off something else than was posted, by refund or order date.

    What differs is looked at twice: a refund that is posted between two queries is no difference.
    """

    def read(session: Session) -> list[Finding]:
        return [each for basis in BASES for each in _differing(session, runtime, basis)]

    found = runtime.sessions.read(read)
    if not found:
        return []
    again = {(each.code, each.refs) for each in runtime.sessions.read(read)}
    return [each for each in found if (each.code, each.refs) in again]


def _differing(session: Session, runtime: Runtime, basis: Basis) -> Iterator[Finding]:
    posted = _posted(session, runtime, basis)
    if not posted:
        return
    zone = runtime.config.zone
    days = [day for _, day in posted]
    period = Period.of_days(min(days), max(days), zone)
    buckets = cut(period, Span.DAY, zone)
    scope = Scope.of(session, runtime.storefront, period, basis, buckets)
    by_day = {
        (currency, buckets[number].first): _ours(row)
        for (currency, number), row in read_summary(session, scope).items()
    }
    what = f"The Summary Report takes off what was posted, by {basis} date"
    yield from _compare("report_summary", what, posted, by_day, ("currency", "day"))

    whole: dict[str, int] = defaultdict(int)
    for (currency, _), paid in posted.items():
        whole[currency] += paid
    scope = Scope.of(session, runtime.storefront, period, basis)
    takings = {taken.currency: taken for taken in read_takings(session, scope).values()}
    items = {
        block.currency: block.total.refunded - _by_the_shop(takings, block.currency)
        for block in ItemFigures(scope).read(session, limit=1)
    }
    for report, found in {
        "Items Report": items,
        "Dashboard": {currency: _ours(taken) for currency, taken in takings.items()},
        "Refunds report": {each.currency: each.net for each in totals(session, period, basis)},
    }.items():
        code = f"report_{report.split()[0].lower()}"
        what = f"The {report} takes off what was posted, by {basis} date"
        yield from _compare(code, what, whole, found, ("currency",))


def _posted(session: Session, runtime: Runtime, basis: Basis) -> Mapping[Day, int]:
    """Return what was posted by currency and day of the store, added up row by row."""
    zone = runtime.config.zone
    sums: dict[Day, int] = defaultdict(int)
    rows = session.execute(
        select(Posting.currency, DATED[basis], Posting.paid),
        execution_options={"yield_per": 2000},
    )
    for currency, moment, paid in rows:
        sums[currency, moment.astimezone(zone).date()] += paid
    return sums


def _compare(
    code: str,
    what: str,
    posted: Mapping[Any, int],
    found: Mapping[Any, int],
    names: tuple[str, ...],
) -> Iterator[Finding]:
    """Yield where the two differ, by keys whose parts are called *names*."""
    for key in sorted({*posted, *found}, key=str):
        if posted.get(key, 0) != found.get(key, 0):
            parts = key if isinstance(key, tuple) else (key,)
            yield Finding(
                code=code,
                what=what,
                refs=tuple(zip(names, map(str, parts), strict=True)),
                expected=posted.get(key, 0),
                found=found.get(key, 0),
                currency=str(parts[0]),
            )


def _ours(taken: Takings) -> int:
    return taken.refunds - taken.shop


def _by_the_shop(takings: Mapping[str, Takings], currency: str) -> int:
    return takings[currency].shop if currency in takings else 0
