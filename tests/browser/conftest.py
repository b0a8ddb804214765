"""The demo, one for all the modules that a worker of xdist runs, and the administrator's page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.walking import running_demo, sign_in


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the running demo keeps what it has."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def demo(demo_folder: Path) -> Iterator[str]:
    """The address of the running demo's admin. Tests share it: each keeps to orders of its own."""
    with running_demo(demo_folder) as address:
        yield address


@pytest.fixture
def admin(demo: str, page: Page) -> Iterator[Page]:
    """A page on which the administrator has signed in; its script errors fail the test."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, demo)
    yield page
    assert errors == []
