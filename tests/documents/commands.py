"""Commands as documents write them: parsed by their own options, and never carried out."""

import re
import shlex
from importlib.metadata import metadata
from importlib.util import find_spec
from pathlib import Path

import click
from packaging.requirements import Requirement

from flask_refunds.cli import refunds
from tests.processes import ROOT

PLACEHOLDERS = {
    "DAY": "2026-01-31",
    "ID": "12",
    "TRANSFER": "15",
    "REPORT": "postings",
    "shop:create_app": "shop",
}
"""What a reader puts something of their own for, and what a shop's has."""


def check_command(line: str, *, whole: bool = True) -> None:
    """Check one command line; of one that is not *whole* only its command and its options."""
    line = re.sub(r"\s#.*", "", line)
    if not line.startswith("pip "):
        line = line.replace("[", "").replace("]", "")  # what may be left out
    for each in alternatives(line):
        words = [PLACEHOLDERS.get(word, word) for word in shlex.split(each)]
        if Path(words[0]).name == "flask":
            check_flask(words[1:], whole=whole and "..." not in words)
        elif words[0] == "make":
            assert_targets(words[1:])
        elif words[:2] == ["python", "-m"]:
            assert find_spec(words[2]), line
        elif words[:2] == ["pip", "install"]:
            assert_installable(words[2])
        else:
            raise AssertionError(f"nobody knows the command: {line}")


def alternatives(line: str) -> list[str]:
    """Return ``flask refunds list / show ID`` as two commands."""
    first, *others = line.split(" / ")
    return [first, *(f"flask refunds {other}" for other in others)]


def check_flask(words: list[str], *, whole: bool) -> None:
    assert words[0] == "refunds", words
    command = refunds.commands.get(words[1])
    assert command is not None, f"there is no command {words[1]}"
    if whole:
        with command.make_context(words[1], words[2:], parent=click.Context(refunds)):
            return
    options = {name for each in command.params for name in each.opts}
    assert {word for word in words[2:] if word.startswith("--")} - options == set()


def assert_targets(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word for word in words if "=" not in word} - targets == set()


def assert_installable(requirement: str) -> None:
    wanted = Requirement(requirement)
    assert wanted.name == "Flask-Refunds"
    assert wanted.extras - set(metadata(wanted.name).get_all("Provides-Extra", [])) == set()
