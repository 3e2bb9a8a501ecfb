"""Stream: its sources, labels, events(), items(), enumerate(), send and throw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import streamlab as sl
from tests.streaming import first, put_all, rest, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


class TestSources:
    @pytest.mark.parametrize("bad", [3, object(), 1.5, len])
    def test_what_is_no_iterable_is_a_type_error_at_construction(self, app: sl.App, bad: Any) -> None:
        with pytest.raises(TypeError, match="iterable"):
            app.stream(bad)

    async def test_none_gives_a_stream_without_values(self, app: sl.App) -> None:
        assert await rest(app.stream(None)) == []

    async def test_a_generator_is_read_as_it_goes(self, app: sl.App) -> None:
        assert await rest(app.stream(number * 2 for number in range(3))) == [0, 2, 4]

    async def test_another_stream_may_be_the_source_without_its_events(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        outer = app.stream(channel.stream())
        await channel.send(value=1)
        async for value in outer:
            assert value == 1
            assert outer.current_event is None
            break

    async def test_a_channel_iterator_is_used_as_it_is(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        iterator = aiter(channel)
        assert app.stream(iterator).channel is iterator

    async def test_the_subscription_begins_at_construction(self, channel: sl.Channel[Any]) -> None:
        await channel.send(value="before")
        stream = channel.stream()
        await channel.send(value="between")
        assert await first(1, stream) == ["between"]

    async def test_constructor_arguments_pass_through_app_stream(self, app: sl.App) -> None:
        assert app.stream([], prefix="p", enable_acks=False).info()["prefix"] == "p"


class TestLabels:
    def test_the_label_is_the_channels_repr_cut_in_the_middle(self, channel: sl.Channel[Any]) -> None:
        label = channel.stream().label
        assert label.startswith("Stream: <(*)Channel: ...")
        assert len(label) < 45

    def test_the_label_has_the_name_of_the_subclass_and_the_shortlabel_has_not(self, app: sl.App) -> None:
        class Mine(sl.Stream[Any]):
            pass

        app.conf.Stream = Mine
        stream = app.channel().stream()
        assert stream.label.startswith("Mine: ")
        assert stream.shortlabel == "Stream: Channel: <ANON>"

    def test_the_shortlabel_of_a_topic_has_its_name(self, app: sl.App) -> None:
        assert app.topic("foo").stream().shortlabel == "Stream: Topic: foo"
        assert app.topic("foo", "bar").stream().shortlabel == "Stream: Topic: foo,bar"

    def test_the_shortlabel_of_a_pattern_has_its_repr(self, app: sl.App) -> None:
        assert app.topic(pattern="a.*").stream().shortlabel == "Stream: Topic: 'a.*'"

    def test_the_shortlabel_of_a_combined_stream_has_its_nodes(self, app: sl.App) -> None:
        both = app.channel().stream() & app.topic("foo").stream()
        assert both.shortlabel == "Stream: Channel: <ANON>&Topic: foo"

    async def test_the_repr_says_state_and_channel(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        assert repr(stream) == f"<Stream: init {stream.channel!r}>"
        await stream.start()
        assert repr(stream).startswith("<Stream: running <(*)Channel: <ANON>@0x")

    def test_the_repr_of_a_topics_stream_says_how_it_reads(self, app: sl.App) -> None:
        assert repr(app.topic("foo").stream()).startswith("<Stream: init observe <(*)Topic: foo@0x")
        assert repr(app.topic("foo").stream(group="g")).startswith("<Stream: init group=g <")

    def test_the_mode_is_local_without_a_topic(self, app: sl.App) -> None:
        assert app.stream([]).mode == app.channel().stream().mode == "local"
        assert app.topic("t").stream().mode == "observe"

    def test_a_stream_shows_itself(self, channel: sl.Channel[Any]) -> None:
        assert "&lt;ANON&gt;" in channel.stream()._repr_html_()


class TestEvents:
    async def test_events_have_the_raw_value(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream(processors=[lambda value: value * 10])
        await put_all(channel, [1, 2])
        assert [event.value for event in await first(2, stream.events())] == [1, 2]

    async def test_events_pass_values_over_that_have_none(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await channel.put("plain")
        await channel.send(value="event")
        assert [event.value for event in await first(1, stream.events())] == ["event"]

    async def test_items_have_the_key_and_the_processed_value(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream(processors=[lambda value: value * 10])
        await channel.send(key="k", value=1)
        await channel.put(2)
        assert await first(2, stream.items()) == [("k", 10), (None, 20)]

    async def test_enumerate_counts_what_is_yielded_afresh_each_time(self, app: sl.App) -> None:
        stream = app.stream("abcd").filter(lambda value: value != "b")
        assert await first(2, stream.enumerate()) == [(0, "a"), (1, "c")]
        assert await rest(stream.enumerate(start=10)) == [(10, "d")]

    async def test_breaking_out_of_items_acks_and_the_next_loop_goes_on(self, channel: sl.Channel[Any]) -> None:
        stream, event = channel.stream(), None
        await put_all(channel, [1, 2])
        async for _ in stream.items():
            event = stream.current_event
            break
        assert event is not None
        message = event.message
        await until(lambda: message.acked)
        assert await first(1, stream) == [2]


class TestSend:
    async def test_it_reaches_this_streams_iterator_only(self, channel: sl.Channel[Any]) -> None:
        one, two = channel.stream(), channel.stream()
        await one.send("mine")
        await channel.send(value="for all")
        assert await first(2, one) == ["mine", "for all"]
        assert await first(1, two) == ["for all"]

    async def test_a_plain_value_has_no_current_event(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await stream.send("plain")
        async for _ in stream:
            assert sl.current_event() is None
            break

    async def test_an_event_is_the_current_event(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        event = app.create_event("k", "v", None, sl.Message("t", 0, 0, 0.0, 0, None, None, None))
        await stream.send(event)
        async for value in stream:
            assert value == "v"
            assert sl.current_event() is event
            break

    async def test_it_works_on_plain_sources_and_wakes_a_waiting_reader(self, app: sl.App) -> None:
        async def never() -> AsyncIterator[int]:
            await asyncio.Event().wait()
            yield 0

        stream = app.stream(never())
        task = asyncio.create_task(first(1, stream))
        await until(lambda: stream._source.bell._waiters)
        await stream.send("in between")
        assert await task == ["in between"]
        await stream.stop()

    async def test_it_works_on_a_finite_source_too(self, app: sl.App) -> None:
        stream = app.stream([1])
        await stream.send(2)
        assert sorted(await rest(stream)) == [1, 2]

    async def test_it_works_on_a_topic_and_writes_nothing_to_it(self, app: sl.App) -> None:
        await app.topic("there", partitions=1).declare()
        one, two = app.topic("there").stream(), app.topic("there").stream(start="earliest", stop="end")
        await one.send("mine")
        assert await first(1, one) == ["mine"]
        assert await rest(two) == []


class TestThrow:
    async def test_it_is_raised_ahead_of_queued_values_which_stay(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await put_all(channel, [1, 2])
        await stream.throw(KeyError("thrown"))
        with pytest.raises(KeyError, match="thrown"):
            await first(1, stream)
        assert await first(2, stream) == [1, 2]

    async def test_it_is_raised_ahead_of_queued_values_in_a_running_loop(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await put_all(channel, [1, 2, 3])
        running = aiter(stream)
        assert await anext(running) == 1
        await stream.throw(KeyError("thrown"))
        with pytest.raises(KeyError, match="thrown"):
            await anext(running)
        assert await first(2, stream) == [2, 3]

    async def test_it_wakes_a_waiting_reader(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        task = asyncio.create_task(first(1, stream))
        await until(lambda: stream._source.bell._waiters)
        await stream.throw(KeyError("thrown"))
        with pytest.raises(KeyError, match="thrown"):
            await task

    async def test_it_is_raised_to_one_reader_only(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        tasks = [asyncio.create_task(first(1, stream)) for _ in range(2)]
        await until(lambda: len(stream._source.bell._waiters) == 2)
        await stream.throw(KeyError("thrown"))
        await turns()
        assert sum(task.done() for task in tasks) == 1
        await channel.send(value=1)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [1] in results
        assert any(isinstance(result, KeyError) for result in results)

    async def test_it_works_on_plain_sources(self, app: sl.App) -> None:
        stream = app.stream([1, 2])
        await stream.throw(KeyError("thrown"))
        with pytest.raises(KeyError, match="thrown"):
            await first(1, stream)
        assert await rest(stream) == [1, 2]

    async def test_channel_throw_reaches_the_stream_too(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await stream.channel.throw(KeyError("thrown"))
        with pytest.raises(KeyError, match="thrown"):
            await first(1, stream)


class TestDeriveTopic:
    def test_it_names_a_new_topic_with_the_same_types(self, app: sl.App) -> None:
        stream = app.topic("orders", key_type=str, value_type=dict, partitions=3).stream()
        topic = stream.derive_topic("copy", prefix="a-", suffix="-z")
        assert topic.get_topic_name() == "a-copy-z"
        assert (topic.key_type, topic.value_type, topic.partitions) == (str, dict, 3)

    def test_another_type_leaves_the_source_as_it_was(self, app: sl.App) -> None:
        source = app.topic("orders", value_type=dict)
        assert source.stream().derive_topic("copy", value_type=str).value_type is str
        assert source.value_type is dict

    def test_a_stream_without_a_topic_is_a_value_error(self, channel: sl.Channel[Any]) -> None:
        with pytest.raises(ValueError, match="no topic"):
            channel.stream().derive_topic("copy")


class TestToFrame:
    async def test_it_is_one_frame_of_what_comes(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await put_all(channel, [{"a": 1}, {"a": 2}, {"a": 3}])
        frame = await stream.to_frame(2)
        assert list(frame["a"]) == [1, 2]
        assert await first(1, stream) == [{"a": 3}]

    async def test_it_returns_what_came_when_the_time_is_over(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await channel.send(value={"a": 1})
        assert len(await stream.to_frame(10, within=0.02)) == 1

    async def test_it_is_empty_when_nothing_came(self, channel: sl.Channel[Any]) -> None:
        assert len(await channel.stream().to_frame(10, within=0.02)) == 0

    async def test_it_goes_on_where_the_last_one_ended(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        await put_all(channel, [{"n": 1}, {"n": 2}, {"n": 3}])
        assert (await stream.to_frame(2))["n"].tolist() == [1, 2]
        assert (await stream.to_frame(2, within=0.01))["n"].tolist() == [3]

    async def test_an_error_is_raised_or_warned_about_where_something_came_before_it(self, app: sl.App) -> None:
        stream = app.stream([1, 0, 0, 2], processors=[lambda value: 1 / value])
        with pytest.warns(UserWarning, match="ends before an error: ZeroDivisionError: division by zero") as caught:
            assert len(await stream.to_frame()) == 1
        assert caught[0].filename == __file__
        with pytest.raises(ZeroDivisionError):
            await stream.to_frame()
        assert len(await stream.to_frame()) == 1

    @pytest.mark.parametrize("n", [0, -1])
    async def test_fewer_than_one_is_a_value_error(self, channel: sl.Channel[Any], n: int) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            await channel.stream().to_frame(n)


def test_a_graph_can_be_had(channel: sl.Channel[Any]) -> None:
    assert "digraph" in channel.stream().graph().source
