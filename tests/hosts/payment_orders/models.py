"""The box office's tables."""

from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Member(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    full_name = db.Column(db.String(80), nullable=False)
    mail = db.Column(db.String(80))


class Show(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(80), nullable=False)


class Price(db.Model):  # type: ignore[name-defined]
    show_id = db.Column(db.ForeignKey(Show.id), primary_key=True)
    category = db.Column(db.String(20), primary_key=True)
    cents = db.Column(db.Integer, nullable=False)


class Payment(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    member_id = db.Column(db.ForeignKey(Member.id))
    taken_at = db.Column(db.DateTime, nullable=False)
    state = db.Column(db.String(20), nullable=False)
    braintree_id = db.Column(db.String(40))
    amount_cents = db.Column(db.Integer, nullable=False)


class Ticket(db.Model):  # type: ignore[name-defined]
    id = db.Column(db.Integer, primary_key=True)
    payment_id = db.Column(db.ForeignKey(Payment.id), nullable=False)
    show_id = db.Column(db.ForeignKey(Show.id), nullable=False)
    category = db.Column(db.String(20), nullable=False)
    seats = db.Column(db.Integer, nullable=False)
