"""The mapping against the live rows: what is looked at, and how much of it."""

from typing import Any

from sqlalchemy import Integer

from flask_refunds.doctor import pointers
from flask_refunds.doctor.findings import Finding, Tally, finding, shown
from flask_refunds.doctor.orders import OrderCheck
from flask_refunds.doctor.sampling import UNREADABLE, newest_orders
from flask_refunds.runtime import Runtime
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.facts import PaymentFacts
from flask_refunds.storefront.values import Amount, expression


def queries(runtime: Runtime) -> list[Finding]:
    """Return the parts whose query fails, each asked for one row."""
    found = []
    for part, _, statement in runtime.storefront.statements():
        try:
            runtime.sessions.read(lambda session: session.execute(statement.limit(1)).all())  # noqa: B023
        except UNREADABLE as error:
            found.append(failed(part, error))
    return found


def failed(part: str, error: Exception) -> Finding:
    """Return the finding that *part* cannot be read, with what the database said."""
    said = str(getattr(error, "orig", None) or error).split("\n")[0]
    return finding("sql_fails", part=part, example=f"{type(error).__name__}: {shown(said)}")


def rows(runtime: Runtime, most: int) -> tuple[list[Finding], dict[str, list[PaymentFacts]]]:
    """Look at the newest *most* orders and what belongs to them.

    Returns what was found, and the newest captured sales by gateway.
    """
    tally, storefront = Tally(), runtime.storefront
    orders = OrderCheck(runtime, tally)
    try:
        with runtime.sessions.open() as session:
            newest = session.execute(newest_orders(storefront).limit(most + 1)).all()
            if len(newest) > most:
                tally.note("sample", "", orders=f"{most:,}")
            orders.look(session, newest[:most])
            orders.payments.end()
            pointers.customers_of(session, storefront, tally, newest[:most])
    except UNREADABLE as error:
        return [*tally.findings(), failed("Orders", error)], orders.payments.sales
    found = []
    for part, declared, _ in storefront.statements():
        if part in {"Lines", "Payments", "PriorRefunds"}:
            found += _pointers(runtime, tally, part, declared, most)
    return [*tally.findings(), *found], orders.payments.sales


def units(storefront: Storefront) -> list[Finding]:
    """Return the amounts whose unit does not go with the type of their column."""
    found = []
    for part, declared, _ in storefront.statements():
        for name, value in vars(declared).items():
            if isinstance(value, Amount) and value.unit == "major":
                column = expression(value.value, f"{part}.{name}")
                if isinstance(column.type, Integer):
                    found.append(finding("amount_integer", name=f"{part}.{name}"))
    return found


def _pointers(runtime: Runtime, tally: Tally, part: str, declared: Any, most: int) -> list[Finding]:
    try:
        runtime.sessions.read(
            lambda session: pointers.orders_of(
                session, runtime.storefront, tally, part, declared, most
            )
        )
    except UNREADABLE as error:
        return [failed(f"{part}.order", error)]
    return []
