"""Our references in SQL as the host's keys: converted to the host's types, never the other way.

So that the host's indexes serve, and that one key has one spelling.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Numeric,
    String,
    Uuid,
    and_,
    case,
    cast,
    func,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine

from flask_refunds.errors import MappingError
from flask_refunds.storefront.values import Key

_UUID = "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"
_DECIMAL = "^-?[0-9]{1,18}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$"
_LARGEST = 2**63 - 1


class uuid_of(FunctionElement[Any]):  # noqa: N801  # a function in SQL
    """A UUID's text as the database's UUID, or as the 32 digits that stand for one."""

    name = "uuid_of"
    inherit_cache = True

    def __init__(self, text: ColumnElement[Any], kind: Uuid[Any]) -> None:
        super().__init__(text)
        self.type = kind if kind.native_uuid else Uuid(native_uuid=False)


@compiles(uuid_of)
def _as_uuid(element: Any, compiler: Any, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    native = element.type.native_uuid and compiler.dialect.supports_native_uuid
    return f"CAST({text} AS UUID)" if native else f"REPLACE({text}, '-', '')"


@compiles(uuid_of, "sqlite")
def _as_text(element: Any, compiler: Any, **options: Any) -> str:
    # Without a type SQLite would not look it up by an index.
    return f"CAST({_as_uuid(element, compiler, **options)} AS CHAR(32))"


class element_of(FunctionElement[str]):  # noqa: N801  # a function in SQL
    """The text at an index of a JSON list, as references of composite keys are."""

    type = String()
    inherit_cache = True


@compiles(element_of)
def _element_of(element: Any, compiler: Any, **options: Any) -> str:
    text, index = element.clauses
    function = "JSON_VALUE" if compiler.dialect.name in {"mysql", "mariadb"} else "json_extract"
    return f"{function}({compiler.process(text, **options)}, '$[{index.name}]')"


@compiles(element_of, "postgresql")
def _element_of_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    text, index = element.clauses
    return f"(CAST({compiler.process(text, **options)} AS JSON) ->> {index.name})"


def as_key(ref: ColumnElement[str], key: Key) -> list[ColumnElement[Any]]:
    """Return the columns of the host's *key* that *ref*, a column of ours, stands for.

    Raises :exc:`~flask_refunds.errors.MappingError` for a type of key that SQL cannot make of
    our text.
    """
    kinds = [column.type for column in key.columns]
    parts = (
        [ref]
        if len(kinds) == 1
        else [element_of(ref, literal_column(str(n))) for n in range(len(kinds))]
    )
    return [_part(part, kind, key.name) for part, kind in zip(parts, kinds, strict=True)]


def in_type(text: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any] | None:
    """Return what *text* stands for in the host's type *kind*, ``None`` if SQL cannot tell.

    A text that is none of that type is NULL, where a plain cast would make 0 of it, or fail.
    """
    if isinstance(kind, Uuid):
        return uuid_of(case((text.regexp_match(_UUID), text)), kind)
    if isinstance(kind, Integer):
        return cast(case((_is_integer(text), text)), BigInteger)
    if isinstance(kind, Numeric):
        return cast(case((text.regexp_match(_DECIMAL), text)), kind)
    if isinstance(kind, NullType) or (isinstance(kind, String) and type(kind).__name__ != "Enum"):
        return text
    return None


def _is_integer(text: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether *text* is an integer of 64 bits at most."""
    longest = text.regexp_match("^-?[0-9]{19}$")
    fits = func.replace(text, "-", "") <= str(_LARGEST)
    return text.regexp_match("^-?[0-9]{1,18}$") | and_(longest, fits)


def _part(text: ColumnElement[Any], kind: TypeEngine[Any], name: str) -> ColumnElement[Any]:
    part = in_type(text, kind)
    if part is None:
        raise MappingError(
            f"{name} is of type {kind!r}, which reports cannot compare with ours. Map a key that "
            "is a number, a text or a UUID."
        )
    return part
