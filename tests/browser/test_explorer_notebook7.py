"""The essential controls in Notebook 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import DOUBLED, FILLED, Explorer, notebook_in
from tests.browser.lab import NOTEBOOK_7, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.explorer import Notebook

STREAM = DOUBLED + "s"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Notebook]:
    folder = tmp_path_factory.mktemp("notebook7")
    work = folder / "work"
    work.mkdir()
    with running_lab(work, folder / "notebook.log", NOTEBOOK_7) as url, notebook_in(work, url, chromium) as notebook:
        notebook.run(FILLED)
        yield notebook


@pytest.fixture(scope="module")
def shown(book: Notebook) -> Explorer:
    explorer = book.show(STREAM)
    expect(explorer.status).to_contain_text("window 300 of 300")
    return explorer


@pytest.fixture
def explorer(shown: Explorer) -> Explorer:
    shown.root.scroll_into_view_if_needed()
    return shown


def test_it_runs_pauses_and_stops(book: Notebook, explorer: Explorer) -> None:
    explorer.press("Pause")
    explorer.expect_state("paused")
    explorer.press("Run")
    explorer.expect_state("live")
    explorer.press("Stop")
    explorer.expect_state("stopped")
    assert book.ask("len(sl.running())") == 0
    explorer.press("Restart")
    explorer.expect_state("live")


def test_rows_are_filtered_and_opened(explorer: Explorer) -> None:
    explorer.filter.fill("amount == 12")
    explorer.expect_column("id", "texts.join() === '9007199254741005'")
    panel = explorer.open_message("a12")
    expect(panel.get_by_role("tree", name="Value")).to_contain_text("9007199254741005")
    explorer.filter.fill("")
    explorer.inspector.get_by_role("button", name="Close").click()


def test_a_processor_is_edited_and_the_graph_is_drawn(book: Notebook, explorer: Explorer) -> None:
    panel = explorer.select("double")
    explorer.write("def double(order):\n    order['total'] = -1\n    return order\n")
    panel.get_by_role("button", name="Apply").click()
    expect(panel.locator(".sl-status")).to_have_text("Applied")
    book.run("await fill(300, 1)")
    explorer.root.scroll_into_view_if_needed()
    expect(panel.get_by_role("tree", name="After").locator("ins.sl-added")).to_have_text("-1 (added)")
    explorer.tab("Graph").click()
    expect(explorer.root.locator("svg g.node")).to_have_count(3)
    explorer.tab("Messages").click()
    panel.get_by_role("button", name="Close", exact=True).click()


def test_keys_stay_in_the_table(book: Notebook, explorer: Explorer) -> None:
    before = book.cell_types
    for key in ("d", "d", "b", "m", "Shift+Enter"):
        explorer.grid.focus()
        explorer.page.keyboard.press(key)
    assert book.cell_types == before


def test_it_goes_on_while_a_cell_sleeps(book: Notebook, explorer: Explorer) -> None:
    cell = book.start_sleeping()
    explorer.press("Pause")
    explorer.expect_state("paused")
    explorer.press("Run")
    explorer.expect_state("live")
    expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")
    book.interrupt()
    expect(cell).to_contain_text("KeyboardInterrupt")


def test_a_reload_keeps_the_stream_and_clearing_the_output_stops_it(book: Notebook, explorer: Explorer) -> None:
    book.command("docmanager:save")
    book.open()
    again = Explorer(book.page.locator(".sl-root"))
    again.expect_state("live")
    assert book.ask("len(sl.running())") == 1
    book.command("notebook:clear-all-cell-outputs")
    expect(again.root).to_have_count(0)
    book.wait_for("len(sl.running()) == 0")
