"""Looking for barriers with axe-core on what is ours of a page."""

import json
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
OPTIONS = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": list(RULES)}}


def assert_no_barriers(page: Page, ours: str = ".refunds") -> None:
    """Fail with a list of what axe finds in the elements that *ours* selects."""
    found = barriers(page, ours)
    assert not found, f"axe finds {len(found)} barriers on {page.url}:\n\n" + "\n\n".join(found)


def barriers(page: Page, ours: str = ".refunds") -> list[str]:
    """Return what axe finds: the rule, the element, what is wrong, and where it is explained."""
    page.wait_for_load_state()
    page.evaluate(AXE_SCRIPT)
    page.evaluate("() => Promise.all(document.getAnimations().map(each => each.finished))")
    context = {"include": [[ours]]}
    run = f"axe.run({json.dumps(context)}, {json.dumps(OPTIONS)})"
    result: dict[str, Any] = page.evaluate(run)
    return [told(rule, node) for rule in result["violations"] for node in rule["nodes"]]


def told(rule: dict[str, Any], node: dict[str, Any]) -> str:
    """Return one finding in a few lines."""
    what = node["failureSummary"].replace("\n", "\n    ")
    where = " ".join(map(str, node["target"]))
    return (
        f"{rule['id']} ({rule['impact']}): {rule['help']}\n"
        f"  at {where}\n    {node['html'][:200]}\n    {what}\n  {rule['helpUrl']}"
    )
