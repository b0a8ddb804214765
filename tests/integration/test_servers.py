"""The test servers are real, and every test gets an empty database of its own."""

import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, inspect, text

VERSIONS = {
    "sqlite": ("SELECT sqlite_version()", "3."),
    "postgresql": ("SELECT version()", "PostgreSQL "),
    "mysql": ("SELECT version()", "-MariaDB"),
}


def test_the_database_answers_with_its_version(engine: Engine) -> None:
    query, expected = VERSIONS[engine.dialect.name]
    with engine.connect() as connection:
        assert expected in connection.execute(text(query)).scalar_one()


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_gets_an_empty_database(engine: Engine, turn: int) -> None:
    assert inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER)"))
    assert inspect(engine).get_table_names() == ["kept"]


def test_mariadb_stores_all_of_unicode(mariadb_url: str) -> None:
    engine = create_engine(mariadb_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE word (word VARCHAR(20))"))
        connection.execute(text("INSERT INTO word VALUES (:word)"), {"word": "né 💳"})
        assert connection.execute(text("SELECT word FROM word")).scalar_one() == "né 💳"
    engine.dispose()


@pytest.mark.parametrize("turn", [1, 2])
def test_valkey_answers_and_is_empty(redis_url: str, turn: int) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.ping()
        assert client.dbsize() == 0
        client.set("kept", turn)
