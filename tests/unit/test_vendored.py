"""What we ship of others is what they published, with their licences beside it."""

import re
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "flask_refunds" / "static" / "refunds" / "vendor"


def test_chart_js_says_its_version_and_has_its_licences_beside_it() -> None:
    script = (VENDOR / "chart.umd.min.js").read_text(encoding="utf-8")
    licences = (VENDOR / "chart.LICENSE.md").read_text(encoding="utf-8")

    assert re.search(r"Chart\.js v4\.\d+\.\d+\n", script[:200])
    assert licences.count("Permission is hereby granted, free of charge") == 2
    assert {"# Chart.js", "# @kurkle/color, which chart.umd.min.js contains"} <= set(
        licences.splitlines()
    )


def test_nothing_else_is_vendored() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {"chart.umd.min.js", "chart.LICENSE.md"}
