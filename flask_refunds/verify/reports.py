"""The reports against the ledger: what each takes off is what was posted, by currency and day.

The ledger is added up here row by row, by another way than the reports count.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_refunds.figures.buckets import Bucket
from flask_refunds.figures.items import ItemFigures
from flask_refunds.figures.ledger_query import DATED, totals
from flask_refunds.figures.periods import BASES, Basis, Period, midnight
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.summary import read_summary
from flask_refunds.figures.takings import Key, Takings, read_takings
from flask_refunds.models import Posting
from flask_refunds.runtime import Runtime
from flask_refunds.verify.findings import Finding

Day = tuple[str, date]

AT_ONCE = 400
"""How many buckets one query is cut into."""


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
    found: Mapping[str, dict[Day, int]] = defaultdict(dict)
    for buckets in stretches({day for _, day in posted}, runtime.config.zone):
        for report, paid in _reported(session, runtime, basis, buckets).items():
            found[report].update(paid)
    for report, paid in found.items():
        code = f"report_{report.split()[0].lower()}"
        what = f"The {report} takes off what was posted, by {basis} date"
        yield from _compare(code, what, posted, paid)


def stretches(days: Collection[date], zone: ZoneInfo) -> Iterator[list[Bucket]]:
    """Yield buckets from the first to the last of *days*, :data:`AT_ONCE` at a time.

    Each of the days has one, and so has what lies between two of them: a ledger with one order of
    1970 costs no more than another.
    """
    ordered = sorted(days)
    starts = sorted({*ordered, *(day + timedelta(days=1) for day in ordered)})
    edges = list(pairwise(starts))
    for at in range(0, len(edges), AT_ONCE):
        yield [
            Bucket(
                first=first,
                last=following - timedelta(days=1),
                start=midnight(first, zone),
                end=midnight(following, zone),
            )
            for first, following in edges[at : at + AT_ONCE]
        ]


def _reported(
    session: Session, runtime: Runtime, basis: Basis, buckets: Sequence[Bucket]
) -> Mapping[str, Mapping[Day, int]]:
    """Return what each report takes off of ours in *buckets*, by currency and first day."""
    period = _of(buckets[0], buckets[-1])
    scope = Scope.of(session, runtime.storefront, period, basis, buckets)
    takings = read_takings(session, scope)
    shop = {key: taken.shop for key, taken in takings.items()}
    by_number: Mapping[str, Mapping[Key, int]] = {
        "Summary Report": {key: _ours(row) for key, row in read_summary(session, scope).items()},
        "Items Report": {
            (block.currency, block.span): block.total.refunded
            - shop.get((block.currency, block.span), 0)
            for block in ItemFigures(scope).read(session, limit=1)
        },
        "Dashboard": {key: _ours(taken) for key, taken in takings.items()},
        "Refunds report": {
            (each.currency, number): each.net
            for number, bucket in enumerate(buckets)
            for each in totals(session, _of(bucket, bucket), basis)
        },
    }
    return {
        report: {(currency, buckets[number].first): paid for (currency, number), paid in of.items()}
        for report, of in by_number.items()
    }


def _of(first: Bucket, last: Bucket) -> Period:
    return Period(start=first.start, end=last.end, first=first.first, last=last.last)


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
    code: str, what: str, posted: Mapping[Day, int], found: Mapping[Day, int]
) -> Iterator[Finding]:
    """Yield where the two differ."""
    for currency, day in sorted({*posted, *found}):
        expected, paid = posted.get((currency, day), 0), found.get((currency, day), 0)
        if expected != paid:
            yield Finding(
                code=code,
                what=what,
                refs=(("currency", currency), ("day", str(day))),
                expected=expected,
                found=paid,
                currency=currency,
            )


def _ours(taken: Takings) -> int:
    return taken.refunds - taken.shop
