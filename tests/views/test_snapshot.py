"""What stands beside the widget for who has none: true, dated, safe and small."""

from __future__ import annotations

import re
from typing import Any

import pytest

import streamlab as sl
from streamlab.views import snapshot
from streamlab.views.snapshot import Pictures
from tests.streaming import put_all, until
from tests.views.conftest import Explore
from tests.views.exploring import Browser, filled


def pictures(browser: Browser) -> tuple[str, str]:
    """Return HTML and text of now."""
    browser.tick()
    data, metadata = browser.explorer._repr_mimebundle_()
    assert metadata["streamlab"] == {"snapshot": True}
    assert "application/vnd.jupyter.widget-view+json" in data
    return data["text/html"], data["text/plain"]


async def test_it_tells_state_mode_numbers_rows_and_graph_with_its_time(app: sl.App, explore: Explore) -> None:
    stream = (await filled(app, 30)).stream(start="earliest")
    stream.processors.add(lambda value: 1 / 0 if value["id"] == 0 else value, name="divides")
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.messages == 29)
    html, text = pictures(browser)
    when = r"snapshot of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    for said in (when, "live", "observe", "29 messages of 29", "divides", "orders"):
        assert re.search(said, html)
        assert re.search(said, text)
    assert "1, see stream.errors" in html
    assert "errors: 1" in text
    rows = re.findall(r"k(\d+)</td>", html)
    assert rows == [str(number) for number in range(20, 30)]
    browser.do("pause")
    assert "paused" in pictures(browser)[0]


async def test_payloads_are_escaped(app: sl.App, explore: Explore) -> None:
    bad = "<script>alert(1)</script>"
    channel = app.channel()
    stream = channel.stream()
    stream.processors.add(lambda value: value, name=bad)
    browser = explore(stream)
    await put_all(channel, [{bad: bad, "n": f"{bad}\x1b[31m"}, bad, [bad], {"a": {bad: {bad: 1}}}])
    await until(lambda: browser.explorer.shown.window.messages == 4)
    html, text = pictures(browser)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html + text


async def test_it_stays_small(app: sl.App, explore: Explore) -> None:
    values = [{f"column {n} {'x' * 500}": "y" * 20_000 for n in range(500)} for _ in range(9)]
    browser = explore(app.stream(values))
    await until(lambda: browser.explorer.shown.window.messages == 9)
    assert sum(map(len, pictures(browser))) < 50_000


async def test_ten_megabytes_stay_small(app: sl.App, explore: Explore) -> None:
    browser = explore(app.stream([{"large": "y" * 10_000_000, "list": ["z" * 10_000_000], "b": b"\0" * 10_000_000}]))
    await until(lambda: browser.explorer.shown.window.messages == 1)
    assert sum(map(len, pictures(browser))) < 50_000
    browser.whole()
    assert sum(len(part) for _, buffers in browser.sent for part in buffers) < 50_000


async def test_it_tells_why_a_stream_failed(app: sl.App, explore: Explore) -> None:
    browser = explore(app.topic("nope").stream())
    await until(lambda: browser.explorer.shown.state == "failed")
    browser.tick()
    for picture in pictures(browser):
        assert re.search("failed: TopicNotFound: topic .{1,6}nope.{1,6} does not exist", picture)


async def test_it_tells_of_which_topic_messages_are_when_there_are_several(app: sl.App, explore: Explore) -> None:
    one, other = await filled(app, 2, "one"), await filled(app, 3, "other")
    browser = explore(one.stream(start="earliest") & other.stream(start="earliest"))
    await until(lambda: browser.explorer.shown.window.messages == 5)
    html = pictures(browser)[0]
    assert len(re.findall("<td[^>]*>one</td>", html)) == 2
    assert len(re.findall("<td[^>]*>other</td>", html)) == 3


async def test_without_messages_it_says_so(app: sl.App, explore: Explore) -> None:
    browser = explore(app.channel().stream())
    assert "no messages yet" in pictures(browser)[0]
    await browser.explorer.shown.stream.stop()


def test_it_is_taken_soon_then_every_ten_seconds_and_when_it_comes_to_rest() -> None:
    due = Pictures()
    assert not due.is_due(0.0, "connecting", 0)
    assert not due.is_due(0.5, "live", 5)
    assert due.is_due(1.1, "live", 9)
    assert not due.is_due(11.0, "live", 20)
    assert due.is_due(11.2, "live", 30)
    assert not due.is_due(60.0, "live", 30)  # nothing came
    assert due.is_due(60.1, "paused", 30)
    assert not due.is_due(60.2, "paused", 30)
    assert due.is_due(61.0, "stopped", 30)
    assert not due.is_due(62.0, "live", 30)
    assert due.is_due(62.1, "paused", 30)  # also when it had run for a moment only
    assert due.is_due(72.2, "live", 30)


async def test_it_is_refreshed_only_where_that_leaves_live_views_alone(
    app: sl.App, explore: Explore, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str | None] = []

    def publish(bundle: Any, display_id: str | None = None) -> str:
        published.append(display_id)
        return "id"

    monkeypatch.setattr(snapshot, "publish", publish)
    channel = app.channel()
    browser = explore(channel.stream(), views=())
    browser.tick(20)
    assert published == []  # never displayed
    browser.explorer._ipython_display_()
    assert published == [None]
    browser.tick()
    browser.tick(20)
    assert published == [None, "id"]
    browser.say("hello", "other page")
    await put_all(channel, [1])
    await until(lambda: browser.explorer.shown.window.messages == 1)
    browser.tick(20)
    assert published == [None, "id"]
    browser.say("bye", "other page")
    browser.say("hello", "lab", keeps=True)
    browser.tick(20)
    assert published == [None, "id", "id"]
    browser.do("pause", "lab")
    browser.tick()
    assert published == [None, "id", "id", "id"]
    await browser.explorer.shown.stream.stop()


def test_it_is_published_under_one_id(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a kernel IPython shows text, and the id is ours all the same."""
    made = snapshot.publish(({"text/plain": "first"}, {}))
    assert made
    assert snapshot.publish(({"text/plain": "again"}, {}), made) == made
