"""Our tables are made by migrations: up, down and up again, beside a history of the host's own."""

import logging
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError, OperationalError

from flask_refunds import migrating
from flask_refunds.models import Base

# The env.py that Flask-Migrate writes into a host tries Flask-SQLAlchemy 2's way first.
pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")

OUR_TABLES = {*Base.metadata.tables, migrating.VERSION_TABLE}
OVER_REFUND = (
    "INSERT INTO refunds_account (order_ref, currency, paid, captured, prior, committed, version) "
    "VALUES ('1', 'USD', 100, 100, 0, 101, 0)"
)


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def schema(engine: Engine) -> dict[str, Any]:
    """Return everything that the database says about our tables."""
    inspector = inspect(engine)

    def described(found: list[Any]) -> list[str]:
        # Reflected types compare by identity; their text does not.
        return sorted(str({key: str(value) for key, value in each.items()}) for each in found)

    return {
        name: {
            "columns": [
                {key: str(value) for key, value in column.items()}
                for column in sorted(inspector.get_columns(name), key=itemgetter("name"))
            ],
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": described(inspector.get_foreign_keys(name)),
            "indexes": described(inspector.get_indexes(name)),
            "unique": described(inspector.get_unique_constraints(name)),
            "checks": described(inspector.get_check_constraints(name)),
        }
        for name in sorted(set(Base.metadata.tables) & tables(engine))
    }


def test_goes_up_down_and_up_again(engine: Engine) -> None:
    for _ in range(2):
        migrating.upgrade(engine)
        assert migrating.check(engine) == []
        assert migrating.current(engine) == migrating.head()
        assert migrating.is_current(engine)
        assert tables(engine) == OUR_TABLES

        migrating.downgrade(engine, "base")
        assert migrating.current(engine) is None
        assert not migrating.is_current(engine)
        assert tables(engine) == {migrating.VERSION_TABLE}


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    migrating.upgrade(engine)
    before = schema(engine)

    migrating.upgrade(engine)

    assert schema(engine) == before


def test_runs_on_a_connection_too(engine: Engine) -> None:
    with engine.connect() as connection:
        migrating.upgrade(connection)
        connection.commit()

    assert migrating.is_current(engine)


def test_migrations_and_models_make_the_same_tables(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    by_models = schema(engine)
    Base.metadata.drop_all(engine)

    migrating.upgrade(engine)

    assert by_models.keys() == Base.metadata.tables.keys()
    assert schema(engine) == by_models


def test_the_migrated_database_refuses_to_give_back_more_than_was_paid(engine: Engine) -> None:
    migrating.upgrade(engine)

    with (
        engine.begin() as connection,
        pytest.raises((IntegrityError, OperationalError), match="ck_refunds_account_balance"),
    ):
        connection.execute(text(OVER_REFUND))


def test_check_names_a_missing_table_index_and_column(engine: Engine) -> None:
    migrating.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE refunds_allocation"))
        connection.execute(text("ALTER TABLE refunds_transfer DROP COLUMN polls"))
        on_table = " ON refunds_posting" if engine.dialect.name == "mysql" else ""
        connection.execute(text(f"DROP INDEX ix_refunds_posting_line_ref{on_table}"))

    assert sorted(migrating.check(engine)) == [
        "add column: refunds_transfer, polls",
        "add index: ix_refunds_allocation_line_id",
        "add index: ix_refunds_posting_line_ref",
        "add table: refunds_allocation",
    ]


def test_check_names_a_missing_check_constraint(postgresql_url: str) -> None:
    engine = create_engine(postgresql_url)
    migrating.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE refunds_account DROP CONSTRAINT ck_refunds_account_balance")
        )

    assert migrating.check(engine) == ["add check: refunds_account, ck_refunds_account_balance"]
    engine.dispose()


def test_a_database_without_our_tables_is_not_current(engine: Engine) -> None:
    assert migrating.current(engine) is None
    assert not migrating.is_current(engine)
    assert "add table: refunds_account" in migrating.check(engine)
    assert tables(engine) == set()


class Host:
    """A shop with Flask-SQLAlchemy and a Flask-Migrate history of its own."""

    def __init__(self, database_url: str, folder: Path, **options: Any) -> None:
        self.db = SQLAlchemy()
        self.app = Flask("shop")
        self.app.config["SQLALCHEMY_DATABASE_URI"] = database_url
        self.db.init_app(self.app)
        db = self.db

        class Refund(db.Model):  # type: ignore[name-defined]
            """The host's own table of that name, on purpose."""

            id = db.Column(db.Integer, primary_key=True)

        self.folder = folder / "migrations"
        flask_migrate.Migrate(self.app, db, directory=str(self.folder), **options)

    @property
    def migrate(self) -> Any:
        """What Flask-Migrate keeps in the app."""
        return self.app.extensions["migrate"]

    def make_history(self) -> None:
        """Write the host's first migration and run it."""
        flask_migrate.init()
        flask_migrate.migrate(message="first")
        flask_migrate.upgrade()

    def wants_to_change(self) -> bool:
        """Return whether ``flask db check`` finds a difference."""
        # Its env.py keeps this from the call before; each command is a process of its own.
        self.migrate.configure_args.pop("process_revision_directives", None)
        try:
            flask_migrate.check()
        except SystemExit:
            return True
        return False


@pytest.fixture
def host(database_url: str, tmp_path: Path, logging_kept: None) -> Iterator[Host]:
    host = Host(database_url, tmp_path)
    with host.app.app_context():
        yield host


@pytest.fixture
def logging_kept() -> Iterator[None]:
    """Flask-Migrate's env.py configures all logging; put it back for the tests that follow."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = [
        each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)
    ]
    before = [(each, each.disabled, each.level, each.handlers[:]) for each in loggers]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, disabled, old_level, old_handlers in before:
        logger.disabled = disabled
        logger.setLevel(old_level)
        logger.handlers[:] = old_handlers


def test_lives_beside_a_history_of_the_host(host: Host) -> None:
    host.make_history()
    engine = host.db.engine

    migrating.upgrade(engine)

    assert migrating.check(engine) == []
    assert host.wants_to_change(), "without the guard the host would drop our tables"
    assert migrating.guard_host_autogenerate(host.migrate)
    assert migrating.guard_host_autogenerate(host.migrate), "a second time changes nothing"
    assert not host.wants_to_change()

    migrating.downgrade(engine, "base")
    assert {"refund", "alembic_version"} <= tables(engine)
    migrating.upgrade(engine)
    flask_migrate.downgrade()
    assert tables(engine) == {*OUR_TABLES, "alembic_version"}


def test_a_table_that_the_host_forgot_is_still_found_by_its_autogenerate(host: Host) -> None:
    host.make_history()
    migrating.guard_host_autogenerate(host.migrate)
    with host.db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE refunds_of_1999 (id INTEGER)"))

    assert host.wants_to_change()


@pytest.mark.usefixtures("logging_kept")
def test_the_host_s_own_include_object_goes_on_deciding(sqlite_url: str, tmp_path: Path) -> None:
    asked: list[str | None] = []

    def theirs(_item: Any, name: str | None, _kind: str, _reflected: bool, _model: Any) -> bool:
        asked.append(name)
        return name != "legacy"

    host = Host(sqlite_url, tmp_path, include_object=theirs)
    with host.app.app_context():
        host.make_history()
        migrating.upgrade(host.db.engine)
        with host.db.engine.begin() as connection:
            connection.execute(text("CREATE TABLE legacy (id INTEGER)"))
        migrating.guard_host_autogenerate(host.migrate)
        asked.clear()

        assert not host.wants_to_change()

        assert {"refund", "legacy"} <= set(asked)
        assert not OUR_TABLES & set(asked)


def test_a_host_that_passes_include_object_in_its_env_py_is_left_alone(
    sqlite_url: str, tmp_path: Path
) -> None:
    host = Host(sqlite_url, tmp_path)
    host.folder.mkdir()
    (host.folder / "env.py").write_text("context.configure(include_object=mine, **conf_args)")

    assert not migrating.guard_host_autogenerate(host.migrate)
    assert "include_object" not in host.migrate.configure_args


def test_a_host_without_flask_migrate_needs_no_guard() -> None:
    assert not migrating.guard_host_autogenerate(None)
