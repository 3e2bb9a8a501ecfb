"""While a cell runs: the stream goes on, the view goes on, and what is pressed is done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import Explorer

if TYPE_CHECKING:
    from tests.browser.explorer import Notebook

FLOW = """
import threading, time
stop = threading.Event()
def flow():
    loop = asyncio.new_event_loop()
    n = 0
    while not stop.wait(0.02):
        for _ in range(10):
            n += 1
            loop.run_until_complete(ticks.send(value={"n": n}))
ticks = app.topic("ticks", partitions=1)
await ticks.send(value={"n": 0})
threading.Thread(target=flow, daemon=True, name="flow").start()
"""
SHOW = "s = ticks.stream(start='latest')\ns"
SLEEP = "time.sleep(60)"


@pytest.fixture(scope="module", autouse=True)
def flow(book: Notebook) -> None:
    book.run(FLOW)


def total(explorer: Explorer) -> int:
    return int(re.sub(r"\D", "", re.findall(r"of ([\d,]+)", explorer.status.inner_text())[0]))


def expect_more(explorer: Explorer) -> None:
    """Wait until more messages are shown than now."""
    now = explorer.status.locator(".sl-num").first.inner_text()
    expect(explorer.status.locator(".sl-num").first).not_to_have_text(now)


def test_all_goes_on_while_a_cell_sleeps(book: Notebook) -> None:
    explorer = book.show(SHOW)
    explorer.expect_state("live")
    expect_more(explorer)
    cell = book.start(SLEEP)
    prompt = cell.locator(".jp-InputPrompt")
    expect(prompt).to_have_text("[*]:")
    explorer.root.scroll_into_view_if_needed()
    for _ in range(5):
        expect_more(explorer)
    explorer.grid.evaluate("grid => { grid.scrollTop = 0; }")
    explorer.expect_column("n", "texts.length > 5 && Number(texts[1]) === Number(texts[0]) + 1")
    expect(explorer.button("Follow")).to_have_attribute("aria-pressed", "false")
    explorer.press("Pause")
    explorer.expect_state("paused")
    explorer.press("Run")
    explorer.expect_state("live")
    expect_more(explorer)
    explorer.press("Stop")
    explorer.expect_state("stopped")
    expect(prompt).to_have_text("[*]:")
    book.interrupt()
    expect(cell).to_contain_text("KeyboardInterrupt")


def test_all_goes_on_when_the_next_cell_sleeps_under_run_all(book: Notebook) -> None:
    shows, sleeps = book.add(SHOW.replace("s = ", "r = ").replace("\ns", "\nr")), book.add(SLEEP)
    book.start_from(shows)
    explorer = Explorer(book.cell(shows).locator(".sl-root"))
    prompt = book.cell(sleeps).locator(".jp-InputPrompt")
    expect(prompt).to_have_text("[*]:")
    explorer.expect_state("live")
    for _ in range(3):
        expect_more(explorer)
    explorer.press("Follow")  # what is picked is to stay where it is
    amount = explorer.expect_column("n", "texts.length > 3")[-3]
    panel = explorer.open_message(amount)
    expect(panel.get_by_role("tree", name="Value")).to_contain_text(amount)
    explorer.press("Stop")
    explorer.expect_state("stopped")
    expect(prompt).to_have_text("[*]:")
    book.interrupt()
    expect(book.cell(sleeps)).to_contain_text("KeyboardInterrupt")


def test_a_busy_python_cell_slows_it_only(book: Notebook) -> None:
    explorer = book.show(SHOW)
    cell = book.start("while True:\n    sum(range(1000))")
    prompt = cell.locator(".jp-InputPrompt")
    expect(prompt).to_have_text("[*]:")
    explorer.root.scroll_into_view_if_needed()
    for _ in range(3):
        expect_more(explorer)
    explorer.press("Pause")
    explorer.expect_state("paused")
    expect(prompt).to_have_text("[*]:")
    book.interrupt()
    expect(cell).to_contain_text("KeyboardInterrupt")
    book.run("stop.set()")
