"""Fixtures that every test may ask for: databases, Valkey, a browser, ``flask`` processes.

A part that cannot run on this machine makes its tests "NOT RUN", said loudly in the summary; under
``CI=true`` it is an error.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from tests import databases
from tests.processes import ROOT, FlaskProcess, command, environment
from tests.servers import NAMES, Keeper, Missing, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOT_RUN = "NOT RUN: "
ADDRESS = "REFUNDS_TEST_KEEPER"
KEEPER = pytest.StashKey[Keeper]()

CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the keeper of the servers in the main process; xdist's workers only ask it."""
    if hasattr(config, "workerinput"):
        return
    keeper = config.stash[KEEPER] = Keeper()
    os.environ[ADDRESS] = keeper.address
    config.add_cleanup(keeper.stop)
    if getattr(config.option, "numprocesses", None):
        keeper.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests by the parts that they need, so that ``-m`` can choose."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        for fixture, part in {
            "postgresql_url": "postgresql",
            "mariadb_url": "mariadb",
            "redis_url": "redis",
            "chromium": "browser",
        }.items():
            if fixture in names:
                item.add_marker(part)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every part that could not run, with the number of tests that it cost."""
    cost: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple) and NOT_RUN in report.longrepr[2]:
            reason = report.longrepr[2].split(NOT_RUN, 1)[1]
            cost[reason] = cost.get(reason, 0) + 1
    for reason, tests in sorted(cost.items()):
        terminalreporter.write_line(f"{NOT_RUN}{reason} ({tests} tests)", red=True, bold=True)


def not_run(part: str, reason: object) -> None:
    """Skip the test because *part* cannot run here; under ``CI=true`` that is an error."""
    message = f"{NOT_RUN}{NAMES[part]}: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """Return a function from a part ("postgresql", "mariadb", "redis") to its server's URL."""

    def url(part: str) -> str:
        if KEEPER in pytestconfig.stash:
            pytestconfig.stash[KEEPER].start()
        try:
            return ask(part, os.environ[ADDRESS])
        except Missing as missing:
            not_run(part, missing)
            raise

    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return databases.sqlite(tmp_path)


@pytest.fixture
def postgresql_url(server_url: Callable[[str], str]) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    with databases.created(server_url("postgresql")) as url:
        yield url


@pytest.fixture
def mariadb_url(server_url: Callable[[str], str]) -> Iterator[str]:
    """A fresh, empty MariaDB database in utf8mb4."""
    with databases.created(server_url("mariadb")) as url:
        yield url


@pytest.fixture(
    params=[pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in databases.KINDS]
)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database, on SQLite, PostgreSQL and MariaDB in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session", autouse=True)
def used_engines() -> Iterator[set[Engine]]:
    """Every engine that connected since the set was last cleared, a Flask app's included."""
    used: set[Engine] = set()

    def remember(connection: Connection) -> None:
        used.add(connection.engine)

    event.listen(Engine, "engine_connect", remember)
    yield used
    event.remove(Engine, "engine_connect", remember)
    empty_pools(used)


@pytest.fixture(autouse=True)
def pools_emptied(used_engines: set[Engine]) -> Iterator[None]:
    """Close pooled connections after each test; those of longer-lived fixtures connect again.

    Python 3.13 warns of a SQLite connection that is collected unclosed, in whichever test runs
    then.
    """
    yield
    empty_pools(used_engines)


def empty_pools(used: set[Engine]) -> None:
    """Dispose of *used* engines, but for a ``StaticPool``, whose connection is the database."""
    for engine in used:
        if not isinstance(engine.pool, StaticPool):
            engine.dispose()
    used.clear()


@pytest.fixture
def engine(database_url: str) -> Engine:
    """A SQLAlchemy engine on ``database_url``."""
    return create_engine(database_url)


@pytest.fixture
def redis_url(server_url: Callable[[str], str], redis_numbers: Iterator[int]) -> str:
    """An empty database of the real Valkey server."""
    from redis import Redis

    url = f"{server_url('redis').rstrip('/')}/{next(redis_numbers)}"
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def redis_numbers() -> Iterator[int]:
    """Numbers of Valkey databases: each xdist worker turns round in eight of its own.

    So a process that outlives its test does not meddle with the next one.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = worker % 2 * 8

    def turn() -> Iterator[int]:
        while True:
            yield from range(first, first + 8)

    return turn()


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """The machine's real Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        not_run("browser", "there is no program called chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: "Browser") -> "Iterator[Page]":
    """A page in a browser context of its own: no cookies of other tests."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


class RunFlask(Protocol):
    """The type of the fixture ``run_flask``."""

    def __call__(
        self, app: str, *args: str, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run ``flask --app APP ARGS`` to its end."""


class StartFlask(Protocol):
    """The type of the fixture ``start_flask``."""

    def __call__(self, app: str, *args: str, env: Mapping[str, str] | None = None) -> FlaskProcess:
        """Start ``flask --app APP ARGS`` in the background."""


@pytest.fixture
def run_flask() -> RunFlask:
    """Run a real ``flask`` command to its end: ``run_flask("shop:app", "refunds", "status")``."""

    def run(
        app: str, *args: str, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(app, *args),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment(env),
            timeout=timeout,
        )

    return run


@pytest.fixture
def start_flask(tmp_path: Path) -> Iterator[StartFlask]:
    """Start real ``flask`` processes, for example ``start_flask("shop:app", "refunds", "worker")``.

    They are stopped after the test; their output is shown when it fails.
    """
    processes: list[FlaskProcess] = []

    def start(app: str, *args: str, env: Mapping[str, str] | None = None) -> FlaskProcess:
        output = tmp_path / f"flask{len(processes)}.out"
        processes.append(FlaskProcess(app, *args, output=output, env=env))
        return processes[-1]

    yield start
    for process in reversed(processes):
        code = process.stop()
        print(f"--- {process.title} (exit code {code})\n{process.output()}")  # noqa: T201
