"""The table is as it was when it comes back: from behind another tab, from a hidden output, from a cell that was moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import Explorer

if TYPE_CHECKING:
    from tests.browser.explorer import Notebook

NEXT_PICTURE = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def explorer(book: Notebook) -> Explorer:
    explorer = book.show("s = orders.stream(start='earliest')\ns")
    expect(explorer.status).to_contain_text("window 300 of 300")
    explorer.expect_column("amount", "texts.includes('299')")
    return explorer


def test_it_follows_on_when_it_goes_while_it_scrolls(book: Notebook, explorer: Explorer) -> None:
    # The browser tells of a scrolling with the next picture; by then the table is hidden, and stands nowhere.
    explorer.grid.evaluate(
        "grid => { grid.scrollTop -= 1; grid.closest('.sl-root').querySelector('[role=tab]:nth-child(3)').click(); }"
    )
    explorer.page.evaluate(NEXT_PICTURE)
    expect(explorer.grid).to_be_hidden()
    explorer.tab("Messages").click()
    expect(explorer.button("Follow")).to_have_attribute("aria-pressed", "true")
    explorer.expect_column("amount", "texts.includes('299')")
    index = explorer.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex")
    explorer.grid.evaluate("grid => { grid.scrollTop -= 1; window.jupyterapp.commands.execute('notebook:move-cell-up'); }")
    moved = Explorer(book.cell(index - 1).locator(".sl-root"))
    moved.expect_column("amount", "texts.includes('299')")
    expect(moved.button("Follow")).to_have_attribute("aria-pressed", "true")


def test_its_rows_are_in_sight_when_a_hidden_output_is_shown_again(book: Notebook, explorer: Explorer) -> None:
    explorer.grid.evaluate("grid => { grid.scrollTop = 100 * 24; }")
    rows = explorer.expect_column("amount", "texts.length > 10 && !texts.includes('299')")
    book.command("notebook:hide-cell-outputs")
    expect(explorer.grid).to_be_hidden()
    explorer.page.evaluate(NEXT_PICTURE)  # with it the browser tells of sizes; nobody hides and shows within one
    book.command("notebook:show-cell-outputs")
    expect(explorer.grid).to_be_visible()
    explorer.expect_column("amount", f"texts.join() === '{','.join(rows)}'")


def test_it_follows_on_when_it_grows(explorer: Explorer) -> None:
    rows = len(explorer.column("amount"))
    # The browser moves what is in the table, and may tell of that before it tells that the table has grown.
    explorer.grid.evaluate(
        """grid => {
          grid.closest('.sl-main').style.height = '600px';
          const moved = grid.scrollTop;
          grid.dispatchEvent(new Event('scroll'));
          return moved;
        }"""
    )
    explorer.expect_column("amount", f"texts.at(-1) === '299' && texts.length > {rows}")
    expect(explorer.button("Follow")).to_have_attribute("aria-pressed", "true")


def test_only_what_comes_after_it_is_new_to_a_moved_cell(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Follow")
    index = book.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex")
    book.command("notebook:move-cell-up")
    moved = Explorer(book.cell(index - 1).locator(".sl-root"))
    moved.expect_column("amount", "texts.length > 10")
    expect(moved.button("Follow")).to_have_attribute("aria-pressed", "false")
    expect(moved.root.locator(".sl-newer")).to_be_hidden()
    book.run("await fill(300, 4)")
    moved.root.scroll_into_view_if_needed()
    expect(moved.root.locator(".sl-newer")).to_have_text("4 new")
