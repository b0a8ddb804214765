"""``verify`` is silent about what our services wrote, and names every kind of damage."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, text

from flask_refunds import correcting
from flask_refunds.figures import given, ledger_query
from flask_refunds.models import Posting, Transfer
from flask_refunds.processing import process
from flask_refunds.states import TransferState
from flask_refunds.verify import CHECKS, reports, verify
from tests.integration.workshop import AGENT, PATIENT, Workshop, opened


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


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A shop whose refunds have gone through everything. Tests roll back what they damage."""
    path = tmp_path_factory.mktemp("verify") / "shop.sqlite"
    with opened(f"sqlite:///{path}", **PATIENT) as shop:
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
    "UPDATE refunds_posting SET posted_at = '2001-01-01' WHERE entry = 'reversal'": {"reversal"},
    "UPDATE refunds_posting SET line_id = 99 WHERE id = 1": {
        "postings",
        "posting_without_allocation",
    },
    "UPDATE refunds_transfer SET state = 'failed' WHERE id = 1": {
        "account_committed",
        "refund_state",
        "postings",
    },
    "UPDATE refunds_posting SET gateway_refund_id = 'x' WHERE id = 1": {"posting_gateway"},
    "UPDATE refunds_posting SET operation = 'void' WHERE id = 1": {"posting_gateway"},
    "UPDATE refunds_transfer SET gateway = 'x' WHERE id = 1": {"posting_gateway"},
    "UPDATE refunds_transfer SET gateway_refund_id = NULL WHERE id = 1": {"posting_gateway"},
    "UPDATE refunds_transfer SET gateway_refund_id = "
    "(SELECT gateway_refund_id FROM refunds_transfer WHERE id = 1) WHERE id = 4": {
        "gateway_id_twice"
    },
    "UPDATE refunds_transfer SET claim_token = 'x', lease_until = created_at WHERE id = 5": {
        "claim"
    },
}


@pytest.mark.parametrize(("statement", "codes"), DAMAGE.items(), ids=list(DAMAGE))
def test_names_the_damage(lived: Workshop, statement: str, codes: set[str]) -> None:
    with lived.app.app_context(), lived.runtime.sessions.open() as session:
        session.execute(text("PRAGMA ignore_check_constraints = ON"))
        assert session.execute(text(statement)).rowcount == 1  # type: ignore[attr-defined]

        findings = [finding for check in CHECKS for finding in check(session)]

        assert {finding.code for finding in findings} == codes
        session.rollback()
        session.execute(text("PRAGMA ignore_check_constraints = OFF"))


def test_says_which_row_and_by_how_much(lived: Workshop) -> None:
    with lived.app.app_context(), lived.runtime.sessions.open() as session:
        session.execute(text("UPDATE refunds_posting SET paid = paid + 1 WHERE id = 1"))
        [finding] = [finding for check in CHECKS for finding in check(session)]

    assert finding.refs == (("transfer", "1"), ("line", "1"))
    assert (finding.expected, finding.found) == (1234, 1235)


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
        ("report_items", (("currency", "USD"),)),
        ("report_dashboard", (("currency", "USD"),)),
    }
    assert len(found) == 2 * 3  # by either date
    assert {each.expected - each.found for each in found} == {1234}
    assert {each.currency for each in found} == {"USD"}


def test_names_a_refunds_report_that_is_not_the_ledger(
    lived: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(1, ledger_query, monkeypatch)

    assert {each.code for each in lived.do(verify)} == {"report_refunds"}


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
