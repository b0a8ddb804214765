"""What an order can give back, and what one request would do. Pure decisions, no database.

The quote in the modal and the issue under the lock run the same two functions: :func:`stand`
and :func:`plan`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from flask_refunds import errors
from flask_refunds.config import Config
from flask_refunds.entitlement import (
    ADJUSTMENT,
    Entitlement,
    Kind,
    entitle,
    with_given,
    with_prior,
)
from flask_refunds.sharing import NOTHING, Components, allocate
from flask_refunds.states import Method
from flask_refunds.storefront.facts import LineTax, OrderBundle, OrderFacts, PaymentFacts


class CardProblem(StrEnum):
    """Why a payment cannot be paid back to its card."""

    NOT_CAPTURED = "not_captured"
    NO_GATEWAY = "no_gateway"
    UNKNOWN_GATEWAY = "unknown_gateway"
    NOT_CONFIGURED = "not_configured"
    NO_TRANSACTION = "no_transaction"
    OTHER_CURRENCY = "other_currency"
    NOTHING_LEFT = "nothing_left"


@dataclass(frozen=True, kw_only=True)
class Card:
    """One payment of the order and what may still go back to it, in minor units."""

    payment: PaymentFacts
    left: int
    problem: CardProblem | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How an order stands: what each line may give back, and what is left in all.

    ``balance`` is captured less the host's own refunds less ours that are in flight or
    completed; ``adjustment`` what the lines do not explain of it (signed).
    """

    order: OrderFacts
    items: tuple[Entitlement, ...]
    cards: tuple[Card, ...]
    captured: int
    prior: int
    committed: int

    @property
    def balance(self) -> int:
        return max(0, self.captured - self.prior - self.committed)

    @property
    def adjustment(self) -> int:
        return self.balance - sum(item.left.paid for item in self.items)

    @property
    def card_left(self) -> int:
        """How much of the balance can go back to cards."""
        return min(self.balance, sum(c.left for c in self.cards if c.problem is None))


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is asked of one line or charge row; ``paid`` of ``None``: the price of the pieces."""

    kind: Kind
    ref: str
    quantity: int = 0
    paid: int | None = None


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """A refund as a person or a program asks for it; amounts in minor units.

    ``everything`` takes all that is left and ignores the selections. ``adjustment`` is signed:
    goodwill, or a fee that is kept. ``to_card`` pays back to the order's cards; what they cannot
    take, or all of it when false, goes by ``other_kind``. ``token`` makes a repeat harmless.
    ``despite_dispute``: pay back to a card although the customer disputes the sale there.
    """

    order_ref: str
    token: str
    reason: str
    selections: tuple[Selection, ...] = ()
    adjustment: int = 0
    everything: bool = False
    to_card: bool = False
    other_kind: str | None = None
    other_reference: str = ""
    note: str = ""
    customer_ref: str | None = None
    despite_dispute: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedLine:
    """A line of the refund to be made."""

    item: Entitlement
    components: Components


@dataclass(frozen=True, kw_only=True)
class PlannedTransfer:
    """A transfer of the refund to be made, with what it carries of each planned line."""

    method: Method
    amount: int
    card: PaymentFacts | None
    carried: tuple[Components, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The refund that a request would make."""

    lines: tuple[PlannedLine, ...]
    transfers: tuple[PlannedTransfer, ...]

    @property
    def amount(self) -> int:
        return sum(line.components.paid for line in self.lines)

    @property
    def tax(self) -> int:
        return sum(line.components.tax for line in self.lines)


def stand(
    bundle: OrderBundle,
    *,
    line_tax: LineTax,
    committed: int,
    given: Mapping[tuple[str, str], Components],
    by_payment: Mapping[str, int],
    gateways: Mapping[str, bool],
) -> Standing:
    """Return how the order of *bundle* stands.

    *committed* is what our transfers reserve or have given back, *given* the same by
    ``(kind, line ref)``, *by_payment* by payment ref; *gateways* are the names that
    we know, and whether their settings are complete.
    """
    items = entitle(bundle.lines, bundle.order.charges, line_tax=line_tax)
    items = with_given(with_prior(items, bundle.prior), given)
    return Standing(
        order=bundle.order,
        items=tuple(items),
        cards=tuple(_card(p, bundle, by_payment, gateways) for p in bundle.payments),
        captured=bundle.captured,
        prior=bundle.prior_total,
        committed=committed,
    )


def plan(standing: Standing, request: RefundRequest, config: Config) -> Plan:
    """Return what *request* would do, or raise the :exc:`~flask_refunds.errors.Refusal` for it."""
    if request.reason not in config.reasons:
        raise errors.UnknownReason(request.reason)
    if request.other_kind is not None and request.other_kind not in config.other_means:
        raise errors.OtherMeansMissing(request.other_kind)
    if standing.captured == 0:
        raise errors.NothingPaid(standing.order.number)
    lines = plan_lines(standing, request)
    amount = sum(line.components.paid for line in lines)
    if amount > standing.balance:
        raise errors.AboveBalance(
            asked=amount, left=standing.balance, currency=standing.order.currency
        )
    if amount <= 0:
        raise errors.NotPositive(str(amount))
    targets = _targets(standing, request, amount)
    carried = allocate([line.components for line in lines], [taken for _, taken in targets])
    return Plan(
        lines=tuple(lines),
        transfers=tuple(
            PlannedTransfer(
                method=Method.OTHER if card is None else Method.CARD,
                amount=taken,
                card=card,
                carried=tuple(pieces),
            )
            for (card, taken), pieces in zip(targets, carried, strict=True)
        ),
    )


def plan_lines(standing: Standing, request: RefundRequest) -> list[PlannedLine]:
    """Return the lines that *request* selects, each within what is left of it."""
    if request.everything:
        return _rest(standing)
    by_key = {(item.kind, item.ref): item for item in standing.items}
    lines = []
    for selection in request.selections:
        item = by_key.pop((selection.kind, selection.ref), None)
        if item is None:
            raise errors.UnknownLine(selection.ref)
        line = _select(item, selection, standing.order.currency)
        if line is not None:
            lines.append(line)
    if request.adjustment:
        lines.append(_adjust(request.adjustment))
    if not lines:
        raise errors.NothingSelected()
    return lines


def _rest(standing: Standing) -> list[PlannedLine]:
    """Return all that is left: the exact remainder of each line, never a recomputed sum."""
    if standing.balance == 0:
        raise errors.AboveBalance(asked=0, left=0, currency=standing.order.currency)
    lines = []
    for item in standing.items:
        components = item.part(paid=item.left.paid, quantity=item.left.quantity)
        if components != NOTHING:
            lines.append(PlannedLine(item=item, components=components))
    if standing.adjustment:
        lines.append(_adjust(standing.adjustment))
    return lines


def _select(item: Entitlement, selection: Selection, currency: str) -> PlannedLine | None:
    if selection.quantity < 0:
        raise errors.AboveQuantity(line=item.ref, asked=selection.quantity, left=item.left.quantity)
    if selection.quantity > item.left.quantity:
        raise errors.AboveQuantity(line=item.ref, asked=selection.quantity, left=item.left.quantity)
    paid = item.price_of(selection.quantity) if selection.paid is None else selection.paid
    if paid < 0:
        raise errors.MalformedAmount(
            text=str(paid), reason="not_positive", field=f"amount-{item.ref}"
        )
    if paid > item.left.paid:
        raise errors.AboveLine(line=item.ref, asked=paid, left=item.left.paid, currency=currency)
    if paid == 0 and selection.quantity == 0:
        return None
    return PlannedLine(item=item, components=item.part(paid=paid, quantity=selection.quantity))


def _adjust(amount: int) -> PlannedLine:
    whole = Components(list_price=amount, paid=amount)
    item = Entitlement(
        kind="adjustment", ref=ADJUSTMENT, sku="", description="Adjustment", whole=whole
    )
    return PlannedLine(item=item, components=whole)


def _targets(
    standing: Standing, request: RefundRequest, amount: int
) -> list[tuple[PaymentFacts | None, int]]:
    """Return where the money goes: cards first if asked, the rest by other means."""
    targets: list[tuple[PaymentFacts | None, int]] = []
    rest = amount
    if request.to_card:
        usable = [card for card in standing.cards if card.problem is None]
        if not usable:
            problems = [card.problem for card in standing.cards if card.problem]
            raise errors.CardUnavailable(reason=problems[0] if problems else "no_payment")
        whole = [card for card in usable if card.left >= amount]
        for card in whole[:1] or usable:
            taken = min(card.left, rest)
            if taken > 0:
                targets.append((card.payment, taken))
                rest -= taken
        if rest and request.other_kind is None:
            raise errors.AboveCards(
                asked=amount, left=amount - rest, currency=standing.order.currency
            )
    elif request.other_kind is None:
        raise errors.OtherMeansMissing()
    if rest:
        targets.append((None, rest))
    return targets


def _card(
    payment: PaymentFacts,
    bundle: OrderBundle,
    by_payment: Mapping[str, int],
    gateways: Mapping[str, bool],
) -> Card:
    prior = sum(p.amount for p in bundle.prior if p.succeeded and p.payment_ref == payment.ref)
    left = max(0, payment.amount - prior - by_payment.get(payment.ref, 0))
    problem = None
    if not payment.captured:
        problem = CardProblem.NOT_CAPTURED
    elif not payment.gateway:
        problem = CardProblem.NO_GATEWAY
    elif payment.gateway not in gateways:
        problem = CardProblem.UNKNOWN_GATEWAY
    elif not gateways[payment.gateway]:
        problem = CardProblem.NOT_CONFIGURED
    elif not payment.charge_id:
        problem = CardProblem.NO_TRANSACTION
    elif payment.currency != bundle.order.currency:
        problem = CardProblem.OTHER_CURRENCY
    elif left == 0:
        problem = CardProblem.NOTHING_LEFT
    return Card(payment=payment, left=left, problem=problem)
