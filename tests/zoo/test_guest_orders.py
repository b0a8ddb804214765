"""The kiosk: guests, an admin that is open to more people than may move money, and a ``Refund``."""

import pytest
from sqlalchemy import select

from flask_refunds import money
from flask_refunds.models import Base
from flask_refunds.models import Refund as OurRefund
from tests.hosts.guest_orders import log_in
from tests.hosts.guest_orders.admin import TOKEN
from tests.hosts.guest_orders.models import Model, Order, OrderLine, Refund, db
from tests.zoo.conftest import OpenShop
from tests.zoo.shop import Form, Shop, link, words_of

OWNERS, STUDENTS = "1", "2"


@pytest.fixture
def kiosk(open_shop: OpenShop) -> Shop:
    return open_shop("guest_orders")


def everything(form: Form, **more: str) -> dict[str, str]:
    return {**form.values, "everything": "y", "reason": "returned", **more}


def test_a_script_that_may_read_orders_moves_no_money(kiosk: Shop) -> None:
    url, form = kiosk.form()
    script = kiosk.app.test_client()
    token = {"Authorization": TOKEN}

    orders = script.get("/admin/order/", headers=token)
    assert orders.status_code == 200
    assert "K-1" in orders.text
    assert "Account History" not in orders.text
    for page in (url, "/admin/refunds_desk/", "/admin/refunds_report/"):
        assert script.get(page, headers=token).status_code == 403
    assert script.post(url, data=everything(form, to_card="y"), headers=token).status_code == 403
    assert kiosk.refunds() == []


def test_a_student_sees_the_history_and_moves_no_money(kiosk: Shop) -> None:
    url, form = kiosk.form()
    log_in(kiosk.client, STUDENTS)

    history = kiosk.history()
    assert "K-1" in history
    with pytest.raises(AssertionError, match="no link says 'Refund Order'"):
        link(history, "Refund Order")
    assert kiosk.post(url, everything(form, to_card="y")).status_code == 403
    assert kiosk.refunds() == []


def test_the_owner_gives_back_no_more_at_once_than_the_policy_says(kiosk: Shop) -> None:
    with kiosk.app.app_context():
        order = Order(number="K-2", name="Gil", email="gil@example.com", total_cents=60_000)
        db.session.add_all(
            [order, OrderLine(order=order, sku="X", title="X", pieces=1, cents=60_000)]
        )
        db.session.commit()
    history = kiosk.follow(kiosk.get("/admin/order/?search=K-2"), "Account History")
    url = link(history, "Refund Order")
    form = Form.of(kiosk.get(url))

    answer = kiosk.post(url, everything(form, other_kind="cash"))
    assert answer.status_code in {403, 422}
    assert money.show(50_000, "USD") in words_of(answer.text)
    assert kiosk.refunds() == []


def test_an_order_without_a_card_payment_is_given_back_by_other_means(kiosk: Shop) -> None:
    with kiosk.app.app_context():
        order = Order(number="K-0", name="Gil", email="gil@example.com", total_cents=800)
        db.session.add_all([order, OrderLine(order=order, sku="X", title="X", pieces=1, cents=800)])
        db.session.commit()
    history = kiosk.follow(kiosk.get("/admin/order/?search=K-0"), "Account History")
    assert "K-1" not in history
    url = link(history, "Refund Order")
    form = Form.of(kiosk.get(url))

    assert kiosk.post(url, everything(form, to_card="y")).status_code == 422
    assert kiosk.post(url, everything(form, other_kind="cash")).status_code == 303
    assert kiosk.refunds() == [(800, "completed")]


def test_a_refund_that_the_kiosk_made_at_the_gateway_counts_once(kiosk: Shop) -> None:
    (sale,) = kiosk.sold.sales
    made = kiosk.till.give_back(sale, 1000)
    with kiosk.app.app_context():
        db.session.add(Refund(order_id=int(kiosk.sold.order_ref), cents=1000, gateway_refund=made))
        db.session.commit()
    found = kiosk.run("sync", "--yes").output
    assert made in found

    url, form = kiosk.form()
    assert kiosk.post(url, everything(form, to_card="y")).status_code == 303
    kiosk.work()
    assert kiosk.refunds() == [(4200 - 500 - 1000, "completed")]
    assert kiosk.till.given_back(sale) == 4200 - 500
    (today,) = (row for row in kiosk.csv("summary") if row["refunds"] != "0.00")
    assert (today["shop"], today["card"], today["refunds"]) == ("15.00", "27.00", "42.00")
    kiosk.run("verify", "--gateway")


def test_the_class_and_the_table_called_refund_stay_the_kiosks(kiosk: Shop) -> None:
    with kiosk.app.app_context():
        refunds = db.session.scalars(select(Refund).order_by(Refund.id)).all()
        assert [(each.cents, each.order.number) for each in refunds] == [(500, "K-1"), (700, "K-1")]
    ours = {mapper.class_ for mapper in Base.registry.mappers}
    assert OurRefund in ours
    assert not ours & {mapper.class_ for mapper in Model.registry.mappers}
    assert "refund" not in Base.metadata.tables
