"""The furniture shop's tables."""

from uuid import uuid4

from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Customer(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Uuid, primary_key=True, default=uuid4)
    name = db.Column(db.String(80), nullable=False)
    email = db.Column(db.String(80))


class Order(db.Model):  # type: ignore[name-defined]
    __tablename__ = "orders"
    id = db.Column(db.Uuid, primary_key=True, default=uuid4)
    number = db.Column(db.String(20), unique=True, nullable=False)
    customer_id = db.Column(db.ForeignKey(Customer.id))
    placed_at = db.Column(db.DateTime(timezone=True), nullable=False)
    currency = db.Column(db.String(3), nullable=False)
    shipping = db.Column(db.Numeric(12, 2), nullable=False)
    shipping_tax = db.Column(db.Numeric(12, 2), nullable=False)
    total = db.Column(db.Numeric(12, 2), nullable=False)
    is_paid = db.Column(db.Boolean, nullable=False)


class Line(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Uuid, primary_key=True, default=uuid4)
    order_number = db.Column(db.ForeignKey(Order.number), nullable=False)
    title = db.Column(db.String(80), nullable=False)
    pieces = db.Column(db.Integer, nullable=False)
    gross = db.Column(db.Numeric(12, 2), nullable=False)
    vat = db.Column(db.Numeric(12, 2), nullable=False)


class Payment(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Uuid, primary_key=True, default=uuid4)
    order_id = db.Column(db.ForeignKey(Order.id), nullable=False)
    kind = db.Column(db.String(20), nullable=False)
    amount = db.Column(db.Numeric(12, 2), nullable=False)
    details = db.Column(db.JSON, nullable=False)
