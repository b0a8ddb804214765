"""The conformance suite as third parties run it: a test file of theirs, and what it says."""

import re
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT


def run(folder: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the test file *code* with pytest in a *folder* of its own."""
    (folder / "test_theirs.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    return subprocess.run(
        [*command, "--rootdir", str(folder), *options, "test_theirs.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=110,
    )


def example() -> str:
    """Return the example of the documents."""
    page = (ROOT / "docs" / "gateways.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"```python\n(# test_conformance\.py\n.+?)```", page, re.DOTALL)
    return str(found)


def test_the_example_of_the_documents_passes(tmp_path: Path) -> None:
    ran = run(tmp_path, example(), "-k", "not comes")  # but for those that wait for a time-out
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"^(\d+) passed", ran.stdout, re.MULTILINE)
    assert passed is not None, ran.stdout
    assert int(passed[1]) > 24


def test_it_names_a_missing_fixture_and_finds_a_gateway_that_lies(tmp_path: Path) -> None:
    lying = example().replace("        return server.given_back", "        return lambda _: 0")
    assert lying != example()
    missing = "\n\nclass TestTheirs(RefundGatewayConformance):\n    pass\n"
    ran = run(tmp_path, lying + missing, "-k", "refunds_exactly")
    assert re.search(r"^1 failed, .*1 error in", ran.stdout, re.MULTILINE), ran.stdout
    assert "TestTheirs has no fixture 'gateway'." in ran.stdout
    assert "it gives your gateway, talking to your server" in ran.stdout
