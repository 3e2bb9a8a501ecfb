"""What Faust's guide shows of streams, channels and agents, with only the import changed."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import streamlab as faust
from streamlab import StreamT
from streamlab.types import AppT
from tests.kafka.harness import KafkaCluster
from tests.streaming import first, put_all, until


class Order(faust.Record, serializer="json"):
    account_id: str
    amount: float = 0.0


@pytest.fixture
def orders(app: faust.App) -> faust.Topic[Order]:
    return app.topic("orders", value_type=Order, partitions=1)


class Seen(list[Any]):
    """An agent's function that keeps what it reads; ``how`` makes what is iterated of its stream."""

    def __init__(self, how: Any = lambda stream: stream) -> None:
        super().__init__()
        self.how = how

    async def read(self, stream: faust.Stream[Any]) -> None:
        async for value in self.how(stream):
            self.append(value)


async def seen_by(app: faust.App, topic: faust.Topic[Any], how: Any, values: list[Any], n: int) -> list[Any]:
    """Run an agent that iterates ``how(stream)`` over the values, until it has seen ``n``."""
    seen = Seen(how)
    app.agent(topic)(seen.read)
    await app.start()
    await put_all(topic, values)
    await until(lambda: len(seen) == n)
    return seen


async def test_an_agent_gets_the_records_of_its_topic(app: faust.App, orders: faust.Topic[Order]) -> None:
    totals: list[float] = []

    @app.agent(orders)
    async def process(stream: StreamT[Order]) -> AsyncIterator[float]:
        async for order in stream:
            totals.append(order.amount)
            yield order.amount

    await app.start()
    await orders.send(key="k", value=Order(account_id="a", amount=2.0))
    await until(lambda: totals == [2.0])


async def test_a_task_iterates_a_topic_by_itself(app: faust.App, orders: faust.Topic[Order]) -> None:
    seen: list[float] = []
    streams: list[faust.Stream[Order]] = []

    @app.task
    async def watch() -> None:
        streams.append(app.topic("orders", value_type=Order).stream())
        async for order in streams[0]:
            seen.append(order.amount)

    await orders.maybe_declare()
    await app.start()
    await until(lambda: streams)
    await orders.send(value=Order("a", 3.0))
    await until(lambda: seen == [3.0])


async def test_processors_are_given_to_the_stream_in_order(app: faust.App, orders: faust.Topic[Order]) -> None:
    def double(order: Order) -> Order:
        order.amount *= 2
        return order

    async def increment(order: Order) -> Order:
        order.amount += 1
        return order

    await orders.maybe_declare()
    stream = app.stream(orders, processors=[double, increment])
    await orders.send(value=Order("a", 5.0))
    assert [order.amount for order in await first(1, stream)] == [11.0]


async def test_a_stream_is_made_of_a_topics_iterator(app: faust.App, orders: faust.Topic[Order]) -> None:
    async def agent(app: AppT, topic: faust.TopicT[Order]) -> list[Any]:
        iterator = aiter(topic)
        app.topics.add(topic)
        await topic.send(value=Order("a", 1.0))
        return await first(1, faust.Stream(iterator, app=app))

    await orders.maybe_declare()
    assert await agent(app, orders) == [Order("a", 1.0)]


async def test_an_event_has_its_message_and_is_acked_by_its_block(app: faust.App, orders: faust.Topic[Order]) -> None:
    acks: list[tuple[bool, bool]] = []

    @app.agent(orders)
    async def process(stream: StreamT[Order]) -> None:
        async for event in stream.events():
            message = event.message
            assert (message.topic, message.offset, message.key, event.key, event.value.amount) == ("orders", 0, b"k", "k", 2.0)
            before = message.acked
            async with event:
                pass
            acks.append((before, message.acked))

    await app.start()
    await orders.send(key="k", value=Order("a", 2.0))
    await until(lambda: acks or app.errors)
    assert acks == [(False, True)]


async def test_group_by_a_field_gives_its_values_as_keys(app: faust.App, orders: faust.Topic[Order]) -> None:
    def how(stream: faust.Stream[Order]) -> Any:
        return stream.group_by(Order.account_id).items()

    assert await seen_by(app, orders, how, [Order("a", 1.0)], 1) == [("a", Order("a", 1.0))]


async def test_group_by_a_function_needs_a_name_only(app: faust.App, orders: faust.Topic[Order]) -> None:
    def how(stream: faust.Stream[Order]) -> Any:
        return stream.group_by(lambda order: f"account {order.account_id}", name="account").items()

    assert await seen_by(app, orders, how, [Order("a", 1.0)], 1) == [("account a", Order("a", 1.0))]


async def test_through_group_by_and_items_chain(app: faust.App, orders: faust.Topic[Order]) -> None:
    def how(stream: faust.Stream[Order]) -> Any:
        return stream.through("copies").group_by(Order.account_id).items()

    assert await seen_by(app, orders, how, [Order("a", 1.0)], 1) == [("a", Order("a", 1.0))]


async def test_filter_before_group_by_keeps_values_back(app: faust.App, orders: faust.Topic[Order]) -> None:
    def how(stream: faust.Stream[Order]) -> Any:
        return stream.filter(lambda order: order.amount > 1000).group_by(Order.account_id)

    assert await seen_by(app, orders, how, [Order("a", 1.0), Order("a", 2000.0)], 1) == [Order("a", 2000.0)]


@pytest.mark.parametrize("within", [{}, {"within": 10}])
async def test_take_gathers_values_of_a_grouped_stream(
    app: faust.App, orders: faust.Topic[Order], within: dict[str, Any]
) -> None:
    def how(stream: faust.Stream[Order]) -> Any:
        return stream.group_by(Order.account_id).take(2, **within)

    batches = await seen_by(app, orders, how, [Order("a", 1.0), Order("a", 2.0)], 1)
    assert batches == [[Order("a", 1.0), Order("a", 2.0)]]


async def test_enumerate_counts_from_where_it_is_told(app: faust.App, orders: faust.Topic[Order]) -> None:
    assert await seen_by(app, orders, lambda stream: stream.enumerate(1), [Order("a")], 1) == [(1, Order("a"))]


async def test_echo_repeats_to_names_and_topics(app: faust.App, orders: faust.Topic[Order]) -> None:
    copies = [app.topic(name, value_type=Order, partitions=1) for name in ("copy-1", "copy-2")]
    streams = []
    for copy in copies:
        await copy.maybe_declare()
        streams.append(copy.stream())
    await seen_by(app, orders, lambda stream: stream.echo("copy-1", copies[1]), [Order("a")], 1)
    assert [await first(1, stream) for stream in streams] == [[Order("a")], [Order("a")]]


async def test_a_value_is_sent_on_and_its_event_forwarded(app: faust.App, orders: faust.Topic[Order]) -> None:
    large = app.topic("large", value_type=Order, partitions=1)

    @app.agent(orders)
    async def process(stream: StreamT[Order]) -> None:
        async for event in stream.events():
            await large.send(value=event.value.derive(amount=0.0))
            await event.forward("large")

    seen = Seen(lambda stream: stream.items())
    app.agent(large)(seen.read)
    await app.start()
    await orders.send(key="k", value=Order("a", 1.0))
    await until(lambda: seen == [(None, Order("a", 0.0)), ("k", Order("a", 1.0))])


async def test_what_send_returns_can_be_awaited_and_called_back(app: faust.App, orders: faust.Topic[Order]) -> None:
    called: list[Any] = []
    sent = await orders.send(key="k", value=Order("a"), partition=0, callback=called.append)
    assert (await sent).topic_partition == faust.TP("orders", 0)
    assert called == [sent]


async def test_a_timer_fills_a_channel_that_an_agent_reads(app: faust.App) -> None:
    channel = app.channel(key_type=bytes, value_type=Order, value_serializer="json", maxsize=10)
    seen = Seen(lambda stream: stream.events())
    app.agent(channel)(seen.read)

    @app.timer(0.01)
    async def populate(app: AppT) -> None:
        assert app.started
        await channel.send(value=Order("a", 303))

    await app.start()
    await until(lambda: seen)
    assert seen[0].value == Order("a", 303)
    assert channel.value_serializer == "json"


@pytest.mark.parametrize(
    "options",
    [{"value_type": Order}, {"schema": faust.Schema(value_type=Order, value_serializer="json")}],
    ids=["type", "schema"],
)
async def test_an_agent_without_a_topic_says_what_its_values_are(app: faust.App, options: dict[str, Any]) -> None:
    seen = Seen()
    agent = app.agent(**options)(seen.read)
    await app.start()
    await agent.send(value=Order("a", 1.0))
    await agent.cast(Order("b", 2.0))
    await until(lambda: len(seen) == 2)
    assert sorted(seen) == [Order("a", 1.0), Order("b", 2.0)]


async def test_an_agent_is_sent_to_where_it_does_not_run(app: faust.App) -> None:
    seen = Seen()
    agent = app.agent(value_type=str)(seen.read)
    await agent.cast("sent by a client")
    await app.start()
    await until(lambda: seen == ["sent by a client"])


async def test_instances_of_an_agent_share_the_values(app: faust.App, orders: faust.Topic[Order]) -> None:
    seen = Seen()
    agent = app.agent(orders, concurrency=10, name="proj.agents.share")(seen.read)
    await app.start()
    for amount in range(20):
        await orders.send(value=Order("a", amount))
    await until(lambda: len(seen) == 20)
    assert sorted(order.amount for order in seen) == list(range(20))
    assert (agent.name, len(agent.streams)) == ("proj.agents.share", 10)


async def test_agents_and_timers_are_made_of_partial_functions(app: faust.App) -> None:
    channel: faust.ChannelT[int] = app.channel(value_type=int)
    seen: list[Any] = []

    async def read(name: str, stream: StreamT[int]) -> AsyncIterator[int]:
        async for value in stream:
            seen.append((name, value))
            yield value

    async def produce(to: faust.ChannelT[int]) -> None:
        await to.send(value=1)

    app.agent(channel, name="stage-1")(functools.partial(read, "first"))
    app.timer(interval=0.01)(functools.partial(produce, channel))
    await app.start()
    await until(lambda: ("first", 1) in seen)


async def test_keys_and_values_are_records(app: faust.App) -> None:
    topic = app.topic("both", key_type=Order, value_type=Order, partitions=1)
    seen = Seen(lambda stream: stream.items())
    app.agent(topic)(seen.read)
    await app.start()
    await topic.send(key=Order("key"), value=Order("value"))
    await until(lambda: seen == [(Order("key"), Order("value"))])


@pytest.fixture
def on_kafka(kafka: KafkaCluster, topic_name: str) -> Iterator[faust.App]:
    app = faust.App(f"app-{topic_name}", topic_partitions=2)
    app.conf.broker = kafka.url
    yield app
    app.close()


async def test_the_same_code_runs_on_kafka(on_kafka: faust.App, topic_name: str) -> None:
    topic = on_kafka.topic(topic_name, value_type=Order, partitions=2)
    seen = Seen(lambda stream: stream.group_by(Order.account_id).take(2, within=10))
    shuffle = on_kafka.agent(topic)(seen.read)
    count = Seen()
    anonymous = on_kafka.agent(value_type=str, name="count")(count.read)
    async with on_kafka:
        for amount in (1.0, 2.0):
            await shuffle.send(key="k", value=Order("a", amount))
        await anonymous.send(key="word", value="word")
        await until(lambda: seen and count)
    assert (seen, count) == ([[Order("a", 1.0), Order("a", 2.0)]], ["word"])
