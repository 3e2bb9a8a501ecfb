"""Agents, tasks and timers: restarts, stops, chains, and scripts."""

from __future__ import annotations

import asyncio
import functools
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from typing import Any

import pytest

import streamlab as sl
from streamlab import agents
from tests.streaming import put_all, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


@pytest.fixture
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "BACKOFF_S", (0.0,))


async def test_it_reads_its_channel_from_start_on(app: sl.App, channel: sl.Channel[Any]) -> None:
    seen: list[int] = []

    @app.agent(channel)
    async def agent(stream: sl.Stream[int]) -> None:
        async for value in stream:
            seen.append(value)

    await app.start()
    await agent.send(key="k", value=1)
    await agent.cast(2)
    await channel.send(value=3)
    await until(lambda: seen == [1, 2, 3])
    assert agent.streams[0].prefix == "agent"


async def test_it_may_be_an_asynchronous_generator(app: sl.App, channel: sl.Channel[Any]) -> None:
    seen: list[int] = []

    @app.agent(channel)
    async def agent(stream: sl.Stream[int]) -> AsyncIterator[int]:
        async for value in stream:
            seen.append(value)
            yield value

    await app.start()
    await put_all(channel, [1, 2])
    await until(lambda: seen == [1, 2])


async def test_bare_it_has_a_topic_of_its_own(app: sl.App) -> None:
    seen: list[int] = []

    @app.agent
    async def bare(stream: sl.Stream[int]) -> None:
        async for value in stream:
            seen.append(value)

    @app.agent()
    async def called(stream: sl.Stream[int]) -> None:
        async for value in stream:
            seen.append(value)

    assert bare.channel.get_topic_name() == f"{app.id}-bare"
    await app.start()
    await bare.send(value=1)
    await called.send(value=2)
    await until(lambda: sorted(seen) == [1, 2])


async def test_started_twice_at_once_it_runs_once(app: sl.App) -> None:
    @app.agent("orders")
    async def agent(stream: sl.Stream[Any]) -> None:
        async for _ in stream:
            pass

    await asyncio.gather(agent.start(), agent.start())
    assert [stream for stream in app.streams() if stream.prefix == "agent"] == agent.streams


async def test_a_name_is_a_topic_read_in_the_apps_group(app: sl.App) -> None:
    @app.agent("orders")
    async def agent(stream: sl.Stream[Any]) -> None:
        async for _ in stream:
            pass

    await app.start()
    assert agent.channel.get_topic_name() == "orders"
    assert agent.streams[0].mode == f"group={app.id}"


async def test_two_agents_on_one_topic_each_see_all(app: sl.App) -> None:
    topic = app.topic("orders", partitions=2)
    seen: dict[str, list[int]] = {"one": [], "two": []}

    @app.agent(topic)
    async def one(stream: sl.Stream[int]) -> None:
        async for value in stream:
            seen["one"].append(value)

    @app.agent(topic)
    async def two(stream: sl.Stream[int]) -> None:
        async for value in stream:
            seen["two"].append(value)

    await app.start()
    for value in range(10):
        await topic.send(value=value)
    await until(lambda: sorted(seen["one"]) == sorted(seen["two"]) == list(range(10)))
    assert one.group != two.group


async def test_what_it_acked_is_not_read_again_by_the_next_app(app: sl.App) -> None:
    seen: list[int] = []

    def define(app: sl.App) -> sl.Topic[Any]:
        topic = app.topic("orders", partitions=1)

        @app.agent(topic)
        async def agent(stream: sl.Stream[int]) -> None:
            async for value in stream:
                seen.append(value)

        return topic

    topic = define(app)
    await app.start()
    await topic.send(value=1)
    await until(lambda: seen == [1])
    await turns()
    await app.stop()
    async with sl.App(app.id, broker=app.broker) as again:
        await define(again).send(value=2)
        await again.start()
        await until(lambda: len(seen) > 1)
        assert seen == [1, 2]


async def test_concurrent_ones_share_the_values(app: sl.App, channel: sl.Channel[Any]) -> None:
    meet = asyncio.Barrier(3)
    seen: list[tuple[int | None, int]] = []

    @app.agent(channel, concurrency=3)
    async def agent(stream: sl.Stream[int]) -> None:
        async for value in stream:
            await meet.wait()
            seen.append((stream.concurrency_index, value))

    await app.start()
    await put_all(channel, range(6))
    await until(lambda: len(seen) == 6)
    assert sorted(value for _, value in seen) == list(range(6))
    assert {index for index, _ in seen} == {0, 1, 2}


def test_a_concurrency_below_one_is_a_value_error(app: sl.App, channel: sl.Channel[Any]) -> None:
    async def function(stream: Any) -> None: ...

    with pytest.raises(ValueError, match="1 or more"):
        app.agent(channel, concurrency=0)(function)


def test_what_is_no_async_function_is_a_type_error(app: sl.App, channel: sl.Channel[Any]) -> None:
    with pytest.raises(TypeError, match="async def"):
        app.agent(channel)(len)


async def test_the_current_agent_is_known_inside(app: sl.App, channel: sl.Channel[Any]) -> None:
    seen: list[Any] = []

    @app.agent(channel)
    async def agent(stream: sl.Stream[int]) -> None:
        seen.append(sl.current_agent())
        async for _ in stream:
            pass

    await app.start()
    await until(lambda: seen)
    assert seen == [agent]
    assert sl.current_agent() is None


async def test_it_can_be_called_as_a_function(app: sl.App, channel: sl.Channel[Any]) -> None:
    @app.agent(channel)
    async def agent(stream: Any) -> list[int]:
        """Say something."""
        return [value async for value in stream]

    assert await agent(app.stream([1, 2])) == [1, 2]
    assert agent.__doc__ == "Say something."
    assert repr(agent) == "<Agent: agent on <ANON>>"


class TestRestart:
    async def test_at_once_with_the_next_value(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        seen: list[int] = []
        raw = aiter(channel)

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for value in stream:
                seen.append(value)
                if value == 1:
                    raise KeyError("body")

        await app.start()
        await put_all(channel, [1, 2])
        async with asyncio.timeout(0.4):
            while seen != [1, 2]:
                await asyncio.sleep(0.001)
        assert agent.restarts == 1
        assert (await anext(raw)).message.acked
        assert isinstance(app.errors[0].error, KeyError)
        assert app.errors[0].processor == "agent"

    async def test_later_ones_wait_ever_longer(
        self, app: sl.App, channel: sl.Channel[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []
        sleep = asyncio.sleep

        async def note(delay: float) -> None:
            if delay or not pauses:
                pauses.append(delay)
            await sleep(0)

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            raise KeyError

        monkeypatch.setattr(asyncio, "sleep", note)
        await app.start()
        for _ in range(100):
            await sleep(0)
        monkeypatch.undo()
        await agent.stop()
        assert pauses[:4] == [0.0, 0.5, 1.0, 2.0]
        assert pauses == sorted(pauses)

    @pytest.mark.usefixtures("quick_backoff")
    async def test_processors_of_the_failed_run_are_taken_out(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        seen: list[int] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            stream.add_processor(lambda value: value + 1)
            async for value in stream.filter(lambda value: value != 3):
                seen.append(value)
                if value == 2:
                    raise KeyError

        await app.start()
        await put_all(channel, [1, 1, 2, 3])
        await until(lambda: seen == [2, 2, 4])
        assert len(agent.streams[0].processors) == 2

    @pytest.mark.usefixtures("quick_backoff")
    async def test_chains_and_their_processors_are_made_once(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        seen: list[tuple[Any, int]] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            stream.add_processor(lambda value: value + 1)
            stream = stream.group_by(lambda value: value % 2, name="odd").filter(lambda value: value < 100)
            stream.add_processor(lambda value: value * 10)
            async for key, value in stream.items():
                seen.append((key, value))
                if len(seen) in {1, 2}:
                    raise KeyError

        await app.start()
        await put_all(channel, [1, 2, 200, 3])
        await until(lambda: len(seen) == 3)
        assert seen == [(0, 20), (1, 30), (0, 40)]
        root = agent.streams[0]
        assert len(list(root._iter_ll_forwards())) == 2
        assert len(root.processors) == 2
        assert len(root.get_active_stream().processors) == 2

    @pytest.mark.usefixtures("quick_backoff")
    async def test_a_processor_that_fails_restarts_it_too(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        seen: list[int] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            stream.add_processor(lambda value: 6 // value)
            async for value in stream:
                seen.append(value)

        await app.start()
        await put_all(channel, [1, 0, 2])
        await until(lambda: seen == [6, 3])
        assert agent.restarts == 1

    async def test_a_function_that_returns_is_not_called_again(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        calls: list[int] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            calls.append(1)

        await app.start()
        await turns(50)
        assert calls == [1]


class TestStop:
    async def test_it_returns_after_a_restart(self, app: sl.App, channel: sl.Channel[Any], no_leaks: None) -> None:
        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for value in stream:
                raise KeyError(value)

        await app.start()
        await channel.send(value=1)
        await until(lambda: agent.restarts == 1)
        async with asyncio.timeout(3):
            await agent.stop()

    async def test_it_returns_when_the_body_does_not_want_to_end(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        inside = asyncio.Event()

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for _ in stream:
                inside.set()
                await asyncio.Event().wait()

        await app.start()
        await channel.send(value=1)
        await inside.wait()
        async with asyncio.timeout(3):
            await agent.stop()
            await agent.stop()

    async def test_an_agent_may_stop_itself(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        stopped = asyncio.Event()

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for _ in stream:
                await agent.stop()
                stopped.set()

        await app.start()
        await channel.send(value=1)
        async with asyncio.timeout(3):
            await stopped.wait()

    async def test_it_starts_again_after_a_stop(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        seen: list[int] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for value in stream:
                seen.append(value)

        async with agent:
            await agent.start()
            await channel.send(value=1)
            await until(lambda: seen == [1])
        async with agent:
            await channel.send(value=2)
            await until(lambda: seen == [1, 2])

    async def test_the_app_stops_all_and_starts_them_again(self, app: sl.App, channel: sl.Channel[Any], no_leaks: None) -> None:
        seen: list[int] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for value in stream:
                seen.append(value)

        for value in (1, 2):
            await app.start()
            await channel.send(value=value)
            await until(functools.partial(seen.__contains__, value))
            await app.stop()
        assert seen == [1, 2]


class TestRedefinition:
    async def test_the_streams_of_the_one_that_it_replaces_are_forgotten(self, app: sl.App) -> None:
        topic = app.topic("t")

        def define() -> None:
            @app.agent(topic)
            async def work(stream: sl.Stream[Any]) -> None:
                async for _ in stream:
                    pass

        define()
        await until(lambda: app.agents["work"].streams)
        older = app.agents["work"].streams[0]
        define()
        await until(lambda: older not in app.streams() and app.agents["work"].streams)
        assert app.streams() == app.agents["work"].streams

    async def test_it_replaces_the_older_one_and_starts_in_an_app_that_runs(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        seen: list[str] = []

        def define(mark: str) -> sl.Agent:
            @app.agent(channel, name="agent")
            async def agent(stream: sl.Stream[int]) -> None:
                async for value in stream:
                    seen.append(f"{mark}{value}")

            assert isinstance(agent, sl.Agent)
            return agent

        old = define("old ")
        await app.start()
        await channel.send(value=1)
        await until(lambda: seen == ["old 1"])
        new = define("new ")
        await until(lambda: new.streams)
        await channel.send(value=2)
        await until(lambda: len(seen) == 2)
        assert seen == ["old 1", "new 2"]
        assert app.agents == {"agent": new}
        assert all(stream.should_stop for stream in old.streams)

    async def test_an_agent_defined_later_starts_in_an_app_that_runs(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        await app.start()
        seen: list[int] = []

        @app.agent(channel)
        async def agent(stream: sl.Stream[int]) -> None:
            async for value in stream:
                seen.append(value)

        await until(lambda: agent.streams)
        await channel.send(value=1)
        await until(lambda: seen == [1])


class TestTasksAndTimers:
    async def test_a_task_runs_once_with_the_app_if_it_asks_for_it(self, app: sl.App) -> None:
        seen: list[Any] = []

        @app.task
        async def plain() -> None:
            seen.append("plain")

        @app.task()
        async def asking(app: sl.App) -> None:
            seen.append(app)

        await app.start()
        await until(lambda: len(seen) == 2)
        await turns()
        assert seen == ["plain", app]

    async def test_a_timer_runs_again_and_again_and_survives_errors(self, app: sl.App) -> None:
        ticks: list[int] = []

        @app.timer(0.001)
        async def tick() -> None:
            ticks.append(1)
            if len(ticks) == 1:
                raise KeyError("tick")

        await app.start()
        await until(lambda: len(ticks) > 3)
        assert app.errors[0].processor == "tick"
        await app.stop()
        count = len(ticks)
        await asyncio.sleep(0.01)
        assert len(ticks) == count

    def test_a_timer_without_time_is_a_value_error(self, app: sl.App) -> None:
        async def tick() -> None: ...

        with pytest.raises(ValueError, match="more than 0"):
            app.timer(0)(tick)

    async def test_a_task_that_hangs_does_not_hold_up_stop(self, app: sl.App, no_leaks: None) -> None:
        @app.task
        async def hang() -> None:
            await asyncio.Event().wait()

        await app.start()
        await turns()
        async with asyncio.timeout(3):
            await app.stop()

    async def test_a_task_may_stop_the_app(self, app: sl.App) -> None:
        stopped = asyncio.Event()

        @app.task
        async def stop() -> None:
            await app.stop()
            stopped.set()

        await app.start()
        async with asyncio.timeout(3):
            await stopped.wait()


SCRIPT = """
    import streamlab as sl

    app = sl.App("script")
    channel = app.channel()

    @app.agent(channel)
    async def agent(stream):
        async for value in stream:
            print("got", value, flush=True)

    @app.task
    async def send():
        await channel.send(value=1)

    app.main()
    print("ended", app.closed, flush=True)
"""


def test_main_runs_as_a_script_until_it_is_interrupted() -> None:
    script = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SCRIPT)], stdout=subprocess.PIPE, text=True)
    assert script.stdout is not None
    with script:
        assert script.stdout.readline() == "got 1\n"
        script.send_signal(signal.SIGINT)
        assert script.stdout.readline() == "ended True\n"
        assert script.wait(10) == 0
