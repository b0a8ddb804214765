"""What was given back, in SQL: our ledger, and the refunds that the shop made itself.

The shop's own are read through the mapping and are no postings: they have no components but the
money, and its note of a refund of ours, known by the gateway's id, does not count again.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    Select,
    String,
    Subquery,
    and_,
    case,
    literal,
    literal_column,
    select,
    union_all,
)

from flask_refunds.figures.host_sql import (
    columns_called,
    currency_code,
    matching,
    minor_units,
    short_text,
    truth,
)
from flask_refunds.figures.ledger_query import DATED, posted
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.spreading import ZERO
from flask_refunds.figures.ways import Way, way_of_posting
from flask_refunds.models import DESCRIPTION_LENGTH, REF_LENGTH, Attempt, Posting, Transfer
from flask_refunds.states import TransferState
from flask_refunds.storefront import PriorRefunds
from flask_refunds.storefront.texts import exact_text
from flask_refunds.storefront.values import expression

FIGURES = ("quantity", "list", "discount", "tax", "paid")
UNALLOCATED = "unallocated"


class GivenBack:
    """All that counts as given back in *scope*.

    ``rows`` has its span, currency, :class:`Way` (``way``), ``kind`` (``line``, ``row``,
    ``adjustment`` or ``unallocated``), ``name`` (of a charge), ``sku``, ``description``,
    dimensions (``dim_NAME``), and components: pieces and minor units, negative in reversals.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._dimensions = list(scope.storefront.lines.dimensions)
        parts = [self._posted()]
        if scope.storefront.prior_refunds is not None:
            parts.append(self._by_the_shop(scope.storefront.prior_refunds))
        self.rows: CTE = union_all(*parts).cte("refunds_given")

    def _posted(self) -> "Select[*tuple[Any, ...]]":
        dated = DATED[self.scope.basis]
        is_line = Posting.kind == "line"
        columns: dict[str, Any] = {
            "span": self.scope.numbered(dated),
            "currency": exact_text(Posting.currency),
            "way": way_of_posting(),
            "kind": exact_text(Posting.kind),
            "name": case((is_line, ""), else_=exact_text(Posting.line_ref)),
            "sku": exact_text(Posting.sku),
            "description": exact_text(Posting.description),
            **{
                f"dim_{name}": exact_text(Posting.dimensions[name].as_string())
                for name in self._dimensions
            },
            "quantity": case((is_line, Posting.quantity), else_=ZERO),
            "list": Posting.list_price,
            "discount": Posting.discount,
            "tax": Posting.tax,
            "paid": Posting.paid,
        }
        labelled = [column.label(label) for label, column in columns.items()]
        return select(*labelled).where(*posted(self.scope.period, self.scope.basis))

    def _by_the_shop(self, mapped: PriorRefunds) -> "Select[*tuple[Any, ...]]":
        scope, storefront = self.scope, self.scope.storefront
        priors = self._succeeded(mapped)
        orders = self._orders()
        p, currency = priors.c, currency_code(orders.c.currency)
        pointed = columns_called(orders, "prior_of") or columns_called(orders, "key")
        source: Any = priors.join(orders, and_(*matching(columns_called(priors, "order"), pointed)))
        dated = p.at if scope.basis == "refund" else orders.c.placed_at
        line: Subquery | None = None
        if mapped.line is not None:
            line = storefront.lines_statement().subquery("prior_lines")
            same = matching(columns_called(line, "key"), columns_called(priors, "line"))
            source = source.outerjoin(line, and_(*same))
        found = literal(False) if line is None else columns_called(line, "key")[0].is_not(None)
        nothing, unallocated = exact_text(literal("")), exact_text(literal(UNALLOCATED))
        paid = minor_units(p.amount, mapped.amount, currency)
        columns: dict[str, Any] = {
            "span": scope.numbered_host(dated),
            "currency": currency,
            "way": literal_column(f"'{Way.SHOP}'", String),
            "kind": case((found, exact_text(literal("line"))), else_=unallocated),
            "name": case((found, ""), else_=unallocated),
            "sku": nothing if line is None else short_text(line.c.sku, REF_LENGTH),
            "description": nothing
            if line is None
            else short_text(line.c.description, DESCRIPTION_LENGTH),
            **{
                f"dim_{name}": nothing if line is None else line.c[f"dim_{name}"]
                for name in self._dimensions
            },
            "quantity": ZERO,
            "list": paid,
            "discount": ZERO,
            "tax": ZERO,
            "paid": paid,
        }
        return select(*(c.label(label) for label, c in columns.items())).select_from(source)

    def _succeeded(self, mapped: PriorRefunds) -> Subquery:
        """Return the shop's own refunds that count, in the period by the day they were made."""
        scope = self.scope
        statement = scope.storefront.prior_statement()
        if scope.basis == "refund":
            at = expression(mapped.at, "PriorRefunds.at")
            statement = statement.where(*scope.within_host(at))
        table = statement.subquery("host_priors")
        t = table.c
        mine = truth(t.succeeded)
        if mapped.gateway_id is not None:
            made = select(Transfer.gateway_refund_id).where(
                Transfer.state != TransferState.REVERSED
            )
            ours = made.union(select(Attempt.gateway_refund_id))
            known = ours.subquery("ours").c[0]
            ids = select(known).where(known.is_not(None))
            mine = and_(mine, t.gateway_id.is_(None) | exact_text(t.gateway_id).not_in(ids))
        return select(*t).where(mine).subquery("priors")

    def _orders(self) -> Subquery:
        scope = self.scope
        statement = scope.storefront.orders_statement()
        if scope.basis == "order":
            placed_at = expression(scope.storefront.orders.placed_at, "Orders.placed_at")
            statement = statement.where(*scope.within_host(placed_at))
        return statement.subquery("prior_orders")
