"""What every broker must do. ``test_contract.py`` runs it on memory and on real Kafka, where it is what is true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from streamlab.broker.base import (
    Broker,
    BrokerRecord,
    Commit,
    GroupListener,
    NewRecord,
    Outcome,
    Reader,
    ReaderOptions,
    Watermarks,
)
from streamlab.broker.partitioner import partition_for
from streamlab.errors import MessageTooLarge, OffsetOutOfRange, StreamlabError, TopicExists, TopicNotFound
from streamlab.events import TP, RecordMetadata

LIMIT_S = 30.0


async def send_all(broker: Broker, topic: str, values: Iterable[str], partition: int = 0) -> list[RecordMetadata]:
    return [await broker.send(topic, key=None, value=value.encode(), partition=partition) for value in values]


async def outcomes_of(broker: Broker, topic: str, records: Sequence[NewRecord]) -> list[Any]:
    """Write records at once; return what became of each."""
    outcomes: dict[int, Outcome] = {}

    def answered(number: int, outcome: Outcome) -> None:
        assert number not in outcomes
        outcomes[number] = outcome

    await broker.send_many(topic, records, answered)
    return [outcomes[number] for number in range(len(records))]


@asynccontextmanager
async def reading(broker: Broker, options: ReaderOptions | None = None) -> AsyncIterator[Reader]:
    reader = broker.reader(options or ReaderOptions())
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def read_until(reader: Reader, ends: dict[TP, int]) -> dict[TP, list[BrokerRecord]]:
    """Read until every partition's position is there."""
    records: dict[TP, list[BrokerRecord]] = {tp: [] for tp in ends}
    deadline = time.monotonic() + LIMIT_S
    while any((reader.position(tp) or 0) < end for tp, end in ends.items()):
        assert time.monotonic() < deadline, f"read only {records}"
        for batch in await reader.fetch(0.2):
            inside = range(batch.first_offset, batch.next_offset)
            records[batch.tp] += [record for record in batch.records if record.offset in inside]
    return records


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@dataclass
class Member:
    """A group's reader that is driven by a task and writes down what happens to it."""

    broker: Broker
    group: str
    topic: str
    log: list[str]
    name: str
    assigned: frozenset[TP] = frozenset()
    generation: int = -1
    read: list[tuple[int, bytes | None]] = field(default_factory=list)
    generations_read: set[int] = field(default_factory=set)
    placing_s: float = 0.0
    read_while_placing: bool = False

    async def _revoked(self, tps: frozenset[TP]) -> None:
        self.log.append(f"{self.name} revoked begins")
        await asyncio.sleep(0.05)
        self.log.append(f"{self.name} revoked ends")
        self.assigned -= tps

    async def _assigned(self, tps: frozenset[TP], generation: int) -> None:
        await asyncio.sleep(self.placing_s)
        self.log.append(f"{self.name} assigned {len(tps)}")
        self.assigned, self.generation = tps, generation

    async def __aenter__(self) -> Self:
        listener = GroupListener(self._revoked, self._assigned)
        self.reader = self.broker.reader(ReaderOptions(group=self.group, topics=(self.topic,), listener=listener))
        await self.reader.start()
        self.task = asyncio.create_task(self._drive())
        return self

    async def _drive(self) -> None:
        while True:
            for batch in await self.reader.fetch(0.1):
                self.generations_read.add(batch.generation)
                self.read_while_placing |= not self.assigned
                self.read += [(batch.tp.partition, record.value) for record in batch.records]

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})
        await self.reader.stop()


class BrokerContract:
    """Mix in; the fixtures ``broker`` and ``topic_name`` come from the module that runs it."""

    async def test_a_topic_is_created_described_and_deleted(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=3)
        info = (await broker.topics())[topic_name]
        assert info == (topic_name, (0, 1, 2), False)
        assert await broker.partitions(topic_name) == (0, 1, 2)
        await broker.check(topic_name)
        await broker.delete_topic(topic_name)
        assert topic_name not in await broker.topics()

    async def test_a_topic_is_created_once(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        with pytest.raises(TopicExists, match=topic_name):
            await broker.create_topic(topic_name)

    @pytest.mark.parametrize("name", ["", "with space", "..", "x" * 250])
    async def test_a_bad_name_is_an_error_of_ours(self, broker: Broker, name: str) -> None:
        with pytest.raises(StreamlabError):
            await broker.create_topic(name)

    async def test_questions_about_an_unknown_topic_fail_and_create_nothing(self, broker: Broker, topic_name: str) -> None:
        tp = TP(topic_name, 0)
        questions = (
            broker.partitions(topic_name),
            broker.check(topic_name),
            broker.watermarks([tp]),
            broker.offsets_for_times({tp: 0}),
            broker.topic_config(topic_name),
            broker.delete_topic(topic_name),
            broker.add_partitions(topic_name, 5),
        )
        for question in questions:
            with pytest.raises(TopicNotFound, match=topic_name):
                await question
        assert topic_name not in await broker.topics()

    async def test_watermarks_of_a_partition_that_is_not_there_fail(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        with pytest.raises(TopicNotFound):
            await broker.watermarks([TP(topic_name, 7)])

    async def test_configuration_is_kept_and_defaults_are_shown(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, config={"retention.bytes": "12345"})
        config = await broker.topic_config(topic_name)
        assert config["retention.bytes"] == "12345"
        assert config["cleanup.policy"] == "delete"

    async def test_the_cluster_names_itself_and_its_brokers(self, broker: Broker) -> None:
        cluster = await broker.cluster()
        assert cluster.cluster_id
        assert cluster.brokers

    async def test_a_record_comes_back_as_it_was_sent(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=2)
        headers = (("a", b"1"), ("a", b"2"), ("b", None), ("ü", b""))
        sent = await broker.send(
            topic_name, key=b"\x00k", value=b"\xff", partition=1, timestamp_ms=1_700_000_000_123, headers=headers
        )
        tp = TP(topic_name, 1)
        assert sent[:4] == (topic_name, 1, tp, 0)
        assert (sent.timestamp, sent.timestamp_type) == (1_700_000_000.123, 0)
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            [record] = (await read_until(reader, {tp: 1}))[tp]
        assert (record.offset, record.timestamp, record.timestamp_type) == (0, 1_700_000_000_123, 0)
        assert (record.key, record.value, tuple(record.headers)) == (b"\x00k", b"\xff", headers)

    @pytest.mark.parametrize(("key", "value"), [(None, None), (b"", b""), (b"k", None), (None, b"v")])
    async def test_none_and_empty_are_different(
        self, broker: Broker, topic_name: str, key: bytes | None, value: bytes | None
    ) -> None:
        await broker.create_topic(topic_name)
        await broker.send(topic_name, key=key, value=value)
        tp = TP(topic_name, 0)
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            [record] = (await read_until(reader, {tp: 1}))[tp]
        assert (record.key, record.value) == (key, value)

    async def test_a_send_without_a_timestamp_is_sent_now(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        before = int(time.time() * 1000) / 1000
        sent = await broker.send(topic_name, key=None, value=b"x")
        assert sent.timestamp is not None
        assert before <= sent.timestamp <= time.time()

    async def test_the_first_send_makes_the_topic(self, broker: Broker, topic_name: str) -> None:
        await broker.send(topic_name, key=b"k", value=b"v")
        assert await broker.partitions(topic_name) == (0,)

    async def test_keys_are_spread_as_by_the_java_client(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=5)
        keys = [f"key-{i}".encode() for i in range(20)]
        went = [(await broker.send(topic_name, key=key, value=b"")).partition for key in keys]
        assert went == [partition_for(key, 5) for key in keys]

    async def test_records_without_a_key_go_round(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=3)
        went = [(await broker.send(topic_name, key=None, value=b"")).partition for _ in range(6)]
        assert sorted(went) == [0, 0, 1, 1, 2, 2]

    async def test_a_partition_that_is_not_there_cannot_be_sent_to(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        with pytest.raises(StreamlabError, match=topic_name):
            await broker.send(topic_name, key=None, value=b"x", partition=3)

    async def test_a_record_that_is_too_large_is_refused(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, config={"max.message.bytes": "1000"})
        with pytest.raises(MessageTooLarge):
            await broker.send(topic_name, key=None, value=b"x" * 2000)

    async def test_many_records_go_at_once_and_each_is_answered_for(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=2)
        headers = (("a", b"1"), ("a", None))
        records = [NewRecord(b"key %d" % n, b"%d" % n, n % 2, 1_700_000_000_000 + n, headers) for n in range(1000)]
        outcomes = await outcomes_of(broker, topic_name, records)
        places = [(sent.partition, sent.offset, round(sent.timestamp * 1000)) for sent in outcomes]
        assert places == [(n % 2, n // 2, 1_700_000_000_000 + n) for n in range(1000)]
        tps = [TP(topic_name, partition) for partition in range(2)]
        async with reading(broker) as reader:
            reader.assign(dict.fromkeys(tps, 0))
            found = await read_until(reader, dict.fromkeys(tps, 500))
        for tp in tps:
            got = [NewRecord(r.key, r.value, tp.partition, r.timestamp, tuple(r.headers)) for r in found[tp]]
            assert got == records[tp.partition :: 2]

    async def test_calls_at_once_keep_their_order(self, broker: Broker, topic_name: str) -> None:
        groups = [[NewRecord(b"same", b"%d" % (size * 1000 + n)) for n in range(size)] for size in (1, 400, 1, 250, 3)]
        outcomes = await asyncio.gather(*(outcomes_of(broker, topic_name, records) for records in groups))
        assert [found.offset for some in outcomes for found in some] == list(range(655))
        tp = TP(topic_name, 0)
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            found = (await read_until(reader, {tp: 655}))[tp]
        assert [record.value for record in found] == [record.value for records in groups for record in records]

    async def test_a_record_that_fails_holds_up_no_other(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, config={"max.message.bytes": "50000"})
        large, nowhere = NewRecord(None, b"x" * 60_000), NewRecord(None, b"x", partition=7)
        good = [NewRecord(None, b"%d" % n) for n in range(4)]
        outcomes = await outcomes_of(broker, topic_name, [good[0], large, good[1], nowhere, good[2]])
        assert isinstance(outcomes[1], MessageTooLarge)
        assert isinstance(outcomes[3], StreamlabError)
        await broker.send(topic_name, key=None, value=b"3")
        tp = TP(topic_name, 0)
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            found = (await read_until(reader, {tp: 4}))[tp]
        assert [record.value for record in found] == [b"0", b"1", b"2", b"3"]
        assert [outcomes[n].offset for n in (0, 2, 4)] == [0, 1, 2]

    async def test_small_records_fit_a_topic_that_takes_no_large_ones(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, config={"max.message.bytes": "1000"})
        outcomes = await outcomes_of(broker, topic_name, [NewRecord(None, b"%0100d" % n) for n in range(100)])
        assert [found.offset for found in outcomes] == list(range(100))

    async def test_no_record_of_a_topic_that_cannot_be_made_is_written(self, broker: Broker) -> None:
        outcomes = await outcomes_of(broker, "no topic's name", [NewRecord(None, b"x")] * 3)
        assert all(isinstance(found, StreamlabError) for found in outcomes)

    async def test_log_append_time_is_the_brokers(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, config={"message.timestamp.type": "LogAppendTime"})
        await broker.send(topic_name, key=None, value=b"x", timestamp_ms=5000)
        tp = TP(topic_name, 0)
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            [record] = (await read_until(reader, {tp: 1}))[tp]
        assert record.timestamp_type == 1
        assert record.timestamp > 1_000_000_000_000

    async def test_watermarks_are_the_first_offset_and_the_one_after_the_last(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=2)
        await send_all(broker, topic_name, "abc")
        assert await broker.watermarks([TP(topic_name, 0), TP(topic_name, 1)]) == {
            TP(topic_name, 0): Watermarks(0, 3),
            TP(topic_name, 1): Watermarks(0, 0),
        }

    async def test_offsets_for_times_are_the_first_at_or_after(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        for timestamp in (1000, 3000, 2000, 5000):
            await broker.send(topic_name, key=None, value=b"x", timestamp_ms=timestamp)
        tp = TP(topic_name, 0)
        found = [(await broker.offsets_for_times({tp: t}))[tp] for t in (-5, 0, 1000, 1001, 2000, 3001, 5000, 5001)]
        assert found == [0, 0, 0, 1, 1, 3, 3, None]

    async def test_times_of_an_empty_partition_have_no_offset(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        tp = TP(topic_name, 0)
        assert await broker.offsets_for_times({tp: 0}) == {tp: None}

    async def test_a_reader_reads_each_partition_in_order_from_its_position(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=2)
        await send_all(broker, topic_name, "abcdef", partition=0)
        await send_all(broker, topic_name, "uvw", partition=1)
        first, second = TP(topic_name, 0), TP(topic_name, 1)
        async with reading(broker) as reader:
            reader.assign({first: 2, second: 0})
            records = await read_until(reader, {first: 6, second: 3})
        assert [r.value for r in records[first]] == [b"c", b"d", b"e", b"f"]
        assert [r.offset for r in records[second]] == [0, 1, 2]

    async def test_assigning_more_keeps_the_positions_of_what_was_there(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name, partitions=2)
        first, second = TP(topic_name, 0), TP(topic_name, 1)
        await send_all(broker, topic_name, "abc", partition=0)
        async with reading(broker) as reader:
            reader.assign({first: 0})
            await read_until(reader, {first: 3})
            await send_all(broker, topic_name, "d", partition=0)
            await send_all(broker, topic_name, "x", partition=1)
            reader.assign({first: 0, second: 0})
            records = await read_until(reader, {first: 4, second: 1})
        assert [r.value for tp in (first, second) for r in records[tp]] == [b"d", b"x"]

    async def test_a_seek_reads_again(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        tp = TP(topic_name, 0)
        await send_all(broker, topic_name, "abc")
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            await read_until(reader, {tp: 3})
            reader.seek(tp, 1)
            assert [r.value for r in (await read_until(reader, {tp: 3}))[tp]] == [b"b", b"c"]

    async def test_position_is_none_when_not_assigned(self, broker: Broker, topic_name: str) -> None:
        async with reading(broker) as reader:
            assert reader.position(TP(topic_name, 0)) is None

    async def test_a_fetch_waits_for_a_record_and_no_longer(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        tp = TP(topic_name, 0)
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            assert await reader.fetch(0.05) == []
            fetching = asyncio.create_task(reader.fetch(LIMIT_S))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await send_all(broker, topic_name, "a")
            [batch] = await fetching
        assert [record.value for record in batch.records] == [b"a"]
        assert time.monotonic() - began < LIMIT_S / 2

    async def test_an_offset_out_of_range_names_the_valid_range(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        tp = TP(topic_name, 0)
        await send_all(broker, topic_name, "abc")
        async with reading(broker) as reader:
            reader.assign({tp: 100})
            with pytest.raises(OffsetOutOfRange, match=r"100.*0 to 3") as caught:
                await read_until(reader, {tp: 101})
        assert (caught.value.topic, caught.value.partition) == tp

    async def test_a_topic_deleted_while_it_is_read_is_an_error_and_is_not_made_again(
        self, broker: Broker, topic_name: str
    ) -> None:
        await broker.create_topic(topic_name)
        tp = TP(topic_name, 0)
        await send_all(broker, topic_name, "a")
        async with reading(broker) as reader:
            reader.assign({tp: 0})
            await read_until(reader, {tp: 1})
            await broker.delete_topic(topic_name)
            with pytest.raises(TopicNotFound, match=topic_name):
                await read_until(reader, {tp: 2})
        assert topic_name not in await broker.topics()

    async def test_the_last_answer_goes_on_while_nothing_comes(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        async with reading(broker) as reader:
            reader.assign({TP(topic_name, 0): 0})
            await reader.fetch(0.2)
            first = reader.last_answer
            await until(lambda: reader.last_answer > first)

    async def test_a_reader_may_be_stopped_twice_and_unstarted(self, broker: Broker) -> None:
        async with reading(broker) as reader:
            await reader.stop()
        await broker.reader(ReaderOptions()).stop()

    async def test_partitions_are_added(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        await broker.add_partitions(topic_name, 3)
        assert await broker.partitions(topic_name) == (0, 1, 2)
        with pytest.raises(StreamlabError):
            await broker.add_partitions(topic_name, 2)

    async def test_observing_makes_no_group(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        before = await broker.groups()
        async with reading(broker) as reader:
            reader.assign({TP(topic_name, 0): 0})
            await reader.fetch(0.1)
        assert await broker.groups() == before

    async def test_a_group_begins_at_the_beginning_and_goes_on_at_its_commit(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        tp, group = TP(topic_name, 0), f"group-{topic_name}"
        await send_all(broker, topic_name, "abcd")
        for expected in (b"a", b"b", b"c", b"d"), (b"c", b"d"):
            async with Member(broker, group, topic_name, [], "one") as member:
                await until(lambda member=member: member.read[-1:] == [(0, b"d")])  # type: ignore[misc]
                assert [value for _, value in member.read] == list(expected)
                await member.reader.commit({tp: 2, TP(topic_name, 9): 5})
        assert group in await broker.groups()
        assert await broker.committed(group, [tp, TP(topic_name, 9)]) == {tp: 2, TP(topic_name, 9): None}

    async def test_a_note_is_committed_with_the_offset(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        tp, group = TP(topic_name, 0), f"group-{topic_name}"
        await send_all(broker, topic_name, "ab")
        async with Member(broker, group, topic_name, [], "one") as member:
            await until(lambda: len(member.read) == 2)
            await member.reader.commit({tp: Commit.noted(1, "as far as that")})
        at = (await broker.committed(group, [tp]))[tp]
        assert isinstance(at, Commit)
        assert (at, at.note) == (1, "as far as that")

    async def test_what_no_group_has_committed_is_none(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        tp = TP(topic_name, 0)
        assert await broker.committed(f"none-{topic_name}", [tp]) == {tp: None}

    async def test_members_share_the_partitions_and_one_that_leaves_gives_them_back(
        self, broker: Broker, topic_name: str
    ) -> None:
        await broker.create_topic(topic_name, partitions=4)
        everything = {TP(topic_name, p) for p in range(4)}
        log: list[str] = []
        async with Member(broker, topic_name, topic_name, log, "one") as one:
            await until(lambda: one.assigned == everything)
            before = one.generation
            async with Member(broker, topic_name, topic_name, log, "two") as two:
                await until(lambda: len(one.assigned) == len(two.assigned) == 2)
                assert one.assigned | two.assigned == everything
                assert one.generation == two.generation > before
                assert log.index("one revoked ends") < log.index("two assigned 2")
            await until(lambda: one.assigned == everything)

    async def test_batches_carry_the_generation_in_which_they_were_fetched(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        await send_all(broker, topic_name, "ab")
        async with Member(broker, topic_name, topic_name, [], "one") as one:
            await until(lambda: len(one.read) == 2)
            assert one.generations_read == {one.generation}

    async def test_nothing_is_fetched_while_the_listener_places_partitions(self, broker: Broker, topic_name: str) -> None:
        """Or what is fetched meanwhile would be taken for somebody else's, and be lost."""
        await broker.create_topic(topic_name)
        await send_all(broker, topic_name, "abc")
        async with Member(broker, topic_name, topic_name, [], "one") as one:
            await until(lambda: len(one.read) == 3)
            await one.reader.commit({TP(topic_name, 0): 1})
        async with Member(broker, topic_name, topic_name, [], "two", placing_s=0.5) as two:
            await until(lambda: len(two.read) == 2)
            assert two.read == [(0, b"b"), (0, b"c")]
            assert not two.read_while_placing
            assert two.generations_read == {two.generation}

    async def test_a_group_gets_partitions_that_are_added(self, broker: Broker, topic_name: str) -> None:
        await broker.create_topic(topic_name)
        async with Member(broker, topic_name, topic_name, [], "one") as one:
            await until(lambda: len(one.assigned) == 1)
            await broker.add_partitions(topic_name, 2)
            await until(lambda: len(one.assigned) == 2)
            await send_all(broker, topic_name, "x", partition=1)
            await until(lambda: (1, b"x") in one.read)

    async def test_subscribing_to_an_unknown_topic_fails(self, broker: Broker, topic_name: str) -> None:
        reader = broker.reader(ReaderOptions(group="g", topics=(topic_name,)))
        with pytest.raises(TopicNotFound, match=topic_name):
            await reader.start()
        await reader.stop()

    async def test_close_may_be_called_twice(self, broker: Broker) -> None:
        await broker.close()
        await broker.close()
