"""Every host of the zoo keeps the contract with the package as users get it: the built wheel.

The contract runs once for each kind of database, in a folder of its own with the tests and the
unpacked wheel in it, and each host's result is a test here.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.building import build
from tests.hosts import zoo
from tests.processes import ROOT

SERVERS = {"postgresql": "TEST_POSTGRESQL_URL", "mariadb": "TEST_MARIADB_URL"}


@dataclass(frozen=True)
class Results:
    """What came of the contract on one kind of database, and which package it was about."""

    package: Path
    bad: Mapping[str, str]
    kept: frozenset[str]
    output: str


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tests, and the wheel unpacked in ``site``; no sources of ours."""
    folder = tmp_path_factory.mktemp("zoo")
    wheel = build(tmp_path_factory.mktemp("wheel"), "--wheel")
    pip = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder / "site")]
    subprocess.run([sys.executable, "-m", *pip, str(wheel)], check=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def results_on(unpacked: Path, server_url: Callable[[str], str]) -> Callable[[str], Results]:
    """Return a function from a kind of database to what came of the contract on it."""
    found: dict[str, Results] = {}

    def results(kind: str) -> Results:
        given = {SERVERS[kind]: server_url(kind)} if kind in SERVERS else {}
        if kind not in found:
            found[kind] = run(unpacked, kind, given)
        return found[kind]

    return results


def run(folder: Path, kind: str, given: Mapping[str, str]) -> Results:
    """Run the contract on one kind of database against the wheel in *folder*."""
    report = folder / f"{kind}.xml"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST", "FLASK"))}
    env |= {"PYTHONPATH": str(folder / "site"), **given}
    pytest_ = ["pytest", "-q", "-m", kind, f"--junitxml={report}", "tests/zoo/contract.py"]
    ran = subprocess.run(
        [sys.executable, "-m", *pytest_, "-p", "no:cacheprovider"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    output = ran.stdout + ran.stderr
    assert report.exists(), output
    bad, kept = {}, set()
    suite = ElementTree.parse(report)
    package = next((each.get("value", "") for each in suite.iter("property")), "")
    assert package, output
    for case in suite.iter("testcase"):
        name = case.get("name", "").partition("[")[2].removesuffix("]")
        wrong = [each.text or "" for each in case if each.tag in {"failure", "error", "skipped"}]
        if wrong:
            bad[name] = "\n".join(wrong)
        else:
            kept.add(name)
    return Results(package=Path(package), bad=bad, kept=frozenset(kept), output=output)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param(*case, marks=getattr(pytest.mark, case[1])) for case in zoo.cases()],
)
def test_a_host_keeps_the_contract_with_the_built_wheel(
    name: str, kind: str, results_on: Callable[[str], Results], unpacked: Path
) -> None:
    results = results_on(kind)
    assert results.package == unpacked / "site" / "flask_refunds" / "__init__.py"
    case = f"{name}-{kind}"
    assert case not in results.bad, results.bad[case]
    assert case in results.kept, results.output
