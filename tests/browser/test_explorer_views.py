"""The explorer's other views: the graph, the time, batches; and the same stream in several cells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import DOUBLED, FAILING

if TYPE_CHECKING:
    from tests.browser.explorer import Explorer, Notebook

STREAM = DOUBLED + FAILING + "s"
TRICKLE = """
async def trickle():
    for i in range(1000, 1_000_000):
        await fill(i, 1)
        await asyncio.sleep(0.05)
task = asyncio.create_task(trickle())
"""


@pytest.fixture(scope="module")
def shown(book: Notebook) -> Explorer:
    return book.show(STREAM)


@pytest.fixture
def explorer(shown: Explorer) -> Explorer:
    shown.root.scroll_into_view_if_needed()
    return shown


def test_the_graph_is_drawn_and_its_processors_can_be_selected(book: Notebook, explorer: Explorer) -> None:
    explorer.tab("Graph").click()
    picture = explorer.root.locator(".sl-panels svg[role=group]")
    expect(picture).to_be_visible()
    expect(picture.locator("g.node")).to_have_count(4)
    node = picture.get_by_role("button", name="Select double")
    node.click()
    panel = explorer.root.get_by_role("region", name="Processor double")
    expect(panel).to_be_visible()
    expect(picture.locator("g.node.sl-mark-bad")).to_contain_text("fails")
    book.run(TRICKLE)
    explorer.root.scroll_into_view_if_needed()
    expect(picture.locator("g.edge .sl-marktext").first).to_have_text(re.compile(r"^[1-9]\d*/s$"))
    book.run("task.cancel()")


def test_the_graph_marks_what_is_off_and_is_laid_out_again_for_new_processors(book: Notebook, explorer: Explorer) -> None:
    explorer.tab("Graph").click()
    picture = explorer.root.locator(".sl-panels svg[role=group]")
    book.run("s.processors.disable('double')")
    explorer.root.scroll_into_view_if_needed()
    expect(picture.locator("g.node.sl-mark-off")).to_contain_text("double")
    book.run("s.processors.enable('double')\n@s.processor\ndef third(order):\n    return order")
    explorer.root.scroll_into_view_if_needed()
    expect(picture.get_by_role("button", name="Select third")).to_be_visible()
    book.run("s.processors.remove('third')")
    explorer.root.scroll_into_view_if_needed()
    expect(picture.locator("g.node")).to_have_count(4)
    explorer.tab("Messages").click()


def test_a_range_of_time_is_brushed_by_mouse(explorer: Explorer) -> None:
    explorer.tab("Messages").click()
    track = explorer.root.locator(".sl-track")
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    explorer.page.mouse.move(box["x"] + box["width"] * 0.001, y)
    explorer.page.mouse.down()
    explorer.page.mouse.move(box["x"] + box["width"] * 0.02, y, steps=5)
    explorer.page.mouse.up()
    expect(explorer.root.locator(".sl-found")).to_have_text(re.compile(r"^\d+ match(es)?$"))
    few = explorer.expect_column("amount", "texts.length > 0 && texts.every(text => Number(text) < 100)")
    explorer.press("Clear selection")
    explorer.expect_column("amount", "texts.some(text => Number(text) > 100)")
    expect(explorer.button("Clear selection")).to_be_hidden()
    assert few


def test_a_range_of_time_is_brushed_by_keyboard(explorer: Explorer) -> None:
    explorer.root.get_by_role("slider", name="Start of the selected time").focus()
    explorer.page.keyboard.press("PageUp")
    expect(explorer.button("Clear selection")).to_be_visible()
    expect(explorer.root.get_by_role("slider", name="Start of the selected time")).to_have_attribute(
        "aria-valuetext", re.compile("UTC")
    )
    total = int(re.sub(r"\D", "", explorer.root.locator(".sl-found").inner_text()))
    explorer.root.get_by_role("slider", name="End of the selected time").focus()
    explorer.page.keyboard.press("PageDown")
    expect(explorer.root.locator(".sl-found")).not_to_have_text(re.compile(f"^{total} "))
    explorer.page.keyboard.press("Escape")
    expect(explorer.button("Clear selection")).to_be_hidden()


def test_batches_of_take_are_shown_one_after_the_other_and_one_at_a_time(book: Notebook) -> None:
    explorer = book.show(
        "going, last = True, -1\nasync def slowly():\n    global last\n    while going:\n        last += 1\n"
        "        await numbers.send(value={'i': last})\n        await asyncio.sleep(0.02)\n"
        "numbers = app.topic('numbers', partitions=1)\nawait numbers.send(value={'i': -1})\n"
        "taken = numbers.stream(start='latest')\nfeeding = asyncio.create_task(slowly())\n"
        "taken.take(10, within=2, within_from='first').live()"
    )
    expect(explorer.tab("Batches")).to_have_attribute("aria-selected", "true")
    bar = explorer.root.locator(".sl-batchbar")
    expect(bar).to_contain_text(re.compile(r"Batch [1-9]\d*: 10 values"))
    expect(bar).to_contain_text("because it was full")
    table = explorer.root.get_by_role("table", name="Values of the batch")
    expect(table.locator("tbody tr")).to_have_count(10)
    first = bar.locator("b").inner_text()
    expect(bar.locator("b")).not_to_have_text(first)
    explorer.press("One at a time")
    following = explorer.button("Next batch")
    expect(following).to_be_enabled()
    stopped = table.locator("tbody td").all_inner_texts()
    following.click()
    expect(table.locator("tbody td").first).to_have_text(str(int(stopped[-1]) + 1))
    expect(following).to_be_enabled()
    explorer.press("One at a time")
    expect(following).to_be_hidden()
    # What was left over comes, full or by time; then these three do, by time.
    book.run("going = False\nawait feeding")
    explorer.root.scroll_into_view_if_needed()
    expect(table.locator("tbody td").last).to_have_text(str(book.ask("last")))
    book.run("for i in range(3):\n    await numbers.send(value={'i': i})")
    explorer.root.scroll_into_view_if_needed()
    expect(bar).to_contain_text(": 3 valuesbecause its time was over")
    book.run("await taken.stop()")


def test_two_cells_that_show_the_same_stream_share_it(book: Notebook, explorer: Explorer) -> None:
    other = book.show("s")
    expect(other.status).to_contain_text(re.compile(r"window [1-9]"))
    assert book.ask("sum(stream is s for stream in sl.running())") == 1
    other.press("Pause")
    other.expect_state("paused")
    explorer.expect_state("paused")
    # Each has a filter of its own.
    other.filter.fill("amount == 1")
    other.expect_column("amount", "texts.join() === '1'")
    explorer.expect_column("amount", "texts.length > 1")
    explorer.press("Run")
    other.expect_state("live")
    explorer.expect_state("live")
