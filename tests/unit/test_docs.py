"""The documents say what the code says."""

import re
from dataclasses import fields
from pathlib import Path

from flask_refunds.config import Config
from flask_refunds.doctor import CODES
from tests.integration import fault_matrix

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `REFUNDS_(\w+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE))
    assert documented == {field.name.upper() for field in fields(Config)}


def test_every_code_of_the_doctor_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)`(°?) \| (error|warning|note) \|", page, re.MULTILINE)
    assert documented == [
        (name, "°" if code.by_share else "", code.severity) for name, code in CODES.items()
    ]


def test_every_link_between_our_documents_leads_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_picture_is_small_enough_to_be_loaded_with_a_page() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert {name: size for name, size in sizes.items() if size > 150_000} == {}


def test_the_fault_matrix_of_the_documents_is_the_one_that_is_tested() -> None:
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert fault_matrix.table() in page
