"""Twenty at once with distinct tokens: one wins, whatever the host does with its sessions."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event, make_url

from example_app import db
from example_app.models import User
from flask_refunds import RefundRequest, issuing
from flask_refunds.errors import AboveBalance, AboveLine, Busy
from flask_refunds.host_session import end_reads
from tests.integration.orders import AGENT, POOL, place_order, runtime_of, shop, some, tables, whole

THREADS = 20

HostHabit = Callable[[int], None]


def begins_by_recipe(engine: Engine) -> None:
    """Have SQLite begin its transactions at BEGIN, as SQLAlchemy's documentation shows."""

    @event.listens_for(engine, "connect")
    def no_implicit_begin(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


def nothing(_number: int) -> None:
    """The host did nothing in this request."""


def reads(_number: int) -> None:
    """The host has read in this request, and our view has ended that read, as it does."""
    db.session.query(User).all()
    end_reads(db.session())
    assert not db.session().in_transaction()


def adds_unflushed(number: int) -> None:
    """The host has an object that it has not flushed."""
    db.session.add(User(name=f"New {number}", email=f"new{number}@example.com"))


def flushes(number: int) -> None:
    """The host has written and not committed."""
    adds_unflushed(number)
    db.session.flush()


def race(
    app: Flask, requests: list[RefundRequest], habit: HostHabit = nothing
) -> Counter[type[object]]:
    """Issue *requests* at the same moment, each in a thread of its own; count what came of it."""
    start = Barrier(len(requests))

    def one(number: int, request: RefundRequest) -> type[object]:
        with app.app_context():
            habit(number)
            start.wait(30)
            try:
                return type(issuing.issue(runtime_of(app), request, AGENT))
            except (AboveBalance, AboveLine, Busy) as refused:
                return type(refused)
            finally:
                if habit is adds_unflushed:
                    assert len(db.session.new) == 1
                if habit is flushes:
                    assert db.session.query(User).filter_by(name=f"New {number}").count() == 1
                    db.session.commit()

    with ThreadPoolExecutor(len(requests)) as pool:
        return Counter(pool.map(one, range(len(requests)), requests))


def hosts(database_url: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the ways in which a host may have set up its engine for this database."""
    repeatable = {"SQLALCHEMY_ENGINE_OPTIONS": {**POOL, "isolation_level": "REPEATABLE READ"}}
    if make_url(database_url).get_backend_name() == "sqlite":
        return [("plain", {}), ("recipe", {})]
    return [("plain", {}), ("repeatable", repeatable)]


@contextmanager
def opened(database_url: str, flavour: str, settings: dict[str, Any]) -> Iterator[Flask]:
    with shop(database_url, **settings) as app:
        if flavour == "recipe":
            with app.app_context():
                db.engine.dispose()
                begins_by_recipe(db.engine)
        yield app


@pytest.mark.parametrize("flavour", [0, 1], ids=["plain", "recipe-or-repeatable"])
@pytest.mark.parametrize("habit", [nothing, reads, adds_unflushed], ids=lambda h: h.__name__)
def test_of_twenty_full_refunds_one_is_issued(
    database_url: str, flavour: int, habit: HostHabit
) -> None:
    with opened(database_url, *hosts(database_url)[flavour]) as app:
        order = place_order(app, (1000, 1))
        requests = [whole(order, f"token-{n}") for n in range(THREADS)]
        assert race(app, requests, habit) == {issuing.Issued: 1, AboveBalance: THREADS - 1}
        assert tables(app) == {
            "committed": 1000,
            "paid": 1000,
            "refunds": 1,
            "transfers": 1,
            "posted": 1000,
        }


@pytest.mark.parametrize("flavour", [0, 1], ids=["plain", "recipe-or-repeatable"])
def test_twenty_parts_of_one_line_keep_to_its_cap(database_url: str, flavour: int) -> None:
    with opened(database_url, *hosts(database_url)[flavour]) as app:
        order = place_order(app, (1000, 1), (5000, 1))
        requests = [
            whole(order, f"token-{n}", everything=False, selections=some("1", 150))
            for n in range(THREADS)
        ]
        assert race(app, requests) == {issuing.Issued: 6, AboveLine: THREADS - 6}
        assert tables(app)["committed"] == 900


@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_a_host_that_has_flushed_keeps_its_writes(
    server: str, request: pytest.FixtureRequest
) -> None:
    with shop(request.getfixturevalue(server)) as app:
        order = place_order(app, (1000, 1))
        requests = [whole(order, f"token-{n}") for n in range(THREADS)]
        assert race(app, requests, flushes) == {issuing.Issued: 1, AboveBalance: THREADS - 1}
        with app.app_context():
            assert db.session.query(User).filter(User.name.startswith("New")).count() == THREADS


def test_on_sqlite_a_host_that_has_flushed_is_refused_and_loses_nothing(sqlite_url: str) -> None:
    with shop(
        sqlite_url, SQLALCHEMY_ENGINE_OPTIONS={**POOL, "connect_args": {"timeout": 0.1}}
    ) as app:
        order = place_order(app, (1000, 1))
        with app.app_context():
            flushes(1)
            with pytest.raises(Busy):
                issuing.issue(runtime_of(app), whole(order, "token"), AGENT)
            db.session.commit()
        with app.app_context():
            assert db.session.query(User).filter_by(name="New 1").count() == 1
        assert tables(app)["refunds"] == 0


def test_the_host_can_roll_back_what_it_wrote_after_our_commit(database_url: str) -> None:
    with shop(database_url) as app:
        order = place_order(app, (1000, 1))
        with app.app_context():
            adds_unflushed(1)
            issuing.issue(runtime_of(app), whole(order, "token"), AGENT)
            db.session.rollback()
            assert db.session.query(User).filter_by(name="New 1").count() == 0
        assert tables(app)["refunds"] == 1


def test_one_token_sent_twenty_times_at_once_is_one_refund(database_url: str) -> None:
    with shop(database_url) as app:
        order = place_order(app, (1000, 2))
        assert race(app, [whole(order, "token")] * THREADS) == {issuing.Issued: THREADS}
        assert tables(app)["refunds"] == 1
