"""Keys that are typed in the explorer stay there: JupyterLab's shortcuts never hear of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import DOUBLED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.explorer import Explorer, Notebook

STREAM = DOUBLED + "s"
SHORTCUTS = (
    "d",
    "d",
    "b",
    "a",
    "m",
    "x",
    "y",
    "z",
    "Shift+Enter",
    "Control+Enter",
    "Control+f",
    "Alt+Enter",
    "Enter",
    "Escape",
    "0",
    "0",
)
"""Delete the cell, add one, make it text, run it, search, restart the kernel: what they would do shows in the cells."""


@pytest.fixture(scope="module")
def shown(book: Notebook) -> Explorer:
    explorer = book.show(STREAM)
    expect(explorer.status).to_contain_text("window 300 of 300")
    return explorer


@pytest.fixture
def explorer(book: Notebook, shown: Explorer) -> Iterator[Explorer]:
    """Return the explorer; cells and kernel are as they were when the test ends."""
    shown.root.scroll_into_view_if_needed()
    before = book.cell_types, book.ask("__import__('os').getpid()"), book.ask("get_ipython().execution_count")
    yield shown
    expect(book.page.locator(".jp-DocumentSearch-overlay")).to_have_count(0)
    expect(book.page.locator(".jp-Dialog")).to_have_count(0)
    assert (book.cell_types, book.ask("__import__('os').getpid()"), book.ask("get_ipython().execution_count")) == before


def press_all(place: Locator, explorer: Explorer) -> None:
    for key in SHORTCUTS:
        place.focus()
        explorer.page.keyboard.press(key)


def test_keys_in_the_table(explorer: Explorer) -> None:
    press_all(explorer.grid, explorer)


@pytest.mark.parametrize("name", ["More", "Columns", "Follow", "Add a processor"])
def test_keys_on_buttons(explorer: Explorer, name: str) -> None:
    for key in ("d", "d", "b", "a", "m", "x", "Shift+Enter", "Control+f", "0", "0"):
        explorer.button(name).focus()
        explorer.page.keyboard.press(key)
    explorer.page.keyboard.press("Escape")


def test_keys_on_nodes_tabs_heads_and_the_time(explorer: Explorer) -> None:
    places = [
        explorer.node("double"),
        explorer.tab("Messages"),
        explorer.root.locator(".sl-sort").first,
        explorer.root.get_by_role("slider").first,
    ]
    for place in places:
        for key in ("d", "d", "b", "a", "m", "x", "Control+f", "0", "0"):
            place.focus()
            explorer.page.keyboard.press(key)


def test_keys_in_the_filter(explorer: Explorer) -> None:
    explorer.filter.focus()
    explorer.page.keyboard.type("ddbmax00")
    expect(explorer.filter).to_have_value("ddbmax00")
    explorer.page.keyboard.press("Shift+Enter")
    explorer.page.keyboard.press("Control+f")
    explorer.page.keyboard.press("Escape")
    expect(explorer.filter).to_have_value("")


def test_keys_in_the_inspector(explorer: Explorer) -> None:
    explorer.node("orders").click()
    close = explorer.inspector.get_by_role("button", name="Close")
    for key in ("d", "d", "b", "a", "m", "x", "Control+f", "0", "0"):
        close.focus()
        explorer.page.keyboard.press(key)
    close.click()
    amount = explorer.expect_column("amount", "texts.length > 3")[3]
    tree = explorer.open_message(f"a{amount}").get_by_role("treeitem").first
    for key in ("d", "d", "b", "a", "m", "x", "Shift+Enter", "Control+f", "ArrowDown", "0", "0"):
        tree.focus()
        explorer.page.keyboard.press(key)
    explorer.inspector.get_by_role("button", name="Close").click()


def test_keys_in_the_editor_and_how_tab_leaves_it(explorer: Explorer) -> None:
    explorer.select("double")
    explorer.write("")
    explorer.page.keyboard.type("ddbmax00")
    explorer.page.keyboard.press("Control+f")
    expect(explorer.editor).to_contain_text("ddbmax00")
    # Tab indents; after Escape it leaves.
    explorer.page.keyboard.press("Tab")
    expect(explorer.editor).to_be_focused()
    explorer.page.keyboard.press("Escape")
    explorer.page.keyboard.press("Tab")
    expect(explorer.editor).not_to_be_focused()
    expect(explorer.inspector.get_by_role("button", name="Try on 1,000")).to_be_focused()
    explorer.write("def double(order):\n    order['total'] = order['amount'] * 2\n    return order\n")
    explorer.page.keyboard.press("Shift+Enter")
    expect(explorer.inspector.locator(".sl-status")).to_have_text("Applied")
    explorer.inspector.get_by_role("button", name="Close", exact=True).click()


def test_tab_goes_through_the_whole_explorer_and_out_of_it(explorer: Explorer) -> None:
    explorer.button("Pause").focus()
    inside = "() => document.activeElement.closest('.sl-root') !== null"
    label = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    seen: list[str] = []
    while explorer.page.evaluate(inside) and len(seen) < 60:
        seen.append(explorer.page.evaluate(label))
        explorer.page.keyboard.press("Tab")
    assert len(seen) < 60
    for name in ("Stop", "More", "Messages", "Columns", "Start of the selected time", "End of the selected time"):
        assert name in seen, seen


def test_the_focus_stays_when_what_had_it_goes(book: Notebook, explorer: Explorer) -> None:
    keys = explorer.page.keyboard

    def press(button: Locator, key: str = "Enter") -> None:
        button.focus()
        keys.press(key)

    side = explorer.inspector
    for node, name in (("orders", "Source"), ("double", "Processor double")):
        press(explorer.node(node))
        expect(side.get_by_role("region", name=name)).to_be_visible()
        press(side.get_by_role("button", name="Close", exact=True))
        expect(explorer.node(node)).to_be_focused()
    explorer.grid.focus()
    keys.press("End")
    keys.press("Enter")
    explorer.button("Columns").focus()
    press(side.get_by_role("tab", name="Value"), "Escape")
    expect(side).to_be_hidden()
    expect(explorer.grid).to_be_focused()
    press(explorer.button("Stop"))
    explorer.expect_state("stopped")
    expect(explorer.button("Clear")).to_be_focused()
    press(explorer.button("Restart"))
    explorer.expect_state("live")
    expect(explorer.root.get_by_role("toolbar").locator(":focus")).to_have_count(1)


def test_a_new_processor_is_written_at_once_and_written_on_after_it_was_applied(book: Notebook, explorer: Explorer) -> None:
    keys = explorer.page.keyboard
    explorer.button("Add a processor").focus()
    keys.press("Enter")
    expect(explorer.editor).to_be_focused()
    keys.press("Escape")
    keys.press("Tab")
    expect(explorer.inspector.get_by_role("button", name="Try on 1,000")).to_be_focused()
    explorer.write("def fresh(order):\n    return order\n")
    keys.press("Shift+Enter")
    expect(explorer.root.get_by_role("region", name="Processor fresh")).to_be_visible()
    expect(explorer.editor).to_be_focused()
    explorer.inspector.get_by_role("button", name="Remove").focus()
    keys.press("Enter")
    expect(explorer.inspector).to_be_hidden()
    expect(explorer.button("Add a processor")).to_be_focused()
