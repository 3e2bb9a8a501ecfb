"""echo and through: what is forwarded, acked, and raised to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import streamlab as sl
from streamlab import forwarder, lifecycle
from streamlab.broker.base import NewRecord, Outcome
from streamlab.runtime.io import on_io
from streamlab.streams import maybe_forward
from tests.streaming import first, message, put_all, rest, turns, until


@pytest.fixture
def channel(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


@pytest.fixture
def target(app: sl.App) -> sl.Channel[Any]:
    return app.channel()


class Broken(sl.Channel[Any]):
    """A channel to which nothing can be sent."""

    async def send(self, **_: Any) -> Any:
        raise KeyError("broken")


class TestEcho:
    async def test_every_channel_gets_the_value_as_it_is_at_that_point(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        one, two = app.channel(), app.channel()
        readers = [aiter(one), aiter(two)]
        stream = channel.stream(processors=[lambda value: value + 1])
        assert stream.echo(one, two) is stream
        stream.add_processor(lambda value: value * 10)
        await channel.send(key="k", value=1)
        assert await first(1, stream) == [20]
        for reader in readers:
            event = await anext(reader)
            assert (event.key, event.value) == (None, 2)

    async def test_an_event_as_value_is_forwarded_with_its_key(self, channel: sl.Channel[Any], target: sl.Channel[Any]) -> None:
        reader = aiter(target)
        stream = channel.stream(processors=[lambda _: sl.current_event()]).echo(target)
        await channel.send(key="k", value=1)
        await first(1, stream)
        event = await anext(reader)
        assert (event.key, event.value) == ("k", 1)

    async def test_without_channels_nothing_is_added(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream().echo()
        assert len(stream.processors) == 0
        await channel.send(value=1)
        assert await first(1, stream) == [1]

    async def test_a_name_on_a_channel_in_memory_is_a_value_error(self, channel: sl.Channel[Any]) -> None:
        with pytest.raises(ValueError, match="topic"):
            channel.stream().echo("name")

    async def test_a_failure_waits_for_the_others_and_is_raised(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        class Slow(sl.Channel[Any]):
            async def send(self, **options: Any) -> Any:
                await turns()
                return await super().send(**options)

        slow = Slow(app)
        reader = aiter(slow)
        stream = channel.stream().echo(Broken(app), slow)
        await channel.send(value=1)
        with pytest.raises(KeyError, match="broken"):
            await first(1, stream)
        assert (await anext(reader)).value == 1
        assert stream.processors["echoing"].errors == 1

    async def test_a_name_on_a_topics_stream_is_that_topic(self, app: sl.App) -> None:
        source = app.topic("echo-source", partitions=1)
        await source.send(value=1)
        assert await rest(source.stream(start="earliest", stop="end").echo("echo-target")) == [1]
        assert await rest(app.topic("echo-target").stream(start="earliest", stop="end")) == [1]


class TestThrough:
    async def test_the_processed_value_is_forwarded_with_key_headers_and_timestamp(
        self, channel: sl.Channel[Any], target: sl.Channel[Any]
    ) -> None:
        stream = channel.stream(processors=[lambda value: value + 1]).through(target)
        await channel.send(key="k", value=1, timestamp=12.5, headers=[("h", b"1")])
        (event,) = await first(1, stream.events())
        assert (event.key, event.value) == ("k", 2)
        assert event.message.timestamp == 12.5
        assert event.message.headers == [("h", b"1")]
        await stream.stop()

    async def test_processors_run_once_in_all(self, channel: sl.Channel[Any], target: sl.Channel[Any]) -> None:
        seen: list[int] = []
        origin = channel.stream(processors=[lambda value: seen.append(value) or value])
        stream = origin.through(target)
        assert origin._processors[0] is not None
        await put_all(channel, [1, 2])
        assert await first(2, stream) == [1, 2]
        assert seen == [1, 2]
        await stream.stop()

    async def test_a_filter_before_it_holds_values_back(self, channel: sl.Channel[Any], target: sl.Channel[Any]) -> None:
        other = target.stream()
        stream = channel.stream().filter(lambda value: value % 2).through(target)
        await put_all(channel, [1, 2, 3])
        assert await first(2, stream) == [1, 3]
        assert await first(2, other) == [1, 3]
        await stream.stop()

    async def test_processors_of_the_result_are_its_own(self, channel: sl.Channel[Any], target: sl.Channel[Any]) -> None:
        other = target.stream()
        stream = channel.stream().through(target)
        stream.add_processor(lambda value: value * 10)
        await channel.send(value=1)
        assert await first(1, stream) == [10]
        assert await first(1, other) == [1]
        await stream.stop()

    async def test_plain_values_are_forwarded_as_they_are(self, app: sl.App, target: sl.Channel[Any]) -> None:
        stream = app.stream([1, 2]).through(target)
        assert await first(2, stream) == [1, 2]
        await stream.stop()

    async def test_the_origin_is_acked_when_the_value_was_forwarded(
        self, channel: sl.Channel[Any], target: sl.Channel[Any]
    ) -> None:
        raw = aiter(channel)
        stream = channel.stream().through(target)
        await channel.send(value=1)
        event = await anext(raw)
        await first(1, stream)
        await until(lambda: event.message.acked)
        await stream.stop()

    async def test_forwarding_begins_before_anybody_iterates(self, channel: sl.Channel[Any], target: sl.Channel[Any]) -> None:
        reader = aiter(target)
        stream = channel.stream().through(target)
        await channel.send(value=1)
        async with asyncio.timeout(5):
            assert (await anext(reader)).value == 1
        await stream.stop()

    def test_without_a_loop_the_first_iteration_begins_it(self) -> None:
        app = sl.App("no-loop-through", broker="memory://no-loop-through")
        channel = app.channel()
        stream = channel.stream().through(app.channel())

        async def run() -> list[Any]:
            await channel.send(value=1)
            return await first(1, stream)

        assert asyncio.run(run()) == [1]
        app.close()

    async def test_an_error_while_draining_is_raised_to_the_consumer_once(
        self, channel: sl.Channel[Any], target: sl.Channel[Any]
    ) -> None:
        stream = channel.stream(processors=[lambda value: 1 // value]).through(target)
        await channel.send(value=0)
        with pytest.raises(ZeroDivisionError):
            await first(1, stream)
        await channel.send(value=1)
        assert await first(1, stream) == [1]
        await stream.stop()

    async def test_a_target_that_fails_is_raised_to_the_consumer(self, app: sl.App, channel: sl.Channel[Any]) -> None:
        stream = channel.stream().through(Broken(app))
        await channel.send(value=1)
        with pytest.raises(KeyError, match="broken"):
            await first(1, stream)
        await stream.stop()

    async def test_stopping_leaves_nothing_running(
        self, no_leaks: None, app: sl.App, channel: sl.Channel[Any], target: sl.Channel[Any]
    ) -> None:
        stream = channel.stream().through(target).through(app.channel())
        await channel.send(value=1)
        assert await first(1, stream) == [1]
        await stream.stop()

    def test_a_name_on_a_channel_in_memory_is_a_value_error(self, channel: sl.Channel[Any]) -> None:
        with pytest.raises(ValueError, match="topic"):
            channel.stream().through("name")

    def test_concurrency_is_refused_before_a_bad_name(self, channel: sl.Channel[Any]) -> None:
        with pytest.raises(sl.ImproperlyConfigured, match="concurrency"):
            channel.stream(concurrency_index=0).through("name")

    async def test_a_bad_name_is_refused_before_a_second_chain(self, channel: sl.Channel[Any], target: sl.Channel[Any]) -> None:
        stream = channel.stream()
        result = stream.through(target)
        with pytest.raises(ValueError, match="topic"):
            stream.through("name")
        with pytest.raises(sl.ImproperlyConfigured, match="already"):
            stream.through(target)
        with pytest.raises(sl.ImproperlyConfigured, match="already"):
            stream.group_by(str, name="text")
        await result.stop()


class TestGroupBy:
    async def test_the_key_is_the_functions_and_the_rest_is_kept(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream().group_by(lambda value: value["who"], name="who")
        await channel.send(key="old", value={"who": "ann"}, timestamp=12.5, headers={"h": b"1"})
        (event,) = await first(1, stream.events())
        assert (event.key, event.value) == ("ann", {"who": "ann"})
        assert (event.message.timestamp, event.headers) == (12.5, {"h": b"1"})
        await stream.stop()

    async def test_the_function_may_be_asynchronous(self, channel: sl.Channel[Any]) -> None:
        async def key(value: int) -> str:
            await asyncio.sleep(0)
            return f"key {value}"

        stream = channel.stream().group_by(key, name="key")
        await channel.send(value=1)
        assert await first(1, stream.items()) == [("key 1", 1)]
        await stream.stop()

    async def test_a_field_descriptor_needs_no_name(self, channel: sl.Channel[Any]) -> None:
        class Order(sl.Record):
            account: str

        stream = channel.stream().group_by(Order.account)
        await channel.send(value=Order(account="a"))
        assert await first(1, stream.items()) == [("a", Order(account="a"))]
        await stream.stop()

    async def test_in_memory_it_gets_a_channel_of_its_own(self, channel: sl.Channel[Any]) -> None:
        origin = channel.stream()
        stream = origin.group_by(str, name="text")
        other = channel.stream()
        assert stream.channel._root is not channel
        await put_all(channel, range(3))
        assert await first(3, stream) == [0, 1, 2]
        assert await first(3, other) == [0, 1, 2]
        await turns()
        assert other.channel.empty()
        await stream.stop()

    async def test_processors_stay_before_it(self, channel: sl.Channel[Any]) -> None:
        keys: list[int] = []
        stream = channel.stream(processors=[lambda value: value * 10]).filter(lambda value: value > 10)
        grouped = stream.group_by(lambda value: keys.append(value) or value, name="value")
        await put_all(channel, [1, 2])
        assert await first(1, grouped.items()) == [(20, 20)]
        assert keys == [20]
        await grouped.stop()

    async def test_when_the_key_cannot_be_had_the_value_is_skipped_acked_and_kept(self, channel: sl.Channel[Any]) -> None:
        raw = aiter(channel)
        origin = channel.stream()
        stream = origin.group_by(lambda value: value["who"], name="who")
        await put_all(channel, [{}, {"who": "ann"}])
        assert await first(1, stream.items()) == [("ann", {"who": "ann"})]
        assert (await anext(raw)).message.acked
        assert origin.processors[0].skipped == 1
        assert isinstance(origin.errors[0].error, KeyError)
        await stream.stop()

    async def test_an_interrupt_in_the_key_function_goes_through(self, channel: sl.Channel[Any]) -> None:
        class Stop(BaseException):
            pass

        def key(value: int) -> str:
            raise Stop

        origin = channel.stream()
        repartition = origin.group_by(key, name="key").get_root_stream()._processors[0]
        await origin.stop()
        event = sl.Event(origin.app, None, 1, None, sl.Message("t", 0, 0, 0.0, 0, None, None, None))
        origin.current_event = event
        with pytest.raises(Stop):
            await repartition(1)

    async def test_plain_values_are_a_runtime_error_to_the_consumer(self, app: sl.App, target: sl.Channel[Any]) -> None:
        stream = app.stream([1]).group_by(str, name="text", topic=target)
        with pytest.raises(RuntimeError, match="events"):
            await first(1, stream)
        await stream.stop()

    def test_plain_values_without_topic_are_refused_at_the_call(self, app: sl.App) -> None:
        with pytest.raises(sl.ImproperlyConfigured, match="topic="):
            app.stream([1]).group_by(str, name="text")

    def test_a_function_without_name_is_a_type_error(self, channel: sl.Channel[Any]) -> None:
        with pytest.raises(TypeError, match="name="):
            channel.stream().group_by(str)

    def test_concurrency_is_refused_before_a_missing_name(self, channel: sl.Channel[Any]) -> None:
        with pytest.raises(sl.ImproperlyConfigured, match="concurrency"):
            channel.stream(concurrency_index=0).group_by(str)

    async def test_a_missing_name_is_refused_before_a_second_chain(self, channel: sl.Channel[Any]) -> None:
        stream = channel.stream()
        result = stream.group_by(str, name="text")
        with pytest.raises(TypeError, match="name="):
            stream.group_by(str)
        with pytest.raises(sl.ImproperlyConfigured, match="already"):
            stream.group_by(str, name="text")
        await result.stop()

    def test_combine_is_allowed_with_concurrency(self, channel: sl.Channel[Any]) -> None:
        assert channel.stream(concurrency_index=0).combine(channel.stream()).combined

    def test_a_pattern_is_a_value_error(self, app: sl.App) -> None:
        with pytest.raises(ValueError, match="pattern"):
            app.topic(pattern="a.*").stream().group_by(str, name="text")

    def test_several_topics_are_refused_at_the_call(self, app: sl.App) -> None:
        with pytest.raises(sl.ImproperlyConfigured, match="a, b"):
            app.topic("a", "b").stream().group_by(str, name="text")

    @pytest.mark.parametrize(
        ("prefix", "has_prefix", "expected"),
        [("", False, "a-text-repartition"), ("p", False, "p-a-text-repartition"), ("p", True, "a-text-repartition")],
    )
    async def test_the_topics_name_and_settings(self, app: sl.App, prefix: str, has_prefix: bool, expected: str) -> None:
        source = app.topic("a", key_type=int, value_type=dict, has_prefix=has_prefix)
        stream = source.stream(prefix=prefix).group_by(str, name="text", partitions=3)
        topic = stream.channel
        assert topic.get_topic_name() == expected
        assert (topic.partitions, topic.internal) == (3, True)
        assert (topic.key_type, topic.value_type) == (None, dict)
        await stream.stop()

    async def test_the_key_type_is_the_fields_and_partitions_the_apps(self, app: sl.App) -> None:
        class Order(sl.Record):
            number: int

        app.conf.topic_partitions = 5
        stream = app.topic("a", key_type=str, value_type=Order).stream().group_by(Order.number)
        assert stream.channel.get_topic_name() == "a-Order.number-repartition"
        assert stream.channel.key_type is int
        assert stream.channel.partitions == 5
        await stream.stop()


class TestOnTopics:
    """On the embedded broker."""

    async def test_through_a_topic(self, app: sl.App) -> None:
        source = app.topic("source", partitions=2)
        await source.declare()
        stream = source.stream().through("target")
        stream.add_processor(lambda value: value + 1)
        await source.send(key="k", value=1, timestamp=12.5, headers={"h": b"1"})
        (event,) = await first(1, stream.events())
        assert (event.key, event.value, event.headers) == ("k", 1, {"h": b"1"})
        assert event.message.timestamp == 12.5
        await stream.stop()

    async def test_bytes_are_forwarded_as_they_were_unless_a_processor_changed_the_value(self, app: sl.App) -> None:
        source = app.topic("source", partitions=1)
        await source.declare()
        stream = source.stream(processors=[lambda value: {"b": 2} if "b" in value else value]).through("target")
        await source.send(value=b'{ "a" :1}')
        await source.send(value=b'{ "b" :1}')
        events = await first(2, stream.events())
        assert [event.message.value for event in events] == [b'{ "a" :1}', b'{"b":2}']
        await stream.stop()

    async def test_a_value_that_a_processor_changed_in_place_is_forwarded_as_it_is_now(self, app: sl.App) -> None:
        def enrich(order: dict[str, int]) -> dict[str, int]:
            order["b"] = order["a"] + 1
            return order

        source = app.topic("source", partitions=1)
        await source.declare()
        stream = source.stream(processors=[enrich]).group_by(lambda order: order["b"], name="b")
        await source.send(value={"a": 1})
        assert await first(1, stream) == [{"a": 1, "b": 2}]
        await stream.stop()

    async def test_a_value_that_on_error_made_is_forwarded_and_not_the_bad_bytes(self, app: sl.App) -> None:
        source = app.topic("source", partitions=1, value_type=int, on_error=lambda error: -1)
        await source.declare()
        stream = source.stream().through("target")
        for value in (b"two", b" 3"):
            await source.send(value=value, value_serializer="raw")
        events = await first(2, stream.events())
        assert [(event.value, event.message.value) for event in events] == [(-1, b"-1"), (3, b" 3")]
        await stream.stop()

    async def test_tombstones_and_missing_keys_stay_what_they_are(self, app: sl.App) -> None:
        source = app.topic("source", partitions=1)
        await source.declare()
        stream = source.stream().through("target")
        await source.send(key="k", value=None)
        await source.send(value=1)
        assert await first(2, stream.items()) == [("k", None), (None, 1)]
        await stream.stop()

    async def test_group_by_puts_equal_keys_into_one_partition(self, app: sl.App) -> None:
        source = app.topic("source", partitions=1)
        await source.declare()
        stream = source.stream().group_by(lambda value: value % 3, name="rest", partitions=4)
        for number in range(12):
            await source.send(value=number)
        events = await first(12, stream.events())
        assert {event.message.topic for event in events} == {"source-rest-repartition"}
        partitions: dict[str, set[int]] = {}
        for event in events:
            assert event.key == str(event.value % 3)
            partitions.setdefault(event.key, set()).add(event.message.partition)
        assert [len(found) for found in partitions.values()] == [1, 1, 1]
        await stream.stop()

    async def test_what_was_in_the_target_before_is_not_read(self, app: sl.App) -> None:
        source, target = app.topic("source", partitions=1), app.topic("target", partitions=1)
        await source.declare()
        await target.send(value="old")
        stream = source.stream().through(target)
        await source.send(value="new")
        assert await first(1, stream) == ["new"]
        await stream.stop()

    async def test_a_source_that_does_not_exist_is_reported_by_the_first_read(self, app: sl.App) -> None:
        stream = app.topic("missing").stream().through("target")
        with pytest.raises(sl.TopicNotFound, match="missing"):
            await first(1, stream)
        await stream.stop()


async def test_maybe_forward_sends_events_on_as_they_came_and_anything_else_as_value(
    app: sl.App, target: sl.Channel[Any]
) -> None:
    reader = aiter(target)
    message = sl.Message("t", 0, 0, 12.5, 0, [("h", b"1")], "k", "v")
    await maybe_forward(app.create_event("key", "value", None, message), target)
    await maybe_forward("plain", target)
    event, plain = await anext(reader), await anext(reader)
    assert (event.key, event.value, event.message.timestamp, event.headers) == ("k", "v", 12.5, {"h": b"1"})
    assert (plain.key, plain.value) == (None, "plain")


async def test_the_repartition_topic_keeps_old_records(app: sl.App) -> None:
    stream = app.topic("source", retention=60.0).stream().group_by(lambda value: value, name="self", partitions=1)
    await stream.channel.declare()
    config = await on_io(app.client.topic_config("source-self-repartition"))
    assert config["retention.ms"] == "-1"
    await stream.stop()


class SlowBroker:
    """Lets an app's records for one topic through when its gate is opened, and fails some."""

    def __init__(self, app: sl.App, monkeypatch: pytest.MonkeyPatch, topic: str = "target") -> None:
        self.topic = topic
        self.asked: list[int] = []
        self.most = 0
        self.broken: set[int] = set()
        self.calls = 0
        self.open = False
        self._unanswered = 0
        self._turn = asyncio.Lock()
        self._send_many = app.client.send_many
        monkeypatch.setattr(app.client, "send_many", self.send_many)

    async def send_many(self, topic: str, records: Sequence[NewRecord], answered: Callable[[int, Outcome], object]) -> None:
        if topic != self.topic:
            await self._send_many(topic, records, answered)
            return
        numbers = [int(record.value or b"") for record in records]
        self.asked += numbers
        self.calls += 1
        self._unanswered += len(records)
        self.most = max(self.most, self._unanswered)
        async with self._turn:  # one call after the other
            while not self.open:
                await asyncio.sleep(0.001)
        self._unanswered -= len(records)
        broken, self.broken = self.broken & set(numbers), self.broken - set(numbers)
        good = [place for place, number in enumerate(numbers) if number not in broken]
        for place, number in enumerate(numbers):
            if number in broken:
                answered(place, sl.BrokerError(f"no answer for {number}"))
        await self._send_many(topic, [records[place] for place in good], lambda n, outcome: answered(good[n], outcome))


class TestManyOnTheirWay:
    """Forwarding to a topic does not wait for each answer."""

    @pytest.fixture
    async def source(self, app: sl.App) -> sl.Topic[Any]:
        source = app.topic("source", partitions=1)
        await source.declare()
        return source

    @pytest.fixture
    def target(self, app: sl.App) -> sl.Topic[Any]:
        return app.topic("target", partitions=1)

    @pytest.fixture
    def slow(self, app: sl.App, monkeypatch: pytest.MonkeyPatch) -> SlowBroker:
        return SlowBroker(app, monkeypatch)

    async def test_items_are_acked_when_they_have_arrived(
        self, channel: sl.Channel[Any], target: sl.Topic[Any], slow: SlowBroker
    ) -> None:
        origin = channel.stream()
        stream = origin.through(target)
        messages = [message(number) for number in range(3)]
        for each in messages:
            await origin.channel.deliver(each)
        reading = asyncio.create_task(first(3, stream))
        await until(lambda: slow.asked == [0, 1, 2])
        assert not any(each.acked for each in messages)
        slow.open = True
        assert await reading == [0, 1, 2]
        await until(lambda: all(each.acked for each in messages))
        await stream.stop()

    async def test_many_records_are_handed_over_together(
        self, source: sl.Topic[Any], target: sl.Topic[Any], slow: SlowBroker
    ) -> None:
        slow.open = True
        await asyncio.gather(*(source.send(value=number) for number in range(400)))
        stream = source.stream(start="earliest").through(target)
        assert await first(400, stream) == list(range(400))
        assert slow.calls < 100
        await stream.stop()

    async def test_no_more_than_a_window_is_on_its_way(
        self, source: sl.Topic[Any], target: sl.Topic[Any], slow: SlowBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forwarder, "WINDOW", 7)
        stream = source.stream().through(target)
        await asyncio.gather(*(source.send(value=number) for number in range(50)))
        reading = asyncio.create_task(first(50, stream))
        await until(lambda: len(slow.asked) == 7)
        await turns(50)
        assert slow.asked == list(range(7))
        slow.open = True
        assert await reading == list(range(50))
        assert slow.most == 7
        await stream.stop()

    async def test_what_did_not_arrive_is_raised_once_and_sent_again_in_its_order(
        self, source: sl.Topic[Any], target: sl.Topic[Any], slow: SlowBroker
    ) -> None:
        stream = source.stream().through(target)
        slow.broken = {3, 4, 7}
        await asyncio.gather(*(source.send(value=number) for number in range(10)))
        reading = asyncio.create_task(rest(stream))
        await until(lambda: slow.asked == list(range(10)))
        slow.open = True
        with pytest.raises(sl.BrokerError, match="no answer for 3"):
            await reading
        await source.send(value=10)
        seen: list[int] = []
        async with asyncio.timeout(5):
            async for value in stream:
                seen.append(value)
                if value == 10:
                    break
        assert seen[-4:] == [3, 4, 7, 10]
        assert slow.asked == [*range(10), 3, 4, 7, 10]
        await stream.stop()

    async def test_only_what_arrived_is_acked(self, channel: sl.Channel[Any], target: sl.Topic[Any], slow: SlowBroker) -> None:
        origin = channel.stream()
        stream = origin.through(target)
        messages = [message(number) for number in range(6)]
        for each in messages:
            await origin.channel.deliver(each)
        slow.broken, slow.open = {1, 4}, True
        with pytest.raises(sl.BrokerError, match="no answer"):
            await rest(stream)
        await until(lambda: [each.acked for each in messages] == [number not in {1, 4} for number in range(6)])
        await stream.stop()

    async def test_what_waits_for_room_comes_after_what_failed(
        self, source: sl.Topic[Any], target: sl.Topic[Any], slow: SlowBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forwarder, "WINDOW", 3)
        stream = source.stream().through(target)
        slow.broken = {0, 1, 2}
        await asyncio.gather(*(source.send(value=number) for number in range(5)))
        reading = asyncio.create_task(rest(stream))
        await until(lambda: slow.asked == [0, 1, 2])
        slow.open = True
        with pytest.raises(sl.BrokerError, match="no answer"):
            await reading
        assert await first(5, stream) == [0, 1, 2, 3, 4]
        await stream.stop()

    async def test_failures_of_several_hand_overs_are_one_error(
        self, source: sl.Topic[Any], target: sl.Topic[Any], slow: SlowBroker
    ) -> None:
        stream = source.stream().through(target)
        slow.broken = {0, 1, 2}
        reading = asyncio.create_task(rest(stream))
        for number in range(3):
            await source.send(value=number)
            await until(lambda sent=number: slow.calls == sent + 1)  # type: ignore[misc] # a default
        slow.open = True
        with pytest.raises(sl.BrokerError, match="no answer for 0"):
            await reading
        assert await first(3, stream) == [0, 1, 2]
        await stream.stop()

    async def test_a_value_that_cannot_be_encoded_is_the_processors_error_and_is_passed_over(
        self, source: sl.Topic[Any], target: sl.Topic[Any]
    ) -> None:
        stream = source.stream(processors=[lambda value: object() if value == 1 else value]).through(target)
        await asyncio.gather(*(source.send(value=number) for number in range(3)))
        with pytest.raises(sl.EncodeError, match="object"):
            await rest(stream)
        assert (await first(1, stream))[-1] in (0, 2)
        await stream.stop()

    async def test_stopping_waits_for_what_is_on_its_way(
        self, source: sl.Topic[Any], target: sl.Topic[Any], slow: SlowBroker
    ) -> None:
        origin = source.stream()
        stream = origin.through(target)
        await source.send(value=0)
        reading = asyncio.create_task(first(1, stream))
        await until(lambda: slow.asked[:1] == [0])
        asyncio.get_running_loop().call_later(0.05, setattr, slow, "open", True)
        await stream.stop()
        assert origin._forwarder is not None
        assert origin._forwarder.at_rest
        assert await reading in ([], [0])

    async def test_what_has_not_arrived_when_it_is_stopped_is_given_back(
        self, source: sl.Topic[Any], target: sl.Topic[Any], slow: SlowBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lifecycle, "STOP_S", 0.05)
        origin = source.stream()
        async with origin.through(target) as stream:
            await asyncio.gather(*(source.send(value=number) for number in range(3)))
            await until(lambda: slow.asked == [0, 1, 2])
        slow.open = True
        async with asyncio.timeout(5):
            async for value in stream:
                if value == 2 and slow.asked == [0, 1, 2, 0, 1, 2]:
                    break
        await stream.stop()

    def test_what_was_on_its_way_when_its_loop_ended_is_sent_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        app = sl.App("two-loops", broker="memory://two-loops")
        source, slow = app.topic("source", partitions=1), SlowBroker(app, monkeypatch)

        async def begin() -> sl.Stream[Any]:
            await source.declare()
            stream = source.stream().through(app.topic("target", partitions=1))
            await asyncio.gather(*(source.send(value=number) for number in range(3)))
            await until(lambda: slow.asked == [0, 1, 2])
            return stream

        async def go_on(stream: sl.Stream[Any]) -> None:
            slow.open = True
            async with asyncio.timeout(5):
                async for value in stream:
                    if value == 2 and slow.asked == [0, 1, 2, 0, 1, 2]:
                        break
            await stream.stop()

        asyncio.run(go_on(asyncio.run(begin())))
        app.close()
