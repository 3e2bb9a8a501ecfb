"""Whatever processors make and raise, all of it is shown, and what comes after it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlab as sl
from streamlab.views.snapshot import html_of
from streamlab.views.ui import PLAIN
from tests.streaming import put_all, until

if TYPE_CHECKING:
    from tests.views.conftest import Explore


class Odd:
    """Fails at whatever it is asked."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        return 1

    def __sizeof__(self) -> int:
        raise RuntimeError("no")


class OddError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


async def test_a_value_that_fails_at_everything_takes_none_of_the_others_along(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    browser = explore(channel.stream())
    explorer = browser.explorer
    await put_all(channel, [{"a": 1}, Odd(), {Odd(): 1, "a": 2}])
    await until(lambda: explorer.shown.window.total == 3)
    await put_all(channel, [{"a": Odd()}, {"a": 3}])  # in a basket of their own
    await until(lambda: explorer.shown.window.total == 5)
    browser.whole()
    assert [row[0] for row in browser.rows()] == [0, 1, 2, 3, 4]
    assert len(explorer.shown.stream.errors) == 0
    for seq in range(5):
        assert browser.do("open", seq=seq)["seq"] == seq
    assert "cannot be shown" in html_of(explorer.shown)


async def test_an_error_that_cannot_be_written_is_listed_and_opened(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    stream = channel.stream()

    @stream.processor
    def fails(value: Any) -> Any:
        raise OddError if value == 1 else ValueError("plain")

    browser = explore(stream)
    explorer = browser.explorer
    await put_all(channel, [1, 2])
    await until(lambda: len(stream.errors) == 2)
    explorer.ui = {**PLAIN, "tab": "errors"}
    rows = browser.whole()["errors"]["rows"]
    assert [(row["error"], row["message"]) for row in rows] == [
        ("ValueError", "plain"),
        ("OddError", "<OddError that cannot be shown: RuntimeError>"),
    ]
    assert browser.do("error", index=0)["message"] == "<OddError that cannot be shown: RuntimeError>"


async def test_a_record_without_a_timestamp_has_none_in_the_table_when_opened_and_over_time(
    app: sl.App, explore: Explore
) -> None:
    topic = app.topic("stamps", partitions=1)
    for stamp in (-0.002, -0.001, 0.0):
        await topic.send(value={"a": 1}, timestamp=stamp)
    browser = explore(topic.stream(start="earliest"))
    await until(lambda: browser.explorer.shown.window.total == 3)
    frame = browser.whole()
    assert [row[3] for row in browser.rows()] == ["-2", None, "0"]
    assert [browser.do("open", seq=seq)["timestamp"] for seq in range(3)] == [-2, None, 0]
    assert sum(frame["hist"]["counts"]) == 2
    assert "1969-12-31T23:59:59.998" in topic.peek(3)._repr_html_().replace(" ", "T")
    assert "23:59:59.999" not in topic.peek(3)._repr_html_()


async def test_a_pattern_that_matches_nothing_says_so(app: sl.App, explore: Explore) -> None:
    browser = explore(app.topic(pattern="nothing-.*").stream(start="earliest"))
    await until(lambda: browser.whole()["pipe"]["nodes"][0]["detail"] == "no topic matches")
    await app.topic("nothing-yet", partitions=2).send(value=1)
    await until(lambda: browser.whole()["pipe"]["nodes"][0]["detail"] == "2 partitions")


async def test_partitions_that_are_added_and_topics_that_go_are_told(app: sl.App, explore: Explore) -> None:
    for name in ("log-a", "log-b"):
        await app.topic(name, partitions=1).send(value=1)
    stream = app.topic(pattern="log-.*").stream(start="earliest")
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.total == 2)
    assert browser.whole()["notice"]["text"] == ""
    await app.client.add_partitions("log-a", 3)
    told = "Partitions were added, and are read from their beginning: log-a [1], log-a [2]."
    await until(lambda: browser.whole()["notice"]["text"] == told)
    browser.do("pause")
    browser.explorer.shown.say("why it is paused")
    await app.client.delete_topic("log-b")
    await until(lambda: stream.feed is not None and stream.feed.news == "Topic log-b was deleted.")
    assert browser.whole()["notice"]["text"] == "why it is paused"
    browser.do("run")
    await until(lambda: browser.whole()["notice"]["text"] == "Topic log-b was deleted.")
    assert browser.whole()["pipe"]["nodes"][0]["detail"] == "3 partitions"
