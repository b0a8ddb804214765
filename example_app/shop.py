"""The public pages: the catalogue, and a customer's own orders."""

from itertools import groupby

from flask import Blueprint, abort, render_template
from flask_login import current_user, login_required
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from example_app.database import db
from example_app.models import Order, Product

blueprint = Blueprint("shop", __name__)


@blueprint.get("/")
def index() -> str:
    """Show the catalogue, by category, the dearest first."""
    products = db.session.scalars(
        select(Product).where(Product.price_cents > 0).order_by(Product.category, Product.sku)
    ).all()
    shelves = [(name, list(group)) for name, group in groupby(products, lambda p: p.category)]
    shelves.sort(key=lambda shelf: -max(product.price_cents for product in shelf[1]))
    return render_template("shop/index.html", shelves=shelves)


@blueprint.get("/orders")
@login_required
def orders() -> str:
    """List the signed-in customer's orders, the newest first."""
    found = db.session.scalars(
        select(Order).where(Order.user_id == current_user.id).order_by(Order.placed_at.desc())
    ).all()
    return render_template("shop/orders.html", orders=found)


@blueprint.get("/orders/<number>")
@login_required
def order(number: str) -> str:
    """Show one of the signed-in customer's orders."""
    found = db.session.scalar(
        select(Order)
        .options(selectinload(Order.items), selectinload(Order.payments))
        .where(Order.number == number, Order.user_id == current_user.id)
    )
    if found is None:
        abort(404)
    return render_template("shop/order.html", order=found)
