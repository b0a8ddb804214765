"""A developer changes a part of our pages without copying the rest (docs/templates.md)."""

from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader

from flask_refunds.admin.references import customer_token
from tests.functional.conftest import Shop

OVERRIDE = """
{% extends "flask_refunds/history.html" %}
{% block refunds_owner %}<p>Our returns policy: 30 days.</p>{{ super() }}{% endblock %}
"""


@pytest.fixture
def folder(shop: Shop, tmp_path: Path) -> Path:
    """The host's template folder, with ours under a second name as the document says."""
    loader = shop.app.jinja_loader
    assert loader is not None
    second = PrefixLoader({"flask_refunds": PackageLoader("flask_refunds", "templates/refunds")})
    shop.app.jinja_loader = ChoiceLoader([FileSystemLoader(tmp_path), loader, second])
    (tmp_path / "refunds").mkdir()
    return tmp_path / "refunds"


def history(shop: Shop) -> str:
    with shop.app.test_request_context():
        token = customer_token(shop.people["ada"])
    return shop.client().get(f"/admin/refunds_history/?customer={token}").text


def test_a_block_of_the_host_wins_and_the_page_around_it_stays(shop: Shop, folder: Path) -> None:
    (folder / "history.html").write_text(OVERRIDE)
    page = history(shop)
    assert "Our returns policy: 30 days." in page
    assert "ada@example.com" in page
    assert "Refund Order" in page


def test_a_file_of_the_host_wins(shop: Shop, folder: Path) -> None:
    (folder / "history_lines.html").write_text("<p>{{ facts.lines|length }} lines, our way</p>")
    assert "lines, our way" in history(shop)
