"""The application of a test's worker: the host's own, on the test's database and simulator only."""

import json
import os

import click
from flask import Flask
from flask.cli import ScriptInfo

from flask_refunds import wired

APP = "REFUNDS_TESTING_APP"
"""Names the variable with the import path of the host's application."""
EXPECTED = "REFUNDS_TESTING_EXPECTED"
"""Names the variable with what :func:`facts` says of the test's application, as JSON."""


def facts(app: Flask) -> dict[str, str]:
    """Return what the test's and the worker's application must have in common."""
    with app.app_context():
        url = wired.current().runtime.sessions.engine.url
    names = (
        "REFUNDS_BRAINTREE_URL",
        "REFUNDS_BRAINTREE_MERCHANT_ID",
        "REFUNDS_STRIPE_URL",
        "REFUNDS_STRIPE_SECRET_KEY",
    )
    return {
        "the database": url.render_as_string(hide_password=False),
        **{name: str(app.config.get(name)) for name in names},
    }


def create_app() -> Flask:
    """Return the host's application, as the ``flask`` command of the worker asks for it."""
    path = os.environ[APP]
    app = ScriptInfo(path, set_debug_flag=False).load_app()
    expected = json.loads(os.environ[EXPECTED])
    others = [name for name, value in facts(app).items() if value != expected[name]]
    if others:
        raise click.ClickException(
            f"{path} in the worker has another value of {', '.join(others)} than the app of the "
            "test, and a worker must not touch another shop. Have it read its settings from the "
            "environment, and give them by the fixture `refunds_worker_env`."
        )
    return app
