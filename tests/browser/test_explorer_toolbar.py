"""The explorer's toolbar: run and pause, stop, restart, clear, start, mode and window, and what it tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.explorer import Explorer, Notebook


@pytest.fixture(scope="module")
def explorer(book: Notebook) -> Explorer:
    return book.show("s = orders.stream(start='earliest')\ns")


@pytest.fixture
def live(book: Notebook, explorer: Explorer) -> Explorer:
    """Return the explorer with all orders, live."""
    more(explorer, "Start position", "earliest", "Restart")
    explorer.expect_state("live")
    expect_count(explorer, book.ask("sent"))
    return explorer


def more(explorer: Explorer, field: str, value: str, button: str) -> None:
    explorer.press("More")
    dialog = explorer.root.get_by_role("dialog", name="Start position, mode and window")
    dialog.get_by_label(field, exact=True).fill(value)
    dialog.get_by_role("button", name=button, exact=True).click()
    expect(dialog).to_be_hidden()


def expect_count(explorer: Explorer, messages: int) -> None:
    expect(explorer.status).to_contain_text(f"window {messages:,} of")


def test_pause_holds_the_stream_and_run_goes_on(book: Notebook, live: Explorer) -> None:
    before = book.ask("s.events_total")
    live.press("Pause")
    live.expect_state("paused")
    assert book.ask("s.paused")
    book.run("await fill(300, 5)")
    expect(live.button("Pause")).to_be_hidden()
    assert book.ask("s.events_total") == before
    live.press("Run")
    live.expect_state("live")
    expect_count(live, book.ask("sent"))
    expect(live.button("Run")).to_be_hidden()


def test_stop_ends_the_stream_and_restart_goes_on_where_it_stood(book: Notebook, live: Explorer) -> None:
    live.press("Stop")
    live.expect_state("stopped")
    expect(live.button("Stop")).to_be_disabled()
    book.wait_for("len(sl.running()) == 0")
    book.run("await fill(400, 7)")
    expect(live.root.get_by_text("The stream is stopped.")).to_be_visible()
    live.press("Restart")
    live.expect_state("live")
    expect_count(live, book.ask("sent"))
    assert book.ask("len(sl.running())") == 1


def test_clear_empties_the_window(live: Explorer) -> None:
    assert live.expect_column("offset", "texts.length > 5")
    live.press("Clear")
    expect(live.status).to_contain_text("window 0 of")
    expect(live.rows).to_have_count(0)
    expect(live.root.get_by_text("Waiting for messages")).to_be_visible()


def test_another_start_position_reads_from_there(live: Explorer) -> None:
    more(live, "Start position", "-10", "Restart")
    expect(live.status).to_contain_text("window 20 of")
    expect(live.root.locator(".sl-mode")).to_have_text("observe, from -10")
    more(live, "Start position", "{0: 148}", "Restart")
    expect(live.root.locator(".sl-mode")).to_have_text("observe, from {0: 148}")
    assert set(live.expect_column("partition", "texts.length > 0 && texts.every(text => text === '0')")) == {"0"}


def test_a_start_position_that_is_none_is_told_and_changes_nothing(live: Explorer) -> None:
    live.press("More")
    dialog = live.root.get_by_role("dialog", name="Start position, mode and window")
    dialog.get_by_label("Start position", exact=True).fill("yesterday")
    dialog.get_by_role("button", name="Restart", exact=True).click()
    told = dialog.get_by_role("alert")
    expect(told).to_contain_text("start='yesterday' is no position")
    expect(live.notice).to_be_hidden()  # it would be behind the dialog
    live.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    live.press("More")
    expect(told).to_be_hidden()
    live.page.keyboard.press("Escape")
    live.expect_state("live")
    live.expect_column("offset", "texts.length > 0")
    more(live, "Start position", "earliest", "Restart")
    expect(live.notice).to_be_hidden()


def test_a_group_makes_the_stream_a_member_and_none_makes_it_observe(book: Notebook, live: Explorer) -> None:
    more(live, "Group", "readers", "Restart")
    expect(live.root.locator(".sl-mode")).to_contain_text("group")
    live.expect_state("live")
    assert book.ask("s.feed.group") == "readers"
    expect(live.node("orders")).to_contain_text("2 partitions assigned")
    more(live, "Group", "", "Restart")
    expect(live.root.locator(".sl-mode")).to_contain_text("observe")
    assert book.ask("s.feed.group is None")


def test_a_smaller_window_pauses_when_it_fills_and_then_slides(live: Explorer) -> None:
    more(live, "Messages in the window", "100", "Set")
    try:
        more(live, "Start position", "earliest", "Restart")
        live.expect_state("paused")
        expect(live.notice).to_contain_text("Paused: the window is full")
        live.press("Run")
        expect(live.notice).to_be_hidden()
        expect(live.status).to_contain_text(", full")
        expect_count(live, 100)
    finally:
        more(live, "Messages in the window", "100000", "Set")


def test_rates_and_lag_are_told_while_messages_come(book: Notebook, live: Explorer) -> None:
    book.run(
        "async def trickle():\n    for i in range(1000, 9000, 50):\n        await fill(i, 50)\n"
        "        await asyncio.sleep(0.02)\ntask = asyncio.create_task(trickle())"
    )
    rate = live.root.locator(".sl-toolbar .sl-num").first
    expect(rate).to_have_text(re.compile(r"^[1-9][\d.,]* ?k? msg/s$"))
    expect(live.root.locator(".sl-volume")).to_have_text(re.compile(r"^[1-9].* [kM]?B/s$"))
    expect(live.root.locator(".sl-lag")).to_have_text(re.compile(r"^lag \d"))
    expect(live.root.locator(".sl-sparkline")).to_have_attribute("points", re.compile(r",2\.0"))
    book.run("task.cancel()")


def test_a_stream_with_an_end_shows_how_far_it_is_and_ends(book: Notebook) -> None:
    explorer = book.show(
        "import time\nbounded = orders.stream(start='earliest', stop=100)\n@bounded.processor\ndef slow(value):\n"
        "    time.sleep(0.02)\n    return value\nbounded"
    )
    bar = explorer.root.get_by_role("progressbar", name="Position")
    expect(bar).to_be_visible()
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?$"))
    explorer.expect_state("ended")
    expect(explorer.status).to_contain_text("window 200 of 200")
    expect(explorer.root.get_by_text("The stream has read all there was to read.")).to_be_visible()


def test_errors_are_counted_in_a_badge_that_opens_their_tab(book: Notebook) -> None:
    explorer = book.show("bad = orders.stream(start=-2)\n@bad.processor\ndef fails(value):\n    raise ValueError('no')\nbad")
    badge = explorer.root.locator(".sl-badge")
    expect(badge).to_have_text("4 errors")
    badge.click()
    expect(explorer.tab("Errors")).to_have_attribute("aria-selected", "true")
    expect(explorer.root.get_by_role("list", name="Errors")).to_be_visible()


def test_what_waits_to_be_processed_is_told_as_buffered(book: Notebook) -> None:
    explorer = book.show(
        "import threading\ngate = threading.Event()\nlarge = app.topic('large')\nfor i in range(3000):\n"
        "    await large.send(value='x' * 10_000)\nheld = large.stream(start='earliest')\n@held.processor\n"
        "async def waits(value):\n    while not gate.is_set():\n        await asyncio.sleep(0.02)\n    return value\nheld"
    )
    expect(explorer.status).to_contain_text(re.compile(r"buffered [1-9]"))
    expect(explorer.status.locator(".sl-busy")).to_contain_text("waits")
    book.run("gate.set()")
    expect(explorer.status).not_to_contain_text("buffered")
