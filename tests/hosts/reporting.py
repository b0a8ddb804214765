"""A shop with an admin of its own, whose base reports come in three shapes.

A bare one that only guards and renders, one that draws what its ``columns`` and ``rows`` give, and
one that builds a SELECT. What is installed into it is up to the test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar

from flask import Flask, Response, abort, request
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from flask_admin.theme import Bootstrap4Theme
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Date, Select, func, select

from flask_refunds import (
    Actor,
    AdminAccessPolicy,
    Charge,
    Customers,
    Lines,
    Orders,
    Refunds,
    Storefront,
    minor,
)

db = SQLAlchemy()


class User(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40))


class Order(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer)
    placed_at = db.Column(db.DateTime)
    currency = db.Column(db.String(3))
    cents = db.Column(db.Integer)
    discount = db.Column(db.Integer, default=0)
    shipping = db.Column(db.Integer, default=0)


class Item(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.Integer)
    sku = db.Column(db.String(40))
    name = db.Column(db.String(40))
    category = db.Column(db.String(40))
    pieces = db.Column(db.Integer)
    cents = db.Column(db.Integer)


def storefront() -> Storefront:
    """Return the mapping."""
    return Storefront(
        orders=Orders(
            key=Order.id,
            number=Order.id,
            customer=Order.user_id,
            placed_at=Order.placed_at,
            currency=Order.currency,
            total=minor(Order.cents),
            paid=True,
            charges=[
                Charge(name="discount", kind="spread", amount=minor(Order.discount)),
                Charge(name="shipping", kind="row", amount=minor(Order.shipping)),
            ],
        ),
        lines=Lines(
            key=Item.id,
            order=Item.order_id,
            sku=Item.sku,
            description=Item.name,
            quantity=Item.pieces,
            total=minor(Item.cents),
            dimensions={"category": Item.category},
        ),
        customers=Customers(key=User.id, name=User.name),
    )


class Staff:
    """The shop's access rule: a header names who is there."""

    def is_accessible(self) -> bool:
        return request.headers.get("X-Staff") == "yes"

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Response:
        abort(418)


class StaffView(Staff, BaseView):
    """Shape (a): it only guards and renders, in the shop's chrome."""

    def render(self, template: str, **kwargs: Any) -> str:
        page: str = super().render(template, staff="who is staff", **kwargs)
        return page


@dataclass(frozen=True)
class Days:
    """How the shop's reports name their days."""

    start: date
    end: date


class TabularReport(StaffView):
    """Shape (b): it draws, and downloads, what ``columns`` and ``rows(days)`` give."""

    columns: Sequence[tuple[str, str]] = ()

    def rows(self, days: Days) -> Sequence[Any]:
        raise NotImplementedError

    def days(self) -> Days:
        return Days(
            date.fromisoformat(request.args["start"]), date.fromisoformat(request.args["end"])
        )

    @expose("/")
    def index(self) -> str:
        return self.render("host/report.html", rows=self.rows(self.days()))

    @expose("/download")
    def download(self) -> Response:
        lines = [",".join(title for _, title in self.columns)]
        lines += [",".join(str(row[k]) for k, _ in self.columns) for row in self.rows(self.days())]
        return Response("\n".join(lines), mimetype="text/csv")


class SelectReport(StaffView):
    """Shape (c): it builds a SELECT, and draws its rows."""

    columns: ClassVar[Sequence[tuple[str, str]]] = ()

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        raise NotImplementedError

    @expose("/")
    def index(self) -> str:
        start, end = (date.fromisoformat(request.args[name]) for name in ("start", "end"))
        rows = db.session.execute(self.select(start, end)).mappings().all()
        return self.render("host/report.html", rows=rows)


def utc_day(moment: Any) -> Any:
    """Return the day of a moment that the shop keeps in UTC."""
    return func.date(moment, type_=Date)


class Sales(SelectReport):
    """The shop's own report of sales by day."""

    columns: ClassVar[Sequence[tuple[str, str]]] = (("day", "Day"), ("sales", "Sales"))

    def select(self, start: date, end: date) -> Select[*tuple[Any, ...]]:
        day = utc_day(Order.placed_at)
        return (
            select(
                day.label("day"),
                Order.currency.label("currency"),
                func.sum(Order.cents).label("sales"),
            )
            .where(
                Order.placed_at >= datetime.combine(start, time()),
                Order.placed_at < datetime.combine(end, time()) + timedelta(days=1),
            )
            .group_by(day, Order.currency)
        )


def create(url: str, index_view: AdminIndexView | None = None) -> tuple[Flask, Admin]:
    """Return the shop and its admin, which has its own views, before anything of ours."""
    app = Flask(
        __name__, template_folder=str(Path(__file__).with_name("reporting_templates").absolute())
    )
    app.config.from_mapping(
        SECRET_KEY="reporting", SQLALCHEMY_DATABASE_URI=url, REFUNDS_REDIS_URL=None, TESTING=True
    )
    db.init_app(app)
    admin = Admin(
        app, index_view=index_view, theme=Bootstrap4Theme(base_template="host/chrome.html")
    )

    class OrderView(Staff, ModelView):
        pass

    admin.add_view(ModelView(User, db, name="Users", endpoint="user"))
    admin.add_view(OrderView(Order, db, name="Orders", endpoint="order"))
    return app, admin


def install(app: Flask, admin: Admin, *reports: Any) -> Refunds:
    """Wire refunds into the shop with *reports*, make all tables, and return the extension."""
    clerk = Actor(id="1", label="Clara Clerk")
    refunds = Refunds(storefront(), policy=AdminAccessPolicy(actor=lambda: clerk))
    refunds.init_app(app, db=db, admin=admin, reports=reports)
    with app.app_context():
        db.create_all()
        refunds.create_all()
    return refunds


def trade() -> None:
    """Store three orders of two days and two currencies; needs an application context."""
    noon = datetime(2026, 3, 10, 12)  # noqa: DTZ001  # the shop keeps UTC without a zone
    db.session.add(User(id=1, name="Ada"))
    for number, (days, currency, discount, lines) in enumerate(
        [
            (0, "USD", 300, [("MUG", "Mug", "Kitchen", 3, 3000), ("TEE", "Tee", "Wear", 1, 2000)]),
            (1, "USD", 0, [("TEE", "Tee", "Wear", 2, 4000)]),
            (1, "JPY", 0, [("MUG", "Mug", "Kitchen", 1, 900)]),
        ],
        start=1,
    ):
        total = sum(line[-1] for line in lines)
        db.session.add(
            Order(
                id=number,
                user_id=1,
                placed_at=noon + timedelta(days=days),
                currency=currency,
                discount=discount,
                shipping=500 if currency == "USD" else 0,
                cents=total - discount + (500 if currency == "USD" else 0),
            )
        )
        for sku, name, category, pieces, cents in lines:
            db.session.add(
                Item(
                    order_id=number,
                    sku=sku,
                    name=name,
                    category=category,
                    pieces=pieces,
                    cents=cents,
                )
            )
    db.session.commit()
