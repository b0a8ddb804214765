"""The codes of refunded orders, the admin and the operation."""

from collections.abc import Mapping

from flask_refunds.doctor.kinds import Code, Part, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_REFUNDS, _ADMIN, _OPERATION = Part.REFUNDS, Part.ADMIN, Part.OPERATION

CODES_OF_SETUP: Mapping[str, Code] = {
    # Orders that were refunded.
    "over_committed": Code(
        part=_REFUNDS,
        severity=_WARNING,
        what="More was given back, or is on its way, than the shop now says was captured.",
        remedy="Compare the order with its refunds. Payments.captured has to hold also for "
        "payments that were refunded since.",
        rows="refunded",
        by_share=True,
    ),
    "order_gone": Code(
        part=_REFUNDS,
        severity=_WARNING,
        what="Refunded orders are no longer in the shop.",
        remedy="Reports keep them. If they are there, Orders.key or Orders.where has changed.",
        rows="refunded",
        by_share=True,
    ),
    "order_currency": Code(
        part=_REFUNDS,
        severity=_WARNING,
        what="Refunded orders have another currency now; nothing more is refunded of them.",
        remedy="Set the order's currency back.",
        rows="refunded",
    ),
    "order_changed": Code(
        part=_REFUNDS,
        severity=_NOTE,
        what="Refunded orders have another captured amount now than at their last refund.",
        remedy="Nothing: the next refund looks again.",
        rows="refunded",
    ),
    # The admin.
    "secret_key": Code(
        part=_ADMIN,
        severity=_ERROR,
        what="SECRET_KEY is not set; our forms and links are signed with it.",
        remedy="Set SECRET_KEY, the same for all processes of the web application.",
    ),
    "pages_closed": Code(
        part=_ADMIN,
        severity=_ERROR,
        what="The admin has no view of the orders, so nobody may open our pages.",
        remedy="Call init_app after the shop's views are added, or pass base_view=.",
    ),
    "pages_open": Code(
        part=_ADMIN,
        severity=_WARNING,
        what="Our pages open without anybody signing in.",
        remedy="Have is_accessible() of the shop's order view tell who may open it. If something "
        "in front of the application does, pass --ignore pages_open.",
    ),
    "page_fails": Code(
        part=_ADMIN,
        severity=_ERROR,
        what="Our page for finding refunds cannot be opened.",
        remedy="See the application's log.",
    ),
    "users_without_button": Code(
        part=_ADMIN,
        severity=_WARNING,
        what="The admin has no view of the customers, so Account History has no button there.",
        remedy="Add the view before init_app, or name its class: Customers(model=...).",
    ),
    "orders_without_button": Code(
        part=_ADMIN,
        severity=_NOTE,
        what="The admin has no view of the orders, so Account History has no button there.",
        remedy="Add the view before init_app, or name its class: Orders(model=...).",
    ),
    "model_unknown": Code(
        part=_ADMIN,
        severity=_NOTE,
        what="The class of {part} cannot be told from the mapping, so no list of it has a button.",
        remedy="Name it, if the admin has a view of it: {part}(model=...).",
    ),
    "button_lost": Code(
        part=_ADMIN,
        severity=_WARNING,
        what="A list of the shop does not show our Account History button.",
        remedy="Keep column_extra_row_actions as init_app left it, column_display_actions on, and "
        "the block list_row_actions in list_template.",
    ),
    "menu_missing": Code(
        part=_ADMIN,
        severity=_WARNING,
        what="The admin's menu has no entry for one of our pages.",
        remedy="Keep Refunds and Reporting > Refunds in the menu that the admin is given.",
    ),
    "template_broken": Code(
        part=_ADMIN,
        severity=_ERROR,
        what="A template of our pages cannot be loaded.",
        remedy="Mend it in the shop's templates/refunds/, or delete it there to have ours.",
    ),
    "template_blocks": Code(
        part=_ADMIN,
        severity=_ERROR,
        what="The admin's base template lacks the block {block!r}, where our pages put theirs.",
        remedy="Add {{% block {block} %}}{{% endblock %}} to the shop's base template.",
    ),
    "csp": Code(
        part=_ADMIN,
        severity=_ERROR,
        what="The Content-Security-Policy forbids what our pages need: {directive}.",
        remedy="Add 'self' to {directive}. Our pages need nothing inline.",
    ),
    "static_missing": Code(
        part=_ADMIN,
        severity=_ERROR,
        what="Our styles and scripts are not served.",
        remedy="Let /refunds/static/ through to the application.",
    ),
    # Running it.
    "tables_missing": Code(
        part=_OPERATION,
        severity=_ERROR,
        what="Our tables are not there.",
        remedy="Run: flask refunds upgrade",
    ),
    "tables_old": Code(
        part=_OPERATION,
        severity=_ERROR,
        what="Our tables are of another version: at {current}, this version needs {head}.",
        remedy="Run: flask refunds upgrade",
    ),
    "tables_differ": Code(
        part=_OPERATION,
        severity=_ERROR,
        what="Our tables differ from what this version made.",
        remedy="Somebody has changed them: undo it. flask refunds check lists all differences.",
    ),
    "queue_none": Code(
        part=_OPERATION,
        severity=_NOTE,
        what="There is no queue: refunds wait for the next sweep.",
        remedy="Run flask refunds sweep every minute from cron, or set REFUNDS_REDIS_URL.",
    ),
    "queue_down": Code(
        part=_OPERATION,
        severity=_WARNING,
        what="Redis does not answer; refunds wait for the next sweep.",
        remedy="Start it, or correct REFUNDS_REDIS_URL; None for a shop without one.",
    ),
    "worker_none": Code(
        part=_OPERATION,
        severity=_WARNING,
        what="No worker and no sweep was seen: nothing sends refunds to the gateway.",
        remedy="Run flask refunds worker, or flask refunds sweep from cron.",
    ),
    "worker_old": Code(
        part=_OPERATION,
        severity=_WARNING,
        what="Workers or sweeps were seen, and no more: nothing sends refunds to the gateway.",
        remedy="Start them again, and see why they ended.",
    ),
    "work_waits": Code(
        part=_OPERATION,
        severity=_ERROR,
        what="Refunds are due and nobody is there to send them.",
        remedy="Run flask refunds worker, or flask refunds sweep from cron.",
    ),
    "gateway_settings": Code(
        part=_OPERATION,
        severity=_ERROR,
        what="The settings of the gateway {gateway!r} are not complete.",
        remedy="Do what the example says.",
    ),
    "gateway_keys": Code(
        part=_OPERATION,
        severity=_ERROR,
        what="The gateway {gateway!r} refuses our keys.",
        remedy="Do what the example says.",
    ),
    "gateway_down": Code(
        part=_OPERATION,
        severity=_WARNING,
        what="The gateway {gateway!r} does not answer.",
        remedy="Check its address and the way there; refunds wait meanwhile.",
    ),
    "gateway_sale_unknown": Code(
        part=_OPERATION,
        severity=_WARNING,
        what="The gateway {gateway!r} does not have the newest sales of the shop's payments.",
        remedy="Check that the keys are the shop's own (not of its sandbox), and that "
        "Payments.transaction is the gateway's id.",
    ),
    "gateway_sale_differs": Code(
        part=_OPERATION,
        severity=_WARNING,
        what="The gateway {gateway!r} has another amount or currency of a sale than the shop.",
        remedy="Check the unit of Payments.amount, and Payments.currency.",
    ),
    "webhook_closed": Code(
        part=_OPERATION,
        severity=_WARNING,
        what="A webhook of a gateway would not come through to us.",
        remedy="Let the endpoint refunds.webhook pass the shop's before_request and CSRF checks.",
    ),
}
