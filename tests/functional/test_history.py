"""Account History: the buttons that lead there, the page, and how it follows the refunds."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from example_app import db
from example_app.models import Order, OrderItem
from flask_refunds import Selection, wired
from flask_refunds.admin import references
from flask_refunds.models import Base
from tests.functional.conftest import NOW, Shop
from tests.functional.pages import OURS, customer, history, line_of, text_of, token

LABELS = ("Not Requested by Administrator", "Started", "Processing", "Completed", "Failed")


def ada_page(shop: Shop, more: str = "") -> str:
    answer = shop.client().get(f"/admin/refunds_history/?customer={customer(shop, 'ada')}{more}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def numbers(html: str) -> list[str]:
    return re.findall(r'refunds-order-number">([^<]+)<', html)


# ------------------------------------------------------------------ the buttons


def test_every_row_of_the_users_list_leads_to_the_account_history(shop: Shop) -> None:
    html = shop.client().get("/admin/user/").get_data(as_text=True)
    assert html.count("Account History") == 5
    links = re.findall(r'href="(/admin/refunds_history/\?customer=[^"]+)"', html)
    assert "Ada Lovelace" in shop.client().get(links[0]).get_data(as_text=True)


def test_a_row_of_the_orders_list_leads_to_its_customers_history_with_it_opened(
    shop: Shop,
) -> None:
    html = shop.client().get("/admin/order/").get_data(as_text=True)
    assert f"/admin/refunds_history/?order={token(shop, 'plain')}" in html
    page = history(shop, "plain")
    assert "Ada Lovelace" in page
    assert f'data-order="{token(shop, "plain")}" open' in page
    assert page.count(" open>") == 1


def test_the_button_stands_beside_the_hosts_own_row_actions(shop: Shop) -> None:
    view = next(v for v in wired_admin(shop)._views if getattr(v, "endpoint", "") == "user")
    assert isinstance(view.column_extra_row_actions, list)
    assert type(view).column_extra_row_actions is None
    html = shop.client().get("/admin/user/").get_data(as_text=True)
    assert "fa-eye" in html


def test_whoever_may_not_open_the_history_sees_no_button(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = shop.app.extensions[wired.KEY].policy
    monkeypatch.setattr(policy, "can_view", lambda: False)
    answer = shop.client().get("/admin/user/")
    assert answer.status_code == 200
    assert b"Account History" not in answer.data


def test_the_menu_does_not_show_the_history(shop: Shop) -> None:
    html = shop.client().get("/admin/").get_data(as_text=True)
    assert "refunds_history" not in html
    assert "refunds_issue" not in html


def wired_admin(shop: Shop) -> Any:
    return shop.app.extensions[wired.KEY].admin


# ------------------------------------------------------------------ whose orders


def test_the_customers_orders_are_listed_newest_first(shop: Shop) -> None:
    html = ada_page(shop)
    assert "ada@example.com" in html
    assert numbers(html) == [f"2026-0010{n:02}" for n in (10, 6, 5, 4, 3, 2, 1, 11, 12)]


def test_orders_of_other_customers_and_guests_are_not_in_it(shop: Shop) -> None:
    html = ada_page(shop)
    assert "2026-001007" not in html
    assert "2026-001008" not in html


def test_a_guests_orders_are_found_by_one_of_them_and_no_url_has_an_address(shop: Shop) -> None:
    html = history(shop, "guest")
    assert "Grace Guest" in html
    assert numbers(html) == ["2026-001009", "2026-001008"]
    links = " ".join(re.findall(r'(?:href|action|data-[a-z-]+-url)="([^"]*)"', html))
    assert "grace" not in links.replace("mailto:grace@example.net", "")


def test_a_guest_without_an_address_has_only_the_order_at_hand(shop: Shop) -> None:
    with shop.app.app_context():
        db.session.execute(text("UPDATE \"order\" SET guest_email = '' WHERE guest_email <> ''"))
        db.session.commit()
    assert numbers(history(shop, "guest")) == ["2026-001008"]


def test_the_search_narrows_to_order_numbers_that_begin_so(shop: Shop) -> None:
    assert numbers(ada_page(shop, "&q=2026-00101")) == ["2026-001010", "2026-001011", "2026-001012"]
    page = ada_page(shop, "&q=nothing%25")
    assert numbers(page) == []
    assert "No order of this customer begins with nothing%." in page


class TestPages:
    """Keyset pages."""

    @pytest.fixture
    def shop_settings(self) -> dict[str, Any]:
        return {"REFUNDS_PAGE_SIZE": 4}

    def test_following_the_pages_shows_every_order_once(self, shop: Shop) -> None:
        seen: list[str] = []
        url = f"/admin/refunds_history/?customer={customer(shop, 'ada')}"
        for _ in range(3):
            html = shop.client().get(url).get_data(as_text=True)
            seen += numbers(html)
            further = re.search(r'rel="next"\s+href="([^"]+)"', html)
            url = further[1].replace("&amp;", "&") if further else ""
        assert url == ""
        assert len(seen) == len(set(seen)) == 9

    def test_the_order_that_was_clicked_is_on_the_first_page_wherever_it_stands(
        self, shop: Shop
    ) -> None:
        assert numbers(history(shop, "strange"))[0] == "2026-001012"


# ------------------------------------------------------------------ references and access


@pytest.mark.parametrize("argument", ["customer", "guest", "order", "after"])
def test_a_reference_that_was_tampered_with_is_not_found(shop: Shop, argument: str) -> None:
    with shop.app.test_request_context():
        made = {
            "customer": references.customer_token(shop.people["ada"]),
            "guest": references.guest_token(shop.orders["guest"]),
            "order": references.order_token(shop.orders["plain"]),
            "after": references.cursor_token((NOW.isoformat(), "1")) or "",
        }
    base = {"customer": made["customer"]} if argument == "after" else {}

    def status(given: str) -> int:
        query = {**base, argument: given}
        return shop.client().get("/admin/refunds_history/", query_string=query).status_code

    assert status(made[argument]) == 200
    assert status("x" + made[argument]) == 404


def test_a_reference_of_one_kind_does_not_pass_for_another(shop: Shop) -> None:
    answer = shop.client().get(f"/admin/refunds_history/?customer={token(shop, 'plain')}")
    assert answer.status_code == 404


def test_a_customer_who_is_gone_is_not_found(shop: Shop) -> None:
    with shop.app.test_request_context():
        gone = references.customer_token("9999")
    answer = shop.client().get(f"/admin/refunds_history/?customer={gone}")
    assert answer.status_code == 404
    assert b"no such customer" in answer.data


def test_a_stranger_is_sent_to_the_login_and_a_customer_is_refused(shop: Shop) -> None:
    url = f"/admin/refunds_history/?customer={customer(shop, 'ada')}"
    assert "/login" in shop.client(None).get(url).headers["Location"]
    assert shop.client("ada").get(url).status_code == 403


def test_a_fetch_of_a_stranger_gets_json_and_never_the_login_page(shop: Shop) -> None:
    url = f"/admin/refunds_history/orders?order={token(shop, 'plain')}"
    answer = shop.client(None).get(url, headers=OURS)
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "signed_out"}
    assert shop.client("ada").get(url, headers=OURS).status_code == 403


def test_without_our_tables_the_page_names_the_command(shop: Shop) -> None:
    with shop.app.app_context():
        Base.metadata.drop_all(db.engine)
    answer = shop.client().get(f"/admin/refunds_history/?customer={customer(shop, 'ada')}")
    assert answer.status_code == 503
    assert b"flask refunds upgrade" in answer.data
    assert shop.client().get("/admin/order/").status_code == 200


# ------------------------------------------------------------------ lines and their status


def one_pad(amount: int | None = None) -> tuple[Selection, ...]:
    return (Selection(kind="line", ref="1", quantity=1, paid=amount),)


def test_an_untouched_line_is_neither_marked_nor_has_a_status(shop: Shop) -> None:
    row = line_of(history(shop, "plain"), "1")
    assert "refunds-line-red" not in row
    assert text_of(row) == "Brake pads, pair BRAKE-PAD 3 $37.50"


def test_a_refunded_line_is_red_and_started_from_the_moment_of_issue(shop: Shop) -> None:
    shop.issue("plain", everything=True, to_card=True)
    row = line_of(history(shop, "plain"), "1")
    assert "refunds-line-red" in row
    words = text_of(row)
    assert "BRAKE-PAD Refunded" in words
    assert "$37.50 3 of 3 in flight $37.50" in words
    assert words.endswith("Started")


def test_a_partly_refunded_line_says_so(shop: Shop) -> None:
    shop.issue("plain", selections=one_pad(), to_card=True)
    row = line_of(history(shop, "plain"), "1")
    assert "refunds-line-red" in row
    assert "Partly refunded" in text_of(row)
    assert "$12.50 1 of 3" in text_of(row)


def test_shipping_is_a_row_that_can_be_red_too(shop: Shop) -> None:
    shop.issue("plain", selections=(Selection(kind="row", ref="shipping", paid=745),), to_card=True)
    row = line_of(history(shop, "plain"), "shipping", "row")
    assert "refunds-line-red" in row
    assert "$7.45" in text_of(row)


def test_the_adjustment_is_a_row_of_its_own(shop: Shop) -> None:
    shop.issue("plain", selections=one_pad(), adjustment=-250, to_card=True)
    row = line_of(history(shop, "plain"), "adjustment", "adjustment")
    assert "-$2.50" in text_of(row)


def test_when_the_gateway_has_it_the_line_is_completed(shop: Shop) -> None:
    shop.issue("plain", everything=True, to_card=True)
    shop.work()
    words = text_of(line_of(history(shop, "plain"), "1"))
    assert "Completed Accepted by the gateway; not settled yet." in words
    assert "in flight" not in words


def test_without_the_tick_box_the_card_was_not_requested(shop: Shop) -> None:
    shop.issue("cash", everything=True, other_kind="cash")
    words = text_of(line_of(history(shop, "cash"), "10"))
    assert words.endswith("Not Requested by Administrator")


def test_a_mixed_refund_shows_the_card_parts_status(shop: Shop) -> None:
    shop.issue("two_cards", everything=True, to_card=True)
    shop.work()
    assert text_of(line_of(history(shop, "two_cards"), "4")).count("Completed") == 1


def test_a_part_of_an_unsettled_sale_waits_and_says_so(shop: Shop) -> None:
    shop.issue("unsettled", selections=(Selection(kind="line", ref="8", quantity=1),), to_card=True)
    shop.work()
    words = text_of(line_of(history(shop, "unsettled"), "8"))
    assert "Started Waiting for the sale to settle; it will run by itself." in words


def test_an_unknown_outcome_is_processing_and_says_what_happens(shop: Shop) -> None:
    shop.simulator.fault("drop_after", "refund")
    shop.issue("plain", everything=True, to_card=True)
    shop.work()
    words = text_of(line_of(history(shop, "plain"), "1"))
    assert "Processing Outcome unknown: checking with the gateway." in words


def test_a_failed_refund_keeps_the_line_red_with_the_reason_and_support(shop: Shop) -> None:
    shop.simulator.set_status(shop.sales["plain"][0], "settlement_declined")
    shop.issue("plain", everything=True, to_card=True)
    shop.work()
    row = line_of(history(shop, "plain"), "1")
    assert "refunds-line-red" in row
    words = text_of(row)
    assert "BRAKE-PAD Refund failed" in words
    assert "Failed The gateway cannot refund this sale in its present state." in words
    assert 'href="https://support.example.com/payments"' in row
    assert words.endswith("Contact support")


def test_one_failed_card_of_two_shows_failed_before_completed(shop: Shop) -> None:
    shop.simulator.set_status(shop.sales["two_cards"][1], "settlement_declined")
    shop.issue("two_cards", everything=True, to_card=True)
    shop.work(2)
    words = text_of(line_of(history(shop, "two_cards"), "3"))
    assert "Failed" in words
    assert "Completed" not in words
    assert "$100.00 failed $29.00" in words


def test_a_failed_transfer_that_was_paid_otherwise_does_not_count_any_more(shop: Shop) -> None:
    from flask_refunds import Actor, correcting

    shop.simulator.set_status(shop.sales["plain"][0], "settlement_declined")
    issued = shop.issue("plain", everything=True, to_card=True)
    shop.work()
    with shop.app.app_context():
        correcting.pay_otherwise(
            shop.runtime, issued.transfer_ids[0], Actor(id="1", label="Anna"), kind="cash"
        )
    row = line_of(history(shop, "plain"), "1")
    words = text_of(row)
    assert "Failed" not in words
    assert words.endswith("Not Requested by Administrator")
    assert "refunds-line-red" in row


def test_no_other_label_than_the_five_stands_in_the_status_column(shop: Shop) -> None:
    shop.issue("plain", everything=True, to_card=True)
    shop.issue("cash", everything=True, other_kind="cash")
    shop.issue("discounted", everything=True, to_card=True)
    shop.work()
    for name in ("plain", "cash", "discounted"):
        html = history(shop, name)
        cells = re.findall(r'data-label="Credit card status">(.*?)</td>', html, re.DOTALL)
        badges = re.findall(r"</svg><span>(.*?)</span>", "".join(cells))
        assert badges
        assert set(badges) <= set(LABELS)


def test_a_line_that_the_shop_has_removed_still_shows_what_was_refunded(shop: Shop) -> None:
    shop.issue("plain", selections=one_pad(), to_card=True)
    with shop.app.app_context():
        db.session.delete(db.session.get(OrderItem, 1))
        db.session.commit()
    words = text_of(line_of(history(shop, "plain"), "1"))
    assert "Brake pads, pair" in words
    assert "No longer on the shop's order" in words
    assert "$12.50" in words


def test_an_order_names_its_refunds_with_a_link_to_each(shop: Shop) -> None:
    issued = shop.issue("plain", selections=one_pad(), to_card=True)
    html = history(shop, "plain")
    assert f'href="/admin/refunds_desk/refund/{issued.refund_id}">R-00000' in html


# ------------------------------------------------------------------ Refund Order


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unpaid", "Nothing was paid on this order, so nothing can be given back."),
        ("plain", "Nothing is left to refund on this order."),
    ],
)
def test_refund_order_is_disabled_with_the_reason(shop: Shop, name: str, words: str) -> None:
    if name == "plain":
        shop.issue("plain", everything=True, to_card=True)
    html = history(shop, name)
    part = html.split(f'data-order="{token(shop, name)}"')[1].split("</details>")[0]
    assert "disabled" in part
    assert words in part
    assert "data-refunds-issue" not in part


def test_a_viewer_sees_the_history_and_why_they_cannot_refund(shop: Shop) -> None:
    html = history(shop, "plain", shop.client("viewer"))
    assert "data-refunds-issue" not in html
    assert "You are not allowed to do this." in html


def test_a_refundable_order_offers_a_plain_link(shop: Shop) -> None:
    html = history(shop, "bobs")
    link = re.search(r'href="(/admin/refunds_issue/[^"]+)"\s+data-refunds-issue', html)
    assert link
    page = shop.client().get(link[1].replace("&amp;", "&"))
    assert page.status_code == 200
    assert b"Issue Refund" in page.data


def test_names_from_the_shop_are_escaped(shop: Shop) -> None:
    html = history(shop, "bobs")
    assert "Bob &lt;Builder&gt;" in html
    assert "<Builder>" not in html


def test_no_page_has_inline_script_style_or_handlers(shop: Shop) -> None:
    shop.issue("plain", selections=one_pad(), to_card=True)
    body = history(shop, "plain").split('class="refunds')[1]
    own = body.split("<script")[0]
    assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", own)


# ------------------------------------------------------------------ following


def test_only_orders_in_flight_ask_to_be_followed(shop: Shop) -> None:
    shop.issue("plain", selections=one_pad(), to_card=True)
    shop.issue("cash", everything=True, other_kind="cash")
    html = ada_page(shop)
    assert re.findall(r'data-order="([^"]+)" data-moving', html) == [token(shop, "plain")]


def test_the_fragments_tell_how_the_orders_stand_now(shop: Shop) -> None:
    shop.issue("plain", everything=True, to_card=True)
    url = f"/admin/refunds_history/orders?order={token(shop, 'plain')}"
    first = shop.client().get(url, headers=OURS).get_json()["orders"][token(shop, "plain")]
    assert " data-moving" in first
    assert "Started" in first
    shop.work()
    then = shop.client().get(url, headers=OURS).get_json()["orders"][token(shop, "plain")]
    assert " data-moving" not in then
    assert "Completed" in then


# ------------------------------------------------------------------ queries


def test_a_page_costs_the_same_queries_however_many_orders_and_lines(shop: Shop) -> None:
    url = f"/admin/refunds_history/?customer={customer(shop, 'bob')}"
    shop.issue("bobs", everything=True, to_card=True)
    shop.client().get(url)
    with shop.queries() as few:
        shop.client().get(url)
    with shop.app.app_context():
        for number in range(12):
            order = Order(
                number=f"MANY-{number}",
                user_id=int(shop.people["bob"]),
                placed_at=NOW - timedelta(days=100 + number),
                currency="USD",
                status="paid",
                total_cents=900,
            )
            for line in range(9):
                order.items.append(
                    OrderItem(
                        sku=f"L{line}",
                        name="Thing",
                        quantity=1,
                        unit_price_cents=100,
                        list_cents=100,
                        total_cents=100,
                        tax_cents=0,
                    )
                )
            db.session.add(order)
            db.session.flush()
            shop.orders[order.number] = str(order.id)
        db.session.commit()
    for number in range(0, 12, 2):
        shop.issue(f"MANY-{number}", everything=True, other_kind="cash")
    with shop.queries() as many:
        html = shop.client().get(url).get_data(as_text=True)
    assert len(numbers(html)) == 13
    assert len(many) == len(few)
    ours = [statement for statement in many if "refunds_" in statement]
    assert len(ours) == 2
    assert len(many) <= 10
