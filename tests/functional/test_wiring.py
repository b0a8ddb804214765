"""A mistake in the wiring is said at start, with the remedy; what can wait is logged."""

import logging
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_admin import Admin
from flask_sqlalchemy import SQLAlchemy

from example_app.wiring import STOREFRONT
from flask_refunds import AdminAccessPolicy, Refunds
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.policy import flask_login_actor


def wire(refunds: Refunds, **config: Any) -> Flask:
    """Wire *refunds* into an application that has an empty admin."""
    app = Flask(__name__)
    app.config.update({"SECRET_KEY": "s", "SQLALCHEMY_DATABASE_URI": "sqlite://", **config})
    db = SQLAlchemy()
    db.init_app(app)
    refunds.init_app(app, db=db, admin=Admin(app))
    return app


def refunds(**wishes: Any) -> Refunds:
    known: dict[str, Any] = {"policy": AdminAccessPolicy(), **wishes}
    return Refunds(STOREFRONT, **known)


@pytest.mark.parametrize(
    ("wishes", "config", "words"),
    [
        ({"policy": AdminAccessPolicy}, {}, "policy= is the class AdminAccessPolicy"),
        ({"gateways": {"braintree": "x"}}, {}, r"gateways\['braintree'\] is 'x'"),
        ({}, {"REFUNDS_REDIS_URL": "foo"}, "REFUNDS_REDIS_URL is 'foo'"),
        ({}, {"REFUNDS_BIND_KEY": "nope"}, "REFUNDS_BIND_KEY is 'nope'"),
        ({}, {"REFUNDS_SUPPORT_URL": "javascript:alert(1)"}, "REFUNDS_SUPPORT_URL is"),
        ({}, {"REFUNDS_TIMEZONE": "Mars"}, "REFUNDS_TIMEZONE is 'Mars'"),
        ({}, {"REFUNDS_LOCALE": "xx_XX"}, "REFUNDS_LOCALE is"),
        ({}, {"REFUNDS_COMPLETE_ON": "never"}, "REFUNDS_COMPLETE_ON is 'never'"),
        ({}, {"REFUNDS_LEASE": 1}, "REFUNDS_LEASE is 1"),
        ({}, {"REFUNDS_LATE_WINDOW": -1}, "REFUNDS_LATE_WINDOW is -1"),
        ({}, {"REFUNDS_PAGE_SIZE": 0}, "REFUNDS_PAGE_SIZE is 0"),
        ({}, {"REFUNDS_REASONS": {}}, "REFUNDS_REASONS is"),
        ({}, {"REFUNDS_REASONS": {"x" * 65: "X"}}, "REFUNDS_REASONS is"),
        ({}, {"REFUNDS_RETRY_INTERVAL": "soon"}, "REFUNDS_RETRY_INTERVAL is 'soon'"),
    ],
)
def test_refuses_a_mistake_by_name(
    wishes: dict[str, Any], config: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        wire(refunds(**wishes), **config)


def binds(folder: Path) -> dict[str, Any]:
    """Return the shop's database, the same once more as ``again``, and another one."""
    shop = f"sqlite:///{folder / 'shop.sqlite'}"
    others = {"again": f"{shop}?timeout=9", "books": f"sqlite:///{folder / 'books.sqlite'}"}
    return {"SQLALCHEMY_DATABASE_URI": shop, "SQLALCHEMY_BINDS": others}


def test_refuses_a_bind_that_is_another_database_than_the_orders(tmp_path: Path) -> None:
    words = "'books', another database than the orders' \\(the default\\)"
    with pytest.raises(ConfigurationError, match=words):
        wire(refunds(), REFUNDS_BIND_KEY="books", **binds(tmp_path))


def test_takes_another_bind_of_the_orders_database(tmp_path: Path) -> None:
    app = wire(refunds(), REFUNDS_BIND_KEY="again", **binds(tmp_path))
    with app.app_context():
        used = app.extensions["refunds"].runtime.sessions.engine
        assert used is app.extensions["sqlalchemy"].engines["again"]


def test_is_wired_into_an_application_once() -> None:
    ours = refunds()
    app = wire(ours)
    with pytest.raises(ConfigurationError, match="call init_app once"):
        ours.init_app(app, db=SQLAlchemy(), admin=Admin())


def test_tells_the_log_of_missing_gateway_keys_and_of_a_closed_door(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="flask_refunds"):
        wire(refunds(gateways={"braintree": BraintreeGateway.from_config}))
    assert "REFUNDS_BRAINTREE_MERCHANT_ID" in caplog.text
    assert "pass base_view=" in caplog.text


def test_nobody_is_signed_in_where_flask_login_is_not_set_up() -> None:
    with wire(refunds()).test_request_context():
        assert flask_login_actor() is None
