"""The list of what runs in the background, and its end."""

from __future__ import annotations

import asyncio
import threading

import streamlab as sl
from tests.streaming import until


async def test_it_lists_and_stops_what_runs(app: sl.App) -> None:
    topic = app.topic("t", partitions=1)
    await topic.declare()
    streams = [app.channel().stream().run(), topic.stream().run(), app.stream(iter(int, 1)).run()]
    assert sl.running() == streams
    streams[0].pause()
    sl.running().stop()  # a plain call, also where a loop runs
    assert sl.running() == []
    assert all(stream.should_stop for stream in streams)
    sl.running().stop()


async def test_a_processor_that_does_not_return_holds_nobody_up(app: sl.App) -> None:
    go_on = threading.Event()
    channel = app.channel()
    stream = channel.stream(processors=[lambda value: go_on.wait(20)]).run()
    other = app.channel().stream().run()
    await channel.send(value=1)
    await until(lambda: stream.stats().busy)
    await asyncio.to_thread(sl.running().stop)
    assert stream in sl.running()
    assert stream.should_stop
    assert other.should_stop
    go_on.set()
    await until(lambda: sl.running() == [])


async def test_a_processor_may_stop_everything(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[lambda value: sl.running().stop()]).run()
    await channel.send(value=1)
    await until(lambda: sl.running() == [])
    assert stream.should_stop


async def test_what_stopping_raises_is_in_the_streams_errors(app: sl.App) -> None:
    class Stubborn(sl.Stream[int]):
        async def on_stop(self) -> None:
            raise ValueError("stubborn")

    stream = Stubborn(app.channel().subscribe_stream(), app=app).run()
    await until(lambda: stream.started)
    sl.running().stop()
    assert [str(entry.error) for entry in stream.errors] == ["stubborn"]


async def test_it_tells_what_it_is(app: sl.App) -> None:
    assert repr(sl.running()) == "<Running: nothing>"
    assert "nothing" in sl.running()._repr_html_()
    topic = app.topic("orders", partitions=1)
    await topic.declare()
    stream = topic.stream().run()
    assert repr(sl.running()) == "<Running: Topic: orders>"
    shown = sl.running()._repr_html_()
    assert "Topic: orders" in shown
    assert "sl.running().stop()" in shown
    await stream.stop()
