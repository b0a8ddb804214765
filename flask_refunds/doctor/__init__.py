"""``flask refunds doctor``: whether an installation is as it should be, and what to do if not.

Nothing is changed. Of a large shop the newest orders are looked at, so many as asked for; the
number of queries follows from that, and none reads more rows than that allows.
"""

from collections.abc import Mapping, Sequence

from flask import Flask
from sqlalchemy import select

from flask_refunds import wired
from flask_refunds.doctor import operation, refunded, shop
from flask_refunds.doctor.codes import CODES
from flask_refunds.doctor.findings import Finding, Tally
from flask_refunds.doctor.kinds import Part, Severity
from flask_refunds.doctor.panel import panel
from flask_refunds.doctor.probing import probe
from flask_refunds.doctor.sampling import UNREADABLE
from flask_refunds.doctor.tables import tables
from flask_refunds.runtime import Runtime
from flask_refunds.storefront.facts import PaymentFacts

__all__ = ["CODES", "ORDERS", "Finding", "Part", "Severity", "examine"]

ORDERS = 10_000
"""How many of the newest orders are looked at."""
REFUNDS = 1_000
"""How many of the last refunds are compared with their orders."""


def examine(app: Flask, *, orders: int = ORDERS, offline: bool = False) -> tuple[Finding, ...]:
    """Return all that is wrong with refunds in *app*, or worth knowing; nothing is changed.

    The mapping is compared with the newest *orders* orders. *offline* leaves out the queue, the
    workers and the gateways. Raises :exc:`~flask_refunds.errors.ConfigurationError` when *app*
    has no refunds, and the database's own error when there is no way to it.
    """
    with app.app_context():
        here = wired.current()
        runtime = here.runtime
        runtime.sessions.read(lambda session: session.execute(select(1)))
        ours = tables(runtime)
        migrated = not any(each.code in {"tables_missing", "tables_old"} for each in ours)
        found = shop.units(runtime.storefront) + shop.queries(runtime)
        sales: Mapping[str, Sequence[PaymentFacts]] = {}
        readable = not any(each.code == "sql_fails" for each in found)
        if readable:
            seen, sales = shop.rows(runtime, orders)
            found += seen
            if migrated:
                found += _refunded(runtime, min(orders, REFUNDS))
        found += panel(app, here) + operation.settings(runtime)
        if not offline:
            found += operation.work(runtime) if migrated else []
            found += operation.gateways(runtime, sales)
    with app.app_context():
        found += probe(app)
    parts = list(Part)
    return tuple(sorted([*found, *ours], key=lambda each: parts.index(each.part)))


def _refunded(runtime: Runtime, most: int) -> list[Finding]:
    tally = Tally()
    try:
        runtime.sessions.read(
            lambda session: refunded.compare(session, runtime.storefront, tally, most)
        )
    except UNREADABLE as error:
        return [*tally.findings(), shop.failed("a refunded order", error)]
    return tally.findings()
