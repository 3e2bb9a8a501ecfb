"""Topics: what they are called, what is made of them, what they write and read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

import streamlab as sl
from streamlab.runtime.io import on_io
from tests.streaming import first, message, rest


class Order(sl.Record):
    account: str
    number: int


@pytest.fixture
def topic(app: sl.App, topic_name: str) -> sl.Topic[Any]:
    return app.topic(topic_name)


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    return f"topics-{request.node.name}"


def test_a_topic_with_one_name_has_that_name(app: sl.App) -> None:
    assert app.topic("orders").get_topic_name() == "orders"
    assert str(app.topic("orders", "payments")) == "orders,payments"


@pytest.mark.parametrize(
    ("names", "pattern", "error"),
    [(("a", "b"), None, ValueError), ((), "a.*", TypeError), ((), None, TypeError)],
)
def test_a_topic_without_a_single_name_says_so(
    app: sl.App, names: tuple[str, ...], pattern: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        app.topic(*names, pattern=pattern).get_topic_name()


def test_what_is_no_name_and_no_pattern_is_refused(app: sl.App) -> None:
    names: Any = (5, b"orders", None)
    for name in names:
        with pytest.raises(sl.InvalidType, match="described by its name"):
            app.topic(name)
    with pytest.raises(sl.InvalidValue, match="regular expression"):
        app.topic(pattern="orders-(")


def test_names_and_a_pattern_exclude_each_other(app: sl.App) -> None:
    with pytest.raises(TypeError, match="not both"):
        app.topic("orders", pattern="o.*")
    named, patterned = app.topic("orders"), app.topic(pattern="o.*")
    with pytest.raises(TypeError):
        named.pattern = "o.*"
    with pytest.raises(TypeError):
        patterned.topics = ["orders"]


def test_names_pattern_and_partitions_can_be_set(app: sl.App) -> None:
    topic = app.topic("orders")
    topic.topics = []
    topic.pattern = "p.*"
    topic.partitions = 3
    assert topic.pattern == re.compile("p.*")
    assert str(topic) == "'p.*'"
    assert topic.partitions == 3


def test_a_topic_cannot_have_no_partitions(app: sl.App) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        app.topic("orders", partitions=0)


def test_a_topic_of_nothing_has_no_stream(app: sl.App) -> None:
    with pytest.raises(TypeError, match="neither names nor a pattern"):
        app.topic().stream()


def test_a_derived_topic_is_alike_but_for_what_is_given(app: sl.App) -> None:
    topic = app.topic("orders", value_type=Order, partitions=3, retention=60.0)
    derived = topic.derive_topic(prefix="a-", suffix="-z", partitions=5)
    assert derived.topics == ("a-orders-z",)
    assert (derived.value_type, derived.partitions, derived.retention) == (Order, 5, 60.0)
    assert derived.has_prefix


def test_a_derived_topics_types_are_its_own(app: sl.App) -> None:
    topic = app.topic("orders", value_type=Order)
    assert topic.derive(topics=["other"], value_type=str).value_type is str
    assert topic.value_type is Order


def test_a_pattern_takes_no_prefix(app: sl.App) -> None:
    with pytest.raises(ValueError, match="pattern"):
        app.topic(pattern="o.*").derive_topic(prefix="a-")


def test_a_schema_that_is_given_is_the_topics(app: sl.App) -> None:
    schema = sl.Schema(value_type=Order)
    assert app.topic("orders", schema=schema).schema is schema


def test_serializers_of_the_app_are_the_default() -> None:
    app = sl.App("serializers", value_serializer="raw", key_serializer="int64")
    assert (app.topic("a").key_serializer, app.topic("a").value_serializer) == ("int64", "raw")
    assert app.topic("a", value_serializer="json").value_serializer == "json"


async def test_declaring_creates_the_topic_as_described(app: sl.App, topic_name: str) -> None:
    topic = app.topic(topic_name, partitions=3, retention=timedelta(minutes=1), compacting=True, config={"x.y": 1})
    await topic.declare()
    await topic.declare()
    assert await on_io(app.client.partitions(topic_name)) == (0, 1, 2)
    config = await on_io(app.client.topic_config(topic_name))
    assert (config["retention.ms"], config["cleanup.policy"], config["x.y"]) == ("60000", "compact", "1")


async def test_sending_returns_where_the_record_is(topic: sl.Topic[Any], topic_name: str) -> None:
    told: list[sl.RecordMetadata] = []
    sent = await topic.send(key="k", value={"a": 1}, timestamp=12.5, callback=told.append)
    assert (sent.topic, sent.offset, sent.timestamp) == (topic_name, 0, 12.5)
    assert await sent == sent
    assert told == [sent]


async def test_what_was_sent_is_read_as_it_was(topic: sl.Topic[Any]) -> None:
    await topic.send(key="k", value={"a": 1}, timestamp=12.5, headers={"one": "1", "two": b"2"})
    stream = topic.stream(start="earliest", stop="end")
    async for value in stream:
        event = stream.current_event
        assert event is not None
        assert (event.key, value, event.message.timestamp) == ("k", {"a": 1}, 12.5)
        assert event.message.headers == [("one", b"1"), ("two", b"2")]
        assert event.headers == {"one": b"1", "two": b"2"}


async def test_a_tombstone_is_a_value(topic: sl.Topic[Any]) -> None:
    await topic.send(key="k", value=None)
    assert await rest(topic.stream(start="earliest", stop="end")) == [None]


async def test_a_value_that_cannot_be_encoded_is_an_error_of_ours(topic: sl.Topic[Any]) -> None:
    with pytest.raises(sl.EncodeError):
        await topic.send(value=object())


async def test_a_pattern_reads_all_topics_that_match(app: sl.App, topic_name: str) -> None:
    for end in ("a", "b"):
        await app.topic(f"{topic_name}-{end}").send(value=end)
    stream = app.topic(pattern=f"{re.escape(topic_name)}-.").stream(start="earliest", stop="end")
    assert sorted(await rest(stream)) == ["a", "b"]


async def test_a_raw_reader_gets_events(topic: sl.Topic[Any]) -> None:
    await topic.declare()
    reader = aiter(topic)
    await topic.send(key="k", value=1)
    event = await anext(reader)
    assert (event.key, event.value) == ("k", 1)


async def test_a_topic_itself_is_no_iterator(topic: sl.Topic[Any]) -> None:
    with pytest.raises(RuntimeError, match="no iterator"):
        await anext(topic)
    with pytest.raises(RuntimeError, match="send"):
        await topic.put(1)


async def test_an_event_put_on_an_iterator_is_that_iterators(topic: sl.Topic[Any]) -> None:
    one, other = topic.stream(), topic.stream()
    await topic.declare()
    event = await one.channel.decode(message(b"1"))
    await one.channel.put(event)
    assert await first(1, one) == [1]
    assert event.message.acked
    assert other.channel.empty()


async def test_a_message_is_decoded_by_the_topics_types(app: sl.App) -> None:
    topic = app.topic("orders", key_type=int, value_type=Order)
    event = await topic.decode(message(b'{"account":"a","number":1}', key=b"7"))
    assert (event.key, event.value) == (7, Order("a", 1))
    with pytest.raises(sl.KeyDecodeError):
        await topic.decode(message(b"{}", key=b"x"))
    with pytest.raises(sl.ValueDecodeError):
        await topic.decode(message(b"x", key=b"7"))


async def test_active_partitions_are_all_that_is_read(app: sl.App, topic_name: str) -> None:
    await app.topic(topic_name, partitions=2).declare()
    for partition in (0, 1):
        await app.topic(topic_name).send(value=partition, partition=partition)
    topic = app.topic(topic_name, active_partitions={sl.TP(topic_name, 1)})
    assert await rest(topic.stream(start="earliest", stop="end")) == [1]


async def test_undecodable_records_follow_the_topics_policy(app: sl.App, topic_name: str) -> None:
    await app.topic(topic_name, value_serializer="raw").send(value=b"no order")
    await app.topic(topic_name).send(value={"account": "a", "number": 1})
    topic = app.topic(topic_name, value_type=Order, on_error="skip")
    stream = topic.stream(start="earliest", stop="end")
    assert await rest(stream) == [Order("a", 1)]
    assert [type(entry.error) for entry in stream.errors] == [sl.ValueDecodeError]


@pytest.mark.parametrize("timestamp", [float("nan"), "noon", 1e30])
async def test_a_timestamp_that_is_none_is_refused(app: sl.App, timestamp: Any) -> None:
    with pytest.raises(sl.InvalidValue, match="seconds since 1970"):
        await app.topic("t").send(value=1, timestamp=timestamp)


@pytest.mark.parametrize("headers", [{"a": 1}, [("a",)], {1: b""}, 5, {"a": [1]}])
async def test_headers_that_are_none_are_refused(app: sl.App, headers: Any) -> None:
    with pytest.raises(sl.InvalidType, match="pairs of a name and bytes"):
        await app.topic("t").send(value=1, headers=headers)
