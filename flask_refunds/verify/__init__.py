"""``flask refunds verify``: whether our tables agree with each other, to the cent.

Each check of the tables is one SELECT, so that it sees one moment also while refunds go on, and
returns only what does not agree; the reports are compared with the ledger by currency and day.
Nothing is written. :func:`verify_gateway` compares with the gateway.
"""

from flask_refunds.runtime import Runtime
from flask_refunds.verify.copies import copies, dates, reversals
from flask_refunds.verify.documents import (
    accounts,
    allocations,
    currencies,
    gateway_ids,
    refunds,
    states,
)
from flask_refunds.verify.findings import Check, Finding
from flask_refunds.verify.gateway import Comparison, Total, verify_gateway
from flask_refunds.verify.postings import claims, postings
from flask_refunds.verify.reports import compare_reports
from flask_refunds.verify.trails import trails

__all__ = ["CHECKS", "Comparison", "Finding", "Total", "verify", "verify_gateway"]

CHECKS: tuple[Check, ...] = (
    accounts,
    refunds,
    states,
    currencies,
    allocations,
    postings,
    reversals,
    copies,
    dates,
    trails,
    gateway_ids,
    claims,
)
"""What :func:`verify` asks of our tables, in this order."""


def verify(runtime: Runtime) -> list[Finding]:
    """Return all that does not agree; an empty list when everything does.

    Our tables with each other, and the reports with the ledger, by currency and day. Raises
    :exc:`~flask_refunds.errors.NotMigrated`.
    """
    found = runtime.sessions.read(
        lambda session: [finding for check in CHECKS for finding in check(session)]
    )
    return found + compare_reports(runtime)
