"""The codes of what the mapping reads: orders, lines, charges and payments."""

from collections.abc import Mapping

from flask_refunds.doctor.kinds import Code, Part, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_MAPPING, _PAYMENTS = Part.MAPPING, Part.PAYMENTS

CODES_OF_ROWS: Mapping[str, Code] = {
    # The mapping, against the rows that it reads.
    "sql_fails": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="{part} cannot be read: its query fails.",
        remedy="Compare the mapped columns with the tables; migrate the shop's tables if they "
        "are behind its models.",
    ),
    "sample": Code(
        part=_MAPPING,
        severity=_NOTE,
        what="Only the newest {orders} orders were looked at, and as many of the newest rows "
        "that point to orders.",
        remedy="Give --orders to look at more.",
    ),
    "sample_cut": Code(
        part=_MAPPING,
        severity=_NOTE,
        what="Some orders have so many rows in {part} that their sums were not looked at.",
        remedy="Nothing, when that is so. Otherwise see order_total and {part}.order.",
    ),
    "key_null": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="{part}.key is NULL.",
        remedy="Map a key that every row has, or leave such rows out with where=.",
    ),
    "key_duplicate": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="{part}.key is the same on several rows.",
        remedy="Map all columns of the key, and check source= for a join that multiplies rows.",
    ),
    "key_round_trip": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="{part}.key becomes another value when it is kept as text and read again.",
        remedy="Map a key of integers, UUIDs, texts or dates, and give the column its real type.",
    ),
    "row_unreadable": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="A row of {part} cannot be used; its order cannot be shown.",
        remedy="Do what the example says, or leave such rows out with where=.",
    ),
    "currency_unknown": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="Orders.currency is NULL or no ISO 4217 code.",
        remedy="Map a code such as 'EUR', a literal for a shop of one currency, or leave such "
        "orders out with where=.",
        rows="orders",
    ),
    "time_missing": Code(
        part=_MAPPING,
        severity=_WARNING,
        what="Orders.placed_at is NULL or no date and time.",
        remedy="Map a DateTime; leave carts that were never placed out with where=.",
        rows="orders",
    ),
    "time_future": Code(
        part=_MAPPING,
        severity=_WARNING,
        what="Orders were placed in the future.",
        remedy="Say in which zone the shop's naive times are: Storefront(timezone=...).",
        rows="orders",
    ),
    "zone_assumed": Code(
        part=_MAPPING,
        severity=_NOTE,
        what="The shop's times have no zone and are read as UTC, while the store's is {zone}.",
        remedy="Nothing, if the shop keeps UTC; else pass Storefront(timezone={zone!r}).",
        rows="orders",
    ),
    "amount_fraction": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="{name} is said to hold minor units, and holds fractions, which are cut off.",
        remedy="Write major(...) in place of minor(...).",
    ),
    "amount_integer": Code(
        part=_MAPPING,
        severity=_NOTE,
        what="{name} is said to hold whole units with decimals, and its column holds integers.",
        remedy="Write minor(...) if these are cents.",
    ),
    "amount_null": Code(
        part=_MAPPING,
        severity=_WARNING,
        what="{name} is NULL, which counts as nothing paid.",
        remedy="Map an expression that every row has, or leave such rows out with where=.",
    ),
    "unit_price": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="Lines.total looks like the price of one piece: times the quantity it comes to the "
        "order's total.",
        remedy="Map what all pieces cost: minor(Item.price * Item.quantity).",
        rows="orders_of_several",
        by_share=True,
    ),
    "line_tax_apart": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="Lines.total looks like the price without tax: with Lines.tax it comes to the "
        "order's total.",
        remedy="Map the total with its tax: minor(Item.net + Item.tax).",
        rows="orders_compared",
        by_share=True,
    ),
    "line_unit": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="Lines and charges come to a hundred times the order's total, or to a hundredth.",
        remedy="One of them is minor(...) and should be major(...), or the other way round.",
        rows="orders_compared",
        by_share=True,
    ),
    "charge_negative": Code(
        part=_MAPPING,
        severity=_ERROR,
        what="The charge {charge!r} is a discount below zero, which adds to what was paid.",
        remedy="Map what is taken off as a positive amount: minor(func.abs(...)).",
    ),
    "order_total": Code(
        part=_MAPPING,
        severity=_WARNING,
        what="Lines and charges do not come to the order's total.",
        remedy="Map what else is on an order as a Charge: shipping, fees, discounts, tax. What "
        "stays unexplained is refunded as an adjustment.",
        rows="orders_compared",
        by_share=True,
    ),
    "order_without_lines": Code(
        part=_MAPPING,
        severity=_WARNING,
        what="Orders have no lines.",
        remedy="Lines.order has to hold Orders.key, or what Lines.of names; of the same type.",
        rows="orders",
        by_share=True,
    ),
    "order_missing": Code(
        part=_MAPPING,
        severity=_WARNING,
        what="Rows of {part} are about an order that is not there.",
        remedy="{part}.order has to hold Orders.key, or what {part}.of names; of the same type.",
        rows="pointers_{part}",
        by_share=True,
    ),
    "customer_missing": Code(
        part=_MAPPING,
        severity=_WARNING,
        what="Orders are of a customer who is not there; they have no name.",
        remedy="Orders.customer has to hold Customers.key; NULL for guests.",
        rows="orders_of_customers",
        by_share=True,
    ),
    # What was paid.
    "payment_missing": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="Orders that are paid have no payment; their total counts as paid otherwise.",
        remedy="Payments.order has to hold Orders.key, or what Payments.of names.",
        rows="orders_paid",
        by_share=True,
    ),
    "payments_several": Code(
        part=_PAYMENTS,
        severity=_NOTE,
        what="Orders have several captured payments; each gets its share of a refund.",
        remedy="Nothing, if each of them brought money: leave authorizations and failures out "
        "with captured=.",
        rows="orders",
    ),
    "captured_differs": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="The captured payments do not come to the order's total.",
        remedy="Check Payments.amount, Payments.captured and Orders.total. What was captured is "
        "what can be given back.",
        rows="orders_captured",
        by_share=True,
    ),
    "payment_unit": Code(
        part=_PAYMENTS,
        severity=_ERROR,
        what="The captured payments come to a hundred times the order's total, or to a hundredth.",
        remedy="Payments.amount or Orders.total is minor(...) and should be major(...), or the "
        "other way round.",
        rows="orders_captured",
        by_share=True,
    ),
    "payment_currency_unknown": Code(
        part=_PAYMENTS,
        severity=_ERROR,
        what="Payments.currency is NULL or no ISO 4217 code.",
        remedy="Map a code such as 'EUR'; without one, the order's counts.",
        rows="payments",
    ),
    "payment_currency": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="Payments are in another currency than their order; nothing is refunded to them.",
        remedy="Map the currency that the gateway took, on the order too.",
        rows="payments",
    ),
    "currencies_mixed": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="Orders were paid in several currencies.",
        remedy="Refund such orders by hand.",
        rows="orders",
    ),
    "charge_shared": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="One sale at the gateway paid for several orders.",
        remedy="Map a payment's sale on one order only; a refund of the one takes from the others.",
        rows="charges",
    ),
    "charge_twice": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="One sale at the gateway is captured twice on its order.",
        remedy="Leave the payment's other rows (authorizations, updates) out with captured= or "
        "where=.",
        rows="charges",
    ),
    "charge_missing": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="Captured payments of the gateway {gateway!r} have no transaction; they are refunded "
        "by other means only.",
        remedy="Map the gateway's id of the sale as Payments.transaction.",
        rows="payments",
        by_share=True,
    ),
    "gateway_spelling": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="Payments name the gateway {gateway!r}, which is configured as {configured!r}.",
        remedy="Pass it in Refunds(gateways={{{gateway!r}: ...}}), or map func.lower(...).",
        rows="payments",
    ),
    "gateway_unknown": Code(
        part=_PAYMENTS,
        severity=_NOTE,
        what="Payments name {gateway!r}, which is no configured gateway; they are refunded by "
        "other means.",
        remedy="Pass it in Refunds(gateways=...), if it takes cards.",
        rows="payments",
    ),
    "gateway_unused": Code(
        part=_PAYMENTS,
        severity=_WARNING,
        what="No payment names a configured gateway; everything is refunded by other means.",
        remedy="Payments.gateway has to hold a name in Refunds(gateways=...).",
        rows="payments",
    ),
}
