"""What Faust's guide shows of apps, tasks and timers, with only the import changed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

import streamlab as faust
from tests.streaming import first, put_all, until


async def test_a_broker_may_be_named_after_the_app_was_made(app: faust.App, topic_name: str) -> None:
    late = faust.App(topic_name)
    late.conf.broker = app.conf.broker
    await app.topic(topic_name, partitions=1).send(value=1)
    assert await first(1, late.topic(topic_name).stream(start="earliest")) == [1]
    late.close()


async def test_the_broker_stays_once_it_was_used(app: faust.App) -> None:
    await app.refresh()
    with pytest.raises(faust.InvalidState, match="make a new App"):
        app.conf.broker = "kafka://localhost"
    assert app.conf.broker == app.broker


def test_a_bad_broker_is_refused_where_it_is_named(app: faust.App) -> None:
    with pytest.raises(faust.ImproperlyConfigured, match="kafka://"):
        app.conf.broker = "http://localhost"
    assert app.conf.broker == app.broker


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("kafka://", "kafka://localhost:9092"),
        ("aiokafka://", "kafka://localhost:9092"),
        ("kafka://a:1;b:2", "kafka://a:1,b:2"),
    ],
)
def test_a_broker_is_spelled_as_in_the_guide(topic_name: str, url: str, shown: str) -> None:
    assert faust.App(topic_name, broker=url, store="rocksdb://", version=1).broker == shown


async def test_raw_values_are_the_apps_choice(app: faust.App) -> None:
    app.conf.value_serializer = "raw"
    greetings: list[bytes] = []

    @app.agent()
    async def greet(stream: faust.StreamT[bytes]) -> None:
        async for greeting in stream:
            greetings.append(greeting)

    await app.start()
    await greet.send(value='{"not": "decoded"}')
    await until(lambda: greetings == [b'{"not": "decoded"}'])


def test_a_schemas_serializers_go_before_the_apps(app: faust.App) -> None:
    app.conf.value_serializer = app.conf.key_serializer = "raw"
    topic = app.topic("t", schema=faust.Schema(value_serializer="json"))
    assert (topic.key_serializer, topic.value_serializer) == ("raw", "json")


def test_an_app_is_subclassed(topic_name: str) -> None:
    class Mine(faust.App):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.orders = self.topic("orders")

    assert Mine(topic_name, broker="memory://").orders.get_topic_name() == "orders"


async def test_a_task_sleeps_until_the_app_should_stop(topic_name: str) -> None:
    app = faust.App(topic_name)
    rounds: list[bool] = []

    @app.task()
    async def report(app: faust.App) -> None:
        while not app.should_stop:
            await app.sleep(0.001)
            rounds.append(app.should_stop)

    assert app.should_stop
    await app.start()
    await until(lambda: len(rounds) > 2)
    assert not any(rounds)
    await app.aclose()
    assert app.should_stop


async def test_without_a_leader_each_process_runs_a_leaders_timer(app: faust.App) -> None:
    ran = asyncio.Event()
    with pytest.warns(UserWarning, match="every process that runs this app runs publish"):

        @app.timer(0.01, on_leader=True)
        async def publish() -> None:
            ran.set()

    with pytest.warns(UserWarning, match="every process that runs this app runs once"):

        @app.task(on_leader=True)
        async def once() -> None: ...

    await app.start()
    async with asyncio.timeout(5):
        await ran.wait()


CELL = """
@app.timer(0.001)
async def tick():
    ticks.append({number})
"""


async def test_a_timer_defined_in_a_later_cell_runs_and_is_replaced_when_the_cell_runs_again(app: faust.App) -> None:
    ticks: list[int] = []
    cell = {"app": app, "ticks": ticks, "__name__": "__main__"}
    exec(CELL.format(number=1), cell)
    await until(lambda: 1 in ticks)
    exec(CELL.format(number=2), cell)
    await until(lambda: 2 in ticks)
    ticks.clear()
    await until(lambda: len(ticks) > 3)
    assert set(ticks) == {2}


async def test_closures_of_one_name_are_timers_of_their_own(app: faust.App) -> None:
    ran: set[int] = set()

    def define(number: int) -> None:
        @app.timer(0.001)
        async def tick() -> None:
            ran.add(number)

    define(1)
    define(2)
    await until(lambda: ran == {1, 2})


@pytest.mark.parametrize("fails", [False, True])
async def test_an_agent_tells_of_its_failures(app: faust.App, fails: bool) -> None:
    told: list[tuple[faust.Agent, BaseException]] = []

    async def on_error(agent: faust.Agent, error: BaseException) -> None:
        told.append((agent, error))
        if fails:
            raise KeyError("the callback's own")

    @app.agent(app.channel(), on_error=on_error)
    async def agent(stream: faust.StreamT[int]) -> None:
        async for value in stream:
            raise ValueError(value)

    await app.start()
    await put_all(agent.channel, [1, 2])
    await until(lambda: len(told) == 2)
    assert [(of, repr(error)) for of, error in told] == [(agent, "ValueError(1)"), (agent, "ValueError(2)")]
    assert sum(isinstance(kept.error, KeyError) for kept in app.errors) == 2 * fails


async def test_a_function_that_is_told_need_not_be_async(app: faust.App) -> None:
    told: list[str] = []

    @app.agent(app.channel(), on_error=lambda agent, error: told.append(f"{agent.name}: {error}"))
    async def agent(stream: faust.StreamT[int]) -> None:
        async for value in stream:
            raise ValueError(value)

    await app.start()
    await agent.send(value=1)
    await until(lambda: told == ["agent: 1"])


SCRIPT = """
import sys
import streamlab as faust
app = faust.App("script")
@app.task
async def say():
    print("runs", flush=True)
    raise KeyboardInterrupt
app.main()
"""


@pytest.mark.parametrize(
    ("arguments", "shown", "error"),
    [(["worker", "-l", "info"], "runs\n", ""), (["send", "@agent", "hello"], "", "app.main() only runs the app")],
)
def test_a_script_runs_as_a_worker_and_knows_no_other_command(arguments: list[str], shown: str, error: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == shown
    assert error in done.stderr
