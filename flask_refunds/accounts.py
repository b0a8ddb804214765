"""The account of an order: the lock that all work on it takes first, and its reservations."""

from typing import Any

from sqlalchemy import Insert, insert, or_, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from flask_refunds.errors import AboveBalance, ConfigurationError
from flask_refunds.models import Account, Attempt, Transfer
from flask_refunds.states import TransferState


def lock(session: Session, order_ref: str) -> Account:
    """Lock the account of *order_ref* until the transaction ends, and return it.

    Must be the first thing in a transaction. It writes before anything is read: a read first
    would fix a snapshot under MariaDB's REPEATABLE READ or SQLite's BEGIN, and two refunds of one
    line could then both pass their checks.
    """
    session.execute(_insert_if_absent(session, order_ref))
    _require_transaction(session)
    session.execute(
        update(Account)
        .where(Account.order_ref == order_ref)
        .values(version=Account.version + 1)
        .execution_options(synchronize_session=False)
    )
    return session.get_one(Account, order_ref, populate_existing=True)


def own_gateway_ids(session: Session, order_ref: str) -> frozenset[str]:
    """Return the gateway's ids of all that our transfers of *order_ref* stand for.

    One that was reversed stands for nothing: it is in the shop's own books.
    """
    made = select(Transfer.gateway_refund_id).where(
        Transfer.order_ref == order_ref, Transfer.state != TransferState.REVERSED
    )
    tried = (
        select(Attempt.gateway_refund_id)
        .join(Transfer, Transfer.id == Attempt.transfer_id)
        .where(Transfer.order_ref == order_ref)
    )
    return frozenset(id_ for id_ in session.scalars(made.union(tried)) if id_ is not None)


def booked_by(session: Session, transfer: Transfer, gateway_refund_id: str) -> Transfer | None:
    """Return another transfer that the gateway's record is booked on, or may belong to.

    One of which people said that the shop's own books have it (Reversed) has let it go.
    """
    tried = select(Attempt.transfer_id).where(Attempt.gateway_refund_id == gateway_refund_id)
    return session.scalars(
        select(Transfer)
        .where(
            Transfer.id != transfer.id,
            Transfer.gateway == transfer.gateway,
            Transfer.charge_id == transfer.charge_id,
            Transfer.state != TransferState.REVERSED,
            or_(Transfer.gateway_refund_id == gateway_refund_id, Transfer.id.in_(tried)),
        )
        .limit(1)
    ).first()


def voided_by_another(session: Session, transfer: Transfer) -> bool:
    """Return whether a void of the sale was found that is not of *transfer*.

    The money is back already then, and were a void of ours announced now, the gateway's answer
    could not be told from that one's. One of the shop's own books (Reversed) counts too.
    """
    booked = select(Transfer.id).where(
        Transfer.gateway == transfer.gateway,
        Transfer.gateway_refund_id == transfer.charge_id,
        Transfer.id != transfer.id,
    )
    return session.scalar(booked.limit(1)) is not None


def reserve(account: Account, amount: int) -> None:
    """Count *amount* minor units as given back.

    Raises :exc:`~flask_refunds.errors.AboveBalance` when less is left; the table's CHECK says the
    same to whoever comes another way.
    """
    left = account.paid - account.prior - account.committed
    if amount > left:
        raise AboveBalance(asked=amount, left=left, currency=account.currency)
    account.committed += amount


def release(account: Account, amount: int) -> None:
    """Give *amount* minor units back to the balance."""
    account.committed -= amount


def recount(account: Account) -> None:
    """Take back the room that money made which was given back outside, above what was captured.

    What is committed stays covered.
    """
    account.paid = max(account.captured, account.prior + account.committed)


def _require_transaction(session: Session) -> None:
    """Refuse an engine that commits each statement by itself: half a refund could be kept."""
    connection: Any = session.connection().connection.dbapi_connection
    if getattr(connection, "in_transaction", True) is False:
        raise ConfigurationError(
            "The database engine is in AUTOCOMMIT mode. Remove isolation_level='AUTOCOMMIT' from "
            "SQLALCHEMY_ENGINE_OPTIONS: a refund is written in one transaction or not at all."
        )


def _insert_if_absent(session: Session, order_ref: str) -> Insert:
    row: dict[str, Any] = {
        "order_ref": order_ref,
        "currency": "",
        "paid": 0,
        "captured": 0,
        "prior": 0,
        "committed": 0,
        "version": 0,
    }
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        return postgresql_insert(Account).values(row).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite_insert(Account).values(row).on_conflict_do_nothing()
    if dialect in {"mysql", "mariadb"}:
        statement = mysql_insert(Account).values(row)
        return statement.on_duplicate_key_update(order_ref=statement.inserted.order_ref)
    return insert(Account).values(row)
