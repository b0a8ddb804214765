"""The documents say what the code says."""

import re
from dataclasses import fields
from pathlib import Path

from flask_refunds.config import Config

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `REFUNDS_(\w+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE))
    assert documented == {field.name.upper() for field in fields(Config)}


def test_every_link_between_our_documents_leads_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"
