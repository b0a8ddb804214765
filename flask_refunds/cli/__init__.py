"""``flask refunds …``: each command is a few lines over the services that the pages call too."""

from flask_refunds.cli import (
    examining,
    exporting,
    looking,
    moving,
    schema,
    status,
    syncing,
    verifying,
    working,
)
from flask_refunds.cli.group import refunds

__all__ = ["refunds"]

for _module in (schema, working, status, looking, verifying, syncing, moving, exporting, examining):
    for _command in _module.COMMANDS:
        refunds.add_command(_command)
