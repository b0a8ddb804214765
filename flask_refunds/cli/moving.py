"""Looking."""

COMMANDS = ()
