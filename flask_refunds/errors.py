"""One exception per refusal, carrying data. The words for people are made in the views."""

from typing import Any


class RefundsError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigurationError(RefundsError):
    """The wiring or a ``REFUNDS_*`` setting is wrong; the message names it and the remedy."""


class MappingError(ConfigurationError):
    """The storefront mapping is wrong; the message names the attribute and the remedy."""


class NotMigrated(RefundsError):
    """Our tables are absent or of another version: run ``flask refunds upgrade``."""


class Busy(RefundsError):
    """The database stayed locked through all retries; nothing was written."""


class ForbiddenTransition(RefundsError):
    """A change of state that :data:`flask_refunds.states.TRANSITIONS` does not have."""

    def __init__(self, *, before: Any, after: Any) -> None:
        super().__init__(f"a transfer cannot go from {before or 'nothing'} to {after}")
        self.before = before
        self.after = after


class Refusal(RefundsError):
    """A request that was understood and refused; nothing was written.

    ``field`` names the form field that it belongs to (``None``: the whole form).
    """

    field: str | None = None

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n")[0])
        if field is not None:
            self.field = field


class UnknownOrder(Refusal):
    """There is no such order in the shop."""


class UnknownCustomer(Refusal):
    """There is no such customer in the shop."""


class UnknownPage(Refusal):
    """There is no such page of a list."""


class TooManyRows(Refusal):
    """A report would be cut into more rows than a table has. ``most`` is how many it may have."""

    def __init__(self, *, field: str, most: int) -> None:
        super().__init__(f"more than {most} rows: choose fewer days, or longer rows", field=field)
        self.most = most


class UnknownRefund(Refusal):
    """There is no such refund."""


class OrderOfAnotherCustomer(Refusal):
    """The order belongs to another customer."""


class CurrencyChanged(Refusal):
    """The shop changed the order's currency after a refund in the old one."""

    def __init__(self, *, before: str, now: str) -> None:
        super().__init__(f"refunded in {before}, now in {now}")
        self.before, self.now = before, now


class NothingPaid(Refusal):
    """Nothing was paid on this order, so nothing can be given back."""


class NothingSelected(Refusal):
    """Nothing was selected to refund."""

    field = "lines"


class UnknownLine(Refusal):
    """A selected line does not belong to the order."""

    field = "lines"


class MalformedAmount(Refusal):
    """An amount is not a number, not positive, or has too many decimals for its currency."""

    field = "amount"

    def __init__(self, *, text: str, reason: str, field: str | None = None) -> None:
        super().__init__(f"{text!r}: {reason}", field=field)
        self.text = text
        self.reason = reason


class AboveLine(Refusal):
    """More than is left on a line. ``left`` and ``asked`` in minor units of ``currency``."""

    def __init__(self, *, line: str, asked: int, left: int, currency: str) -> None:
        super().__init__(f"{line}: {asked} asked, {left} left", field=f"amount-{line}")
        self.line, self.asked, self.left, self.currency = line, asked, left, currency


class AboveQuantity(Refusal):
    """More pieces than are left on a line."""

    def __init__(self, *, line: str, asked: int, left: int) -> None:
        super().__init__(f"{line}: {asked} pieces asked, {left} left", field=f"quantity-{line}")
        self.line, self.asked, self.left = line, asked, left


class AboveBalance(Refusal):
    """More than is left on the order. ``left`` and ``asked`` in minor units of ``currency``."""

    def __init__(self, *, asked: int, left: int, currency: str) -> None:
        super().__init__(f"{asked} asked, {left} left on the order")
        self.asked, self.left, self.currency = asked, left, currency


class NotPositive(Refusal):
    """The refund's total is zero or less."""


class NotTheAmount(Refusal):
    """The lines do not add up to what was given back (minor units of ``currency``)."""

    field = "adjustment"

    def __init__(self, *, asked: int, amount: int, currency: str) -> None:
        super().__init__(f"{asked} in all, {amount} was given back")
        self.asked, self.amount, self.currency = asked, amount, currency


class AboveCards(Refusal):
    """The cards of the order can take back less than was asked (minor units)."""

    field = "to_card"

    def __init__(self, *, asked: int, left: int, currency: str) -> None:
        super().__init__(f"{asked} asked, {left} can go back to cards")
        self.asked, self.left, self.currency = asked, left, currency


class CardUnavailable(Refusal):
    """No payment of the order can be paid back to a card; ``reason`` is a stable code."""

    field = "to_card"

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OtherMeansMissing(Refusal):
    """Other means was chosen without saying which."""

    field = "other_kind"


class UnknownReason(Refusal):
    """The reason is not one of ``REFUNDS_REASONS``."""

    field = "reason"


class ReasonMissing(Refusal):
    """Say why."""

    field = "why"


class DisputeNotAccepted(Refusal):
    """The sale is disputed, and nobody has said that it is to be refunded all the same."""

    field = "despite_dispute"


class TokenReused(Refusal):
    """The form was sent before with another content, by another actor or for another order."""


class MissingToken(Refusal):
    """The form came without a one-time token that was made for it."""


class NotAllowed(Refusal):
    """The actor has no permission for this. ``limit`` in minor units, if a limit was the cause."""

    def __init__(self, message: str = "", *, limit: int | None = None, currency: str = "") -> None:
        super().__init__(message)
        self.limit, self.currency = limit, currency


class NoActor(Refusal):
    """Nobody is signed in whose name could stand on the refund."""


class WrongState(Refusal):
    """The transfer is in a state that does not allow this."""

    def __init__(self, *, state: str) -> None:
        super().__init__(state)
        self.state = state


class InConflict(Refusal):
    """Money may have moved beside the books, and nobody has said that this is settled."""


class PaidAlready(Refusal):
    """The gateway may have paid this already; ``found`` is its refund, or what it says."""

    def __init__(self, *, found: str) -> None:
        super().__init__(f"the gateway may have paid it already: {found}")
        self.found = found


class WorkerHasIt(Refusal):
    """A worker is asking the gateway about it at this moment."""


class TooEarly(Refusal):
    """A late answer may still land at the gateway. ``until`` is when that is over (UTC)."""

    def __init__(self, *, until: Any) -> None:
        super().__init__(f"not before {until:%Y-%m-%d %H:%M:%S} UTC")
        self.until = until


class GatewaySilent(Refusal):
    """The gateway cannot be asked now; ``reason`` is what came instead of an answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotThisRefund(Refusal):
    """The gateway's record is of something else; ``reason`` is a stable code for what."""

    field = "gateway_refund_id"

    def __init__(self, *, reason: str, found: str = "") -> None:
        super().__init__(f"{reason} {found}".strip())
        self.reason, self.found = reason, found


class GatewayHasIt(Refusal):
    """The gateway does have a refund with our reference; ``ids`` are its own names."""

    def __init__(self, *, ids: Any) -> None:
        super().__init__(", ".join(ids))
        self.ids = tuple(ids)
