"""Gateways by name, of distributions that are really installed on the path."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from example_app.wiring import STOREFRONT
from flask_refunds import AdminAccessPolicy, Refunds
from flask_refunds.errors import ConfigurationError
from flask_refunds.gateways.braintree import BraintreeGateway
from flask_refunds.gateways.stripe import StripeGateway
from flask_refunds.testing import StripeServer

CODE = """
def build(config):
    return "a gateway of " + config["SHOP"]
"""


def refunds(gateways: Any) -> Refunds:
    return Refunds(STOREFRONT, policy=AdminAccessPolicy(), gateways=gateways)


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with one entry point, as pip does: a dist-info folder on the path."""

    def make(distribution: str, name: str, where: str, code: str = CODE) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0")
        (info / "entry_points.txt").write_text(f"[flask_refunds.gateways]\n{name} = {where}\n")
        (site / f"{where.partition(':')[0]}.py").write_text(code)
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()

    return make


def test_our_own_gateways_are_known_by_their_names() -> None:
    with StripeServer() as server:
        ours = refunds(["braintree", "stripe"])
        assert list(ours.gateways) == ["braintree", "stripe"]
        assert isinstance(ours.gateways["stripe"](server.gateway_config()), StripeGateway)
    assert ours.gateways["braintree"] == BraintreeGateway.from_config


def test_a_shop_may_call_an_installed_gateway_otherwise() -> None:
    ours = refunds({"card": "stripe", "old": BraintreeGateway.from_config})
    assert ours.gateways == {
        "card": StripeGateway.from_config,
        "old": BraintreeGateway.from_config,
    }


def test_a_gateway_of_another_distribution_is_built_by_its_name(install: Install) -> None:
    install("acme", "acmepay", "acme_pay_one:build")
    build: Any = refunds(["acmepay"]).gateways["acmepay"]
    assert build({"SHOP": "ours"}) == "a gateway of ours"


def test_an_unknown_name_is_refused_with_those_that_are_known(install: Install) -> None:
    install("acme", "acmepay", "acme_pay_two:build")
    words = "gateways= names 'acmepai', .* Installed: acmepay, braintree, stripe.$"
    with pytest.raises(ConfigurationError, match=words):
        refunds(["acmepai"])
    with pytest.raises(ConfigurationError, match=r"gateways\['card'\] is 'acmepai', and no"):
        refunds({"card": "acmepai"})


def test_a_name_that_two_distributions_offer_is_refused(install: Install) -> None:
    install("acme", "acmepay", "acme_pay_three:build")
    install("bcme", "acmepay", "bcme_pay_three:build")
    words = "several installed packages offer it: acme_pay_three:build and bcme_pay_three:build"
    with pytest.raises(ConfigurationError, match=words):
        refunds(["acmepay"])


@pytest.mark.parametrize(
    ("code", "words"),
    [("import nothing_like_it", "No module named 'nothing_like_it'"), ("", "has no attribute")],
)
def test_a_gateway_that_cannot_be_loaded_is_refused_with_the_reason(
    install: Install, code: str, words: str
) -> None:
    module = f"acme_broken_{abs(hash(code))}"
    install("acme", "acmepay", f"{module}:build", code)
    with pytest.raises(ConfigurationError, match=f"{module}:build cannot be loaded: .*{words}"):
        refunds(["acmepay"])
    sys.modules.pop(module, None)


def test_a_single_name_is_refused_with_the_list_that_was_meant() -> None:
    with pytest.raises(ConfigurationError, match=r"pass a list of names: \['stripe'\]"):
        refunds("stripe")
