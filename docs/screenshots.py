"""Takes the pictures of the explorer that the README shows: ``python docs/screenshots.py``.

They are taken in JupyterLab, in a headless Chromium, of streams on the embedded broker. Run it after changes of the
explorer's looks, and look at what came out. It needs what the tests need.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.browser.chromium import find  # noqa: E402
from tests.browser.explorer import Notebook, notebook_in  # noqa: E402
from tests.browser.lab import running_lab  # noqa: E402

if TYPE_CHECKING:
    from tests.browser.explorer import Explorer

IMAGES = HERE / "images"
WIDTH, HEIGHT = 1180, 900
SETTLE_MS = 4000
"""Rates and the sparkline need a little history."""
CELL = """
import streamlab as sl
app = sl.App("demo", broker="memory://demo")
s = app.topic("orders").stream(start=-500)

@s.processor
def enrich(order):
    order["total"] = round(order["price"] * order["quantity"], 2)
    return order

@s.processor
def in_euros(order):
    if order["currency"] != "EUR":
        raise sl.Skip
    if order["quantity"] == 5:
        raise ValueError("five of one kind")
    return order

@s.processor
def fraud_score(order):
    order["score"] = order["total"] / 100
    return order

s.processors.disable("fraud_score")
s
"""
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


def take(book: Notebook) -> None:
    """Take all pictures."""
    page = book.page
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    explorer = book.show(CELL)
    explorer.expect_state("live")
    explorer.select("enrich")
    page.wait_for_timeout(SETTLE_MS)
    _picture(explorer, "explorer-light")
    explorer.tab("Graph").click()
    page.wait_for_timeout(SETTLE_MS)
    _picture(explorer, "explorer-graph")
    explorer.tab("Messages").click()
    explorer.press("Follow")
    page.evaluate(THEME, "JupyterLab Dark")
    page.wait_for_timeout(SETTLE_MS)
    explorer.open_message(explorer.column("key")[-4])
    page.wait_for_timeout(SETTLE_MS)
    _picture(explorer, "explorer-dark")


def _picture(explorer: Explorer, name: str) -> None:
    explorer.root.scroll_into_view_if_needed()
    explorer.page.mouse.move(0, 0)
    explorer.root.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Start a front end and a browser, and take the pictures."""
    chromium = find()
    if chromium is None:
        sys.exit("there is no Chromium: `playwright install chromium`, or the system's package")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        work.mkdir()
        with running_lab(work, Path(folder) / "lab.log") as url, notebook_in(work, url, chromium) as book:
            take(book)


if __name__ == "__main__":
    main()
