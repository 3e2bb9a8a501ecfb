"""What becomes of a stream when its explorers come and go, or when it ends, fails or is closed."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import streamlab as sl
from streamlab.broker.base import Watermarks
from streamlab.errors import BrokerUnavailable
from streamlab.views import replacing
from streamlab.views.attending import KEPT, _unseen
from streamlab.views.presence import GRACE_S, STALE_S, UNSEEN_S
from streamlab.views.scheduler import scheduler
from tests.streaming import put_all, until
from tests.views.conftest import Explore
from tests.views.exploring import Browser, filled


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


async def test_what_showing_had_started_stops_after_the_grace(channel: sl.Channel[Any], explore: Explore) -> None:
    browser = explore(channel.stream())
    shown = browser.explorer.shown
    browser.frame()
    browser.say("bye")
    browser.tick(GRACE_S - 0.1)
    assert shown.state == "live"
    browser.tick(0.3)
    await until(lambda: shown.state == "stopped")
    frame = browser.whole("b")
    assert frame["head"]["state"] == "stopped"
    assert frame["notice"]["text"] == "Stopped: nobody looked at it any more. Restart goes on where it stood."


async def test_a_view_that_comes_back_within_the_grace_keeps_it(channel: sl.Channel[Any], explore: Explore) -> None:
    browser = explore(channel.stream())
    browser.say("bye")
    browser.tick(GRACE_S - 0.1)
    browser.say("hello", "b", rows=5)
    browser.tick(60)
    assert browser.explorer.shown.state == "live"
    await browser.explorer.shown.stream.stop()


async def test_what_a_cell_shows_again_takes_the_place_of_what_was_never_drawn(app: sl.App, explore: Explore) -> None:
    first, second = explore(app.channel().stream(), views=()), explore(app.channel().stream(), views=())
    replacing.note(first.explorer, ("cell", "run 1"))
    replacing.note(second.explorer, ("cell", "run 2"))
    replacing.note(explore(app.channel().stream(), views=()).explorer, ("cell", "run 2"))
    for browser in (first, second):
        browser.tick(GRACE_S + 0.1)
    await until(lambda: first.explorer.shown.state == "stopped")
    assert second.explorer.shown.state == "live"


async def test_what_the_user_runs_goes_on(channel: sl.Channel[Any], explore: Explore) -> None:
    stream = channel.stream().run()
    browser = explore(stream)
    assert browser.frame()["head"]["startedHere"] is False
    browser.leave()
    browser.tick(STALE_S)
    assert stream in sl.running()
    assert not stream.paused
    await stream.stop()


async def run(stream: sl.Stream[Any]) -> None:
    stream.run()


async def restart(stream: sl.Stream[Any]) -> None:
    await stream.restart()


async def stop_then_restart(stream: sl.Stream[Any]) -> None:
    await stream.stop()
    await stream.restart()


@pytest.mark.parametrize("user", [run, restart, stop_then_restart])
async def test_what_the_user_runs_himself_is_his_though_showing_had_started_it(
    channel: sl.Channel[Any], explore: Explore, user: Callable[[sl.Stream[Any]], Awaitable[None]]
) -> None:
    stream = channel.stream()
    browser = explore(stream)
    assert browser.frame()["head"]["startedHere"] is True
    await user(stream)
    assert browser.whole()["head"]["startedHere"] is False
    his = stream._drive
    browser.do("restart")  # which does not take it away from him
    await until(lambda: stream._drive not in (None, his))
    browser.leave()
    browser.tick(STALE_S)
    assert stream in sl.running()
    assert not stream.paused
    await stream.stop()


async def test_what_the_user_stopped_and_a_view_restarts_runs_for_the_view(channel: sl.Channel[Any], explore: Explore) -> None:
    stream = channel.stream().run()
    browser = explore(stream)
    await stream.stop()
    browser.do("run")
    await until(lambda: browser.explorer.shown.state == "live")
    browser.leave()
    await until(lambda: browser.explorer.shown.state == "stopped")


async def test_what_nobody_drew_stops(channel: sl.Channel[Any], explore: Explore) -> None:
    browser = explore(channel.stream(), views=())
    browser.tick(UNSEEN_S - 1)
    assert browser.explorer.shown.state == "live"
    browser.tick(2)
    await until(lambda: browser.explorer.shown.state == "stopped")


async def test_another_explorer_that_is_looked_at_keeps_it(channel: sl.Channel[Any], explore: Explore) -> None:
    stream = channel.stream()
    one, two = explore(stream), explore(stream)
    one.leave()
    one.tick(STALE_S)
    assert one.explorer.shown.state == "live"
    two.leave()
    await until(lambda: two.explorer.shown.state == "stopped")


async def test_a_chain_goes_on_while_the_user_runs_its_end(app: sl.App, explore: Explore) -> None:
    topic = await filled(app, 3)
    first = topic.stream(start="earliest")
    second = first.through("forwarded").run()
    browser = explore(first)
    assert browser.frame()["head"]["startedHere"] is False
    browser.leave()
    browser.tick(UNSEEN_S)
    await topic.send(value={"id": 3})
    await until(lambda: second.events_total == 4)
    assert second in sl.running()
    await second.stop()


async def test_a_chain_goes_on_while_any_of_it_is_looked_at(app: sl.App, explore: Explore) -> None:
    first = (await filled(app, 3)).stream(start="earliest")
    second = first.through("forwarded")
    one, two = explore(first), explore(second)
    one.leave()
    await until(lambda: two.explorer.shown.window.messages == 3)
    assert two.explorer.shown.state == "live"
    two.leave()
    await until(lambda: two.explorer.shown.state == one.explorer.shown.state == "stopped")


async def test_silence_pauses_once_and_run_is_not_undone(channel: sl.Channel[Any], explore: Explore) -> None:
    stream = channel.stream()
    browser = explore(stream)
    browser.tick()
    browser.tick(STALE_S + 1)
    assert stream.paused
    assert browser.explorer.shown.notice == ("Paused: no browser has shown this stream for minutes. Run goes on.", "info")
    stream.resume()
    browser.tick()
    assert not stream.paused
    browser.do("ping")
    browser.tick()
    browser.tick(STALE_S + 1)
    assert stream.paused
    await stream.stop()


async def test_silence_of_one_explorer_leaves_the_other_alone(channel: sl.Channel[Any], explore: Explore) -> None:
    stream = channel.stream()
    one, two = explore(stream), explore(stream)
    two.tick()
    one.tick()
    one.tick(STALE_S + 1)
    assert not stream.paused
    await stream.stop()


async def test_explorers_that_nobody_looks_at_are_closed_when_they_are_many(channel: sl.Channel[Any], explore: Explore) -> None:
    """Also those of streams that run by themselves, or have ended: a cell that is run again and again leaks nothing."""
    _unseen.clear()
    stream = channel.stream().run()
    browsers = [explore(stream) for _ in range(KEPT + 3)]
    for browser in browsers:
        browser.frame()
        browser.leave()
        browser.tick()
    assert [browser.explorer.comm is None for browser in browsers] == [True] * 3 + [False] * KEPT
    browsers[3].say("hello", "b")
    browsers[3].tick()
    browsers[3].leave("b")
    explore(stream, views=()).tick(UNSEEN_S + 1)
    assert [browser.explorer.comm is None for browser in browsers[3:6]] == [False, True, False]
    await stream.stop()


async def test_a_closed_explorer_lets_go_of_messages_and_of_itself(app: sl.App, explore: Explore) -> None:
    stream = app.stream([{"n": number} for number in range(1000)])
    explorer = stream.explore()
    gone, shown, window = (weakref.ref(found) for found in (explorer, explorer.shown, explorer.shown.window))
    await until(lambda: stream not in sl.running())
    assert explorer.shown.window.messages == 1000
    explorer.close()
    assert explorer.shown.window.messages == 0
    del explorer

    def let_go() -> bool:
        gc.collect()
        return (gone(), shown(), window()) == (None, None, None)

    await until(let_go)  # a pass of the scheduler may still have it


async def test_the_garbage_collector_waits_for_no_lock(app: sl.App) -> None:
    explorer = app.stream([1]).explore()
    explorer.close()
    with scheduler._lock:  # as when it comes while an explorer is added
        del explorer
        gc.collect()


async def test_an_app_that_is_closed_stops_what_is_shown(app: sl.App, explore: Explore) -> None:
    browser = explore((await filled(app, 3)).stream(start="earliest"))
    await until(lambda: browser.explorer.shown.window.messages == 3)
    app.close()
    await until(lambda: browser.explorer.shown.state == "stopped")
    frame = browser.whole()
    assert (frame["head"]["state"], frame["rows"]["total"]) == ("stopped", 3)
    browser.do("run")
    await until(lambda: browser.explorer.shown.notice is not None)
    assert "was closed: make a new App" in browser.whole()["notice"]["text"]


async def test_a_topic_that_is_not_there_fails_with_what_to_do(app: sl.App, explore: Explore) -> None:
    browser = explore(app.topic("nowhere").stream())
    await until(lambda: browser.explorer.shown.state == "failed")
    head = browser.frame()["head"]
    assert head["state"] == "failed"
    assert "nowhere" in head["detail"]
    topic = await filled(app, 1, "nowhere")
    browser.do("run")
    await until(lambda: browser.explorer.shown.state == "live")
    await topic.send(value={"id": 7})
    await until(lambda: browser.explorer.shown.window.total >= 1)
    assert browser.whole()["head"]["detail"] == ""


async def test_a_broker_that_is_gone_is_told_and_waited_for(
    app: sl.App, explore: Explore, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await filled(app, 1)
    broker = topic.stream(start="earliest").feed.broker  # type: ignore[union-attr]

    async def gone(*_: Any, **__: Any) -> dict[Any, Watermarks]:
        raise BrokerUnavailable("no broker answers at nowhere:9092")

    with monkeypatch.context() as patch:
        patch.setattr(broker, "watermarks", gone)
        browser = explore(topic.stream(start="earliest"))
        await until(lambda: browser.explorer.shown.state == "retrying")
        head = browser.whole()["head"]
        assert head["state"] == "retrying"
        assert "no broker answers" in head["detail"]
        assert head["lag"] is None  # as of when, nobody could say
    browser.do("pause")
    browser.do("stop")
    await until(lambda: browser.explorer.shown.state == "stopped")


async def test_a_stream_whose_processor_takes_its_time_is_stopping_until_it_returns(app: sl.App, explore: Explore) -> None:
    entered, returns = threading.Event(), threading.Event()

    def slow(value: Any) -> Any:
        entered.set()
        returns.wait(60)
        return value

    stream = (await filled(app, 1)).stream(start="earliest", processors=[slow])
    browser = explore(stream)
    await asyncio.to_thread(entered.wait, 60)
    assert browser.whole()["head"]["state"] == "live"
    browser.do("stop")
    await until(lambda: browser.explorer.shown.state == "stopping")
    assert "stopping" in browser.refused("retry", indices=[])
    returns.set()
    await until(lambda: browser.explorer.shown.state == "stopped")


async def test_a_source_that_breaks_is_told(app: sl.App, explore: Explore) -> None:
    def source() -> Any:
        yield 1
        raise ValueError("broken")

    browser = explore(app.stream(source()))
    await until(lambda: browser.explorer.shown.state == "failed")
    head = browser.whole()["head"]
    assert (head["state"], head["detail"], head["errors"]) == ("failed", "ValueError: broken", 1)


async def test_a_combined_stream_shows_what_all_its_nodes_gave(app: sl.App, explore: Explore) -> None:
    browser = explore(app.stream([1, 2]) & app.stream([3]))
    await until(lambda: browser.explorer.shown.state == "ended")
    frame = browser.whole()
    assert (frame["head"]["state"], browser.explorer.shown.window.total) == ("ended", 3)
    values = [value for chunk, _ in browser.explorer.shown.window.chunks() for value in chunk.values]
    assert sorted(values) == [1, 2, 3]


async def test_a_stream_with_an_end_ends(app: sl.App, explore: Explore) -> None:
    browser = explore((await filled(app, 3)).stream(start="earliest", stop="end"))
    await until(lambda: browser.explorer.shown.state == "ended")
    head = browser.frame()["head"]
    assert (head["state"], head["progress"], head["lag"]) == ("ended", 1.0, 0)
    browser.leave()
    assert browser.explorer.shown.state == "ended"
    assert browser.explorer.shown.notice is None


async def test_a_busy_kernel_does_not_count_as_silence(channel: sl.Channel[Any]) -> None:
    stream = channel.stream()
    browser = Browser(stream.explore())
    hearing = browser.explorer.hearing
    hearing._loop = asyncio.get_running_loop()  # which gets no turn in the next lines
    for _ in range(3):
        browser.tick(STALE_S)
    assert not stream.paused
    browser.explorer.close()
    await stream.stop()


async def test_values_go_on_while_views_come_and_go(channel: sl.Channel[Any], explore: Explore) -> None:
    stream = channel.stream().run()
    for number in range(3):
        browser = explore(stream)
        await put_all(channel, [number])
        await until(lambda browser=browser: browser.explorer.shown.window.messages == 1)  # type: ignore[misc]
        browser.explorer.close()
    await put_all(channel, [3])
    await until(lambda: stream.events_total == 4)
    await stream.stop()
