"""How Alembic reaches the shop's database: through the application, as Flask-Migrate does."""

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db
settings = dict(current_app.extensions["migrate"].configure_args)

if context.is_offline_mode():
    context.configure(
        url=database.engine.url.render_as_string(hide_password=False),
        target_metadata=database.metadata,
        literal_binds=True,
        **settings,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    with database.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=database.metadata, **settings)
        with context.begin_transaction():
            context.run_migrations()
