"""Accounts, refunds, their lines, transfers and allocations."""

from collections.abc import Iterator
from itertools import groupby

from sqlalchemy import and_, func, literal, select
from sqlalchemy.orm import Session

from flask_refunds.models import Account, Allocation, Line, Posting, Refund, Transfer
from flask_refunds.states import RESERVING, TransferState, derive_refund_state
from flask_refunds.verify.findings import (
    COMPONENTS,
    NO_MONEY,
    Finding,
    currency_of,
    differing,
    is_current,
    sums,
)


def accounts(session: Session) -> Iterator[Finding]:
    """Yield accounts that are missing, do not add up, or give back more than there is.

    What an account has of the host (``captured``, ``prior``) is as old as its last refund, and the
    host may have refunded since: it is not compared with the host's rows.
    """
    yield from differing(
        session,
        "account_missing",
        "The order of every refund has an account, which guards its balance",
        ("refund",),
        select(Refund.id, NO_MONEY, Refund.order_ref, Account.order_ref)
        .outerjoin(Account, Account.order_ref == Refund.order_ref)
        .where(Account.order_ref.is_(None)),
    )
    reserved = (
        select(Transfer.order_ref, func.sum(Transfer.amount).label("amount"))
        .where(Transfer.state.in_(RESERVING))
        .group_by(Transfer.order_ref)
        .subquery()
    )
    expected = func.coalesce(reserved.c.amount, 0)
    yield from differing(
        session,
        "account_committed",
        "An account's committed money is what its transfers reserve or gave back",
        ("order",),
        select(Account.order_ref, Account.currency, expected, Account.committed)
        .outerjoin(reserved, reserved.c.order_ref == Account.order_ref)
        .where(Account.committed != expected),
    )
    given = Account.prior + Account.committed
    yield from differing(
        session,
        "account_over_paid",
        "An account gives back at most what was paid",
        ("order",),
        select(Account.order_ref, Account.currency, Account.paid, given).where(
            given > Account.paid
        ),
    )
    yield from differing(
        session,
        "account_over_captured",
        "An account gives back at most what the host said was captured when last looked",
        ("order",),
        select(Account.order_ref, Account.currency, Account.captured, given).where(
            given > Account.captured
        ),
    )


def refunds(session: Session) -> Iterator[Finding]:
    """Yield refunds that are not the sum of their lines and transfers, or of another order."""
    for code, what, header, part in (
        ("refund_lines", "A refund's amount is the sum of its lines", Refund.amount, Line.paid),
        ("refund_tax", "A refund's tax is the sum of its lines' tax", Refund.tax, Line.tax),
    ):
        expected = func.coalesce(func.sum(part), 0)
        yield from differing(
            session,
            code,
            what,
            ("refund",),
            select(Refund.id, Refund.currency, expected, header)
            .outerjoin(Line, Line.refund_id == Refund.id)
            .group_by(Refund.id, Refund.currency, header)
            .having(header != expected),
        )
    found = func.coalesce(func.sum(Transfer.amount), 0)
    yield from differing(
        session,
        "refund_transfers",
        "A refund's amount is the sum of its current transfers",
        ("refund",),
        select(Refund.id, Refund.currency, Refund.amount, found)
        .outerjoin(Transfer, and_(Transfer.refund_id == Refund.id, is_current()))
        .group_by(Refund.id, Refund.currency, Refund.amount)
        .having(Refund.amount != found),
    )
    yield from differing(
        session,
        "transfer_order",
        "A transfer is about the order of its refund",
        ("refund", "transfer"),
        select(Refund.id, Transfer.id, NO_MONEY, Refund.order_ref, Transfer.order_ref)
        .join(Transfer, Transfer.refund_id == Refund.id)
        .where(Transfer.order_ref != Refund.order_ref),
    )


def states(session: Session) -> Iterator[Finding]:
    """Yield refunds whose state is another than their transfers say."""
    rows = session.execute(
        select(Refund.id, Refund.state, Transfer.state)
        .join(Transfer, Transfer.refund_id == Refund.id)
        .where(is_current())
        .distinct()
        .order_by(Refund.id),
        execution_options={"yield_per": 1000},
    )
    for (refund, state), parts in groupby(rows, lambda row: (row[0], row[1])):
        derived = derive_refund_state({TransferState(part[2]) for part in parts})
        if state != derived:
            yield Finding(
                code="refund_state",
                what="A refund's state follows from its current transfers",
                refs=(("refund", str(refund)),),
                expected=derived.value,
                found=state,
            )


def currencies(session: Session) -> Iterator[Finding]:
    """Yield rows in another currency than their refund."""
    what = "A refund, its account, transfers and postings are in one currency"
    for name, model, key in (
        ("transfer", Transfer, Transfer.id),
        ("posting", Posting, Posting.id),
    ):
        yield from differing(
            session,
            "currency",
            what,
            ("refund", name),
            select(Refund.id, key, NO_MONEY, Refund.currency, model.currency)
            .join(model, model.refund_id == Refund.id)
            .where(model.currency != Refund.currency),
        )
    yield from differing(
        session,
        "currency",
        what,
        ("refund", "order"),
        select(Refund.id, Account.order_ref, NO_MONEY, Refund.currency, Account.currency)
        .join(Account, Account.order_ref == Refund.order_ref)
        .where(Account.currency != Refund.currency),
    )


def allocations(session: Session) -> Iterator[Finding]:
    """Yield transfers and lines that are not the sum of their allocations."""
    found = func.coalesce(func.sum(Allocation.paid), 0)
    yield from differing(
        session,
        "transfer_allocations",
        "A transfer's amount is the sum of what it carries of the lines",
        ("refund", "transfer"),
        select(Transfer.refund_id, Transfer.id, Transfer.currency, Transfer.amount, found)
        .outerjoin(Allocation, Allocation.transfer_id == Transfer.id)
        .group_by(Transfer.refund_id, Transfer.id, Transfer.currency, Transfer.amount)
        .having(Transfer.amount != found),
    )
    carried = (
        select(Allocation.line_id, *sums(Allocation))
        .join(Transfer, Transfer.id == Allocation.transfer_id)
        .where(is_current())
        .group_by(Allocation.line_id)
        .subquery()
    )
    for name in COMPONENTS:
        expected, got = getattr(Line, name), func.coalesce(carried.c[name], 0)
        yield from differing(
            session,
            "line_allocations",
            f"The {name} of a line is the sum of what its current transfers carry",
            ("refund", "line"),
            select(Line.refund_id, Line.id, currency_of(name, Refund), expected, got)
            .join(Refund, Refund.id == Line.refund_id)
            .outerjoin(carried, carried.c.line_id == Line.id)
            .where(expected != got),
        )


def gateway_ids(session: Session) -> Iterator[Finding]:
    """Yield what the gateways made once and several transfers have booked."""
    count = func.count(Transfer.id)
    yield from differing(
        session,
        "gateway_id_twice",
        "One refund or void at the gateway is booked by one transfer",
        ("gateway_id", "transfer", "other_transfer"),
        select(
            Transfer.gateway_refund_id,
            func.min(Transfer.id),
            func.max(Transfer.id),
            NO_MONEY,
            literal(1),
            count,
        )
        .where(
            Transfer.gateway_refund_id.is_not(None),
            Transfer.state != TransferState.REVERSED,  # it has let it go
        )
        .group_by(Transfer.gateway, Transfer.gateway_refund_id)
        .having(count > 1),
    )
