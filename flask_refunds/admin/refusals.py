"""What a refusal says to people: at which field, in which words, with which HTTP status."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_refunds import errors
from flask_refunds.admin.presenting import money_text, when_text
from flask_refunds.admin.words import gettext


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A refusal for people. ``field`` is a form field's name; ``None``: the whole page."""

    field: str | None
    message: str
    status: int


def explain(error: errors.RefundsError) -> Explained:
    """Return what *error* says to people, at which field and with which HTTP status."""
    for kind in type(error).__mro__:
        if kind in _WORDS:
            status, words = _WORDS[kind]
            return Explained(
                field=getattr(error, "field", None),
                message=words(error) if callable(words) else gettext(words),
                status=status,
            )
    return Explained(field=None, message=gettext(_UNFORESEEN), status=500)


_UNFORESEEN = "Something went wrong. Nothing was refunded."

_AMOUNTS = {
    "not_a_number": "This is not an amount.",
    "not_positive": "The amount must be above zero.",
    "too_many_decimals": "This has more decimals than the currency has.",
    "too_large": "This amount is too large.",
}

_CARDS = {
    "not_captured": "The card was never charged.",
    "no_gateway": "The payment did not go through a gateway that can pay it back.",
    "unknown_gateway": "The payment went through a gateway that is not set up here.",
    "not_configured": "The settings of the gateway are missing; ask whoever runs the shop.",
    "no_transaction": "The payment has no transaction number of the gateway.",
    "other_currency": "The payment is in another currency than the order.",
    "nothing_left": "All that this card paid was given back already.",
    "no_payment": "The order has no card payment.",
}


def card_problem_text(code: str) -> str:
    """Return in words why a payment cannot be paid back to its card."""
    return gettext(_CARDS.get(code, "The card cannot be paid back."))


def _malformed(error: Any) -> str:
    return gettext(_AMOUNTS.get(error.reason, "This is not an amount."))


def _above_line(error: Any) -> str:
    left = money_text(error.left, error.currency)
    return gettext("At most %(left)s is left on this line.", left=left)


def _above_quantity(error: Any) -> str:
    if error.asked < 0:
        return gettext("The quantity cannot be negative.")
    return gettext("At most %(left)s of this line can still be refunded.", left=str(error.left))


def _above_balance(error: Any) -> str:
    if error.left <= 0:
        return gettext("Nothing is left to refund on this order.")
    left = money_text(error.left, error.currency)
    return gettext("At most %(left)s is left on this order.", left=left)


def _not_the_amount(error: Any) -> str:
    difference = money_text(abs(error.amount - error.asked), error.currency)
    words = "These lines come to %(asked)s, %(difference)s more than the %(amount)s that went back."
    if error.asked < error.amount:
        words = words.replace("more", "less")
    return gettext(
        words,
        asked=money_text(error.asked, error.currency),
        difference=difference,
        amount=money_text(error.amount, error.currency),
    )


def _above_cards(error: Any) -> str:
    return gettext(
        "The cards of this order can take %(left)s. Choose by what other means the rest goes back.",
        left=money_text(error.left, error.currency),
    )


def _card_unavailable(error: Any) -> str:
    return card_problem_text(str(error.reason))


def _not_allowed(error: Any) -> str:
    if error.limit is None:
        return gettext("You are not allowed to do this. Ask an administrator of the shop.")
    limit = money_text(error.limit, error.currency)
    return gettext("You may give back at most %(limit)s at once.", limit=limit)


def _wrong_state(error: Any) -> str:
    state = gettext(str(error.state))
    return gettext("This is not possible any more: the transfer is %(state)s.", state=state)


def _too_many_rows(error: Any) -> str:
    most = f"{error.most:,}"
    return gettext("More than %(most)s rows. Choose fewer days, or longer rows.", most=most)


_NOT_THIS = {
    "unknown": "The gateway has no refund with this number.",
    "not_voided": "This is the sale itself, and it was not cancelled.",
    "other_sale": "This refund belongs to another sale (%(found)s).",
    "other_amount": "This refund is of another amount. It cannot be this one.",
    "failed": "This refund did not go through: the gateway calls it %(found)s.",
    "booked": "This refund is recorded for another refund of the shop already.",
}


def _not_this(error: Any) -> str:
    return gettext(_NOT_THIS[error.reason], found=error.found)


def _too_early(error: Any) -> str:
    return gettext(
        "The first request may still arrive at the gateway. Please come back at %(when)s.",
        when=when_text(error.until),
    )


def _gateway_has_it(error: Any) -> str:
    return gettext(
        "The gateway does have it, as %(ids)s. Choose “It was refunded” and give that number.",
        ids=", ".join(error.ids),
    )


def _paid_already(error: Any) -> str:
    return gettext(
        "The gateway may have paid this already: %(found)s. Choose “Retry”: it is looked for, "
        "and not paid twice.",
        found=error.found,
    )


_WORDS: dict[type, tuple[int, str | Callable[[Any], str]]] = {
    errors.UnknownOrder: (404, "The shop has no such order."),
    errors.UnknownCustomer: (404, "The shop has no such customer."),
    errors.UnknownPage: (404, "There is no such page. Go back to the beginning of the list."),
    errors.TooManyRows: (422, _too_many_rows),
    errors.UnknownRefund: (404, "There is no such refund."),
    errors.OrderOfAnotherCustomer: (422, "This order belongs to another customer."),
    errors.CurrencyChanged: (
        422,
        "The shop changed this order's currency after a refund. Refund the rest by hand.",
    ),
    errors.NothingPaid: (422, "Nothing was paid on this order, so nothing can be given back."),
    errors.NothingSelected: (422, "Nothing is selected to refund."),
    errors.UnknownLine: (422, "A selected line is not on this order any more. Reload the page."),
    errors.MalformedAmount: (422, _malformed),
    errors.AboveLine: (422, _above_line),
    errors.AboveQuantity: (422, _above_quantity),
    errors.AboveBalance: (422, _above_balance),
    errors.NotPositive: (422, "The refund must be above zero in all."),
    errors.NotTheAmount: (422, _not_the_amount),
    errors.AboveCards: (422, _above_cards),
    errors.CardUnavailable: (422, _card_unavailable),
    errors.OtherMeansMissing: (422, "Choose by what other means the money goes back."),
    errors.UnknownReason: (422, "Choose a reason."),
    errors.ReasonMissing: (422, "Say why."),
    errors.DisputeNotAccepted: (
        422,
        "The customer disputes this sale. Look at the dispute; to refund anyway, tick the box.",
    ),
    errors.TokenReused: (
        409,
        "This form was sent before, with other content. Nothing more was refunded.",
    ),
    errors.MissingToken: (
        400,
        "The form is incomplete. Nothing was refunded; please send it again.",
    ),
    errors.NotAllowed: (403, _not_allowed),
    errors.NoActor: (403, "Nobody is signed in whose name could stand on the refund."),
    errors.WorkerHasIt: (
        409,
        "A worker is asking the gateway about this just now. Please try again in a minute.",
    ),
    errors.TooEarly: (409, _too_early),
    errors.GatewaySilent: (
        503,
        "The gateway cannot be asked just now. Nothing was changed; please try again later.",
    ),
    errors.NotThisRefund: (422, _not_this),
    errors.GatewayHasIt: (409, _gateway_has_it),
    errors.PaidAlready: (409, _paid_already),
    errors.InConflict: (
        409,
        "The gateway may have paid this. Compare with its panel; then say “I have settled this”.",
    ),
    errors.WrongState: (409, _wrong_state),
    errors.Refusal: (422, "This was refused. Nothing was refunded."),
    errors.Busy: (
        503,
        "The shop is very busy with this order just now. Nothing was refunded; please try again.",
    ),
    errors.NotMigrated: (
        503,
        "The refunds tables are missing or old. Nothing was refunded. Run: flask refunds upgrade",
    ),
    errors.ConfigurationError: (
        503,
        "Refunds are not set up right for this. The log of the application says what is wrong.",
    ),
}
