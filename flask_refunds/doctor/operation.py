"""Whether the work would be done: queue, workers, and the gateways, which are only asked."""

from collections.abc import Mapping, Sequence

from flask_refunds.doctor.findings import Finding, finding
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.base import (
    GatewayError,
    Misconfigured,
    NotFound,
    RefundGateway,
    Rejected,
)
from flask_refunds.runtime import Runtime
from flask_refunds.storefront.facts import PaymentFacts
from flask_refunds.watching import read_standing

NO_SALE = "refunds-doctor"
"""A sale that no gateway has: asking for it tells whether the keys are right."""


def work(runtime: Runtime) -> list[Finding]:
    """Return what is wrong with the queue and with those who do the work."""
    standing, found = read_standing(runtime), []
    if standing.queue == "none":
        found.append(finding("queue_none"))
    elif standing.queue == "down":
        found.append(finding("queue_down"))
    if standing.idle:
        found.append(finding("work_waits"))
    elif not standing.workers:
        found.append(finding("worker_none"))
    elif not any(worker.alive for worker in standing.workers):
        last = max(standing.workers, key=lambda worker: worker.seen_at)
        example = f"{last.host}, process {last.pid}, seen {last.seen_at:%Y-%m-%d %H:%M}Z"
        found.append(finding("worker_old", count=len(standing.workers), example=example))
    return found


def settings(runtime: Runtime) -> list[Finding]:
    """Return the gateways whose settings are not complete."""
    return [
        finding("gateway_settings", gateway=name, example=problem)
        for name, problem in runtime.gateways.problems().items()
    ]


def gateways(runtime: Runtime, sales: Mapping[str, Sequence[PaymentFacts]]) -> list[Finding]:
    """Ask each gateway for the newest of its *sales* that the shop's payments name."""
    found = []
    for name in runtime.gateways:
        try:
            gateway = runtime.gateways.get(name)
        except ConfigurationError:  # which settings() tells
            continue
        try:
            found += _ask(name, gateway, sales.get(name, ()))
        except Misconfigured as error:
            found.append(finding("gateway_keys", gateway=name, example=error.message))
        except GatewayError as error:
            found.append(finding("gateway_down", gateway=name, example=error.message))
        except Exception as error:  # noqa: BLE001 - a gateway of the host's; the others are asked
            found.append(finding("gateway_down", gateway=name, example=type(error).__name__))
    return found


def _ask(name: str, gateway: RefundGateway, sales: Sequence[PaymentFacts]) -> list[Finding]:
    """Return what *gateway* says against *sales*; without any, it is only asked for none."""
    if not sales:
        try:
            gateway.inspect(NO_SALE)
        except Rejected:
            return []
        return []
    unknown, differing = [], []
    for payment in sales:
        example = f"order {payment.order_ref}, payment {payment.ref}"
        try:
            sale = gateway.inspect(str(payment.charge_id))
        except NotFound:
            unknown.append(example)
            continue
        except Rejected as error:
            unknown.append(f"{example}: {error.message}")
            continue
        if (sale.amount, sale.currency) != (payment.amount, payment.currency):
            there = f"{sale.amount} {sale.currency}, here {payment.amount} {payment.currency}"
            differing.append(f"{example}: {there}, in minor units")
    return [
        finding(code, count=len(examples), of=len(sales), example=examples[0], gateway=name)
        for code, examples in (
            ("gateway_sale_unknown", unknown),
            ("gateway_sale_differs", differing),
        )
        if examples
    ]
