"""App: names, settings, and closing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import first, rest, until


@pytest.fixture
def name() -> Iterator[str]:
    name = "named"
    yield name
    sl.App(name).close()


@pytest.mark.parametrize("bad", ["", None, 3])
def test_a_name_is_needed(bad: Any) -> None:
    with pytest.raises(TypeError, match="name"):
        sl.App(bad)


def test_a_bad_url_is_refused() -> None:
    with pytest.raises(sl.ImproperlyConfigured, match="kafka://"):
        sl.App("bad", broker="http://x")


def test_the_default_is_the_embedded_broker(app: sl.App) -> None:
    assert sl.App("embedded").broker == "memory://"
    assert repr(app) == f"<App: {app.id} {app.broker}>"


def test_fausts_options_are_kept_in_conf() -> None:
    app = sl.App("faust", broker="memory://", processing_guarantee="at_least_once", store="memory://", version=2)
    assert (app.conf.processing_guarantee, app.conf.store, app.conf.version) == ("at_least_once", "memory://", 2)
    assert (app.conf.id, app.conf.broker) == ("faust", "memory://")


def test_an_unknown_option_is_warned_about_by_name() -> None:
    with pytest.warns(UserWarning, match="'topic_partition'.*topic_partitions"):
        app = sl.App("unknown", topic_partition=3)
    assert app.conf.topic_partition == 3


def test_passwords_are_not_in_conf_or_repr() -> None:
    secret: dict[str, Any] = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}
    app = sl.App("x", broker="kafka://localhost:1", sasl_plain_username="me", sasl_plain_password="hush", **secret)
    assert "hush" not in repr(app) + repr(vars(app.conf)) + app._repr_html_()
    app.close()


def test_another_stream_class_is_used() -> None:
    class Mine(sl.Stream[Any]):
        pass

    assert type(sl.App("mine", Stream=Mine).stream([])) is Mine


def test_topics_get_the_apps_serializers(app: sl.App) -> None:
    app.conf.key_serializer, app.conf.value_serializer = "raw", "json"
    topic = app.topic("t")
    assert (topic.key_serializer, topic.value_serializer) == ("raw", "json")
    assert app.topic("t", value_serializer="raw").value_serializer == "raw"
    assert topic in app.topics


def test_a_schema_is_used_as_it_is(app: sl.App) -> None:
    schema = sl.Schema()
    assert app.topic("t", schema=schema).schema is schema
    assert app.channel(schema=schema).schema is schema


def test_an_event_is_made_of_its_parts(app: sl.App) -> None:
    message = sl.Message("t", 0, 0, 0.0, 0, [("a", b"1"), ("a", b"2")], None, None)
    event = app.create_event("k", "v", message.headers, message)
    assert (event.app, event.key, event.value, event.headers) == (app, "k", "v", {"a": b"2"})


async def test_finalize_and_start_finalize(app: sl.App) -> None:
    fresh = sl.App("fresh")
    assert not fresh.finalized
    fresh.finalize()
    assert fresh.finalized
    await fresh.start()
    assert fresh.started
    assert fresh.loop is asyncio.get_running_loop()
    await fresh.aclose()
    assert not fresh.started


def test_its_loop_can_be_set(app: sl.App) -> None:
    app.loop = None
    assert app.loop is None


async def test_send_goes_to_a_channel_or_a_topic_by_name(app: sl.App) -> None:
    channel = app.channel()
    stream = channel.stream()
    await app.send(channel, "k", 1)
    assert await first(1, stream.items()) == [("k", 1)]
    await app.send("by-name", "k", 2)
    topic = app.topic("by-name").stream(start="earliest", stop="end")
    assert await rest(topic.items()) == [("k", 2)]


async def test_refresh_asks_the_cluster(app: sl.App) -> None:
    assert app.last_cluster is None
    await app.topic("there", partitions=2).declare()
    assert await app.refresh() is app
    assert app.last_cluster is not None
    assert app.last_topics is not None
    assert app.last_topics["there"].partitions == (0, 1)
    assert "there" in app._repr_html_()


async def test_topics_frame_is_a_plain_call(app: sl.App) -> None:
    await app.topic("there", partitions=2).declare()
    frame = app.topics_frame()
    assert "there" in frame.to_string()


def test_the_graph_of_an_app_can_be_had(app: sl.App) -> None:
    assert "digraph" in app.graph().source


async def test_streams_are_listed_in_order(app: sl.App) -> None:
    one, two = app.stream([]), app.channel().stream()
    assert app.streams() == [one, two]


async def test_unacked_is_about_groups(app: sl.App) -> None:
    topic = app.topic("orders", partitions=1)
    await topic.send(value=1)
    await topic.send(value=2)
    stream = topic.stream(group="g").noack()
    running = aiter(stream)
    await anext(running)
    event = stream.current_event
    assert event is not None
    await anext(running)
    assert app.consumer.unacked == [("orders", 0), ("orders", 0)]
    event.ack()
    assert app.consumer.unacked == [("orders", 0)]
    await running.aclose()


class TestClosing:
    def test_twice_is_harmless(self) -> None:
        app = sl.App("twice")
        app.close()
        app.close()
        assert app.closed
        assert repr(app) == "<App: twice memory:// closed>"

    async def test_either_way_and_again(self) -> None:
        app = sl.App("either")
        await app.aclose()
        app.close()
        await app.aclose()
        assert app.closed

    async def test_async_with_closes(self) -> None:
        async with sl.App("with") as app:
            assert app.started
        assert app.closed

    async def test_a_closed_app_says_so(self) -> None:
        app = sl.App("gone")
        app.close()
        with pytest.raises(sl.StreamClosed, match="'gone' was closed"):
            app.stream([])
        with pytest.raises(sl.StreamClosed, match="'gone' was closed"):
            await app.start()

    async def test_it_stops_everything(self, no_leaks: None) -> None:
        app = sl.App("all", broker="memory://all")
        topic = app.topic("t", partitions=1)
        seen: list[Any] = []

        @app.agent(topic)
        async def agent(stream: sl.Stream[Any]) -> None:
            async for value in stream:
                seen.append(value)

        @app.timer(0.001)
        async def tick() -> None:
            seen.append("tick")

        await app.start()
        await topic.send(value=1)
        forwarded = topic.stream(start="earliest").through(app.channel())
        background = topic.stream(start="earliest").run()
        assert await first(1, forwarded) == [1]
        await until(lambda: 1 in seen and "tick" in seen and background.events_total)
        app.close()
        assert sl.running() == [] or await until(lambda: not sl.running()) is None

    async def test_a_loop_over_a_topic_ends(self, app: sl.App) -> None:
        await app.topic("t", partitions=1).declare()
        stream = app.topic("t").stream()
        task = asyncio.create_task(rest(stream))
        await until(lambda: stream.feed is not None and stream.feed.state == "reading")
        app.close()
        async with asyncio.timeout(3):
            assert await task == []


class TestSameName:
    def test_the_older_one_is_closed(self, name: str) -> None:
        older = sl.App(name)
        newer = sl.App(name)
        assert older.closed
        assert not newer.closed

    def test_also_when_its_loop_is_closed(self, name: str) -> None:
        older = sl.App(name)

        async def start() -> None:
            @older.agent(older.channel())
            async def agent(stream: sl.Stream[Any]) -> None:
                async for _ in stream:
                    pass

            @older.task
            async def hang() -> None:
                await asyncio.Event().wait()

            older.channel().stream().through(older.channel())
            await older.start()

        loop = asyncio.new_event_loop()
        loop.run_until_complete(start())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        sl.App(name)
        assert older.closed

    async def test_its_agents_stop_and_nothing_blocks(self, name: str) -> None:
        older = sl.App(name)
        channel = older.channel()

        @older.agent(channel)
        async def agent(stream: sl.Stream[Any]) -> None:
            async for _ in stream:
                pass

        await older.start()
        task = agent._tasks[0]
        sl.App(name)
        await asyncio.wait((task,), timeout=2)
        assert task.done()

    def test_an_app_that_nobody_holds_leaves_its_name(self, name: str) -> None:
        older = sl.App(name)
        del older
        gc.collect()
        assert not sl.App(name).closed


async def test_an_app_that_nobody_holds_is_collected() -> None:
    """Its streams hold it, and nothing holds them."""
    import weakref

    app = sl.App("collected")
    ref = weakref.ref(app)
    stream = app.channel().stream()
    del app, stream
    gc.collect()
    assert ref() is None


async def test_the_frame_of_topics_is_what_the_app_saw_last(app: sl.App) -> None:
    await app.topic("orders", partitions=2).send(value=1)
    assert app.topics_frame()["topic"].tolist() == ["orders"]
    assert "not asked yet" not in app._repr_html_()
    assert app.last_topics is not None
    assert app.last_topics["orders"].partitions == (0, 1)


@pytest.mark.parametrize("name", [None, 5, ["orders", "payments"], b"orders"])
def test_a_topic_has_a_name_of_text(app: sl.App, name: Any) -> None:
    with pytest.raises(TypeError, match=r'app\.topic\("orders", "payments"\), not'):
        app.topic(name)


def test_no_broker_at_all_is_an_error_and_not_a_host_called_none() -> None:
    with pytest.raises(sl.ImproperlyConfigured, match="broker=None"):
        sl.App("brokerless", broker=None)  # type: ignore[arg-type]
