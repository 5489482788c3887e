"""What axe finds, as lines that a person can act on."""

from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

# Without its tag the newest of these, the size of targets, is passed over.
_RULES: Final = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}


async def violations(page: Page) -> list[str]:
    """One line for each element that violates WCAG 2.2 AA."""
    found = await Axe().run(page, options=_RULES)
    return [f"{page.url}: {rule['id']}: {_where(node)}" for rule in found.response["violations"] for node in rule["nodes"]]


def _where(node: dict[str, Any]) -> str:
    return f"{node['target']} {node['failureSummary']} {node['html'][:160]}"
