"""The RQ job, a wake-up: the database, not the job, says what there is to do and who does it."""

import os

from flask import Flask, has_app_context
from flask.cli import ScriptInfo

from flask_refunds import reconciling, wired

_loaded: Flask | None = None


def process(transfer_id: int) -> str:
    """Bring the transfer *transfer_id* one step further, if that is due; return what was done.

    Runs in the current application. A plain ``rq worker refunds`` has none: then the application
    is loaded as ``flask`` itself would load it, from ``FLASK_APP``, once per process (a work-horse
    is forked for each job, so it does not last there: ``flask refunds worker`` is much faster).
    Running twice, or too late, does nothing.
    """
    if has_app_context():
        return reconciling.forward(wired.current().runtime, transfer_id)
    with _app().app_context():
        return reconciling.forward(wired.current().runtime, transfer_id)


def _app() -> Flask:
    global _loaded
    if _loaded is None:
        _loaded = ScriptInfo(os.environ.get("FLASK_APP"), set_debug_flag=False).load_app()
    return _loaded
