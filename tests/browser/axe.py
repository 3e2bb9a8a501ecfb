"""Looks for what people with a screen reader or a keyboard cannot use, by axe-core."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """
async selector => {
  const found = await window.axe.run(selector, {resultTypes: ['violations', 'incomplete']});
  return [...found.violations, ...found.incomplete]
    .filter(one => one.impact === 'serious' || one.impact === 'critical')
    .map(one => `${one.id}: ${one.nodes.map(node => `${node.html.slice(0, 150)} (${node.any[0]?.message ?? node.all[0]?.message})`).join('; ')}`);
}
"""


def violations(page: Page, selector: str = ".sl-root") -> list[str]:
    """Return the serious violations within what a selector finds, and what may be one.

    The script comes with the packages that the front end is built with: ``make test`` installs them.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SCRIPT.read_text("utf-8"))
    found: list[str] = page.evaluate(RUN, selector)
    return found
