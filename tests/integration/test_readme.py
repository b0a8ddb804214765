"""What the README says makes a shop from nothing, and gives its first order back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.building import build
from tests.processes import ROOT
from tests.readme import Instead, Unreadable, script
from tests.servers import free_port

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An empty environment, switched on."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    ours = ("PYTHON", "COV_", "FLASK", "REFUNDS")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return env | {"PATH": f"{folder / 'bin'}{os.pathsep}{env['PATH']}"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("queue", ["valkey", "none"])
def test_a_shop_from_nothing_gives_its_first_order_back(
    tmp_path: Path,
    wheel: Path,
    environment: dict[str, str],
    queue: str,
    request: pytest.FixtureRequest,
) -> None:
    redis = request.getfixturevalue("redis_url") if queue == "valkey" else None
    port = free_port()
    text = script(README, Instead(wheel=wheel, port=port, redis=redis))

    ran = subprocess.run(
        ["bash", "-c", text],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    plan, issued, listed, told, verified = (
        said.partition("\n")[2] for said in ran.stdout.split("\n$ flask refunds ")[-5:]
    )
    assert "Would refund 23.00 USD." in plan
    assert re.search(r"^1 +Mug +2 +18\.00 USD$", plan, re.MULTILINE)
    assert re.search(r"^shipping +Shipping +0 +5\.00 USD$", plan, re.MULTILINE)
    assert "Refund 1 is recorded." in issued
    assert re.search(
        r"^1 .* 1001 +23\.00 USD +completed +Completed +accepted +you$", listed, re.MULTILINE
    )
    assert "transfer 1: 23.00 USD to Visa, completed accepted" in told
    assert verified.startswith("Everything ties out.\n")
    assert "/admin/refunds_summary/" in verified


@pytest.mark.parametrize(
    "block",
    ["```python\nrefunds.open_wide()\n```", "```console\nno prompt\n```"],
)
def test_a_block_that_nobody_can_follow_is_refused(block: str) -> None:
    here = Instead(wheel=Path("Flask_Refunds.whl"), port=1, redis=None)
    script(README, here)

    with pytest.raises(Unreadable):
        script(README.replace("\n## More\n", f"\n{block}\n\n## More\n"), here)
