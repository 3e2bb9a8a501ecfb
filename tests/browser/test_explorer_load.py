"""Explorers under load: bounds of what travels, answers while the kernel is busy, and nothing that grows.

How fast all this is, is measured by ``benchmarks/explorer.py``: here are bounds that hold on a busy machine too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_notebook
from playwright.sync_api import expect

from streamlab.views.presence import MAX_ROOM
from tests.browser.explorer import KERNEL, Notebook, notebook_in
from tests.browser.lab import running_lab
from tests.browser.meters import WATCH_SOCKETS, Meters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.explorer import Explorer

FLOOD = """
import asyncio, threading, time
import streamlab as sl
app = sl.App("load", broker="memory://load")
flood = app.channel(maxsize=5000)
s = flood.stream()
pouring = True
async def pour():
    sent = 0
    while pouring:
        await flood.put({"id": sent, "text": "x" * 100})
        sent += 1
        if not sent % 500:
            await asyncio.sleep(0.01)
runner = threading.Thread(target=lambda: asyncio.run(pour()), daemon=True)
explorer = s.explore(messages=10_000)
explorer.shown.window.on_full = None
runner.start()
explorer
"""
SLEEP = "import time; time.sleep(60)"
BUSY = "while True: sum(i * i for i in range(1000))"
PER_S = 10
BYTES_PER_S = 2_000_000
BLOCK = "ms => { const until = performance.now() + ms; while (performance.now() < until); }"
SEEN = "() => [Object.values(slMeter.frames).reduce((all, one) => all + one, 0), slMeter.busy]"
KERNELS = "@jupyterlab/apputils-extension/kernels-settings.jupyterlab-settings"


@pytest.fixture(scope="module")
def loaded(lab: tuple[Path, str], chromium: str) -> Iterator[Notebook]:
    with notebook_in(*lab, chromium) as notebook:
        notebook.page.add_init_script(WATCH_SOCKETS)
        notebook.open()
        yield notebook


@pytest.fixture(scope="module")
def flooded(loaded: Notebook) -> Explorer:
    """An explorer of a stream that gets up to 50,000 messages a second."""
    explorer = loaded.show(FLOOD)
    expect(explorer.status).to_contain_text("window 10,000 of")
    return explorer


@pytest.fixture
def meters(loaded: Notebook, flooded: Explorer) -> Meters:
    flooded.expect_state("live")
    return Meters(loaded.page)


def test_a_flood_travels_in_few_frames_of_few_bytes(meters: Meters) -> None:
    before = meters.value("s.events_total")
    traffic = meters.traffic(3)
    assert meters.value("s.events_total") > before + 1000
    [frames] = traffic.frames_per_s.values()
    assert 0.5 < frames <= PER_S * 1.1
    assert traffic.bytes_per_s < BYTES_PER_S


def test_few_acknowledgements_travel_back_since_the_kernel_is_busy_with_each(meters: Meters) -> None:
    before = meters.page.evaluate(SEEN)
    meters.page.wait_for_timeout(6000)
    frames, statuses = (now - then for now, then in zip(meters.page.evaluate(SEEN), before, strict=True))
    assert frames > 6
    # Busy and idle for each message; a page that cannot keep up says more, but never one for each frame.
    assert statuses < 1.5 * frames


def test_a_page_that_draws_nothing_for_a_while_finds_no_backlog(meters: Meters, flooded: Explorer) -> None:
    sent = meters.value("explorer._frames._number")
    meters.page.evaluate(BLOCK, 4000)
    assert meters.value("explorer._frames._number") <= sent + MAX_ROOM + 2  # one may have been on its way at either end
    flooded.expect_state("live")
    [drawn, _] = meters.page.evaluate(SEEN)
    meters.page.wait_for_function(f"drawn => ({SEEN})()[0] > drawn + 5", arg=drawn)


@pytest.mark.parametrize("code", [SLEEP, BUSY], ids=["sleep", "busy"])
def test_a_busy_kernel_goes_on_showing_and_answers(loaded: Notebook, flooded: Explorer, meters: Meters, code: str) -> None:
    with meters.running(code):
        assert max(meters.traffic(1.5).frames_per_s.values()) > 0.5
        flooded.press("Pause")
        flooded.expect_state("paused")
        flooded.grid.hover()
        loaded.page.mouse.wheel(0, -100_000)
        expect(flooded.root.locator(".sl-row.sl-missing")).to_have_count(0)
        flooded.press("Run")
        flooded.expect_state("live")


def test_memory_is_bounded_by_the_window(meters: Meters) -> None:
    before = meters.value("s.events_total")
    meters.page.wait_for_timeout(1000)
    assert meters.value("s.events_total") > before
    assert meters.value("explorer.shown.window.messages") == 10_000
    assert meters.value("sum(len(chunk) for chunk, _ in explorer.shown.window.chunks())") < 12_000
    assert meters.page.locator(".sl-row").count() < 100


def test_without_subshells_it_says_so_and_catches_up(loaded: Notebook, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    settings = tmp_path / "jupyter" / "lab" / "user-settings" / KERNELS
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"commsOverSubshells": "disabled"}))
    nbformat.write(new_notebook(cells=[], metadata={"kernelspec": KERNEL}), work / "deaf.ipynb")
    browser = loaded.page.context.browser
    assert browser is not None
    with running_lab(work, tmp_path / "lab.log") as url, browser.new_page() as page:
        notebook = Notebook(page, url, "deaf.ipynb")
        notebook.open()
        explorer = notebook.show(FLOOD)
        expect(explorer.root.locator(".sl-banner")).to_be_visible()
        with Meters(page).running(SLEEP):
            explorer.press("Pause")
        explorer.expect_state("paused")  # heard as soon as the cell had ended
        assert notebook.ask("s.paused")
