"""The host's values as text, made by the database: the same wherever they are read."""

from typing import Any

from sqlalchemy import ColumnElement, String, Uuid
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


class exact_text(FunctionElement[str]):  # noqa: N801  # a function in SQL
    """A value of the host's as text that compares byte by byte, as our own columns do."""

    type = String()
    inherit_cache = True


@compiles(exact_text)
def _exact_text(element: Any, compiler: Any, **options: Any) -> str:
    (value,) = element.clauses
    return _dashed(value, f"CAST({compiler.process(value, **options)} AS TEXT)", compiler)


@compiles(exact_text, "postgresql")
def _exact_text_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f'CAST({compiler.process(element.clauses, **options)} AS TEXT) COLLATE "C"'


@compiles(exact_text, "mysql")
@compiles(exact_text, "mariadb")
def _exact_text_mariadb(element: Any, compiler: Any, **options: Any) -> str:
    (value,) = element.clauses
    text = f"CONVERT({compiler.process(value, **options)} USING utf8mb4)"
    return f"{_dashed(value, text, compiler)} COLLATE utf8mb4_bin"


def _dashed(value: ColumnElement[Any], text: str, compiler: Any) -> str:
    """Return *text* as a UUID is written, where the database only has its 32 digits."""
    native = getattr(value.type, "native_uuid", False) and compiler.dialect.supports_native_uuid
    if not isinstance(value.type, Uuid) or native:
        return text
    parts = [f"substr({text}, {at}, {n})" for at, n in _UUID_PARTS]
    if compiler.dialect.name == "sqlite":
        return "(" + " || '-' || ".join(parts) + ")"
    return f"CONCAT_WS('-', {', '.join(parts)})"
