"""The doctor is silent on every host of the zoo."""

import pytest

from flask_refunds.doctor import Severity, examine
from tests.hosts import zoo
from tests.zoo.conftest import OpenShop


@pytest.mark.parametrize(("name", "kind"), zoo.cases())
def test_finds_nothing_wrong(open_shop: OpenShop, name: str, kind: str) -> None:
    shop = open_shop(name, kind)

    found = examine(shop.app, offline=True)

    assert [each for each in found if each.severity is not Severity.NOTE] == []
