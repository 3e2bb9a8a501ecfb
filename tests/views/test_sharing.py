"""The memory that all windows have together, where nobody set their sizes."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import streamlab as sl
from streamlab.views import session, sharing
from streamlab.views.sharing import Shares
from streamlab.views.window import MAX_BYTES
from tests.streaming import until
from tests.views.conftest import Explore
from tests.views.exploring import Browser

if TYPE_CHECKING:
    from collections.abc import Iterator

TOTAL = 1_000_000


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shares]:
    """Little memory, for the test's explorers alone."""
    found = Shares(TOTAL)
    monkeypatch.setattr(session, "shares", found)
    yield found
    gc.collect()


def window(browser: Browser, view: str = "a") -> Any:
    return browser.whole(view)["head"]["window"]


async def test_windows_share_and_what_is_closed_makes_room(app: sl.App, explore: Explore, shares: Shares) -> None:
    streams = [app.channel().stream() for _ in range(4)]
    first = explore(streams[0])
    assert (window(first)["maxBytes"], window(first)["sharing"]) == (TOTAL, 1)
    others = [explore(stream) for stream in streams[1:]]
    assert [(window(one)["maxBytes"], window(one)["sharing"]) for one in (first, *others)] == [(TOTAL // 4, 4)] * 4
    again = explore(streams[0])
    assert window(again)["sharing"] == 4  # the same window
    for one in (first, *others[1:]):
        one.explorer.close()
    assert (window(again)["maxBytes"], window(others[0])["maxBytes"]) == (TOTAL // 2, TOTAL // 2)
    for stream in streams:
        await stream.stop()


async def test_few_windows_are_as_large_as_ever(app: sl.App, explore: Explore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "shares", Shares(MAX_BYTES * 3))
    browsers = [explore(app.stream([])) for _ in range(4)]
    assert [window(one)["maxBytes"] for one in browsers] == [MAX_BYTES * 3 // 4] * 4
    browsers.pop().explorer.close()
    assert [window(one)["maxBytes"] for one in browsers] == [MAX_BYTES] * 3


async def test_a_size_that_was_set_is_left_alone(app: sl.App, explore: Explore, shares: Shares) -> None:
    given = explore(app.stream([]), size_bytes=700_000)
    written, messages = explore(app.stream([])), explore(app.stream([]), messages=10)
    written.do("window", messages=50, bytes=800_000)
    messages.do("window", messages=20)
    last = explore(app.stream([]))
    bounds = [(window(one)["max"], window(one)["maxBytes"], window(one)["sharing"]) for one in (given, written, messages, last)]
    assert bounds == [(100_000, 700_000, 0), (50, 800_000, 0), (20, TOTAL // 2, 2), (100_000, TOTAL // 2, 2)]
    explore(given.explorer.shown.stream)  # shown again without a size
    assert window(given)["maxBytes"] == 700_000


async def test_messages_that_must_leave_for_others_are_told_of(app: sl.App, explore: Explore, shares: Shares) -> None:
    browser = explore(app.stream([{"text": "x" * 1000} for _ in range(500)]))
    shown = browser.explorer.shown
    await until(lambda: shown.window.total == 500)
    before = shown.window.messages
    assert browser.whole()["notice"]["text"] == ""
    others = [explore(app.stream([])) for _ in range(3)]
    assert shown.window.messages < before
    assert shown.window.bytes <= TOTAL // 4
    text = browser.whole()["notice"]["text"]
    assert "all explorers share 1 MB" in text
    assert not any(one.whole()["notice"]["text"] for one in others)


async def test_a_window_that_nobody_looks_at_any_more_makes_room_until_somebody_comes_back(
    app: sl.App, explore: Explore, shares: Shares
) -> None:
    gone, here = explore(app.stream([])), explore(app.stream([]))
    gone.leave()
    assert gone.explorer.shown.window.max_bytes == TOTAL // 8
    assert (window(here)["maxBytes"], window(here)["sharing"]) == (TOTAL - TOTAL // 8, 1)
    assert window(gone, "drawn again")["sharing"] == 2
    assert (window(gone, "drawn again")["maxBytes"], window(here)["maxBytes"]) == (TOTAL // 2, TOTAL // 2)


def test_it_is_a_part_of_the_memory_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    whole = sharing._memory_bytes()
    assert whole > 10**8
    monkeypatch.setattr(sharing, "LIMITS", (str(limit), str(tmp_path / "none")))
    limit.write_text("max\n")
    assert sharing._memory_bytes() >= whole
    limit.write_text("123456789\n")
    assert sharing._memory_bytes() == 123456789
