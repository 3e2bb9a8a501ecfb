"""What becomes of a shown stream when its cell runs again, its view goes, its page is loaded anew, its kernel ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.explorer import FILLED, RESTART, SUBSHELLS_COME_LATE, Explorer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.explorer import Notebook

SHOW = "s = orders.stream(start='earliest')\ns"
RUNNING = "len(sl.running())"
PID = "__import__('os').getpid()"
THREADS = "sorted(t.name for t in __import__('threading').enumerate() if t.name.startswith('streamlab'))"
CLOSE_AND_OPEN = """
async () => {
  const {shell, commands} = window.jupyterapp;
  const {context} = shell.currentWidget;
  await context.save();
  const closed = shell.currentWidget;
  closed.close();
  while (!closed.isDisposed) {
    // The snapshot may have changed again meanwhile.
    [...document.querySelectorAll('.jp-Dialog button')].find(one => one.textContent === 'Save')?.click();
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  const panel = await commands.execute('docmanager:open', {path: context.path});
  await panel.revealed;
  await panel.sessionContext.ready;
}
"""
PLACE = """
root => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  const index = notebook.widgets.findIndex(cell => cell.node.contains(root));
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  return index;
}
"""


@pytest.fixture
def explorer(book: Notebook) -> Iterator[Explorer]:
    """Show a stream in a new cell; whatever runs at the end of the test is stopped."""
    explorer = book.show(SHOW)
    explorer.expect_state("live")
    assert book.ask(RUNNING) == 1
    yield explorer
    book.run("sl.running().stop()")
    book.wait_for(f"{RUNNING} == 0")


def activate(book: Notebook, explorer: Explorer) -> int:
    """Make the cell of an explorer the active one; its index."""
    index: int = book.page.evaluate(PLACE, explorer.root.element_handle())
    return index


def test_running_the_cell_again_leaves_one_running_stream(book: Notebook, explorer: Explorer) -> None:
    index = activate(book, explorer)
    for _ in range(3):
        book.again(index)
    again = Explorer(book.cell(index).locator(".sl-root"))
    again.expect_state("live")
    expect(again.status).to_contain_text("window 300 of 300")
    book.wait_for(f"{RUNNING} == 1")
    book.wait_for("sl.running()[0] is s")


def test_clearing_the_output_stops_the_stream_after_a_grace(book: Notebook, explorer: Explorer) -> None:
    activate(book, explorer)
    book.command("notebook:clear-cell-output")
    expect(explorer.root).to_have_count(0)
    assert book.ask(RUNNING) == 1
    book.wait_for(f"{RUNNING} == 0")


def test_deleting_the_cell_stops_the_stream_after_a_grace(book: Notebook, explorer: Explorer) -> None:
    activate(book, explorer)
    before = len(book.cell_types)
    book.command("notebook:delete-cell")
    assert len(book.cell_types) == before - 1
    assert book.ask(RUNNING) == 1
    book.wait_for(f"{RUNNING} == 0")


@pytest.mark.parametrize(("before", "after"), [("own.run()", ""), ("", "await own.restart()")])
def test_a_stream_that_the_notebook_runs_itself_goes_on(book: Notebook, before: str, after: str) -> None:
    explorer = book.show(f"own = orders.stream(start='earliest')\n{before}\nown")
    book.run(after)
    activate(book, explorer)
    book.command("notebook:clear-cell-output")
    # One that showing had started stops beside it.
    other = book.show(SHOW)
    activate(book, other)
    book.command("notebook:clear-cell-output")
    book.wait_for(f"{RUNNING} == 1")
    assert book.ask("sl.running()[0] is own")
    book.run("await own.stop()")


def test_moving_the_cell_keeps_the_stream_and_what_is_selected(book: Notebook, explorer: Explorer) -> None:
    explorer.filter.fill("amount == 2")
    explorer.expect_column("amount", "texts.join() === '2'")
    index = activate(book, explorer)
    book.command("notebook:move-cell-up")
    moved = Explorer(book.cell(index - 1).locator(".sl-root"))
    expect(moved.filter).to_have_value("amount == 2")
    moved.expect_column("amount", "texts.join() === '2'")
    moved.expect_state("live")
    assert book.ask(RUNNING) == 1


def test_a_reload_of_the_page_does_not_stop_the_stream(book: Notebook, explorer: Explorer) -> None:
    index = activate(book, explorer)
    book.command("docmanager:save")
    book.open()
    again = Explorer(book.cell(index).locator(".sl-root"))
    again.expect_state("live")
    expect(again.status).to_contain_text("window 300 of 300")
    # Longer than the grace after a bye.
    book.run("await asyncio.sleep(6)")
    assert book.ask(RUNNING) == 1
    book.run("await fill(300, 4)\nsent -= 4")
    again.root.scroll_into_view_if_needed()
    expect(again.status).to_contain_text("window 304 of 304")
    # The view from before the reload does not keep it.
    activate(book, again)
    book.command("notebook:clear-cell-output")
    book.wait_for(f"{RUNNING} == 0")


def test_a_view_that_is_moved_or_loaded_again_shows_the_rows_that_were_looked_at(book: Notebook, explorer: Explorer) -> None:
    explorer.expect_column("amount", "texts.includes('299') || texts.includes('298')")
    explorer.grid.focus()
    for _ in range(6):
        book.page.keyboard.press("PageUp")
    seen = explorer.expect_column("amount", "texts.length > 3 && texts.every(text => text > 0 && text < 290)")
    index = activate(book, explorer)
    book.command("notebook:move-cell-up")
    moved = Explorer(book.cell(index - 1).locator(".sl-root"))
    moved.expect_state("live")
    moved.expect_column("amount", f"texts.join() === '{','.join(seen)}'")
    book.command("docmanager:save")
    book.open()
    again = Explorer(book.cell(index - 1).locator(".sl-root"))
    again.expect_state("live")
    again.expect_column("amount", f"texts.join() === '{','.join(seen)}'")
    expect(again.button("Follow")).to_have_attribute("aria-pressed", "false")


def test_a_notebook_that_is_closed_and_opened_again_leaves_no_stream_behind(book: Notebook, explorer: Explorer) -> None:
    index = activate(book, explorer)
    book.page.evaluate(CLOSE_AND_OPEN)
    again = Explorer(book.cell(index).locator(".sl-root"))
    again.expect_state("live")
    assert book.ask(RUNNING) == 1
    book.again(index)
    again.expect_state("live")
    book.wait_for(f"{RUNNING} == 1")
    book.wait_for("sl.running()[0] is s")


def test_interrupting_a_cell_leaves_the_stream_alone(book: Notebook, explorer: Explorer) -> None:
    cell = book.start_sleeping()
    book.interrupt()
    expect(cell).to_contain_text("KeyboardInterrupt")
    explorer.expect_state("live")
    total = int(re.sub(r"\D", "", re.findall(r"of ([\d,]+)", explorer.status.inner_text())[0]))
    book.run("await fill(500, 2)")
    explorer.root.scroll_into_view_if_needed()
    expect(explorer.status).to_contain_text(f"of {total + 2}")


def test_a_new_kernel_has_nothing_of_the_old_one(book: Notebook, explorer: Explorer) -> None:
    pid = book.ask(PID)
    assert "streamlab-view" in book.ask(THREADS)
    book.page.evaluate(RESTART)
    # The old view does nothing any more, and says so at once.
    explorer.expect_state("silent")
    expect(explorer.button("Pause")).to_be_disabled()
    explorer.tab("Graph").click()
    expect(explorer.root.get_by_role("tabpanel", name="Graph")).to_contain_text("Run the cell again")
    explorer.tab("Messages").click()
    explorer.grid.focus()
    for key in ("End", "Enter"):
        book.page.keyboard.press(key)
    expect(explorer.root.get_by_role("region", name="Message")).to_contain_text("Run the cell again")
    book.run(FILLED)
    assert book.ask(PID) != pid
    assert not psutil.pid_exists(pid)
    assert book.ask(RUNNING) == 0
    again = book.show(SHOW)
    again.expect_state("live")
    expect(again.status).to_contain_text("window 300 of 300")


def test_a_view_that_is_drawn_before_there_is_a_subshell_is_live_while_the_next_cell_sleeps(book: Notebook) -> None:
    book.page.evaluate(RESTART)
    book.run(FILLED)
    book.page.evaluate(SUBSHELLS_COME_LATE)
    shows, sleeps = book.add(SHOW), book.add("import time\ntime.sleep(60)")
    book.start_from(shows)
    explorer = Explorer(book.cell(shows).locator(".sl-root"))
    explorer.expect_state("live")
    expect(book.cell(sleeps).locator(".jp-InputPrompt")).to_have_text("[*]:")
    book.interrupt()
    expect(book.cell(sleeps)).to_contain_text("KeyboardInterrupt")
