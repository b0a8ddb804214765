"""What every gateway must do: a suite that a gateway's author subclasses and pytest runs.

The gateway talks over HTTP to a server of yours that keeps books as the real one does; six fixtures
tell the suite of both. ``docs/gateways.md`` has a complete example.

==================  ===============================================================================
``gateway``         your :class:`~flask_refunds.gateways.base.RefundGateway`, built anew for each
                    test and talking to the server. Its time-out is to be generous, and short in the
                    few tests that wait for it to pass: :func:`waits_for_time_out` says which.
``unreachable``     the same, with the address of a port where nobody listens.
``settled``         a function ``(amount, currency) -> charge_id`` that makes a sale which can be
                    refunded now. *amount* is in minor units (ISO 4217), and a ``str`` comes back.
``unsettled``       the same for a sale that can be voided and cannot be refunded yet.
``trouble``         a function ``(what) -> None`` that has the server do to the gateway's next
                    request what the :class:`Trouble` says. Each is told in its value.
``given_back``      a function ``(charge_id) -> int`` that reads in the *server's* books how much
                    went back on a sale, voids included, in minor units; never the gateway's word.
==================  ===============================================================================

A fixture that is missing fails each test that needs it, with what it is to give. Methods that your
gateway does not have (``ListsRefunds``, ``idempotency_key``) skip their tests. What your gateway's
own API adds, its codes, its webhooks, needs tests of yours.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NoReturn

try:
    import pytest
except ImportError as error:
    raise ImportError(
        "The conformance suite needs pytest: pip install 'Flask-Refunds[testing]'"
    ) from error

from flask_refunds.gateways.base import (
    Found,
    InvalidWebhook,
    ListsRefunds,
    NotThere,
    NotYet,
    ReceiptState,
    RefundGateway,
    RefundReceipt,
    Rejected,
    Unavailable,
    Unknown,
    VoidReceipt,
)


class Trouble(StrEnum):
    """What may happen to the next request of the gateway."""

    LOST_BEFORE = "the connection ends before anything was done"
    LOST_AFTER = "it is done, and the connection ends without an answer"
    LATE = "it is done, and the answer comes after the gateway's time-out"
    GARBLED = "it is done, and the answer is a page of HTML"
    TURNED_AWAY = "nothing is done, and the answer says: too many requests"


Sell = Callable[[int, str], str]
"""Makes a sale of so many minor units of a currency and returns the charge's id."""


_GIVES = {
    "gateway": "your gateway, talking to your server",
    "unreachable": "the same gateway with an address where nobody listens",
    "settled": "a function (amount, currency) -> charge id that makes a sale to be refunded now",
    "unsettled": "a function (amount, currency) -> charge id that makes a sale to be voided, which"
    " cannot be refunded yet",
    "trouble": "a function (what) -> None that arranges what happens to the gateway's next request",
    "given_back": "a function (charge id) -> int that reads in your server's books, in minor units,"
    " how much went back",
}


def waits_for_time_out(request: pytest.FixtureRequest) -> bool:
    """Return whether the test of *request* waits for the gateway's time-out to pass.

    For the fixture ``gateway``: a short time-out there, and a generous one everywhere else, so
    that a busy machine does not make an outcome unknown.
    """
    asked = getattr(request.node, "callspec", None)
    return asked is not None and asked.params.get("what") is Trouble.LATE


def _missing(suite: object, name: str) -> NoReturn:
    """Fail a test for want of a fixture, in words that say what it is to give."""
    pytest.fail(
        f"{type(suite).__name__} has no fixture {name!r}. Define it there with @pytest.fixture: it"
        f" gives {_GIVES[name]}.",
        pytrace=False,
    )


class RefundGatewayConformance:
    """Subclass it, name the class ``Test…``, and give the fixtures."""

    currencies: tuple[str, ...] = ("USD", "JPY", "KWD")
    """Currencies to try, with 2, 0 and 3 decimals; leave out what your gateway does not know."""

    @pytest.fixture
    def gateway(self) -> RefundGateway:
        """The gateway; its time-out is short if :func:`waits_for_time_out`, else generous."""
        _missing(self, "gateway")

    @pytest.fixture
    def unreachable(self) -> RefundGateway:
        """The same gateway with an address where nobody listens."""
        _missing(self, "unreachable")

    @pytest.fixture
    def settled(self) -> Sell:
        """Make a sale that can be refunded."""
        _missing(self, "settled")

    @pytest.fixture
    def unsettled(self) -> Sell:
        """Make a sale that can be voided and cannot be refunded yet."""
        _missing(self, "unsettled")

    @pytest.fixture
    def trouble(self) -> Callable[[Trouble], None]:
        """Arrange what happens to the next request."""
        _missing(self, "trouble")

    @pytest.fixture
    def given_back(self) -> Callable[[str], int]:
        """Tell how much truly went back on a charge, voids included, in minor units."""
        _missing(self, "given_back")

    def test_is_a_refund_gateway(self, gateway: RefundGateway) -> None:
        assert isinstance(gateway, RefundGateway)
        assert gateway.name

    def test_a_settled_charge_is_refundable(self, gateway: RefundGateway, settled: Sell) -> None:
        for currency in self.currencies:
            charge = gateway.inspect(settled(1050, currency))
            assert (charge.amount, charge.currency) == (1050, currency)
            assert (charge.refundable, charge.voidable, charge.voided) == (True, False, False)
            assert tuple(charge.refund_ids) == ()

    def test_an_unsettled_charge_is_voidable(self, gateway: RefundGateway, unsettled: Sell) -> None:
        charge = gateway.inspect(unsettled(1050, "USD"))
        assert (charge.refundable, charge.voidable, charge.settling_soon) == (False, True, True)

    def test_there_is_no_such_charge(self, gateway: RefundGateway) -> None:
        with pytest.raises(Rejected):
            gateway.inspect("nosuchcharge")
        with pytest.raises(Rejected):
            gateway.refund("nosuchcharge", 100, "USD", key="k", reference="r")
        with pytest.raises(Rejected):
            gateway.find("nosuchcharge", reference="r", amount=100, currency="USD")

    def test_refunds_exactly_what_was_asked(
        self, gateway: RefundGateway, settled: Sell, given_back: Callable[[str], int]
    ) -> None:
        for currency in self.currencies:
            charge = settled(1050, currency)
            receipt = gateway.refund(charge, 351, currency, key=f"k{currency}", reference="r-1")
            assert (receipt.charge_id, receipt.reference) == (charge, "r-1")
            assert (receipt.amount, receipt.currency) == (351, currency)
            assert receipt.state is not ReceiptState.FAILED
            assert receipt.id in gateway.inspect(charge).refund_ids
            assert gateway.fetch(receipt.id).amount == 351
            assert given_back(charge) == 351

    def test_refuses_more_than_is_left(
        self, gateway: RefundGateway, settled: Sell, given_back: Callable[[str], int]
    ) -> None:
        charge = settled(1000, "USD")
        gateway.refund(charge, 400, "USD", key="k1", reference="r-1")
        with pytest.raises(Rejected):
            gateway.refund(charge, 601, "USD", key="k2", reference="r-2")
        gateway.refund(charge, 600, "USD", key="k3", reference="r-3")
        with pytest.raises(Rejected):
            gateway.refund(charge, 1, "USD", key="k4", reference="r-4")
        assert given_back(charge) == 1000

    def test_an_unsettled_charge_is_not_refunded_yet(
        self, gateway: RefundGateway, unsettled: Sell, given_back: Callable[[str], int]
    ) -> None:
        charge = unsettled(1000, "USD")
        with pytest.raises(NotYet):
            gateway.refund(charge, 400, "USD", key="k", reference="r")
        assert given_back(charge) == 0

    def test_voids_the_whole_of_an_unsettled_charge(
        self, gateway: RefundGateway, unsettled: Sell, given_back: Callable[[str], int]
    ) -> None:
        charge = unsettled(1000, "USD")
        receipt = gateway.void(charge, key="k")
        assert (receipt.charge_id, receipt.amount, receipt.currency) == (charge, 1000, "USD")
        assert gateway.inspect(charge).voided
        assert given_back(charge) == 1000

    def test_a_settled_charge_is_not_voided(
        self, gateway: RefundGateway, settled: Sell, given_back: Callable[[str], int]
    ) -> None:
        charge = settled(1000, "USD")
        with pytest.raises(NotYet):
            gateway.void(charge, key="k")
        assert given_back(charge) == 0

    def test_the_same_key_moves_money_once(
        self, gateway: RefundGateway, settled: Sell, given_back: Callable[[str], int]
    ) -> None:
        if not gateway.capabilities.idempotency_key:
            pytest.skip("the gateway has no keys")
        charge = settled(1000, "USD")
        first, again = (
            gateway.refund(charge, 400, "USD", key="k", reference="r") for _ in range(2)
        )
        assert first.id == again.id
        assert given_back(charge) == 400

    def test_finds_a_refund_by_its_reference_only(
        self, gateway: RefundGateway, settled: Sell
    ) -> None:
        charge = settled(1000, "USD")

        def look(reference: str) -> object:
            return gateway.find(charge, reference=reference, amount=400, currency="USD")

        assert look("r-1") == NotThere()
        receipt = gateway.refund(charge, 400, "USD", key="k", reference="r-1")
        found = look("r-1")
        assert isinstance(found, Found)
        assert found.receipt.id == receipt.id
        assert look("r-2") == NotThere()

    @pytest.mark.parametrize("what", [t for t in Trouble if t is not Trouble.TURNED_AWAY])
    def test_an_unanswered_refund_is_unknown_until_found(
        self,
        gateway: RefundGateway,
        settled: Sell,
        trouble: Callable[[Trouble], None],
        given_back: Callable[[str], int],
        what: Trouble,
    ) -> None:
        charge = settled(1000, "USD")
        trouble(what)
        with pytest.raises(Unknown):
            gateway.refund(charge, 400, "USD", key="k", reference="r")
        done = what is not Trouble.LOST_BEFORE
        assert given_back(charge) == (400 if done else 0)
        found = gateway.find(charge, reference="r", amount=400, currency="USD")
        assert isinstance(found, Found if done else NotThere)
        if gateway.capabilities.idempotency_key:
            gateway.refund(charge, 400, "USD", key="k", reference="r")
            assert given_back(charge) == 400

    def test_an_unanswered_void_is_unknown(
        self, gateway: RefundGateway, unsettled: Sell, trouble: Callable[[Trouble], None]
    ) -> None:
        charge = unsettled(1000, "USD")
        trouble(Trouble.LOST_AFTER)
        with pytest.raises(Unknown):
            gateway.void(charge, key="k")
        assert gateway.inspect(charge).voided

    def test_what_certainly_did_not_happen_is_unavailable(
        self,
        gateway: RefundGateway,
        unreachable: RefundGateway,
        settled: Sell,
        trouble: Callable[[Trouble], None],
        given_back: Callable[[str], int],
    ) -> None:
        charge = settled(1000, "USD")
        trouble(Trouble.TURNED_AWAY)
        with pytest.raises(Unavailable):
            gateway.refund(charge, 400, "USD", key="k", reference="r")
        with pytest.raises(Unavailable):
            unreachable.refund(charge, 400, "USD", key="k", reference="r")
        with pytest.raises(Unavailable):
            unreachable.void(charge, key="k")
        assert given_back(charge) == 0

    @pytest.mark.parametrize("what", list(Trouble))
    def test_reading_is_unavailable_whatever_happens(
        self,
        gateway: RefundGateway,
        settled: Sell,
        trouble: Callable[[Trouble], None],
        what: Trouble,
    ) -> None:
        charge = settled(1000, "USD")
        refund = gateway.refund(charge, 400, "USD", key="k", reference="r")
        trouble(what)
        with pytest.raises(Unavailable):
            gateway.inspect(charge)
        trouble(what)
        with pytest.raises(Unavailable):
            gateway.fetch(refund.id)
        trouble(what)
        with pytest.raises(Unavailable):
            gateway.find(charge, reference="r", amount=400, currency="USD")

    def test_threads_get_their_own_answers(
        self, gateway: RefundGateway, settled: Sell, given_back: Callable[[str], int]
    ) -> None:
        charges = [settled(1000 + number, "USD") for number in range(8)]
        receipts: dict[str, RefundReceipt] = {}

        def refund(charge: str, amount: int) -> None:
            receipts[charge] = gateway.refund(charge, amount, "USD", key=charge, reference=charge)

        threads = [
            threading.Thread(target=refund, args=(charge, 100 + number))
            for number, charge in enumerate(charges)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, charge in enumerate(charges):
            assert (receipts[charge].charge_id, receipts[charge].amount) == (charge, 100 + number)
            assert given_back(charge) == 100 + number

    def test_lists_what_was_refunded_and_voided(
        self, gateway: RefundGateway, settled: Sell, unsettled: Sell
    ) -> None:
        if not isinstance(gateway, ListsRefunds):
            pytest.skip("the gateway cannot list its refunds")
        sales = [settled(1000, "USD"), settled(2000, "USD")]
        refunds = {
            gateway.refund(charge, 400, "USD", key=charge, reference=f"r-{charge}").id: charge
            for charge in sales
        }
        cancelled = unsettled(3000, "USD")
        gateway.void(cancelled, key="k")
        now, hour = datetime.now(UTC), timedelta(hours=1)

        listed = list(gateway.refunds_since(now - hour, now + hour))
        made = {each.id: each for each in listed if isinstance(each, RefundReceipt)}
        voids = {each.charge_id: each for each in listed if isinstance(each, VoidReceipt)}

        assert len(listed) == len(made) + len(voids)
        for refund_id, charge in refunds.items():
            receipt = made[refund_id]
            assert (receipt.charge_id, receipt.reference) == (charge, f"r-{charge}")
            assert (receipt.amount, receipt.currency) == (400, "USD")
            assert receipt.at is not None
            assert abs(receipt.at - now) < hour
        assert (voids[cancelled].amount, voids[cancelled].currency) == (3000, "USD")
        assert not voids.keys() & set(sales)
        before = list(gateway.refunds_since(now - 48 * hour, now - 24 * hour))
        assert not [each for each in before if each in listed]

    @pytest.mark.parametrize("body", [b"", b"{}", b"a=b", b"\xff\x00", b"bt_signature=x|y&b=z"])
    def test_a_forged_webhook_is_invalid(self, gateway: RefundGateway, body: bytes) -> None:
        with pytest.raises(InvalidWebhook):
            gateway.parse_webhook({}, body)
