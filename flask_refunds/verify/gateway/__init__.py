"""``flask refunds verify --gateway``: the card part of our books against the gateways', by id.

The books are read in one snapshot, the gateways are asked without a transaction, and only then
are the two compared. Nothing is written, here or there.
"""

from dataclasses import dataclass, replace

from flask_refunds.figures.periods import Period
from flask_refunds.runtime import Runtime
from flask_refunds.verify.findings import Finding
from flask_refunds.verify.gateway.asking import ask
from flask_refunds.verify.gateway.books import known_to_host, read_books
from flask_refunds.verify.gateway.comparing import NOT_COMPARED, TIMING, UNKNOWN, compare
from flask_refunds.verify.gateway.facts import Answers, Books
from flask_refunds.verify.gateway.totals import Total, totals, untied

__all__ = ["Comparison", "Total", "verify_gateway"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of comparing the card transfers of ``period`` with the gateways.

    ``sales`` and ``transfers`` are how many were compared. ``timing`` is what differs only for
    a while, and no damage.
    """

    period: Period
    sales: int
    transfers: int
    findings: tuple[Finding, ...]
    timing: tuple[Finding, ...]
    totals: tuple[Total, ...]


def verify_gateway(runtime: Runtime, period: Period) -> Comparison:
    """Compare the card transfers of *period*, and all others on their sales, with the gateways.

    Refunds may go on meanwhile: what the gateway has and the books did not have yet is looked
    up in the books again. Raises :exc:`~flask_refunds.errors.NotMigrated`; a gateway that cannot
    be asked is a finding.
    """
    books = _read(runtime, period)
    answers = ask(runtime.gateways, books.of_sales())
    compared = _compare(runtime, books, answers)
    if not compared.findings:
        return compared
    again = _compare(runtime, _read(runtime, period), answers)
    lasting = {(finding.code, finding.refs) for finding in again.findings}
    findings = [
        finding
        for finding in compared.findings
        if finding.code == NOT_COMPARED or (finding.code, finding.refs) in lasting
    ]
    return replace(compared, findings=tuple(_without_hosts(runtime, findings)))


def _read(runtime: Runtime, period: Period) -> Books:
    return runtime.sessions.read(lambda session: read_books(session, period), snapshot=True)


def _compare(runtime: Runtime, books: Books, answers: Answers) -> Comparison:
    zone = runtime.config.zone
    found = list(compare(books, answers, zone))
    by_day = totals(books, answers, zone)
    return Comparison(
        period=books.period,
        sales=len(answers.seen),
        transfers=sum(move.sale in answers.seen for move in books.moves),
        findings=(*(f for f in found if f.code not in TIMING), *untied(by_day)),
        timing=tuple(f for f in found if f.code in TIMING),
        totals=by_day,
    )


def _without_hosts(runtime: Runtime, findings: list[Finding]) -> list[Finding]:
    """Leave out the refunds and voids that the host made itself, and maps with their gateway id."""
    unknown = [finding for finding in findings if finding.code in UNKNOWN]
    orders = {key for finding in unknown for name, key in finding.refs if name == "order"}
    if not orders:
        return findings
    known = runtime.sessions.read(
        lambda session: known_to_host(session, runtime.storefront, orders)
    )
    return [f for f in findings if f not in unknown or dict(f.refs)["gateway_id"] not in known]
