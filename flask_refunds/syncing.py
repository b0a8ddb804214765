"""Finding what was refunded and voided in the gateways' own panels, and adopting it.

Safe to run at any time and at once: what is ours or was adopted before is known by its id, under
the lock of its order.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from flask_refunds import logs
from flask_refunds.adopting import needs_all, take_up
from flask_refunds.errors import ConfigurationError, RefundsError
from flask_refunds.gateways.base import GatewayError, ListsRefunds, VoidReceipt
from flask_refunds.models import Gateway
from flask_refunds.ours import Owner, known_to_us, take_notice
from flask_refunds.outcomes import VOID
from flask_refunds.outside import Found, Given, Outcome
from flask_refunds.runtime import Runtime
from flask_refunds.storefront.charges import read_orders_of_charges
from flask_refunds.storefront.facts import OrderBundle
from flask_refunds.storefront.reading import read_bundle

FIRST = timedelta(days=30)
"""How far back a gateway is looked through the first time."""
OVERLAP = timedelta(days=1)
"""How much of what was looked through is looked through again: searches may lag behind."""
AT_ONCE = 500
"""How many receipts are compared with our tables by one query."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What one gateway had from ``since`` to ``until`` (UTC).

    ``seen`` counts what it listed, ``failed`` what of that took no money, ``ours`` what we made
    or had adopted. ``problems`` say in words what could not be done; without any, all was.
    """

    gateway: str
    since: datetime
    until: datetime
    seen: int = 0
    failed: int = 0
    ours: int = 0
    found: tuple[Found, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What :func:`sync` found, by gateway. ``dry``: nothing was written."""

    dry: bool
    gateways: tuple[Looked, ...]

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to do something about it."""
        return any(
            each.problems or any(found.outcome in _FOR_PERSON for found in each.found)
            for each in self.gateways
        )


_FOR_PERSON = frozenset(Outcome) - {
    Outcome.IN_SHOP,
    Outcome.MATCHED,
    Outcome.REOPENED,
    Outcome.UNKNOWN_SALE,
}
"""A sale that is unknown here may be another shop's of the same merchant."""


def sync(
    runtime: Runtime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    gateway: str | None = None,
    dry: bool = False,
) -> Synced:
    """Look through what the gateways refunded and voided, and adopt what nobody here made.

    From *since* to *until* (aware; default: from where the last whole look ended, less
    :data:`OVERLAP`, until now), at all gateways that can tell or at *gateway*. *dry* writes
    nothing. Raises :exc:`~flask_refunds.errors.ConfigurationError` when *gateway* cannot tell.
    """
    names = list(runtime.gateways) if gateway is None else [gateway]
    looked = [_look(runtime, name, since, until, dry=dry) for name in names]
    if gateway is not None and looked == [None]:
        raise ConfigurationError(f"The gateway {gateway!r} cannot list its refunds.")
    return Synced(dry=dry, gateways=tuple(each for each in looked if each is not None))


def _look(
    runtime: Runtime, name: str, since: datetime | None, until: datetime | None, *, dry: bool
) -> Looked | None:
    """Look through one gateway; ``None`` when it cannot list its refunds."""
    now = runtime.now()
    end = min(until, now) if until is not None else now
    usual = runtime.sessions.read(partial(_beginning, name=name, end=end))
    start = since if since is not None else usual
    looked = partial(Looked, gateway=name, since=start, until=end)
    try:
        asked = runtime.gateways.get(name)
    except ConfigurationError as error:
        if name not in runtime.gateways:
            raise
        return looked(problems=(str(error),))
    if not isinstance(asked, ListsRefunds):
        return None
    try:
        receipts = list(asked.refunds_since(start, end)) if start <= end else []
    except GatewayError as error:
        logs.warning("sync_failed", gateway=name, reason=error.message)
        return looked(problems=(error.message,))
    listed = list({(g.operation, g.id): g for g in (Given.of(name, r) for r in receipts)}.values())
    relevant = [each for each in listed if each.took_money or each.operation == VOID]
    strangers, unbooked = _unknown(runtime, name, relevant)
    found, problems = _take_up(runtime, name, strangers, dry=dry)
    found += _take_notice(runtime, unbooked, problems, dry=dry)
    if not problems and not dry and start <= usual:
        _remember(runtime, name, end)
    return looked(
        seen=len(listed),
        failed=len(listed) - len(relevant),
        ours=len(relevant) - len(strangers),
        found=tuple(found),
        problems=tuple(problems),
    )


def _beginning(session: Session, *, name: str, end: datetime) -> datetime:
    """Return from when on the gateway *name* was not looked through yet."""
    row = session.get(Gateway, name)
    if row is None or row.synced_until is None:
        return end - FIRST
    return row.synced_until - OVERLAP


def _unknown(
    runtime: Runtime, name: str, listed: Sequence[Given]
) -> tuple[list[Given], list[tuple[Owner, Given]]]:
    """Return what of *listed* is not ours, and what is ours and took money beside our books.

    As far as can be told without a lock.
    """
    strangers: list[Given] = []
    unbooked: list[tuple[Owner, Given]] = []
    for start in range(0, len(listed), AT_ONCE):
        part = listed[start : start + AT_ONCE]
        known = runtime.sessions.read(partial(known_to_us, gateway=name, given=part))
        strangers += [each for each in part if each.id not in known.ours]
        unbooked += [(known.unbooked[e.id], e) for e in part if e.id in known.unbooked]
    return strangers, unbooked


def _take_up(
    runtime: Runtime, name: str, strangers: Sequence[Given], *, dry: bool
) -> tuple[list[Found], list[str]]:
    charges = {each.charge_id for each in strangers}
    shop = runtime.storefront
    orders = runtime.sessions.read(lambda s: read_orders_of_charges(s, shop, name, charges))
    of_orders: dict[str, list[Given]] = defaultdict(list)
    found: list[Found] = []
    problems: list[str] = []
    for given in strangers:
        refs = orders.get(given.charge_id, ())
        if len(refs) == 1:
            of_orders[refs[0]].append(given)
        elif given.took_money:
            outcome = Outcome.SEVERAL_ORDERS if refs else Outcome.UNKNOWN_SALE
            found.append(Found(given=given, outcome=outcome, order_refs=refs))
    for order_ref, wanted in of_orders.items():
        with _guarded(order_ref, problems):
            found += _of_order(runtime, order_ref, wanted, dry=dry)
    return found, problems


def _take_notice(
    runtime: Runtime,
    unbooked: Sequence[tuple[Owner, Given]],
    problems: list[str],
    *,
    dry: bool,
) -> list[Found]:
    found: list[Found] = []
    for owner, given in unbooked:
        work = partial(take_notice, runtime=runtime, owner=owner, given=given, dry=dry)
        with _guarded(owner.order_ref, problems):
            seen = runtime.sessions.read(work) if dry else runtime.sessions.transact(work)
            found += [] if seen is None else [seen]
    return found


@contextmanager
def _guarded(order_ref: str, problems: list[str]) -> Iterator[None]:
    """Note what cannot be done with one order among the *problems*: the others go on."""
    try:
        yield
    except (RefundsError, GatewayError) as error:
        problem = str(error)
    except DBAPIError as error:  # its own words have the rows, and with them the customer
        problem = f"the database does not take it ({type(error.orig).__name__})"
    else:
        return
    logs.warning("sync_failed", order=order_ref, reason=problem)
    problems.append(f"order {order_ref}: {problem}")


def _of_order(
    runtime: Runtime, order_ref: str, wanted: Sequence[Given], *, dry: bool
) -> list[Found]:
    bundle = runtime.sessions.read(lambda s: read_bundle(s, runtime.storefront, order_ref))
    everything = tuple(_all_of(runtime, bundle)) if needs_all(bundle, wanted) else ()
    work = partial(
        take_up,
        runtime=runtime,
        order_ref=order_ref,
        wanted=wanted,
        all_of_order=everything,
        dry=dry,
    )
    return runtime.sessions.read(work) if dry else runtime.sessions.transact(work)


def _all_of(runtime: Runtime, bundle: OrderBundle) -> Iterable[Given]:
    """Yield all that was given back on the order's payments, whenever that was."""
    for payment in bundle.payments:
        name = payment.gateway
        if name is None or name not in runtime.gateways or payment.charge_id is None:
            continue
        gateway = runtime.gateways.get(name)
        charge = gateway.inspect(payment.charge_id)
        for refund_id in charge.refund_ids:
            yield Given.of(name, gateway.fetch(refund_id))
        if charge.voided:
            void = VoidReceipt(
                charge_id=charge.id,
                amount=charge.amount,
                currency=charge.currency,
                raw_status=charge.raw_status,
            )
            yield Given.of(name, void)


def _remember(runtime: Runtime, name: str, until: datetime) -> None:
    work = partial(_write, name=name, until=until)
    try:
        runtime.sessions.transact(work)
    except IntegrityError:  # two first looks at once: the row is there now
        runtime.sessions.transact(work)


def _write(session: Session, *, name: str, until: datetime) -> None:
    row = session.get(Gateway, name, with_for_update=True, populate_existing=True)
    if row is None:
        row = Gateway(name=name)
        session.add(row)
    if row.synced_until is None or row.synced_until < until:
        row.synced_until = until
