"""Leaving the host's ``db.session`` as we found it, and out of our way.

An idle read transaction of the host's would hold SQLite's lock against our commit, so our views
end it. A session with writes of the host's own, flushed or not, is left exactly as it is:
neither committed nor lost.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, scoped_session

_WROTE = "refunds_host_wrote"


def watch(session: "scoped_session[Any]") -> None:
    """Note on each session that *session* makes whether it has written and not yet ended."""
    event.listen(session, "after_flush", _flushed)
    event.listen(session, "do_orm_execute", _executed)
    event.listen(session, "after_transaction_end", _ended)


def end_reads(session: Session) -> None:
    """End the host's transaction if it only read; with any write of its own, do nothing."""
    pending = session.new or session.dirty or session.deleted
    if session.in_transaction() and not pending and not session.info.get(_WROTE):
        session.rollback()


def _flushed(session: Session, _context: Any) -> None:
    if session.new or session.dirty or session.deleted:
        session.info[_WROTE] = True


def _executed(state: ORMExecuteState) -> None:
    if not state.is_select:
        state.session.info[_WROTE] = True


def _ended(session: Session, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop(_WROTE, None)
