"""A ledger of postings that never were refunds: for tests of what reads it."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session, sessionmaker

from flask_refunds.models import Account, Base, Line, Posting, Refund, Transfer
from flask_refunds.sessions import Sessions

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CUSTOMERS = {1: "Ada Lovelace", 2: 'Grace "Amazing" Hopper, Rear Adm.'}
COMPONENTS = {"quantity": 1, "list_price": 1200, "discount": 200, "tax": 160, "paid": 1000}


class Ledger:
    """The tables on *engine*, with two refunds that every posting belongs to."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        factory = sessionmaker(engine)
        self.sessions = Sessions(lambda: engine, lambda: factory)
        self._generations = itertools.count(1)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(Account(order_ref="1", currency="USD", paid=2000, committed=2000))
            session.flush()
            for number, name in CUSTOMERS.items():
                self._refund(session, number, name)
            session.commit()

    def post(self, *changes: Mapping[str, Any]) -> None:
        """Add a posting for each of *changes*, committed together."""
        with self.engine.begin() as connection:
            connection.execute(insert(Posting), [self.posting(**change) for change in changes])

    def spread(self, count: int, step: timedelta = timedelta(minutes=7)) -> None:
        """Add *count* postings, *step* apart."""
        self.post(*({"posted_at": NOON + number * step} for number in range(count)))

    def posting(self, **changes: Any) -> dict[str, Any]:
        """Return the row of a posting that is like all others but for *changes*."""
        return {
            "entry": "refund", "reverses_id": None, "posted_at": NOON, "gateway_at": None,
            "refund_id": 1, "transfer_id": 1, "line_id": 1,
            "generation": next(self._generations), "order_ref": "1", "order_number": "A-1",
            "order_placed_at": NOON, "customer_ref": "7", "kind": "line", "line_ref": "1",
            "sku": "MUG", "description": "Mug", "dimensions": {}, "method": "card",
            "operation": "refund", "gateway": "braintree", "gateway_refund_id": "bt1",
            "reason": "returned", "actor_label": "Anna Admin", "currency": "USD",
            **COMPONENTS, **changes,
        }  # fmt: skip

    def _refund(self, session: Session, number: int, name: str) -> None:
        refund = Refund(
            id=number, order_ref="1", order_number="A-1", order_placed_at=NOON,
            customer_name=name, customer_email="", currency="USD", amount=1000, tax=160,
            reason="returned", note="", actor_id="1", actor_label="Anna Admin",
            token=str(number), fingerprint="f", state="completed", created_at=NOON,
        )  # fmt: skip
        line = Line(
            id=number, refund_id=number, position=0, kind="line", line_ref="1", sku="MUG",
            description="Mug", dimensions={}, **COMPONENTS,
        )  # fmt: skip
        transfer = Transfer(
            id=number, refund_id=number, order_ref="1", position=0, method="other",
            currency="USD", amount=1000, state="completed", other_kind="cash", created_at=NOON,
        )  # fmt: skip
        for row in (refund, line, transfer):
            session.add(row)
            session.flush()


def numbers(chunks: Sequence[Sequence[Any]]) -> list[int]:
    """Return the numbers of the postings in *chunks*."""
    return [row.posting for chunk in chunks for row in chunk]
