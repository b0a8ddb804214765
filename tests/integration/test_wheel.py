"""What is built for users holds all that a shop needs, and nothing of the tests."""

import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.building import build
from tests.processes import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and, from it, the wheel; return their folder."""
    return build(tmp_path_factory.mktemp("built")).parent


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.Path:
    (path,) = built.glob("*.whl")
    return zipfile.Path(zipfile.ZipFile(path))


def names(wheel: zipfile.Path) -> set[str]:
    return set(wheel.root.namelist())


def under(folder: str) -> set[str]:
    """Return the files of the repository under *folder*, as they should be in the wheel."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_whole_package(wheel: zipfile.Path) -> None:
    assert under("flask_refunds") - names(wheel) == set()


def test_the_wheel_holds_the_migrations_as_a_subpackage(wheel: zipfile.Path) -> None:
    installed = {f"flask_refunds/{name}" for name in under("migrations")}

    assert {
        "flask_refunds/migrations/env.py",
        "flask_refunds/migrations/script.py.mako",
        "flask_refunds/migrations/versions/0001_first_tables.py",
    } <= installed
    assert installed - names(wheel) == set()


def test_the_wheel_holds_nothing_else(wheel: zipfile.Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"flask_refunds"}


def test_the_wheel_says_what_it_is_and_needs(wheel: zipfile.Path) -> None:
    (folder,) = [each for each in wheel.iterdir() if each.name.endswith(".dist-info")]
    metadata = message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    entry_points = (folder / "entry_points.txt").read_text(encoding="utf-8")

    assert metadata["Name"] == "Flask-Refunds"
    assert metadata["License-Expression"] == "BSD-3-Clause AND MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == {"example", "testing", "dev", "postgresql", "mysql", "stripe"}
    assert "refunds = flask_refunds.cli:refunds" in entry_points
    assert "flask_refunds = flask_refunds.testing.plugin" in entry_points
    for name in ("braintree", "stripe"):
        assert f"\n{name} = flask_refunds.gateways.{name}:" in entry_points
    licences = {each.name for each in (folder / "licenses").iterdir()}
    assert {"LICENSE", "flask_refunds"} == licences


def test_the_sdist_holds_what_its_own_tests_need(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        "LICENSE",
        "Makefile",
        "migrations/env.py",
        "migrations/script.py.mako",
        "migrations/versions/0001_first_tables.py",
        "pyproject.toml",
        "scripts/system-packages",
        "setup.py",
        "tests/conftest.py",
        "tests/servers.py",
    } <= inside
