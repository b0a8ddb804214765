"""A small bicycle shop on Flask, Flask-SQLAlchemy and Flask-Admin.

It stands for any storefront that exists already: its models, its admin and its reports are its
own. Run it with ``python -m example_app.demo``, or with ``flask --app example_app run``.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from flask_wtf import CSRFProtect

from example_app import admin, auth, config, money, seed, shop
from example_app.database import MIGRATIONS, db

__all__ = ["create_app", "db"]


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Return the shop as an application; ``overrides`` win over the environment's settings."""
    app = Flask(__name__)
    app.config.from_mapping(config.settings(overrides or {}))

    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    CSRFProtect(app)
    money.init_app(app)
    auth.init_app(app)
    app.register_blueprint(shop.blueprint)
    app.cli.add_command(seed.command)
    panel = admin.create_admin(app)

    if app.config["SHOP_REFUNDS"]:
        from example_app import wiring

        wiring.install(app, db, panel)
    return app
