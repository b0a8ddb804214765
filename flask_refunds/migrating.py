"""Our tables' migrations: an Alembic environment of our own, run from Python on a given engine.

It has its own version table and sees our tables only, so it lives beside any history of the
host's in the same database; :func:`guard_host_autogenerate` keeps the host's from ours. The
scripts are in the repository's ``migrations/``, installed as ``flask_refunds.migrations``.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Engine, Table, inspect

from flask_refunds.models import Base

VERSION_TABLE = "refunds_alembic_version"

Bind = Engine | Connection
IncludeObject = Callable[[Any, str | None, str, bool, Any], bool]


def upgrade(bind: Bind, revision: str = "head") -> None:
    """Bring our tables to *revision*; nothing happens when they are there already."""
    with _connected(bind) as connection:
        command.upgrade(config(connection), revision)


def downgrade(bind: Bind, revision: str) -> None:
    """Take our tables back to *revision*; ``"base"`` drops them with all that they hold."""
    with _connected(bind) as connection:
        command.downgrade(config(connection), revision)


def stamp(bind: Bind, revision: str = "head") -> None:
    """Note that our tables, made without the scripts, are at *revision*."""
    with _connected(bind) as connection:
        command.stamp(config(connection), revision)


def current(bind: Bind) -> str | None:
    """Return the revision of our tables in the database; ``None`` before the first upgrade."""
    with _connected(bind) as connection:
        return _context(connection).get_current_revision()


def head() -> str:
    """Return the revision that this version of the package needs."""
    revision = ScriptDirectory(str(_scripts())).get_current_head()
    if revision is None:
        raise RuntimeError(f"there are no migration scripts in {_scripts()}")
    return revision


def is_current(bind: Bind) -> bool:
    """Return whether the database is at :func:`head`: one small query."""
    return current(bind) == head()


def check(bind: Bind) -> list[str]:
    """Return the differences between our models and the database, in words; none is fine.

    Alembic does not compare CHECK constraints, on which the over-refund guard rests, so their
    names are compared here.
    """
    with _connected(bind) as connection:
        found = [_in_words(diff) for diff in compare_metadata(_context(connection), Base.metadata)]
        inspector = inspect(connection)
        present = set(inspector.get_table_names())
        for table in Base.metadata.sorted_tables:
            if table.name not in present:
                continue
            there = {each["name"] for each in inspector.get_check_constraints(table.name)}
            found += [f"add check: {table.name}, {name}" for name in sorted(_checks(table) - there)]
    return found


def include_object(_item: Any, name: str | None, kind: str, reflected: bool, model: Any) -> bool:
    """Return ``False`` for our tables: pass it to Alembic's ``context.configure`` in a host.

    A table of ours is one that is in the database, not in the host's models, and has one of our
    names. Hosts on Flask-Migrate need not do this, see :func:`guard_host_autogenerate`.
    """
    ours = kind == "table" and reflected and model is None
    return not (ours and name in _our_names())


def guard_host_autogenerate(migrate: Any) -> bool:
    """Keep the autogenerate of the host's Flask-Migrate from dropping our tables.

    *migrate* is ``app.extensions.get("migrate")``. A function of the host's own, given as
    ``Migrate(include_object=...)``, goes on deciding about everything else. Returns ``False``,
    having changed nothing, when there is no Flask-Migrate, and when the host's ``env.py`` passes
    an ``include_object`` itself: it would then get two; such a host calls :func:`include_object`
    in its own.
    """
    if migrate is None:
        return False
    arguments: dict[str, Any] = migrate.configure_args
    theirs: IncludeObject | None = arguments.get("include_object")
    if getattr(theirs, "guards_refunds", False):
        return True
    environment = Path(migrate.directory) / "env.py"
    if environment.is_file() and "include_object" in environment.read_text(encoding="utf-8"):
        return False

    def guarded(item: Any, name: str | None, kind: str, reflected: bool, model: Any) -> bool:
        if not include_object(item, name, kind, reflected, model):
            return False
        return theirs is None or theirs(item, name, kind, reflected, model)

    guarded.guards_refunds = True  # type: ignore[attr-defined]
    arguments["include_object"] = guarded
    return True


def config(connection: Connection) -> Config:
    """Return the configuration with which Alembic's own commands work on our scripts."""
    settings = Config()
    settings.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def configure(settings: Config, configure_context: Callable[..., None]) -> None:
    """Configure Alembic from ``migrations/env.py``, on the connection that was handed over."""
    connection: Connection = settings.attributes["connection"]
    configure_context(
        connection=connection, target_metadata=Base.metadata, **_options(connection.dialect.name)
    )


def _options(dialect: str) -> dict[str, Any]:
    return {
        "version_table": VERSION_TABLE,
        "include_name": _include_name,
        "compare_type": True,
        "compare_server_default": True,
        "render_as_batch": dialect == "sqlite",
    }


def _include_name(name: str | None, kind: str, _parents: Mapping[str, Any]) -> bool:
    return kind != "table" or name in Base.metadata.tables


def _our_names() -> set[str]:
    return {*Base.metadata.tables, VERSION_TABLE}


def _checks(table: Table) -> set[str]:
    return {str(each.name) for each in table.constraints if isinstance(each, CheckConstraint)}


def _context(connection: Connection) -> MigrationContext:
    options = {"target_metadata": Base.metadata, **_options(connection.dialect.name)}
    return MigrationContext.configure(connection, opts=options)


def _scripts() -> Path:
    # By __file__: Alembic's "package:folder" notation fails in editable installations.
    package = import_module("flask_refunds.migrations")
    return Path(str(package.__file__)).parent


@contextmanager
def _connected(bind: Bind) -> Iterator[Connection]:
    if isinstance(bind, Connection):
        yield bind
    else:
        with bind.connect() as connection:
            yield connection


def _in_words(diff: Any) -> str:
    """Say one of Alembic's differences: a tuple such as ``("add_column", schema, table, column)``.

    Changes of one column come as a list of such tuples.
    """
    if isinstance(diff, list):
        return "; ".join(_in_words(each) for each in diff)
    words = [getattr(part, "name", None) or part for part in diff[1:]]
    return f"{diff[0].replace('_', ' ')}: {', '.join(str(word) for word in words if word)}"
