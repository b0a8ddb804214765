"""``verify`` is silent about what our services wrote, and names every kind of damage."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flask_refunds import correcting
from flask_refunds.figures import given, ledger_query
from flask_refunds.figures.buckets import Bucket
from flask_refunds.figures.items import ItemBlock, ItemFigures
from flask_refunds.models import Posting, Transfer
from flask_refunds.processing import process
from flask_refunds.reconciling import poll
from flask_refunds.states import TransferState
from flask_refunds.verify import CHECKS, Finding, reports, verify
from flask_refunds.verify.reports import AT_ONCE, stretches
from tests import databases
from tests.integration.workshop import AGENT, PATIENT, Clock, Workshop, opened


def live(shop: Workshop) -> None:
    """A partial, a void, one of two cards failed and paid otherwise, a reversal, one in flight."""
    done = shop.refund_of(5000, part=1234)
    voided = shop.refund_of(2000, settled=False)
    two = shop.refund_of(3000, 4000)
    failing = two.issued.transfer_ids[1]
    shop.refund_of(900)
    for transfer_id in (done.id, voided.id, two.id):
        shop.do(process, transfer_id)
    shop.gateway.fault("decline", "refund", code="2000")
    shop.do(process, failing)
    shop.do(correcting.pay_otherwise, failing, AGENT, kind="cash", why="The card is closed.")
    [instead] = shop.rows(select(Transfer).where(Transfer.replaces_id == failing))
    shop.do(correcting.reverse, instead.id, AGENT, why="It was not paid.")


def test_finds_nothing_in_what_the_services_wrote(database_url: str) -> None:
    with opened(database_url, **PATIENT) as shop:
        live(shop)

        assert shop.do(verify) == []


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in databases.KINDS],
)
def lived(
    request: pytest.FixtureRequest,
    server_url: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Workshop]:
    """A shop whose refunds have gone through everything. Tests roll back what they damage."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = databases.sqlite(tmp_path_factory.mktemp("verify"))
        else:
            url = stack.enter_context(databases.created(server_url(request.param)))
        shop = stack.enter_context(opened(url, **PATIENT))
        live(shop)
        assert [t.state for t in shop.rows(select(Transfer).order_by(Transfer.id))] == [
            TransferState.COMPLETED,
            TransferState.COMPLETED,
            TransferState.COMPLETED,
            TransferState.FAILED,
            TransferState.STARTED,
            TransferState.REVERSED,
        ]
        assert shop.rows(select(func.count(Posting.id))) == [5]
        yield shop


COPY = {"posting_copy"}
DAMAGE = {
    "UPDATE refunds_account SET committed = committed - 1 WHERE order_ref = '1'": {
        "account_committed"
    },
    "UPDATE refunds_account SET paid = 0 WHERE order_ref = '1'": {"account_over_paid"},
    "UPDATE refunds_account SET captured = 1000 WHERE order_ref = '1'": {"account_over_captured"},
    "UPDATE refunds_account SET currency = 'EUR' WHERE order_ref = '1'": {"currency"},
    "UPDATE refunds_posting SET currency = 'EUR' WHERE id = 1": {"currency"},
    "UPDATE refunds_refund SET amount = amount + 1 WHERE id = 1": {
        "refund_lines",
        "refund_transfers",
    },
    "UPDATE refunds_refund SET tax = tax + 1 WHERE id = 1": {"refund_tax"},
    "UPDATE refunds_refund SET state = 'completed' WHERE id = 4": {"refund_state"},
    "UPDATE refunds_line SET list_price = list_price + 1 WHERE id = 1": {"line_allocations"},
    "UPDATE refunds_allocation SET discount = discount + 1 WHERE transfer_id = 1": {
        "line_allocations",
        "postings",
    },
    "UPDATE refunds_allocation SET paid = paid - 1 WHERE transfer_id = 5": {
        "line_allocations",
        "transfer_allocations",
    },
    "UPDATE refunds_posting SET paid = paid + 1 WHERE id = 1": {"postings"},
    "DELETE FROM refunds_posting WHERE id = 2": {"postings"},
    "DELETE FROM refunds_posting WHERE entry = 'reversal'": {"postings"},
    "UPDATE refunds_posting SET paid = paid + 1 WHERE entry = 'reversal'": {
        "postings",
        "reversal",
    },
    "UPDATE refunds_posting SET posted_at = '2001-01-01' WHERE entry = 'reversal'": {
        "posting_date",
        "reversal",
    },
    "UPDATE refunds_posting SET line_id = 99 WHERE id = 1": {
        "postings",
        "posting_without_allocation",
    },
    "UPDATE refunds_transfer SET state = 'failed' WHERE id = 1": {
        "account_committed",
        "refund_state",
        "postings",
        "transfer_state",
    },
    "UPDATE refunds_posting SET gateway_refund_id = 'x' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET operation = 'void' WHERE id = 1": COPY,
    "UPDATE refunds_transfer SET gateway = 'x' WHERE id = 1": COPY,
    "UPDATE refunds_transfer SET gateway_refund_id = NULL WHERE id = 1": COPY,
    "UPDATE refunds_transfer SET gateway_refund_id = "
    "(SELECT gateway_refund_id FROM refunds_transfer WHERE id = 1) WHERE id = 4": {
        "gateway_id_twice"
    },
    "UPDATE refunds_transfer SET claim_token = 'x', lease_until = created_at WHERE id = 5": {
        "claim"
    },
    "UPDATE refunds_posting SET posted_at = '2025-12-31 10:00:00' WHERE id = 1": {"posting_date"},
    "UPDATE refunds_posting SET order_placed_at = '2025-12-31 10:00:00' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET gateway_at = '2025-12-31 10:00:00' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET method = 'card' WHERE entry = 'reversal'": COPY,
    "UPDATE refunds_posting SET method = 'card', operation = 'refund' WHERE id = 4": {
        "posting_copy",
        "reversal",
    },
    "UPDATE refunds_posting SET sku = 'OTHER', description = 'Other' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET sku = 'Mug' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET kind = 'row', line_ref = 'shipping' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET order_ref = '77' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET order_number = '77' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET customer_ref = '77' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET reason = 'Returned' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET actor_label = 'AGENT@example.com' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET dimensions = '{}' WHERE id = 1": COPY,
    "UPDATE refunds_posting SET refund_id = 2 WHERE id = 1": COPY,
    "UPDATE refunds_posting SET refund_id = 99 WHERE id = 1": COPY,
    "UPDATE refunds_line SET dimensions = '[]' WHERE id = 1": COPY,
    "UPDATE refunds_transfer SET gateway_at = '2025-12-31 10:00:00' WHERE id = 1": COPY,
    "UPDATE refunds_transfer SET order_ref = '2' WHERE id = 1": {
        "transfer_order",
        "account_committed",
    },
    "UPDATE refunds_refund SET order_ref = '2' WHERE id = 1": {"transfer_order", "posting_copy"},
    "UPDATE refunds_refund SET order_ref = '88' WHERE id = 1": {
        "account_missing",
        "transfer_order",
        "posting_copy",
    },
    "DELETE FROM refunds_account WHERE order_ref = '1'": {"account_missing"},
    "DELETE FROM refunds_event WHERE action = 'issued' AND refund_id = 1": {"event_missing"},
    "DELETE FROM refunds_event WHERE action = 'claimed' AND transfer_id = 1": {"event_missing"},
    "DELETE FROM refunds_event WHERE action = 'refunded' AND transfer_id = 1": {
        "posting_date",
        "transfer_state",
    },
    "UPDATE refunds_event SET at = '2025-12-31 10:00:00' WHERE after = 'completed' "
    "AND transfer_id = 1": {"posting_date"},
}

WITHOUT_RULES = {
    "sqlite": ("PRAGMA ignore_check_constraints = ON",),
    "mysql": ("SET foreign_key_checks = 0", "SET check_constraint_checks = 0"),
    "postgresql": (
        "SET session_replication_role = replica",
        """DO $$ DECLARE c record; BEGIN
        FOR c IN SELECT conname AS name, conrelid AS of FROM pg_constraint WHERE contype = 'c'
        AND conrelid <> 0 AND connamespace = 'public'::regnamespace LOOP
        EXECUTE 'ALTER TABLE ' || c.of::regclass || ' DROP CONSTRAINT ' || quote_ident(c.name);
        END LOOP; END $$""",
    ),
}
"""How whoever damages a database gets round the rules that it has of its own."""


def after(lived: Workshop, *statements: str) -> list[Finding]:
    """Return what the checks find after the *statements*, each of which changes one row."""
    with lived.app.app_context(), lived.runtime.sessions.open() as session:
        return _after(session, *statements)


def _after(session: Session, *statements: str) -> list[Finding]:
    for rule in WITHOUT_RULES[session.get_bind().dialect.name]:
        session.connection().exec_driver_sql(rule)
    for statement in statements:
        assert session.connection().exec_driver_sql(statement).rowcount == 1
    found = [finding for check in CHECKS for finding in check(session)]
    session.rollback()
    session.connection().invalidate()  # with the rules that were switched off
    return found


@pytest.mark.parametrize(("statement", "codes"), DAMAGE.items(), ids=list(DAMAGE))
def test_names_the_damage(lived: Workshop, statement: str, codes: set[str]) -> None:
    assert {finding.code for finding in after(lived, statement)} == codes


def test_knows_which_date_each_posting_of_a_transfer_has(database_url: str) -> None:
    """A transfer that failed late and was retried has two dates, and each posting its own."""
    clock = Clock()
    with opened(database_url, **PATIENT) as shop:
        later = replace(shop.runtime, clock=clock)
        ticket = shop.refund_of(5000)
        shop.do(process, ticket.id)
        shop.gateway.decline_settlement(ticket.now.gateway_refund_id or "")
        clock.advance(86400)
        shop.do(lambda _: poll(later, ticket.id))
        shop.do(lambda _: correcting.retry(later, ticket.id, AGENT))
        shop.do(lambda _: process(later, ticket.id))
        assert shop.do(verify) == []
        first, undone, second = shop.rows(select(Posting).order_by(Posting.id))

        [finding] = after(
            shop,
            f"UPDATE refunds_posting SET posted_at = '{first.posted_at.replace(tzinfo=None)}' "
            f"WHERE id = {second.id}",
        )

    assert (undone.reverses_id, finding.code) == (first.id, "posting_date")
    assert finding.expected == second.posted_at.isoformat()
    assert finding.found == first.posted_at.isoformat()


def test_does_not_mind_how_dimensions_are_written(lived: Workshop) -> None:
    one, same = """'{"a": 1, "b": "x"}'""", """'{"b":"x","a":1}'"""

    assert (
        after(
            lived,
            f"UPDATE refunds_line SET dimensions = {one} WHERE id = 1",
            f"UPDATE refunds_posting SET dimensions = {same} WHERE line_id = 1",
        )
        == []
    )


def test_says_which_row_and_by_how_much(lived: Workshop) -> None:
    [finding] = after(lived, "UPDATE refunds_posting SET paid = paid + 1 WHERE id = 1")

    assert finding.refs == (("transfer", "1"), ("line", "1"))
    assert (finding.expected, finding.found, finding.currency) == (1234, 1235, "USD")


def test_says_what_a_posting_should_have(lived: Workshop) -> None:
    [finding] = after(lived, "UPDATE refunds_posting SET order_number = '77' WHERE id = 1")

    assert finding.what == "A posting has the order_number of its refund"
    assert (finding.expected, finding.found, finding.currency) == ("1", "77", "")


def without(number: int, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what *module* counts leave out a posting, as a mistake in a query would."""
    right = module.posted
    monkeypatch.setattr(module, "posted", lambda *a: [*right(*a), Posting.id != number])


def test_names_a_report_that_takes_off_something_else(
    lived: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(1, given, monkeypatch)

    found = lived.do(verify)

    day = str(lived.runtime.now().date())
    assert {(each.code, each.refs) for each in found} == {
        ("report_summary", (("currency", "USD"), ("day", day))),
        ("report_items", (("currency", "USD"), ("day", day))),
        ("report_dashboard", (("currency", "USD"), ("day", day))),
    }
    assert len(found) == 2 * 3  # by either date
    assert {each.expected - each.found for each in found} == {1234}
    assert {each.currency for each in found} == {"USD"}


def test_names_a_refunds_report_that_is_not_the_ledger(
    lived: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(1, ledger_query, monkeypatch)

    day = str(lived.runtime.now().date())
    assert {(each.code, each.refs) for each in lived.do(verify)} == {
        ("report_refunds", (("currency", "USD"), ("day", day)))
    }


def test_a_report_that_makes_up_for_a_day_on_another_is_named(
    lived: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all, nothing is amiss: a posting counts a day early, and only in the Items Report."""
    right = ItemFigures.read

    def shifted(figures: ItemFigures, session: Session, **options: Any) -> list[ItemBlock]:
        return [replace(block, span=block.span + 1) for block in right(figures, session, **options)]

    monkeypatch.setattr(ItemFigures, "read", shifted)
    monkeypatch.setattr(reports, "stretches", two_days)

    found = lived.do(verify)

    assert {each.code for each in found} == {"report_items"}
    assert sum(each.expected - each.found for each in found) == 0
    assert len(found) == 2 * 2  # two days, by either date


def two_days(days: Collection[date], zone: ZoneInfo) -> Iterator[list[Bucket]]:
    [day] = days
    yield from stretches({day, day + timedelta(days=1)}, zone)


def test_days_without_postings_are_not_counted_one_by_one() -> None:
    """One order of 1970 made the queries twenty thousand days long."""
    utc = ZoneInfo("UTC")
    days = [date(1970, 1, 1), date(2026, 3, 1), date(2026, 3, 2)]

    [buckets] = stretches(days, utc)

    assert [(each.first, each.last) for each in buckets] == [
        (date(1970, 1, 1), date(1970, 1, 1)),
        (date(1970, 1, 2), date(2026, 2, 28)),
        (date(2026, 3, 1), date(2026, 3, 1)),
        (date(2026, 3, 2), date(2026, 3, 2)),
    ]
    assert all(one.end == next_.start for one, next_ in pairwise(buckets))


def test_many_days_are_counted_in_stretches_that_leave_nothing_out() -> None:
    days = {date(2000, 1, 1) + timedelta(days=n) for n in range(0, 5000, 3)}

    found = list(stretches(days, ZoneInfo("America/New_York")))

    assert max(map(len, found)) == AT_ONCE
    buckets = list(chain.from_iterable(found))
    assert {each.first for each in buckets} >= days
    assert all(one.end == next_.start for one, next_ in pairwise(buckets))


def test_a_refund_that_is_posted_between_two_queries_is_no_difference(
    lived: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, asked = reports._posted, []

    def once(*where: Any) -> Any:
        asked.append(where)
        sums = dict(right(*where))
        sums[next(iter(sums))] += len(asked) <= 2
        return sums

    monkeypatch.setattr(reports, "_posted", once)

    assert lived.do(verify) == []
    assert len(asked) == 4
