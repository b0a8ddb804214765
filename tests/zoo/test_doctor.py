"""The doctor is silent on every host of the zoo, but for an admin that is open to strangers."""

import pytest

from flask_refunds.doctor import Severity, examine
from tests.hosts import zoo
from tests.zoo.conftest import OpenShop


@pytest.mark.parametrize(("name", "kind"), zoo.cases())
def test_finds_nothing_but_an_open_admin(open_shop: OpenShop, name: str, kind: str) -> None:
    shop = open_shop(name, kind)

    found = examine(shop.app, offline=True)

    bad = {each.code: each.example for each in found if each.severity is not Severity.NOTE}
    assert set(bad) == (set() if shop.host.guarded else {"pages_open"}), bad
