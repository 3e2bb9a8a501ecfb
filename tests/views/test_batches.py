"""``take(...).live()``: every batch is shown, in order, one at a time if wished, and nothing waits for who has left."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

import streamlab as sl
from streamlab.take import Take
from tests.streaming import put_all, until
from tests.views.exploring import Browser, filled


@pytest.fixture
def live() -> Iterator[Any]:
    browsers: list[Browser] = []

    def start(take: Take[Any]) -> Browser:
        browsers.append(Browser(take.live()))
        return browsers[-1]

    yield start
    for browser in browsers:
        browser.explorer.close()


def batch(browser: Browser, view: str = "a") -> dict[str, Any]:
    section: dict[str, Any] = browser.whole(view)["batch"]
    return section


def has_ended(browser: Browser) -> bool:
    return browser.explorer.shown.state == "ended" and batch(browser)["reason"] == "end"


async def test_the_latest_batch_is_shown_with_why_it_came(app: sl.App, live: Any) -> None:
    channel = app.channel()
    browser = live(channel.stream().take(3, within=0.2))
    assert batch(browser) == {
        "number": None,
        "size": 0,
        "reason": "",
        "columns": [],
        "rows": [],
        "total": 0,
        "stepping": False,
        "waiting": False,
    }
    assert browser.explorer.ui["tab"] == "batches"
    await put_all(channel, [{"n": 1, "who": {"a": "<b>"}}, {"n": None}, {"n": 2**60}])
    await until(lambda: batch(browser)["number"] == 0)
    found = batch(browser)
    assert (found["size"], found["reason"], found["total"]) == (3, "full", 3)
    assert [column["name"] for column in found["columns"]] == ["n", "who.a"]
    assert found["rows"] == [["1", "<b>"], ["null", None], [str(2**60), None]]
    await put_all(channel, [{"n": 3}])
    await until(lambda: batch(browser)["number"] == 1)
    assert batch(browser)["reason"] == "time"
    await browser.explorer.shown.stream.stop()


async def test_no_value_is_missed_however_soon_they_come_and_end(app: sl.App, live: Any) -> None:
    for _ in range(20):
        browser = live(app.stream(range(100)).take(30))
        await until(partial(has_ended, browser))
        found = batch(browser)
        assert (found["number"], found["size"], found["rows"][0]) == (3, 10, ["90"])
        assert browser.explorer.shown.window.messages == 100


async def test_step_by_step_the_stream_waits_and_goes_on(app: sl.App, live: Any) -> None:
    channel = app.channel()
    browser = live(channel.stream().take(2))
    browser.do("step", on=True)
    await put_all(channel, range(8))
    await until(lambda: batch(browser)["waiting"])
    assert batch(browser)["number"] == 0
    browser.do("step", on=None)
    await until(lambda: batch(browser)["number"] == 1 and batch(browser)["waiting"])
    assert batch(browser)["rows"] == [["2"], ["3"]]
    browser.do("step", on=False)
    await until(lambda: batch(browser)["number"] == 3)
    assert (batch(browser)["stepping"], batch(browser)["waiting"]) == (False, False)
    await browser.explorer.shown.stream.stop()


async def test_who_leaves_while_stepping_keeps_nobody_waiting(app: sl.App, live: Any) -> None:
    channel = app.channel()
    stream = channel.stream().run()
    browser = live(stream.take(1))
    browser.do("step", on=True)
    await until(lambda: stream._drive is not None and stream._drive._subscriptions)
    await put_all(channel, range(5))
    await until(lambda: batch(browser)["waiting"])
    browser.leave()
    await put_all(channel, range(5000))
    await until(lambda: stream.events_total == 5005)
    browser.do("step", "drawn again", on=False)
    await put_all(channel, ["later"])
    assert batch(browser, "drawn again")["number"] == 0
    await until(lambda: stream._drive is not None and stream._drive._subscriptions)
    await put_all(channel, ["again"])
    await until(lambda: batch(browser, "drawn again")["rows"] == [["again"]])
    browser.do("step", "drawn again", on=True)
    browser.explorer.close()
    await put_all(channel, range(5000))
    await until(lambda: stream.events_total == 10_007)
    await stream.stop()


async def test_batches_go_on_when_the_stream_is_run_again(app: sl.App, live: Any) -> None:
    topic = await filled(app, 4)
    browser = live(topic.stream(start="earliest").take(2))
    await until(lambda: batch(browser)["number"] == 1)
    browser.do("stop")
    await until(lambda: browser.explorer.shown.state == "stopped")
    browser.do("restart", start="-4")
    await until(lambda: batch(browser)["number"] == 1 and browser.explorer.shown.window.messages == 4)
    assert batch(browser)["rows"][0][0] == "2"
    assert browser.explorer.shown.state == "live"
    await browser.explorer.shown.stream.stop()


async def test_a_stream_that_is_stopped_while_stepping_runs_anew_without_a_press(app: sl.App, live: Any) -> None:
    topic = await filled(app, 6)
    browser = live(topic.stream(start="earliest").take(2))
    browser.do("step", on=True)
    await until(lambda: batch(browser)["waiting"])
    browser.do("stop")
    await until(lambda: browser.explorer.shown.state == "stopped")
    first = batch(browser)["rows"][0][0]
    browser.do("restart", start="-4")
    await until(lambda: batch(browser)["waiting"] and batch(browser)["rows"][0][0] == "2")
    assert (first, batch(browser)["number"], browser.explorer.shown.state) == ("0", 0, "live")
    await browser.explorer.shown.stream.stop()


async def test_one_that_is_closed_at_once_leaves_the_stream_running(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    stream.take(2).live().close()
    await put_all(channel, [1])
    await until(lambda: stream.events_total == 1)
    await stream.stop()


async def test_what_goes_wrong_is_kept_with_the_errors(app: sl.App, live: Any) -> None:
    class Broken(dict[str, Any]):
        def __setitem__(self, *_: Any) -> None:
            raise ValueError("broken")

    channel = app.channel()
    browser = live(channel.stream().take_with_timestamp(1, within=5, timestamp_field_name="at"))
    await put_all(channel, [Broken()])
    await until(lambda: browser.explorer.shown.stream.errors.total == 1)
    assert str(browser.explorer.shown.stream.errors[0].error) == "broken"
    await browser.explorer.shown.stream.stop()
