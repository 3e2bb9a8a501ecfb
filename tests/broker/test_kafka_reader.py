from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest
from aiokafka import errors as kafka_errors
from confluent_kafka import Consumer

from streamlab.broker import kafka_reader
from streamlab.broker.base import GroupListener, ReaderOptions
from streamlab.broker.kafka import KafkaBroker
from streamlab.broker.kafka_reader import KafkaReader
from streamlab.errors import AuthorizationFailed, BrokerError, BrokerUnavailable, InvalidState, OffsetOutOfRange
from streamlab.events import TP
from tests.broker.conftest import addresses, frozen
from tests.broker.kafka_data import batches_of, fetch_until_error, reading, records_of
from tests.kafka import client
from tests.kafka.harness import KafkaCluster


async def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture
async def tp(kafka_broker: KafkaBroker, topic_name: str) -> TP:
    await kafka_broker.create_topic(topic_name)
    return TP(topic_name, 0)


class Group:
    """Members of one group, each fetched from by a task."""

    def __init__(self, broker: KafkaBroker, topic: str) -> None:
        self.broker = broker
        self.topic = topic
        self.assigned: dict[str, frozenset[TP]] = {}
        self.generations: dict[str, int] = {}
        self.values: list[bytes | None] = []
        self.before_revoke: Callable[[str], Awaitable[None]] | None = None
        self.readers: dict[str, KafkaReader] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self.readers):
            await self.leave(name)

    async def join(self, name: str) -> KafkaReader:
        async def revoked(tps: frozenset[TP]) -> None:
            if self.before_revoke is not None:
                await self.before_revoke(name)
            self.assigned[name] = frozenset()

        async def assigned(tps: frozenset[TP], generation: int) -> None:
            self.assigned[name], self.generations[name] = tps, generation

        listener = GroupListener(revoked, assigned)
        reader = self.broker.reader(ReaderOptions(group=self.topic, topics=(self.topic,), listener=listener))
        self.readers[name] = reader
        await reader.start()
        self.tasks[name] = asyncio.create_task(self._drive(reader))
        return reader

    async def leave(self, name: str) -> None:
        self.tasks[name].cancel()
        await asyncio.wait({self.tasks.pop(name)})
        await self.readers.pop(name).stop()
        del self.assigned[name]

    async def _drive(self, reader: KafkaReader) -> None:
        while True:
            for batch in await reader.fetch(0.1):
                self.values += [record.value for record in batch.records]

    def settled(self, *sizes: int) -> bool:
        return sorted(len(tps) for tps in self.assigned.values()) == sorted(sizes)


async def test_a_rebalance_shares_out_and_each_record_is_read_on(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name, partitions=4)
    async with Group(kafka_broker, topic_name) as group:
        await group.join("one")
        await until(lambda: group.settled(4))
        await group.join("two")
        await until(lambda: group.settled(2, 2))
        assert group.generations["one"] == group.generations["two"]
        for partition in range(4):
            await kafka_broker.send(topic_name, key=None, value=b"%d" % partition, partition=partition)
        await until(lambda: len(group.values) >= 4)
        assert sorted(v for v in group.values if v) == [b"0", b"1", b"2", b"3"]


async def test_a_commit_when_partitions_are_revoked_is_where_the_next_member_begins(
    kafka_broker: KafkaBroker, topic_name: str
) -> None:
    await kafka_broker.create_topic(topic_name, partitions=2)
    tps = [TP(topic_name, 0), TP(topic_name, 1)]
    for tp in tps:
        for value in (b"a", b"b", b"c"):
            await kafka_broker.send(topic_name, key=None, value=value, partition=tp.partition)
    async with Group(kafka_broker, topic_name) as group:
        one = await group.join("one")
        await until(lambda: len(group.values) == 6)
        group.before_revoke = lambda name: one.commit(dict.fromkeys(tps, 2))
        group.values.clear()
        await group.join("two")
        await until(lambda: group.settled(1, 1) and len(group.values) == 2)
        assert group.values == [b"c", b"c"]


async def test_a_commit_of_what_was_revoked_is_dropped_silently(kafka_broker: KafkaBroker, topic_name: str) -> None:
    await kafka_broker.create_topic(topic_name, partitions=2)
    async with Group(kafka_broker, topic_name) as group:
        one = await group.join("one")
        await until(lambda: group.settled(2))
        await group.join("two")
        await until(lambda: group.settled(1, 1))
        mine, others = next(iter(group.assigned["one"])), next(iter(group.assigned["two"]))
        await one.commit({mine: 7, others: 9})
        await one.commit({others: 9})
        assert await kafka_broker.committed(topic_name, [mine, others]) == {mine: 7, others: None}


async def test_a_member_that_is_stopped_while_it_joins_keeps_no_partitions_from_the_others(
    kafka_broker: KafkaBroker, topic_name: str
) -> None:
    await kafka_broker.create_topic(topic_name, partitions=2)
    go_on = asyncio.Event()
    async with Group(kafka_broker, topic_name) as group:
        await group.join("one")
        await until(lambda: group.settled(2))
        group.before_revoke = lambda name: asyncio.wait_for(go_on.wait(), 20)  # type: ignore[arg-type]
        two = await group.join("two")
        await until(lambda: bool(two._consumer._coordinator.member_id))
        group.assigned["two"] = frozenset()
        await group.leave("two")
        go_on.set()
        began = time.monotonic()
        await until(lambda: group.generations["one"] > 1 and group.settled(2))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("error", [kafka_errors.CommitFailedError(), kafka_errors.IllegalStateError()])
async def test_a_commit_refused_for_its_generation_is_dropped_silently(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await kafka_broker.create_topic(topic_name)
    async with Group(kafka_broker, topic_name) as group:
        one = await group.join("one")
        await until(lambda: group.settled(1))
        monkeypatch.setattr(one._consumer, "commit", _raising(error))
        await one.commit({TP(topic_name, 0): 0})


def _raising(error: Exception) -> Callable[..., Awaitable[Any]]:
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail


async def test_any_other_refusal_of_a_commit_is_an_error_of_ours(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.create_topic(topic_name)
    async with Group(kafka_broker, topic_name) as group:
        one = await group.join("one")
        await until(lambda: group.settled(1))
        monkeypatch.setattr(one._consumer, "commit", _raising(kafka_errors.GroupAuthorizationFailedError("g")))
        with pytest.raises(AuthorizationFailed, match=f"group {topic_name}"):
            await one.commit({TP(topic_name, 0): 0})


async def test_a_group_has_no_assign_of_its_own(kafka_broker: KafkaBroker, tp: TP) -> None:
    async with reading(kafka_broker, group=tp.topic, topics=(tp.topic,)) as reader:
        with pytest.raises(InvalidState, match="observing"):
            reader.assign({tp: 0})


async def test_a_group_that_committed_beyond_the_end_names_the_range(kafka_broker: KafkaBroker, tp: TP) -> None:
    async with Group(kafka_broker, tp.topic) as group:
        one = await group.join("one")
        await until(lambda: group.settled(1))
        await one.commit({tp: 50})
    async with reading(kafka_broker, group=tp.topic, topics=(tp.topic,)) as reader:
        with pytest.raises(OffsetOutOfRange, match=rf"holds 0 to 0.*made anew.*Group {tp.topic} stands there"):
            await fetch_until_error(reader)


async def test_an_offset_that_was_deleted_is_told_from_one_that_never_was(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP
) -> None:
    for _ in range(4):
        await kafka_broker.send(tp.topic, key=None, value=b"a")
    await asyncio.to_thread(client.delete_records, kafka.bootstrap, tp.topic, 2)
    for offset, told in ((1, "deleted by retention"), (7, "deleted and made anew")):
        async with reading(kafka_broker) as reader:
            reader.assign({tp: offset})
            with pytest.raises(OffsetOutOfRange, match=f"holds 2 to 4.*{told}"):
                await fetch_until_error(reader)


async def test_a_group_that_shares_out_otherwise_cannot_be_joined_and_it_is_said_why(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP
) -> None:
    settings = {"bootstrap.servers": kafka.bootstrap, "group.id": tp.topic, "partition.assignment.strategy": "cooperative-sticky"}
    other = Consumer(settings)
    other.subscribe([tp.topic])
    try:
        while not other.assignment():
            await asyncio.to_thread(other.poll, 0.1)
        async with reading(kafka_broker, group=tp.topic, topics=(tp.topic,)) as reader:
            with pytest.raises(BrokerError, match=f"Cannot join group {tp.topic}.*roundrobin"):
                await fetch_until_error(reader)
    finally:
        await asyncio.to_thread(other.close)


async def test_the_position_goes_past_markers_and_nothing_is_assigned_before(kafka_broker: KafkaBroker, tp: TP) -> None:
    await kafka_broker.send(tp.topic, key=None, value=b"a")
    async with reading(kafka_broker) as reader:
        assert await reader.fetch(0.05) == []
        reader.assign({tp: 0})
        assert reader.position(tp) == 0
        await batches_of(reader, tp, 1)
        assert reader.position(tp) == 1


async def test_reading_before_the_start_or_after_the_stop_is_an_error(kafka_broker: KafkaBroker, tp: TP) -> None:
    reader = kafka_broker.reader(ReaderOptions())
    with pytest.raises(InvalidState, match="not started"):
        await reader.fetch(0.1)
    await reader.start()
    await reader.stop()
    with pytest.raises(InvalidState, match="not started"):
        reader.assign({tp: 0})


@pytest.mark.parametrize("group", [None, "a-group"])
async def test_a_stop_right_after_the_start_leaves_nothing(
    kafka: KafkaCluster, no_leaks: None, topic_name: str, group: str | None
) -> None:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    await broker.create_topic(topic_name)
    reader = broker.reader(ReaderOptions(group=group, topics=(topic_name,) if group else ()))
    await reader.start()
    await reader.stop()
    await broker.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("group", [None, "a-group"])
async def test_a_stop_during_the_start_leaves_nothing(
    kafka: KafkaCluster, no_leaks: None, topic_name: str, group: str | None, turns: int
) -> None:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    await broker.create_topic(topic_name)
    reader = broker.reader(ReaderOptions(group=group, topics=(topic_name,) if group else ()))
    starting = asyncio.create_task(reader.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    await reader.stop()
    await asyncio.wait({starting}, timeout=5)
    assert starting.done()
    await reader.stop()
    await broker.close()


async def test_a_start_that_is_cancelled_can_be_stopped(kafka: KafkaCluster, no_leaks: None) -> None:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    await broker.check()
    reader = broker.reader(ReaderOptions())
    starting = asyncio.create_task(reader.start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait({starting})
    await reader.stop()
    await broker.close()


async def test_a_stop_while_a_fetch_waits_ends_the_fetch(kafka_broker: KafkaBroker, tp: TP) -> None:
    reader = kafka_broker.reader(ReaderOptions())
    await reader.start()
    reader.assign({tp: 0})
    fetching = asyncio.create_task(reader.fetch(20))
    await asyncio.sleep(0.05)
    await reader.stop()
    assert await fetching == []


async def test_a_broker_that_is_not_there_fails_the_start_at_once(no_leaks: None) -> None:
    broker = KafkaBroker((("127.0.0.1", 1),))
    reader = broker.reader(ReaderOptions())
    with pytest.raises(BrokerUnavailable, match="refuses connections"):
        await reader.start()
    await reader.stop()
    await broker.close()


async def test_a_frozen_broker_is_seen_and_lost_nothing_when_it_is_back(
    fragile: KafkaCluster, no_leaks: None, topic_name: str
) -> None:
    broker, tp = KafkaBroker(addresses(fragile.bootstrap)), TP(topic_name, 0)
    await broker.send(topic_name, key=None, value=b"a")
    async with reading(broker) as reader:
        reader.assign({tp: 0})
        await batches_of(reader, tp, 1)
        with frozen(fragile):
            since = time.monotonic()
            while time.monotonic() - since < 2:
                assert await reader.fetch(0.2) == []
            assert reader.last_answer < since + 0.1
        sending = asyncio.create_task(broker.send(topic_name, key=None, value=b"b"))
        assert [record.value for record in records_of(await batches_of(reader, tp, 2))] == [b"b"]
        assert reader.last_answer > since + 2
        await sending
    await broker.close()


async def test_frozen_brokers_hold_up_no_stop(fragile: KafkaCluster, no_leaks: None, topic_name: str) -> None:
    broker, tp = KafkaBroker(addresses(fragile.bootstrap)), TP(topic_name, 0)
    await broker.send(topic_name, key=None, value=b"a")
    observer = broker.reader(ReaderOptions())
    await observer.start()
    observer.assign({tp: 0})
    member = broker.reader(ReaderOptions(group=topic_name, topics=(topic_name,)))
    await member.start()
    while not await member.fetch(0.2):
        pass
    with frozen(fragile):
        with pytest.raises(BrokerUnavailable, match="no answer"):
            await member.commit({tp: 1})
        late = broker.reader(ReaderOptions())
        with pytest.raises(BrokerUnavailable, match="no answer"):
            await late.start()
        for stop in (observer.stop, member.stop, late.stop, broker.close):
            began = time.monotonic()
            await stop()
            assert time.monotonic() - began < 6


async def test_a_start_can_be_tried_again_when_the_broker_is_back(fragile: KafkaCluster, no_leaks: None, topic_name: str) -> None:
    broker = KafkaBroker(addresses(fragile.bootstrap))
    await broker.send(topic_name, key=None, value=b"a")
    reader, tp = broker.reader(ReaderOptions()), TP(topic_name, 0)
    with frozen(fragile), pytest.raises(BrokerUnavailable, match="no answer"):
        await reader.start()
    await reader.start()
    reader.assign({tp: 0})
    assert len(await batches_of(reader, tp, 1)) == 1
    await reader.stop()
    await broker.close()


async def test_a_broker_that_was_killed_and_restarted_is_read_on(fragile: KafkaCluster, no_leaks: None, topic_name: str) -> None:
    broker, tp = KafkaBroker(addresses(fragile.bootstrap)), TP(topic_name, 0)
    await broker.send(topic_name, key=None, value=b"a")
    async with reading(broker) as reader:
        reader.assign({tp: 0})
        await batches_of(reader, tp, 1)
        await asyncio.to_thread(fragile.kill)
        assert await reader.fetch(0.3) == []
        with pytest.raises(BrokerUnavailable, match="refuses connections"):
            await broker.watermarks([tp])
        with pytest.raises(BrokerUnavailable, match="refuses connections"):
            await broker.reader(ReaderOptions()).start()
        await asyncio.to_thread(fragile.restart)
        assert (await broker.watermarks([tp]))[tp].high == 1
        await broker.send(topic_name, key=None, value=b"b")
        assert [record.value for record in records_of(await batches_of(reader, tp, 2))] == [b"b"]
    await broker.close()


async def test_a_start_that_fails_twice_though_the_broker_answers_is_an_error(
    kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.check()
    monkeypatch.setattr("aiokafka.AIOKafkaConsumer.start", _raising(kafka_errors.KafkaConnectionError("Unable to bootstrap")))
    with pytest.raises(BrokerUnavailable, match=r"Cannot read from .*Unable to bootstrap"):
        await kafka_broker.reader(ReaderOptions()).start()


async def test_an_error_of_a_callback_is_raised_by_the_next_fetch(kafka_broker: KafkaBroker, tp: TP) -> None:
    async def revoked(tps: frozenset[TP]) -> None: ...

    async def assigned(tps: frozenset[TP], generation: int) -> None:
        raise RuntimeError("a defect")

    async with reading(kafka_broker, group=tp.topic, topics=(tp.topic,), listener=GroupListener(revoked, assigned)) as reader:
        with pytest.raises(RuntimeError, match="a defect"):
            await fetch_until_error(reader)
        assert await reader.fetch(0.1) == []


async def test_an_error_while_reading_names_the_topic(kafka_broker: KafkaBroker, tp: TP, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        monkeypatch.setattr(reader._consumer, "getmany", _raising(kafka_errors.TopicAuthorizationFailedError(tp.topic)))
        with pytest.raises(AuthorizationFailed, match=f"Cannot read {tp.topic}"):
            await reader.fetch(0.1)


async def test_trouble_that_time_heals_is_no_error_of_a_fetch(
    kafka_broker: KafkaBroker, tp: TP, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        monkeypatch.setattr(reader._consumer, "getmany", _raising(kafka_errors.NodeNotReadyError()))
        assert await reader.fetch(0.1) == []


async def test_a_group_without_a_listener_reads_too(kafka_broker: KafkaBroker, tp: TP) -> None:
    await kafka_broker.send(tp.topic, key=None, value=b"a")
    async with (
        reading(kafka_broker, group=tp.topic, topics=(tp.topic,)) as one,
        reading(kafka_broker, group=tp.topic, topics=(tp.topic,)),
    ):
        assert len(await batches_of(one, tp, 1)) == 1


def test_a_request_of_a_group_may_take_as_long_as_a_rebalance() -> None:
    assert kafka_reader.GROUP_REQUEST_TIMEOUT_MS > kafka_reader.REBALANCE_TIMEOUT_MS
