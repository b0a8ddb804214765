"""A short storm on real processes. ``make chaos`` runs longer ones, with other seeds."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.run import Options, run
from tests.chaos.schedule import baskets, disturbances
from tests.servers import fast_folder

REFUNDS = 25


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="refunds-chaos-", dir=fast_folder()) as name:
        yield Path(name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("database", "keys", "seed"), [("sqlite_url", "off", 40), ("postgresql_url", "on", 323)]
)
def test_nobody_is_refunded_twice_and_nothing_is_lost(
    database: str, keys: str, seed: int, folder: Path, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue(database)
    options = Options(seed=seed, refunds=REFUNDS, keys=keys, database=url, calm=120)

    report = run(options, folder, print)

    assert report.evidence == [], "\n".join(report.evidence)
    assert report.issued >= REFUNDS
    assert report.transfers.total() >= REFUNDS


def test_the_plan_follows_from_the_seed() -> None:
    assert baskets(7, 40) == baskets(7, 40) != baskets(8, 40)
    assert disturbances(7, 40) == disturbances(7, 40) != disturbances(8, 40)
    assert sum(basket.wins for basket in baskets(7, 40)) == 40
