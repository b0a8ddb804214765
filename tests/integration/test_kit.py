"""The fixtures for a shop's own tests, in the tests of small shops that pytest runs by itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from flask_refunds import correcting, migrating
from flask_refunds.models import Base
from flask_refunds.testing import Issuing, RefundIn, Stage, tables
from flask_refunds.testing.shop import Shop
from tests.integration.workshop import AGENT, opened
from tests.processes import ROOT

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.timeout(400)

OURS = {*Base.metadata.tables, migrating.VERSION_TABLE}
KIT = ROOT / "tests" / "hosts" / "kit"
FIXTURES = {
    "refund_in",
    "refunds_app",
    "refunds_charge",
    "refunds_gateway_config",
    "refunds_issue",
    "refunds_process",
    "refunds_read",
    "refunds_simulator",
    "refunds_tables",
    "refunds_worker",
    "refunds_worker_env",
}


@pytest.fixture(autouse=True)
def the_shops_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run a shop's tests as its developer would, with warnings as errors."""
    return pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", *args)


@pytest.fixture
def tiny(pytester: pytest.Pytester) -> pytest.Pytester:
    """The tiny shop with tests of its own, which use every fixture."""
    shutil.copy(KIT / "conftest_of_tiny.py", pytester.path / "conftest.py")
    pytester.makeini("[pytest]\nrefunds_app = tests.hosts.tiny:create_app\n")
    return pytester


def test_each_fixture_does_its_work_in_a_shops_tests(tiny: pytest.Pytester) -> None:
    shutil.copy(KIT / "fixtures_of_tiny.py", tiny.path / "test_shop.py")
    run(tiny).assert_outcomes(passed=13)


def test_a_refund_gets_into_each_state(tiny: pytest.Pytester) -> None:
    shutil.copy(KIT / "stages_of_tiny.py", tiny.path / "test_stages.py")
    run(tiny).assert_outcomes(passed=21)


def test_an_app_for_the_whole_session_starts_each_test_afresh(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nrefunds_scope = session\n")
    shutil.copy(KIT / "shop.py", pytester.path)
    shutil.copy(KIT / "session_of_shop.py", pytester.path / "test_session.py")
    run(pytester).assert_outcomes(passed=3)


def test_the_tables_are_emptied_and_dropped_on_every_database(database_url: str) -> None:
    with opened(database_url) as shop:
        engine = shop.do(lambda runtime: runtime.sessions.engine)
        for there in (True, False):
            if not there:
                tables.drop(engine)
            with tables.made(shop.app):
                refund_in = RefundIn(here := Shop(shop.app, shop.simulator), Issuing(here))
                late = refund_in("failed_late", shop.sell(3000)[0])
                refund_in("completed", shop.sell(3000)[0])
                shop.do(correcting.pay_otherwise, late.current[0].id, AGENT, kind="cash")
            left = set(inspect(engine).get_table_names())
            assert {name for name in OURS if name in left} == (OURS if there else set())
            if there:
                with engine.connect() as connection:
                    for table in Base.metadata.sorted_tables:
                        assert connection.execute(select(table)).all() == []


def test_the_guide_works_as_it_is_written(pytester: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", page, re.DOTALL)
    assert [name for name, _ in blocks] == ["conftest.py", "test_refunds.py", "pytest.ini"]
    for name, text in blocks:
        (pytester.path / name).write_text(text, encoding="utf-8")
    shutil.copy(KIT / "shop.py", pytester.path)
    run(pytester).assert_outcomes(passed=blocks[1][1].count("def test_"))


def test_the_guide_names_every_fixture_and_every_state() -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(refund\w+)` \|", page, re.MULTILINE)) == FIXTURES
    assert set(re.findall(r'^\| `"(\w+)"` \|', page, re.MULTILINE)) == set(Stage)


def test_pytest_tells_what_each_fixture_is_for(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--fixtures")
    listed = re.findall(r"^(refund\w+)[^\n]*\n    (\S.*)$", result.stdout.str(), re.MULTILINE)
    assert {name for name, _ in listed} == FIXTURES
    assert not [name for name, words in listed if "no docstring" in words]


def test_a_project_that_uses_no_fixture_loads_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_there():
            assert "flask_refunds.testing.plugin" in sys.modules
            ours = {name for name in sys.modules if name.startswith("flask_refunds")}
            assert ours == {
                "flask_refunds",
                "flask_refunds._version",
                "flask_refunds.testing",
                "flask_refunds.testing.plugin",
            }
            heavy = {"sqlalchemy", "flask_admin", "braintree", "alembic", "rq", "babel"}
            assert not heavy & set(sys.modules)
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_a_gateways_author_is_told_which_fixture_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from flask_refunds.testing.conformance import RefundGatewayConformance

        class TestMine(RefundGatewayConformance):
            pass
        """
    )
    result = run(pytester, "-k", "test_is_a_refund_gateway or test_there_is_no_such_charge")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["TestMine has no fixture 'gateway'. Define it *"])


def test_the_conformance_suite_says_what_differs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the plugin is loaded by hand, so that pytest itself rewrites nothing of ours."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import pytest
        from flask_refunds.testing.conformance import RefundGatewayConformance

        class TestMine(RefundGatewayConformance):
            @pytest.fixture
            def gateway(self):
                return "no gateway"
        """
    )
    by_hand = ("-p", "flask_refunds.testing.plugin")
    result = run(pytester, *by_hand, "-k", "test_is_a_refund_gateway")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *where False = isinstance('no gateway', RefundGateway)"])


def test_the_suite_without_pytest_says_what_to_install() -> None:
    without = "import sys; sys.modules['pytest'] = None; import flask_refunds.testing.conformance"
    ran = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert "pip install 'Flask-Refunds[testing]'" in ran.stderr


def test_an_app_beside_the_simulator_is_refused(tiny: pytest.Pytester) -> None:
    """With keys and another address than the simulator's, a test could move somebody's money."""
    tiny.makepyfile(
        """
        def test_refund(app, monkeypatch, request):
            app.config["REFUNDS_BRAINTREE_URL"] = "http://127.0.0.1:9"
            request.getfixturevalue("refunds_process")

        def test_stripe(app, monkeypatch, request):
            app.config["REFUNDS_STRIPE_SECRET_KEY"] = "sk_live_key"
            request.getfixturevalue("refunds_process")
        """
    )
    result = run(tiny, "-p", "no:randomly")
    result.assert_outcomes(failed=2)
    for setting in ("REFUNDS_BRAINTREE_URL", "REFUNDS_STRIPE_URL"):
        result.stdout.fnmatch_lines([f"E *NotOnTheSimulator: {setting} of your app is*"])


def test_a_database_with_refunds_is_neither_used_nor_emptied(
    tiny: pytest.Pytester, tmp_path: Path
) -> None:
    tiny.makepyfile(
        """
        from flask_refunds import wired
        from flask_refunds.models import Account
        from flask_refunds.testing import tables
        import pytest

        def test_tables(app):
            with app.app_context():
                here = wired.current()
                here.extension.create_all()
                sessions = here.runtime.sessions
                sessions.transact(lambda session: session.add(Account(order_ref="1")))
                with pytest.raises(tables.NotEmpty, match="There are refunds in sqlite:"):
                    with tables.made(app):
                        pass
                assert sessions.read(lambda session: session.query(Account).count()) == 1
        """
    )
    run(tiny).assert_outcomes(passed=1)
