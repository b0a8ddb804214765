"""The bazaar: totals that are properties, local time without a zone, everything in the admin."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from sqlalchemy import select

from flask_refunds import major
from flask_refunds.errors import MappingError
from tests.hosts.bare_tables.admin import add_tables
from tests.hosts.bare_tables.models import Purchase, Thing, db
from tests.hosts.bare_tables.wiring import STOREFRONT
from tests.zoo.conftest import OpenShop
from tests.zoo.shop import Shop, words_of

KINDS = [pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("sqlite", "mariadb")]
MOMENTS = {
    "spring": ("2026-03-28 23:30", "2026-03-29 00:30", "2026-03-29 01:59", "2026-03-29 03:00",
               "2026-03-29 23:30", "2026-03-30 00:00", "2026-03-30 00:30"),
    "autumn": ("2026-10-24 23:30", "2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 02:30",
               "2026-10-25 23:30", "2026-10-26 00:15"),
}  # fmt: skip


@pytest.fixture
def bazaar(open_shop: OpenShop) -> Shop:
    return open_shop("bare_tables")


def test_a_total_that_is_a_property_is_refused_with_what_to_pass_instead() -> None:
    orders = replace(STOREFRONT.orders, total=major(Purchase.total))
    with pytest.raises(MappingError) as refused:
        replace(STOREFRONT, orders=orders)
    assert str(refused.value) == (
        "Orders.total is a plain Python property, which the database cannot compute. Pass a mapped "
        "column, a SQLAlchemy expression or a hybrid_property with an expression."
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", MOMENTS)
def test_an_order_counts_on_its_local_day_when_the_clock_changes(
    open_shop: OpenShop, kind: str, change: str
) -> None:
    bazaar = open_shop("bare_tables", kind)
    with bazaar.app.app_context():
        for moment in MOMENTS[change]:
            placed(datetime.fromisoformat(moment))
        db.session.commit()
    days = Counter(moment[:10] for moment in MOMENTS[change])

    found = {
        row["first"]: (row["orders"], row["sales"])
        for row in bazaar.csv("summary", by="day", start=min(days), end=max(days))
    }
    assert found == {day: (str(n), f"{n}.00") for day, n in days.items()}


def placed(moment: datetime) -> None:
    """Place an order of 1.00 at a local time."""
    purchase = Purchase(placed_at=moment, postage=Decimal(0))
    db.session.add(purchase)
    db.session.flush()
    thing = Thing(purchase_id=purchase.id, sku="A", title="A", pieces=1, price=Decimal(1))
    db.session.add(thing)


def test_our_total_is_what_the_property_says(bazaar: Shop) -> None:
    with bazaar.app.app_context():
        db.session.add(Purchase(id=9, member_id=3, postage=Decimal("1.25")))
        db.session.commit()
        totals = {p.id: p.total for p in db.session.scalars(select(Purchase))}
    words = words_of(bazaar.history())
    assert totals == {5: Decimal("45.00"), 9: Decimal("1.25")}
    for total in totals.values():
        assert f"Total €{total}" in words


def test_a_loop_over_all_mapped_classes_meets_none_of_ours(bazaar: Shop) -> None:
    again = Admin(bazaar.app, name="Again", url="/again", endpoint="again")
    add_tables(again, prefix="again_")

    expected = ["Member", "Purchase", "Receipt", "Thing", "Wish"]
    for admin in bazaar.app.extensions["admin"]:
        listed = [view.model.__name__ for view in admin._views if isinstance(view, ModelView)]
        assert listed == expected
    assert "Account History" in bazaar.get("/admin/purchase/")
    assert "Account History" not in bazaar.get("/again/again_purchase/")
