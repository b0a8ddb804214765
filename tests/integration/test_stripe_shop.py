"""A shop on Stripe, end to end: issued, swept by a real process, completed, and failed later."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from flask_refunds import Actor, RefundRequest, Selection, issuing, migrating, reconciling, syncing
from flask_refunds.models import Account, Attempt, Posting, Transfer
from flask_refunds.runtime import Runtime
from flask_refunds.states import Detail, TransferState
from flask_refunds.testing import StripeServer
from tests.conftest import RunFlask
from tests.hosts import striped
from tests.integration.webhooks import serving
from tests.integration.workshop import Clock

SHOP = "tests.hosts.striped:create_app"
AGENT = Actor(id="1", label="the owner")


@dataclass
class Bench:
    """The shop in this process, and what is needed to run it in another one."""

    server: StripeServer
    settings: dict[str, Any]
    app: Any
    clock: Clock

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.app.extensions["refunds"].runtime
        return replace(runtime, clock=self.clock)

    def refund(
        self, *cents: int, first_only: bool = False, capture: bool = True
    ) -> tuple[str, int]:
        """Sell articles for *cents*, refund all or the first; return sale and transfer."""
        sale = self.server.sell(sum(cents), "USD", capture=capture)
        with self.app.app_context():
            bought = striped.sell(sale, *cents)
            line = striped.db.session.scalars(
                select(striped.Article.id).where(striped.Article.purchase_id == bought.id)
            ).first()
            chosen = (Selection(kind="line", ref=str(line), paid=cents[0]),) if first_only else ()
            request = RefundRequest(
                order_ref=str(bought.id),
                token=f"token-{bought.id}",
                reason="returned",
                everything=not first_only,
                selections=chosen,
                to_card=True,
            )
            return sale, issuing.issue(self.runtime, request, AGENT).transfer_ids[0]

    def sweep(self) -> None:
        with self.app.app_context():
            reconciling.sweep(self.runtime)

    def now(self, transfer_id: int) -> Transfer:
        with self.app.app_context():
            found: Transfer = self.runtime.sessions.read(lambda s: s.get_one(Transfer, transfer_id))
            return found

    def rows(self, query: Any) -> list[Any]:
        with self.app.app_context():
            return list(self.runtime.sessions.read(lambda s: s.scalars(query).all()))


@contextmanager
def opened(database_url: str, **changes: Any) -> Iterator[Bench]:
    with StripeServer() as server:
        settings = {
            **server.gateway_config(),
            "SQLALCHEMY_DATABASE_URI": database_url,
            "REFUNDS_GATEWAY_TIMEOUT": 30,
            "REFUNDS_SETTLE_INTERVAL": 3600,
            **changes,
        }
        app = striped.made(settings)
        bench = Bench(server=server, settings=settings, app=app, clock=Clock())
        with app.app_context():
            striped.db.create_all()
            striped.db.session.add(striped.Client(id=1, name="Ada"))
            striped.db.session.commit()
            migrating.upgrade(bench.runtime.sessions.engine)
        yield bench
        with app.app_context():
            striped.db.engine.dispose()


@pytest.fixture
def bench(sqlite_url: str) -> Iterator[Bench]:
    with opened(sqlite_url) as bench:
        yield bench


def test_a_refund_is_swept_completed_settled_and_failed_later_by_a_webhook(
    bench: Bench, run_flask: RunFlask
) -> None:
    bench.server.begin_refunds_as("pending")
    sale, transfer_id = bench.refund(1000, 2000, first_only=True)
    ran = run_flask(SHOP, "refunds", "sweep", env={"SHOP_CONFIG": json.dumps(bench.settings)})
    assert ran.returncode == 0, ran.stderr
    accepted = bench.now(transfer_id)
    (made,) = bench.server.refunds(sale)
    assert (accepted.state, accepted.gateway_status) == (TransferState.COMPLETED, "pending")
    assert (accepted.gateway_refund_id, made["amount"]) == (made["id"], 1000)
    assert made["metadata"] == {"reference": accepted.reference, "sale": sale}

    with serving(bench.app) as port:
        url = f"http://127.0.0.1:{port}/refunds/webhooks/stripe"
        bench.server.succeed_refund(made["id"])
        assert bench.server.deliver(url, "refund.updated", made["id"]) == 204
        bench.sweep()
        assert bench.now(transfer_id).detail == Detail.SETTLED

        bench.server.fail_refund(made["id"], "lost_or_stolen_card")
        bench.sweep()
        assert bench.now(transfer_id).state == TransferState.COMPLETED
        assert bench.server.deliver(url, "refund.failed", made["id"]) == 204
        bench.sweep()

    failed = bench.now(transfer_id)
    assert (failed.state, failed.failure_code) == (TransferState.FAILED, "lost_or_stolen_card")
    assert bench.rows(select(Posting.paid).order_by(Posting.id)) == [1000, -1000]
    assert bench.rows(select(Account.committed)) == [0]
    assert bench.server.given_back(sale) == 0


def test_a_refund_of_a_captured_sale_waits_for_nothing(bench: Bench) -> None:
    sale, transfer_id = bench.refund(3000)
    bench.sweep()
    done = bench.now(transfer_id)
    assert (done.state, done.detail) == (TransferState.COMPLETED, Detail.SETTLED)
    assert bench.server.given_back(sale) == 3000


def test_the_whole_of_an_uncaptured_sale_is_cancelled_and_a_part_waits(bench: Bench) -> None:
    whole, cancelled = bench.refund(3000, capture=False)
    part, waiting = bench.refund(1000, 2000, first_only=True, capture=False)
    bench.sweep()
    assert bench.now(cancelled).state == TransferState.COMPLETED
    assert bench.server.books.records[whole]["status"] == "canceled"
    assert bench.now(waiting).detail == Detail.WAITING_FOR_SETTLEMENT
    bench.server.capture(part)
    bench.clock.advance(3700)
    bench.sweep()
    assert bench.now(waiting).state == TransferState.COMPLETED
    assert bench.server.given_back(part) == 1000


def test_an_answer_that_was_lost_is_looked_for_and_not_sent_again(bench: Bench) -> None:
    bench.server.fault("drop_after", "refund")
    sale, transfer_id = bench.refund(3000)
    bench.sweep()
    assert bench.now(transfer_id).detail == Detail.OUTCOME_UNKNOWN
    bench.clock.advance(3700)
    bench.sweep()
    assert bench.now(transfer_id).state == TransferState.COMPLETED
    assert bench.server.api.requests.count("refund") == 1
    assert bench.server.given_back(sale) == 3000


def test_a_500_that_stripe_would_repeat_for_ever_ends_with_a_new_key(bench: Bench) -> None:
    bench.server.fault("status", "refund", status=500)
    sale, transfer_id = bench.refund(3000)
    for _ in range(6):
        bench.sweep()
        bench.clock.advance(3700)
    assert bench.now(transfer_id).state == TransferState.COMPLETED
    keys = bench.rows(select(Attempt.request_key).where(Attempt.called_at.is_not(None)))
    assert len(set(keys)) == 2
    assert bench.server.given_back(sale) == 3000


def test_a_500_after_the_refund_was_made_pays_once(bench: Bench) -> None:
    bench.server.fault("status", "refund", status=500, where="after")
    sale, transfer_id = bench.refund(3000)
    for _ in range(3):
        bench.sweep()
        bench.clock.advance(3700)
    assert bench.now(transfer_id).state == TransferState.COMPLETED
    assert bench.server.api.requests.count("refund") == 1
    assert bench.server.given_back(sale) == 3000


def test_a_refund_made_in_the_dashboard_is_found_by_sync(bench: Bench) -> None:
    sale, _ = bench.refund(1000, 2000, first_only=True)
    bench.sweep()
    by_hand = bench.server.refund_by_hand(sale, 500)
    now, hour = datetime.now(UTC), timedelta(hours=1)
    with bench.app.app_context():
        (seen,) = syncing.sync(bench.runtime, since=now - hour, until=now + hour).gateways
    (found,) = seen.found
    assert (found.given.id, found.given.charge_id, found.given.amount) == (by_hand, sale, 500)
    assert len(found.order_refs) == 1
