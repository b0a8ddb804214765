"""The orders that were refunded last: what the shop says of them now, beside their accounts."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flask_refunds.doctor.findings import Tally
from flask_refunds.doctor.sampling import batches
from flask_refunds.errors import MappingError
from flask_refunds.models import Account, Refund
from flask_refunds.storefront import Storefront
from flask_refunds.storefront.facts import OrderBundle
from flask_refunds.storefront.reading import read_bundles


def compare(session: Session, storefront: Storefront, tally: Tally, most: int) -> None:
    """Compare the accounts of the last *most* refunds with their orders."""
    last = select(Refund.id, Refund.order_ref).order_by(Refund.id.desc()).limit(most).subquery()
    refs = session.scalars(
        select(last.c.order_ref).group_by(last.c.order_ref).order_by(func.max(last.c.id).desc())
    ).all()
    for some in batches(refs):
        accounts = session.scalars(select(Account).where(Account.order_ref.in_(some))).all()
        try:
            found = read_bundles(session, storefront, some)
        except MappingError as error:
            tally.note("row_unreadable", error, part="a refunded order")
            continue
        bundles = {bundle.order.ref: bundle for bundle in found}
        for account in accounts:
            _compare(tally, account, bundles.get(account.order_ref))


def _compare(tally: Tally, account: Account, bundle: OrderBundle | None) -> None:
    tally.look("refunded")
    example = f"order {account.order_ref}"
    if bundle is None:
        tally.note("order_gone", example)
    elif bundle.order.currency != account.currency:
        tally.note("order_currency", f"{example}: {account.currency}, now {bundle.order.currency}")
    elif account.prior + account.committed > bundle.captured:
        given = account.prior + account.committed
        tally.note("over_committed", f"{example}: {given} of {bundle.captured} minor units")
    elif account.captured != bundle.captured:
        tally.note("order_changed", f"{example}: {account.captured}, now {bundle.captured}")
