"""The outfitter's tables."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.sql import ColumnElement

db = SQLAlchemy()


class Customer(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False)
    email = db.Column(db.String(80))


class Order(db.Model):  # type: ignore[name-defined]
    __tablename__ = "orders"
    id = db.Column(db.Integer, primary_key=True)
    customer_id = db.Column(db.ForeignKey(Customer.id))
    placed_at = db.Column(db.DateTime(timezone=True), nullable=False)
    status = db.Column(db.String(20), nullable=False)
    shipping_cents = db.Column(db.Integer, nullable=False)
    sales_tax_cents = db.Column(db.Integer, nullable=False)
    total_cents = db.Column(db.Integer, nullable=False)

    @hybrid_property
    def number(self) -> str:
        """What customers are told."""
        return f"NY-{self.id}"

    @number.inplace.expression
    @classmethod
    def _number(cls) -> ColumnElement[str]:
        number: ColumnElement[str] = "NY-" + db.cast(cls.id, db.String(20))
        return number


class Item(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.ForeignKey(Order.id), nullable=False)
    no = db.Column(db.Integer, nullable=False)
    sku = db.Column(db.String(20), nullable=False)
    name = db.Column(db.String(80), nullable=False)
    quantity = db.Column(db.Integer, nullable=False)
    unit_cents = db.Column(db.Integer, nullable=False)


class Payment(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.ForeignKey(Order.id), nullable=False)
    amount_cents = db.Column(db.Integer, nullable=False)
    braintree_id = db.Column(db.String(40))
    state = db.Column(db.String(20), nullable=False)
