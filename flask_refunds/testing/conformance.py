"""What every gateway must do: a suite that a gateway's author subclasses.

Give the fixtures that are said to be missing here, and pytest runs the rest::

    class TestMyGateway(RefundGatewayConformance):
        @pytest.fixture
        def gateway(self): ...

The suite asks your server, not your object, how much money went back (``given_back``): a
gateway that says the right thing and moves the wrong amount must fail.
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


class RefundGatewayConformance:
    """Subclass it, name the class ``Test…``, and give the fixtures."""

    currencies: tuple[str, ...] = ("USD", "JPY", "KWD")
    """Currencies to try, with 2, 0 and 3 decimals; leave out what your gateway does not know."""

    @pytest.fixture
    def gateway(self) -> RefundGateway:
        """The gateway, with a short time-out."""
        self._missing("gateway", "the gateway, with a short time-out")

    @pytest.fixture
    def unreachable(self) -> RefundGateway:
        """The same gateway with an address where nobody listens."""
        self._missing("unreachable", "the same gateway with an address where nobody listens")

    @pytest.fixture
    def settled(self) -> Sell:
        """Make a sale that can be refunded."""
        self._missing("settled", "make a sale that can be refunded")

    @pytest.fixture
    def unsettled(self) -> Sell:
        """Make a sale that can be voided and cannot be refunded yet."""
        self._missing("unsettled", "make a sale that can be voided and cannot be refunded yet")

    @pytest.fixture
    def trouble(self) -> Callable[[Trouble], None]:
        """Arrange what happens to the next request."""
        self._missing("trouble", "arrange what happens to the next request")

    @pytest.fixture
    def given_back(self) -> Callable[[str], int]:
        """Tell how much truly went back on a charge, voids included, in minor units."""
        self._missing("given_back", "tell how much truly went back on a charge")

    def _missing(self, name: str, purpose: str) -> NoReturn:
        mine = type(self).__name__
        pytest.fail(
            f"{mine} has no fixture `{name}`: {purpose}. Write it in {mine}, as "
            "RefundGatewayConformance describes it.",
            pytrace=False,
        )

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
