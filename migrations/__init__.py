"""Alembic scripts of the ``refunds_*`` tables, installed as ``flask_refunds.migrations``."""
