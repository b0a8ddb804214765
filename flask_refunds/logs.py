"""The one way of all our log lines: ``refunds: <event> key=value …``.

The fields stand in the text and, as ``refunds_<key>`` beside ``refunds_event``, on the record, for
formatters that write JSON. No line has a card, a key, a token, a customer's name or an e-mail
address: pass ids and codes, never a person's words.
"""

import json
import logging
import re
from typing import Any

from sqlalchemy.exc import StatementError

_log = logging.getLogger("flask_refunds")

_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f]+")


class DatabaseFailed(Exception):
    """Stands in a traceback for a database's own error, whose words quote the rows' values."""


def info(event: str, /, **fields: Any) -> None:
    """Tell that *event* has happened; fields that are ``None`` or empty are left out."""
    _write(logging.INFO, event, fields)


def warning(event: str, /, **fields: Any) -> None:
    """Tell of something that mends itself or that the next start should not have."""
    _write(logging.WARNING, event, fields)


def error(event: str, /, **fields: Any) -> None:
    """Tell of something that a person should look at."""
    _write(logging.ERROR, event, fields)


def exception(event: str, problem: BaseException, /, **fields: Any) -> None:
    """Tell of an unforeseen *problem*, with its traceback."""
    _write(logging.ERROR, event, {**fields, "error": type(problem).__name__}, _speakable(problem))


def _write(
    level: int, event: str, fields: dict[str, Any], problem: BaseException | None = None
) -> None:
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    text = " ".join([event, *(f"{name}={_worded(value)}" for name, value in given.items())])
    extra = {f"refunds_{name}": value for name, value in given.items()}
    _log.log(
        level, "refunds: %s", text, extra={"refunds_event": event, **extra}, exc_info=problem,
        stacklevel=3,
    )  # fmt: skip


def _worded(value: Any) -> str:
    """Return *value* as one word, or in quotes: no value can make a second line or a field."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _speakable(problem: BaseException) -> BaseException:
    """Return *problem*, or what stands for it when a database's error is behind it."""
    behind: BaseException | None = problem
    while behind is not None:
        if isinstance(behind, StatementError):
            names = [type(each).__name__ for each in (problem, behind.orig) if each is not None]
            return DatabaseFailed(*names).with_traceback(problem.__traceback__)
        behind = behind.__cause__ or behind.__context__
    return problem
