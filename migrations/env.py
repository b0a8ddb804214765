"""Alembic's environment: runs the scripts on the connection that ``migrating`` hands over."""

from alembic import context

from flask_refunds.migrating import configure

configure(context.config, context.configure)
with context.begin_transaction():
    context.run_migrations()
