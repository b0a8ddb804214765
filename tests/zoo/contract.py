"""The contract that every host of the zoo keeps: an order is refunded, and every figure is right.

``make test`` runs it from the built wheel (``test_contract.py``); from the sources, ask for it by
name: ``pytest tests/zoo/contract.py -k HOST``.
"""

from collections.abc import Callable

import pytest
from markupsafe import escape

import flask_refunds
from flask_refunds import money
from tests.hosts import zoo
from tests.zoo.conftest import OpenShop
from tests.zoo.shop import Shop, is_ours, link, rows, tables, words_of


@pytest.fixture(scope="session", autouse=True)
def package(record_testsuite_property: Callable[[str, object], None]) -> None:
    """Say in the report which package this was about."""
    record_testsuite_property("package", flask_refunds.__file__)


@pytest.fixture(
    params=[
        pytest.param((name, kind), id=f"{name}-{kind}", marks=getattr(pytest.mark, kind))
        for name, kind in zoo.cases()
    ]
)
def shop(request: pytest.FixtureRequest, open_shop: OpenShop) -> Shop:
    """A host on one of its databases, with its order sold."""
    return open_shop(*request.param)


def test_an_order_is_refunded_and_every_figure_is_right(shop: Shop) -> None:
    with shop.app.app_context():
        before = rows(shop.app)
    assert sum(map(len, before.values())) > 2

    the_lists_lead_to_the_order(shop)
    the_form_quotes_what_was_paid(shop)
    part = a_form_without_its_token_is_refused_and_one_with_it_is_taken(shop)
    shop.work()
    assert shop.refunds() == [(part, "completed")]
    assert given_back(shop) == part
    assert "Completed" in words_of(shop.history())
    every_report_says(shop, part)

    the_rest_and_not_a_cent_more(shop, part)
    every_report_says(shop, shop.sold.left)
    the_desk_has_both(shop)

    shop.run("verify", "--gateway")
    with shop.app.app_context():
        assert rows(shop.app) == before
        what_the_host_does_to_its_tables_leaves_ours_alone(shop)


def the_lists_lead_to_the_order(shop: Shop) -> None:
    """From the host's users and orders, **Account History** shows the order, and opens the form."""
    for url in filter(None, (shop.host.users, shop.host.orders)):
        history = shop.follow(shop.get(url), "Account History")
        words = words_of(history)
        assert shop.sold.customer in words
        assert shop.sold.number in words
        assert shown(shop, shop.sold.paid) in words
        for line in shop.sold.lines:
            assert f'data-line="{line.kind}:{escape(line.ref)}"' in history
            assert line.name in words
        form = link(history, "Refund Order")
        assert not shop.is_open(form)
    for url in shop.host.without:
        assert "Account History" not in shop.get(url)


def the_form_quotes_what_was_paid(shop: Shop) -> None:
    """Each line and row may give back exactly what the customer paid for it."""
    _, form = shop.form()
    assert form.lines == [(line.kind, line.ref) for line in shop.sold.lines]
    answer = shop.post(form.quote_url, {**form.values, "everything": "y", "to_card": "y"})
    assert answer.status_code == 200, answer.text
    quote = answer.get_json()
    assert not quote["errors"]
    assert quote["total"] == shown(shop, shop.sold.left)
    assert quote["tax"] == shown(shop, sum(line.tax for line in shop.sold.lines))
    expected = {}
    for number, line in enumerate(shop.sold.lines):
        if line.left or line.quantity:
            expected[f"lines-{number}-amount"] = money.plain(line.left, shop.sold.currency)
            expected[f"lines-{number}-quantity"] = str(line.quantity)
    assert {k: v for k, v in quote["lines"].items() if k != "adjustment"} == expected


def a_form_without_its_token_is_refused_and_one_with_it_is_taken(shop: Shop) -> int:
    """Refund an uneven part of the first line to the card, and return it."""
    url, form = shop.form()
    part = shop.sold.lines[0].left // 3 + 1
    wanted = {**form.values, **card(shop), "lines-0-amount": money.plain(part, shop.sold.currency)}
    forged = {name: value for name, value in wanted.items() if name != "refunds_csrf"}
    assert shop.post(url, forged).status_code == 400
    assert shop.refunds() == []
    answer = shop.post(url, wanted)
    assert answer.status_code == 303, answer.text
    assert [amount for amount, _ in shop.refunds()] == [part]
    assert "Started" in words_of(shop.get(answer.location))
    if shop.host.actor is not None:
        assert [refund["actor_label"] for refund in shop.listed()] == [shop.host.actor]
    return part


def the_rest_and_not_a_cent_more(shop: Shop, part: int) -> None:
    """Give back the exact rest; after that a form that was still open is refused."""
    sold = shop.sold
    url, form = shop.form()
    _, still_open = shop.form()
    answer = shop.post(url, {**form.values, **card(shop), "everything": "y"})
    assert answer.status_code == 303, answer.text
    shop.work("worker", "--burst")
    done = [(part, "completed"), (sold.left - part, "completed")]
    assert shop.refunds() == done
    assert given_back(shop) == min(sold.left, sum(sold.sales.values()))
    history = words_of(shop.history())
    assert "Nothing is left to refund on this order." in history

    more = {**still_open.values, **card(shop)}
    for asked in ({"lines-0-amount": "0.01"}, {"adjustment": "0.01"}, {"everything": "y"}):
        assert shop.post(url, {**more, **asked}).status_code in {409, 422}
    assert shop.refunds() == done


def the_desk_has_both(shop: Shop) -> None:
    """The desk lists the refunds, and leads to each of them."""
    desk = shop.page("desk/")
    for refund in ("R-000001", "R-000002"):
        assert shop.sold.number in words_of(shop.follow(desk, refund))


def every_report_says(shop: Shop, refunded: int) -> None:
    """Check what the four reports say was sold, refunded by now, and kept."""
    sold, prior = shop.sold, shop.sold.prior
    wanted = (sold.paid, prior + refunded, sold.paid - prior - refunded)
    assert total(shop, "items", "sold", "refunded", "net") == wanted
    assert total(shop, "summary", "sales", "refunds", "net") == wanted
    assert total(shop, "report", "amount") == (refunded,)
    gross, refunds, net = (shown(shop, amount) for amount in wanted)
    for page in ("items", "summary"):
        words = words_of(shop.page(f"{page}/?period=all"))
        assert all(amount in words for amount in (gross, refunds, net))
    assert shown(shop, refunded) in words_of(shop.page("report/"))
    dashboard = words_of(shop.page("dashboard/"))
    assert f"Net sales {net} Gross sales {gross} Refunds {refunds} " in dashboard


def what_the_host_does_to_its_tables_leaves_ours_alone(shop: Shop) -> None:
    """The host's own ``create_all()`` and ``drop_all()`` do not see our tables."""
    ours = rows(shop.app, ours=True)
    assert sum(map(len, ours.values())) > 2
    shop.db.create_all()
    assert rows(shop.app, ours=True) == ours
    shop.db.drop_all()
    assert all(map(is_ours, tables(shop.app)))
    assert rows(shop.app, ours=True) == ours


def total(shop: Shop, report: str, *columns: str) -> tuple[int, ...]:
    """Return the sums of a report's columns, in minor units."""
    found = shop.csv(report)
    assert found
    assert {row["currency"] for row in found} == {shop.sold.currency}
    return tuple(sum(int(row[c].replace(".", "")) for row in found) for c in columns)


def given_back(shop: Shop) -> int:
    """Return what the gateway gave back of the order's sales; never more of one than it took."""
    back = {sale: shop.till.given_back(sale) for sale in shop.sold.sales}
    assert all(back[sale] <= taken for sale, taken in shop.sold.sales.items())
    return sum(back.values())


def card(shop: Shop) -> dict[str, str]:
    """Return what the form says for money that goes back to the cards, the rest in cash."""
    cash = shop.sold.left > sum(shop.sold.sales.values())
    return {"to_card": "y", "reason": "returned"} | ({"other_kind": "cash"} if cash else {})


def shown(shop: Shop, amount: int) -> str:
    """Return an amount as our pages show it."""
    return money.show(amount, shop.sold.currency)
