"""What an explorer says to its views, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamlab as sl
from streamlab.errors import InvalidValue, StreamClosed
from streamlab.views.presence import ACK_S
from streamlab.views.scheduler import Scheduler, scheduler
from streamlab.views.ui import PLAIN, checked
from tests.streaming import put_all, until
from tests.views.conftest import Explore
from tests.views.exploring import Browser, filled


async def reading(app: sl.App, explore: Explore, count: int = 20, **options: Any) -> Browser:
    """Explore a topic of so many orders, all of which have come."""
    stream = (await filled(app, count)).stream(start="earliest")
    browser = explore(stream, **options)
    await until(lambda: browser.explorer.shown.window.messages == count)
    return browser


async def test_a_hello_is_answered_by_all_that_there_is(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore)
    frame = browser.frame()
    assert set(frame) == {"t", "view", "n", "after", "ask", "head", "pipe", "columns", "hist", "notice", "rows"}
    assert (frame["head"]["state"], frame["head"]["start"], frame["head"]["mode"]) == ("live", "earliest", "observe")
    assert frame["head"]["window"] == frame["head"]["window"] | {"count": 20, "total": 20, "full": False}
    assert frame["head"]["startedHere"] is True
    assert frame["rows"]["first"], frame["rows"]["total"] == (15, 20)
    assert [row[:3] for row in browser.rows()] == [[n, "0", str(n)] for n in range(15, 20)]


@pytest.mark.parametrize("start", ["-200", "latest", "earliest", "-10m", "2026-11-22T10:00:00Z", "{0: 10}", "7"])
async def test_the_start_is_told_as_it_is_written(app: sl.App, explore: Explore, start: str) -> None:
    topic = await filled(app, 20)
    given: Any = {0: 10} if start.startswith("{") else start
    browser = explore(topic.stream(start=given))
    assert browser.whole()["head"]["start"] == start
    assert browser.do("restart", start=start) is None  # and what is shown can be sent again
    await until(lambda: browser.explorer.shown.state == "live")
    assert browser.whole()["head"]["start"] == start


async def test_nothing_is_sent_to_who_has_not_said_hello(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore, views=())
    assert browser.tick() == {}
    assert browser.sent == []


async def test_only_what_changed_is_sent(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore)
    browser.frame()
    browser.tick(1.0)
    frame = browser.tick(0.1)
    assert frame == {} or set(frame["a"]) <= {"t", "view", "n", "after", "ask", "head", "pipe"}  # rates fall to nothing
    browser.explorer.shown.say("something")
    assert set(browser.frame()) & {"notice", "rows", "hist", "columns"} == {"notice"}
    await app.topic("orders").send(value={"id": 1, "extra": True})
    await until(lambda: browser.explorer.shown.window.total == 21)
    assert set(browser.frame(0.3)) >= {"rows", "columns", "head", "hist"}  # bars are not laid out with every frame


async def test_the_next_frame_waits_for_the_acknowledgement_and_a_lost_one_is_said_again(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore)
    first = browser.tick(ack=False)["a"]
    browser.explorer.shown.say("one")
    assert browser.tick(ack=False) == {}
    browser.say("ack", n=first["n"] - 1)
    assert browser.tick(ack=False) == {}
    browser.say("ack", n=first["n"])
    second = browser.tick(ack=False)["a"]
    assert second["notice"]["text"] == "one"
    assert "columns" not in second
    again = browser.tick(ACK_S + 0.1)["a"]
    assert set(again) == set(first)
    assert again["n"] > second["n"]
    assert (first["after"], second["after"], again["after"]) == (0, first["n"], 0)


async def test_a_view_with_room_gets_frames_one_after_the_other_and_each_names_the_one_before(
    app: sl.App, explore: Explore
) -> None:
    browser = await reading(app, explore)
    first = browser.tick(ack=False)["a"]
    browser.say("ack", n=first["n"], room=3)
    frames = [first]
    for said in "one", "two", "three":
        browser.explorer.shown.say(said)
        frames.append(browser.tick(ack=False)["a"])
    browser.explorer.shown.say("four")
    assert browser.tick(ack=False) == {}
    assert [frame["after"] for frame in frames[1:]] == [frame["n"] for frame in frames[:-1]]
    assert [frame["ask"] for frame in frames] == [True, False, False, True]
    browser.say("ack", n=frames[-1]["n"], room=3)
    assert browser.frame()["notice"]["text"] == "four"


async def test_views_out_of_sight_get_nothing_until_they_are_seen(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore)
    browser.frame()
    browser.say("seen", on=False)
    browser.explorer.shown.say("meanwhile")
    assert browser.tick() == {}
    browser.say("seen", on=True)
    assert browser.frame()["notice"]["text"] == "meanwhile"


async def test_each_view_is_told_what_it_does_not_know(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore, views=("a", "b"))
    assert set(browser.tick()) == {"a", "b"}
    browser.say("hello", "c", rows=2)
    browser.explorer.shown.say("x")
    frames = browser.tick()
    assert set(frames) == {"a", "b", "c"}
    assert "columns" in frames["c"]
    assert "columns" not in frames["a"]
    assert frames["c"]["rows"]["count"] == 2
    browser.say("bye", "b")
    browser.explorer.shown.say("y")
    assert set(browser.tick()) == {"a", "c"}


async def test_what_was_said_before_a_bye_does_not_bring_the_view_back(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore)
    sent = browser.tick(ack=False)["a"]
    browser.say("bye")
    browser.say("ack", n=sent["n"])
    browser.do("ping")
    assert browser.explorer.presence.views == {}
    assert browser.do("names") == {"names": []}
    browser.do("ping", "unknown")
    assert list(browser.explorer.presence.views) == ["unknown"]


async def test_a_table_that_does_not_follow_keeps_its_rows_while_the_window_slides(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore, messages=20)
    base = browser.frame()["rows"]["base"]
    browser.say("port", first=10, count=3, follow=False, base=base)
    assert browser.frame()["rows"]["first"] == 10
    assert [row[0] for row in browser.rows()] == [10, 11, 12]
    topic = app.topic("orders")
    for number in range(20, 24):
        await topic.send(value={"id": number})
    await until(lambda: browser.explorer.shown.window.total > 20)
    await until(lambda: browser.explorer.shown.stream.paused)  # it was full for the first time
    browser.do("run")
    await until(lambda: browser.explorer.shown.window.total == 24)
    frame = browser.frame()
    assert (frame["rows"]["base"], frame["rows"]["first"]) == (4, 6)
    assert [row[0] for row in browser.rows()] == [10, 11, 12]
    section = browser.do("rows", first=10, count=3, base=base)
    assert [row[0] for row in json.loads(browser.buffers[0])] == [10, 11, 12]
    assert section["first"] == 6
    browser.say("port", first=0, count=3, follow=True, base=4)
    assert browser.frame()["rows"]["first"] == 17


async def test_a_table_gets_the_columns_that_it_has_in_sight(app: sl.App, explore: Explore) -> None:
    browser = explore(app.stream([{f"c{n}": n for n in range(500)}]))
    await until(lambda: browser.explorer.shown.window.messages == 1)
    assert len(browser.frame()["rows"]["cols"]) == 4 + 60
    browser.say("port", count=5, follow=True, columns=["c480", "c2", "nothing"])
    columns = browser.frame()["rows"]["cols"]
    assert [column["name"] for column in columns if column["group"] == "value"] == ["c480", "c2"]
    assert browser.rows()[0][-2:] == ["480", "2"]


rubbish = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "t": st.sampled_from(["hello", "bye", "seen", "ack", "port", "do"]) | rubbish,
        "view": st.just("a") | rubbish,
        "rid": rubbish,
        "action": st.sampled_from(["rows", "open", "part", "copy", "enable", "move", "code", "cell", "errors", "error", "retry"])
        | rubbish,
        "args": rubbish
        | st.dictionaries(
            st.sampled_from(["first", "count", "base", "seq", "part", "offset", "name", "to", "index", "indices", "columns"]),
            rubbish,
        ),
        **dict.fromkeys(("rows", "n", "on", "first", "count", "base", "follow", "columns", "keeps"), rubbish),
    },
)


@given(st.lists(rubbish | fields, max_size=5))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_rubbish_never_raises_and_the_next_frame_comes_all_the_same(noise: Browser, messages: list[Any]) -> None:
    for message in messages:
        noise.explorer._heard(noise.explorer, message, [])
    assert "head" in noise.whole("visitor")


@pytest.fixture
async def noise(app: sl.App, explore: Explore) -> Browser:
    browser = await reading(app, explore)
    browser.explorer.send = lambda *_: None
    sent: list[Any] = browser.sent
    browser.explorer.send = lambda content, buffers=None: sent.append((content, buffers or []))
    return browser


async def test_rubbish_in_the_state_of_the_interface_is_repaired(app: sl.App, explore: Explore) -> None:
    explorer = (await reading(app, explore)).explorer
    bad = {"tab": "nonsense", "filter": 7, "brush": [10**400, 1], "sort": ["a", "up"], "widths": [1], "selected": {"kind": 1}}
    explorer.set_state({"ui": bad})
    assert explorer.ui == checked(bad) == PLAIN
    explorer.set_state({"ui": {**PLAIN, "tab": "graph", "more": 1}})
    assert explorer.ui == {**PLAIN, "tab": "graph"}


async def test_a_filter_and_an_order_are_followed_and_a_bad_one_is_told(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore)
    browser.explorer.ui = {**PLAIN, "filter": "id >= 18"}
    frame = browser.whole()
    assert (frame["rows"]["order"], frame["rows"]["total"], frame["rows"]["base"]) == ("filtered", 2, 0)
    browser.explorer.ui = {**PLAIN, "sort": ["id", "desc"]}
    frame = browser.whole()
    assert frame["rows"]["order"] == "sorted"
    browser.say("port", first=0, count=2, follow=False)
    browser.frame()
    assert [row[5] for row in browser.rows()] == ["19", "18"]
    browser.explorer.ui = {**PLAIN, "filter": "id >="}
    notice = browser.frame()["notice"]
    assert (notice["kind"], notice["text"] != "") == ("alarm", True)
    browser.explorer.ui = PLAIN
    assert browser.frame()["notice"]["text"] == ""


async def test_two_explorers_of_one_stream_share_what_is_shown(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 5)
    stream = topic.stream(start="earliest")
    one, two = explore(stream), explore(stream)
    assert one.explorer.shown is two.explorer.shown
    await until(lambda: one.explorer.shown.window.messages == 5)
    two.explorer.ui = {**PLAIN, "filter": "id == 1"}
    assert one.frame()["rows"]["total"] == 5
    assert two.whole()["rows"]["total"] == 1
    one.explorer.close()
    assert two.explorer.shown.window.messages == 5
    assert len(stream._taps) == 1
    two.explorer.close()
    assert two.explorer.shown.window.messages == 0
    assert not stream._taps
    await stream.stop()


async def test_another_size_is_for_all_explorers_of_the_stream(app: sl.App, explore: Explore) -> None:
    stream = (await filled(app, 5)).stream(start="earliest")
    explore(stream)
    assert explore(stream, messages=500).explorer.shown.window.max_messages == 500
    assert explore(stream).explorer.shown.window.max_messages == 500
    await stream.stop()


@pytest.mark.parametrize("bounds", [{"messages": 0}, {"messages": "many"}, {"size_bytes": -1}, {"size_bytes": 1.5}])
async def test_bounds_that_hold_nothing_are_refused(app: sl.App, bounds: Any) -> None:
    stream = app.stream([1])
    with pytest.raises(InvalidValue, match="is a whole number, at least 1"):
        stream.explore(**bounds)
    assert stream not in sl.running()


async def test_a_closed_app_is_told(app: sl.App) -> None:
    stream = app.stream([1])
    app.close()
    with pytest.raises(StreamClosed, match="make a new App"):
        stream.explore()


def source(browser: Browser) -> str:
    detail: str = browser.whole()["pipe"]["nodes"][0]["detail"]
    return detail


async def test_the_source_tells_how_many_partitions_are_read(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 20, partitions=3)
    observing = explore(topic.stream(start="earliest"))
    await until(lambda: source(observing) == "3 partitions")
    members = [explore(topic.stream(group="shown"))]
    await until(lambda: source(members[0]) == "3 partitions assigned")
    members += [explore(topic.stream(group="shown")) for _ in range(3)]
    await until(
        lambda: sorted(map(source, members)) == [*["1 partition assigned"] * 3, "no partition assigned"],
    )
    members[0].do("stop")
    await until(lambda: source(members[0]) == "stopped")


async def test_values_of_channels_and_plain_ones_have_no_partition_and_no_offset(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    streams = [channel.stream(), app.stream(iter([{"n": 1}, {"n": "two"}, 3]))]
    channels, plain = (explore(stream) for stream in streams)
    await put_all(channel, [{"n": 1}])
    await until(lambda: channels.explorer.shown.window.messages == 1 and plain.explorer.shown.window.messages == 3)
    channels.frame()
    assert channels.rows()[0][1:3] == [None, None]
    frame = plain.frame()
    assert frame["head"] | {"lag": None, "progress": None, "group": None, "start": "", "mode": "local"} == frame["head"]
    assert [row[1:5] for row in plain.rows()] == [[None] * 4] * 3
    assert plain.do("open", seq=0) | {"offset": None, "partition": None, "decoder": "a plain value"} == plain.do("open", seq=0)
    await streams[0].stop()


async def test_strange_values_and_names_travel(app: sl.App, explore: Explore) -> None:
    strange: list[Any] = [
        {"\ud800": "\udfff", 7: 1, None: 2, "": float("nan")},
        "\ud83d",
        float("inf"),
        {1, 2},
        object(),
        b"\xff",
    ]
    browser = explore(app.stream(strange, processors=[lambda value: value]))
    browser.explorer.shown.stream.processors.add(lambda value: value, name="\ud800 <b>")
    await until(lambda: browser.explorer.shown.window.messages == len(strange))
    for tab in ("messages", "graph", "errors"):
        browser.explorer.ui = {**PLAIN, "tab": tab}
        frame = browser.whole()
        json.dumps(frame).encode()
    assert len(browser.rows()) == 5
    for seq in range(len(strange)):
        browser.do("open", seq=seq)
        browser.do("copy", seq=seq, **{"as": "python"})
        browser.do("copy", seq=seq, **{"as": "json"})


async def test_a_chain_shows_the_stream_that_it_was_asked_for_and_runs_what_feeds_it(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 5)
    first = topic.stream(start="earliest")
    first.processors.add(lambda value: {"id": value["id"] + 100}, name="hundred")
    second = first.through("forwarded")
    browser = explore(second)
    await until(lambda: browser.explorer.shown.window.messages == 5)
    browser.explorer.ui = {**PLAIN, "tab": "graph"}
    frame = browser.whole()
    assert frame["head"]["name"] == "forwarded"
    assert [row[5] for row in browser.rows()] == ["100", "101", "102", "103", "104"]
    assert "orders" in frame["graph"]["dot"]
    assert set(frame["graph"]["processors"].values()) >= {"hundred"}
    await first.stop()


async def test_a_stream_with_sinks_shows_them_in_its_pipe(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 2)
    stream = topic.stream(start="earliest").filter(lambda value: True).echo("copies", "more")
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.messages == 2)
    nodes = browser.frame()["pipe"]["nodes"]
    assert next((node["kind"], node["label"]) for node in nodes) == ("source", "orders")
    assert [node["kind"] for node in nodes] == ["source", "filter", "echo", "sink", "sink"]
    assert [node["label"] for node in nodes[3:]] == ["copies", "more"]
    assert (nodes[1]["seen"], nodes[1]["passed"]) == (2, 2)
    await stream.stop()


async def test_what_cannot_be_sent_is_not_tried_for_ever(app: sl.App, explore: Explore, caplog: pytest.LogCaptureFixture) -> None:
    browser = await reading(app, explore)
    browser.frame()
    browser.explorer.shown.measure = None  # type: ignore[assignment, method-assign] # broken
    own = Scheduler()
    for _ in range(20):
        own.serve([browser.explorer])
    assert caplog.text.count("failed\n") == 1


async def test_the_scheduler_serves_it_by_itself(app: sl.App, explore: Explore) -> None:
    browser = await reading(app, explore)
    Scheduler.add(scheduler, browser.explorer)
    await until(lambda: browser.sent)
    assert browser.sent[0][0]["head"]["window"]["count"] == 20
    browser.say("ack", n=1)
    browser.do("pause")
    await until(lambda: browser.sent[-1][0].get("head", {}).get("state") == "paused")
