"""What views ask for is done, or refused in a sentence that says what to do."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest

import streamlab as sl
from streamlab.views.ui import PLAIN
from tests.streaming import put_all, until
from tests.views.conftest import Explore
from tests.views.exploring import Browser, filled


@pytest.fixture
async def browser(app: sl.App, explore: Explore) -> Browser:
    """An explorer of ten orders, with processors."""
    stream = (await filled(app, 10)).stream(start="earliest")
    stream.processors.add(lambda value: value, name="first")
    stream.processors.add(lambda value: 1 / 0 if value["id"] % 5 == 4 else value, name="second")
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.window.messages == 8 and stream.errors.total == 2)
    return browser


@pytest.mark.parametrize(
    ("action", "args", "said"),
    [
        ("fly", {}, "knows no action 'fly'"),
        (["rows"], {}, "knows no action ''"),
        (None, None, "knows no action ''"),
        ("open", {"seq": 10**30}, "has left the window"),
        ("open", {"seq": "1e3"}, None),
        ("open", None, None),
        ("part", {"seq": 0, "part": "nose"}, "no part 'nose'"),
        ("part", {"seq": 0, "part": ["hex"]}, "no part ''"),
        ("copy", {"seq": 10**9}, "has left the window"),
        ("restart", {"start": "soon"}, "is no position"),
        ("restart", {"start": "{0: "}, "is no position"),
        ("restart", {"start": "{0: 'soon'}"}, "is no position"),
        ("restart", {"start": "{__import__('os'): 1}"}, "is no position"),
        ("enable", {"name": "nobody", "on": True}, "no processor 'nobody'"),
        ("move", {"name": "first", "to": 99}, "no position 99 among 2"),
        ("move", {"name": "nobody", "to": 0}, "no processor 'nobody'"),
        ("remove", {"name": ["first"]}, "no processor ''"),
        ("pick", {"name": "nobody"}, "no function 'nobody'"),
        ("try", {"name": "x", "code": "def f(:"}, "line 1, column"),
        ("try", {"name": "x", "code": 7}, "defines no function"),
        ("apply", {"name": "x", "code": ""}, "defines no function"),
        ("cell", {"name": "nobody"}, "no processor 'nobody'"),
        ("error", {"index": 99}, "this error is gone"),
        ("error", {"index": None}, None),
        ("retry", {"indices": "all"}, None),
        ("errors", {"first": -5, "count": 1e300}, None),
        ("rows", {"first": float("inf"), "count": -1, "base": float("nan")}, None),
        ("window", {"messages": "many"}, None),
        ("code", {"name": 3}, None),
        ("step", {"on": None}, "show stream.take(100, within=1).live()"),
        ("asset", {"name": "../explorer"}, "no asset '../explorer'"),
    ],
)
async def test_wrong_arguments_are_answered_by_a_sentence(browser: Browser, action: Any, args: Any, said: str | None) -> None:
    before = [entry.name for entry in browser.explorer.shown.stream.processors]
    reply = browser.reply(action, args)
    assert reply["ok"] is (said is None), reply
    if said is not None:
        assert said in reply["error"]
        assert not reply["error"].startswith(("KeyError", "TypeError", "AttributeError", "IndexError"))
        assert [entry.name for entry in browser.explorer.shown.stream.processors] == before


async def test_a_message_is_opened_copied_and_read_on(browser: Browser) -> None:
    detail = browser.do("open", seq=3)
    assert (detail["offset"], detail["key"], detail["headersTotal"]) == ("3", {"k": "s", "v": "k3"}, 0)
    assert browser.do("copy", seq=3, **{"as": "json"})["text"] == '{\n  "id": 3,\n  "amount": 4.5\n}'
    assert browser.do("copy", seq=3, **{"as": "python"})["text"] == "{\n    'id': 3,\n    'amount': 4.5,\n}"
    assert browser.do("part", seq=3, part="hex", offset=0)["text"].startswith("00000000  7b 22 69 64")
    assert browser.do("part", seq=3, part="key")["text"] == "k3"


async def test_pause_run_and_stop(browser: Browser, app: sl.App) -> None:
    shown = browser.explorer.shown
    browser.do("pause")
    assert browser.whole()["head"]["state"] == "paused"
    browser.do("run")
    assert browser.whole()["head"]["state"] == "live"
    browser.do("stop")
    await until(lambda: shown.state == "stopped")
    assert browser.whole()["head"]["state"] == "stopped"
    assert "run() it first" in browser.refused("pause")
    await app.topic("orders").send(value={"id": 10})
    browser.do("run")  # goes on where it stood
    await until(lambda: shown.window.total == 9)
    assert browser.whole()["head"]["state"] == "live"


async def test_a_stream_that_is_stopped_is_shown_so_and_run_from_the_view(app: sl.App, explore: Explore) -> None:
    stream = (await filled(app, 3)).stream(start="earliest")
    await stream.stop()
    browser = explore(stream)
    frame = browser.frame()
    assert frame["head"]["state"] == "stopped"
    assert "was stopped" in frame["notice"]["text"]
    browser.do("run")
    await until(lambda: browser.explorer.shown.window.messages == 3)
    assert browser.whole()["notice"]["text"] == ""


async def test_a_stream_that_a_cell_reads_is_shown_from_outside(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    stream = channel.stream()
    values: list[Any] = []

    async def cell() -> None:
        async for value in stream:
            values.append(value)

    reading = asyncio.create_task(cell())
    await asyncio.sleep(0)
    browser = explore(stream)
    assert browser.frame()["head"]["state"] == "iterated"
    assert "being iterated" in browser.whole()["notice"]["text"]
    assert "stop that cell first" in browser.refused("run")
    assert "run() it first" in browser.refused("pause")
    assert "let it run first" in browser.refused("retry", indices=[0])
    browser.do("restart")
    await until(lambda: browser.whole()["notice"]["kind"] == "alarm")
    assert "leave that loop first" in browser.whole()["notice"]["text"]
    await channel.send(value=1)
    await until(lambda: values == [1])
    browser.do("stop")
    await reading
    browser.do("run")
    await until(lambda: browser.explorer.shown.state == "live")
    await put_all(channel, [2])
    await until(lambda: browser.explorer.shown.window.messages == 1)
    await stream.stop()


async def test_restart_reads_from_another_start_with_an_empty_window(browser: Browser) -> None:
    shown = browser.explorer.shown
    browser.do("restart", start="-2", group=None)
    await until(lambda: shown.window.messages == 1 and shown.window.total == 9)
    head = browser.whole()["head"]
    assert (head["start"], head["mode"], head["window"]["count"]) == ("-2", "observe", 1)
    browser.do("restart", start="{0: 5}", group="shown")
    await until(lambda: shown.window.messages == 4)
    head = browser.whole()["head"]
    assert (head["start"], head["mode"], head["group"]) == ("{0: 5}", "group=shown", "shown")
    browser.do("restart", start="-2", group=None)
    await until(lambda: shown.window.messages == 1)
    assert browser.whole()["head"]["mode"] == "observe"


async def test_after_a_restart_from_elsewhere_only_what_comes_from_there_is_counted(browser: Browser) -> None:
    shown = browser.explorer.shown
    before = browser.whole()["head"]
    assert before["errors"] == before["failed"] == shown.stream.errors.total > 0
    browser.do("restart", start="-5", group=None)
    await until(lambda: shown.window.total == 12)
    head = browser.whole()["head"]
    assert (head["window"]["count"], head["window"]["total"]) == (4, 4)
    assert (head["errors"], head["failed"]) == (before["errors"] + 1, 1)


async def test_what_the_reading_before_still_gives_is_not_in_the_window_of_the_next(app: sl.App, explore: Explore) -> None:
    goes_on, topic = threading.Event(), await filled(app, 100)
    stream = topic.stream(start="earliest")
    stream.processors.add(lambda value: value if goes_on.wait(20) else None, name="slow")
    shown = explore(stream).explorer.shown
    await until(lambda: stream.stats().busy == "slow")
    before = stream._drive
    shown.restart(start="latest")
    goes_on.set()
    await until(lambda: stream._drive not in (None, before))
    await topic.send(value={"id": 0})
    await until(lambda: shown.window.messages == 1)


async def test_it_is_told_up_to_where_is_read_and_that_what_was_aborted_is_passed_over(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 3)
    plain = explore(topic.stream(start="earliest")).whole()["head"]
    assert (plain["stop"], plain["committed"]) == ("", False)
    bounded = explore(topic.stream(start=1, stop=2, isolation="read_committed")).whole()["head"]
    assert (bounded["stop"], bounded["committed"]) == ("2", True)


async def test_a_channel_is_restarted_by_the_same_form(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    browser = explore(channel.stream())
    browser.do("restart", start="", group=None)
    await until(lambda: browser.explorer.shown.state == "live")
    assert browser.explorer.shown.notice is None
    told = "this stream reads no topic: there is no start to give; restart() goes on where it stood"
    assert told in browser.refused("restart", start="earliest")
    await browser.explorer.shown.stream.stop()


async def test_clear_empties_the_window_and_numbers_go_on(browser: Browser, app: sl.App) -> None:
    browser.do("clear")
    frame = browser.whole()
    assert (frame["rows"]["total"], frame["hist"]["counts"], frame["columns"]["names"]) == (0, [], [])
    await app.topic("orders").send(value={"id": 10})
    await until(lambda: browser.explorer.shown.window.messages == 1)
    browser.frame()
    assert browser.rows()[0][0] == 8


async def test_the_window_is_set_and_pauses_the_first_time_it_is_full_then_slides(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    browser = explore(channel.stream(), messages=5)
    shown = browser.explorer.shown
    await put_all(channel, range(6))
    await until(lambda: shown.stream.paused)
    frame = browser.whole()
    assert frame["head"]["state"] == "paused"
    assert frame["head"]["window"]["full"] is True
    assert frame["notice"]["text"].startswith("Paused: the window is full (5 messages")
    browser.do("run")
    await put_all(channel, range(6, 10))
    await until(lambda: shown.window.total == 10)
    assert (shown.window.messages, shown.state) == (5, "live")
    browser.do("window", messages=3, bytes=10**6)
    head = browser.whole()["head"]
    assert (head["window"]["count"], head["window"]["max"], head["window"]["maxBytes"]) == (3, 3, 10**6)
    browser.do("window", messages=0, bytes=0)
    assert shown.window.max_messages == 1
    await shown.stream.stop()


async def test_processors_are_switched_moved_and_removed(browser: Browser) -> None:
    live = browser.explorer.shown.stream.processors
    browser.do("enable", name="first", on=False)
    assert not live["first"].enabled
    browser.do("enable", name="first", on=True)
    assert live["first"].enabled
    browser.do("move", name="first", to=1)
    assert live.names == ["second", "first"]
    assert [node["label"] for node in browser.frame()["pipe"]["nodes"]] == ["orders", "second", "first"]
    browser.do("remove", name="second")
    assert live.names == ["first"]


async def test_errors_are_listed_opened_and_tried_again(browser: Browser) -> None:
    stream = browser.explorer.shown.stream
    browser.explorer.ui = {**PLAIN, "tab": "errors"}
    rows = browser.whole()["errors"]["rows"]
    assert [(row["index"], row["where"], row["processor"], row["error"]) for row in rows] == [
        (1, "orders [0] 9", "second", "ZeroDivisionError"),
        (0, "orders [0] 4", "second", "ZeroDivisionError"),
    ]
    assert browser.do("errors", first=1, count=1)["rows"] == rows[1:]
    detail = browser.do("error", index=0)
    assert "in <lambda>" in detail["traceback"]
    assert "1 / 0" in detail["traceback"]
    assert "streamlab/" not in detail["traceback"]
    stream.processors.replace("second", lambda value: {"mended": value["id"]})
    assert browser.do("retry", indices=[0]) == {"retried": 1}
    await until(lambda: browser.explorer.shown.window.messages == 9)
    assert [entry.offset for entry in stream.errors] == [9]
    assert browser.do("retry", indices=[7, -1]) == {"retried": 0}


async def test_a_stream_that_has_ended_runs_on_for_what_is_tried_again(app: sl.App, explore: Explore) -> None:
    stream = (await filled(app, 6)).stream(start="earliest", stop="end")
    stream.processors.add(lambda value: 1 / 0 if value["id"] % 2 else value, name="fails")
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.state == "ended")
    assert browser.whole()["head"]["progress"] == 1.0
    stream.processors.remove("fails")
    assert browser.do("retry", indices=[0, 2]) == {"retried": 2}
    await until(lambda: browser.explorer.shown.window.total == 5)
    assert [row.offset for row in browser.explorer.shown.window.latest(2)] == [1, 5]
    await until(lambda: browser.explorer.shown.state == "ended")
    assert len(stream.errors) == 1


async def test_plain_values_of_a_stream_that_has_ended_are_tried_again(app: sl.App, explore: Explore) -> None:
    stream = app.stream([1, 0, 2], processors=[lambda value: 2 / value])
    browser = explore(stream)
    await until(lambda: browser.explorer.shown.state == "ended")
    stream.processors.replace(0, lambda value: "mended")
    assert browser.do("retry", indices=[0]) == {"retried": 1}
    await until(lambda: browser.explorer.shown.window.messages == 3)
    assert browser.explorer.shown.window.latest(1)[0].value == "mended"


async def test_an_error_keeps_its_number_when_others_are_retried(app: sl.App, explore: Explore) -> None:
    stream = (await filled(app, 6)).stream(start="earliest", processors=[lambda order: order["nothing"]])
    browser = explore(stream)
    await until(lambda: stream.errors.total == 6)
    wheres = {row["index"]: row["where"] for row in browser.do("errors")["rows"]}
    stream.processors.replace(0, lambda order: order)
    assert browser.do("retry", indices=[1, 4]) == {"retried": 2}
    section = browser.do("errors")
    assert {row["index"]: row["where"] for row in section["rows"]} == {n: wheres[n] for n in (0, 2, 3, 5)}
    assert (section["total"], section["kept"], section["oldest"]) == (6, 4, 0)
    assert [browser.do("error", index=n)["offset"] for n in (0, 2, 3, 5)] == ["0", "2", "3", "5"]
    assert "this error is gone: it was retried" in browser.refused("error", index=4)
    assert browser.do("retry", indices=[0, 1, 2]) == {"retried": 2}
    assert browser.do("errors")["oldest"] == 3


async def test_retry_on_a_stopped_stream_says_what_to_do(browser: Browser) -> None:
    await browser.explorer.shown.stream.stop()
    assert browser.refused("retry", indices=[0]) == (
        "the stream is stopped, so that nothing goes through it: let it run first, then retry"
    )
    assert len(browser.explorer.shown.stream.errors) == 2


async def test_assets_come_as_bytes(browser: Browser) -> None:
    for name in ("cm", "viz"):
        assert browser.do("asset", name=name) == {"name": name}
        assert len(browser.buffers[0]) > 100_000


async def test_rows_are_bounded(browser: Browser) -> None:
    assert browser.do("rows", first=0, count=10**6)["count"] == 8
    assert len(json.loads(browser.buffers[0])) == 8
    assert browser.do("rows", first=10**6, count=3)["first"] == 5


async def test_stop_and_pause_act_while_a_processor_is_busy(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    release: list[bool] = []

    def busy(value: Any) -> Any:
        while not release:
            time.sleep(0.005)
        return value

    browser = explore(channel.stream(processors=[busy]))
    await put_all(channel, [1, 2])
    await until(lambda: browser.explorer.shown.stream.stats().busy == "busy")
    assert browser.whole()["head"]["busy"] == "busy"
    browser.do("pause")
    assert browser.whole()["head"]["state"] == "paused"
    release.append(True)
    await until(lambda: browser.explorer.shown.window.messages == 1)
    assert browser.explorer.shown.stream.paused
    browser.do("stop")
    await until(lambda: browser.explorer.shown.state == "stopped")
