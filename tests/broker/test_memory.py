"""What is the memory broker's own; the rest is in the contract."""

import asyncio
import threading
import time

import pytest

from streamlab.broker.base import GroupListener, ReaderOptions, RecordBatch
from streamlab.broker.memory import MemoryBroker
from streamlab.broker.memory_groups import range_assignment
from streamlab.broker.memory_reader import BATCH_BYTES, BATCH_RECORDS, FETCH_BATCHES, FETCH_BYTES
from streamlab.errors import InvalidValue, OffsetOutOfRange, TopicNotFound
from streamlab.events import TP


@pytest.fixture
def broker(topic_name: str) -> MemoryBroker:
    return MemoryBroker(topic_name)


ORDERS = TP("orders", 0)


async def fill(broker: MemoryBroker, count: int, *, value: bytes = b"x", partition: int | None = 0) -> None:
    for _ in range(count):
        await broker.send("orders", key=None, value=value, partition=partition)


async def low_and_high(broker: MemoryBroker) -> tuple[int, int]:
    return (await broker.watermarks([ORDERS]))[ORDERS]


async def test_brokers_of_one_name_are_one_cluster_and_others_are_not(broker: MemoryBroker, topic_name: str) -> None:
    await fill(broker, 1)
    assert "orders" in await MemoryBroker(topic_name).topics()
    assert "orders" not in await MemoryBroker(f"{topic_name}-other").topics()


async def test_the_url_names_the_cluster(broker: MemoryBroker, topic_name: str) -> None:
    assert broker.url == f"memory://{topic_name}"
    assert (await broker.cluster()).brokers == (broker.url,)


async def test_retention_by_messages_deletes_the_head(broker: MemoryBroker) -> None:
    await broker.create_topic("orders", config={"retention.messages": "3"})
    await fill(broker, 5)
    assert await low_and_high(broker) == (2, 5)


async def test_retention_by_bytes_deletes_the_head_and_keeps_the_last_record(broker: MemoryBroker) -> None:
    await broker.create_topic("orders", config={"retention.bytes": "25"})
    await fill(broker, 5, value=b"x" * 10)
    assert await low_and_high(broker) == (3, 5)
    await fill(broker, 1, value=b"x" * 100)
    assert await low_and_high(broker) == (5, 6)


async def test_offsets_go_on_and_values_stay_right_however_much_was_deleted(broker: MemoryBroker) -> None:
    await broker.create_topic("orders", config={"retention.messages": "200"})
    for i in range(1000):
        await broker.send("orders", key=None, value=str(i).encode(), timestamp_ms=i)
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 800})
    read = [record for batch in await reader.fetch(0) for record in batch.records]
    assert await low_and_high(broker) == (800, 1000)
    assert [(r.offset, r.value) for r in read] == [(i, str(i).encode()) for i in range(800, 1000)]
    assert await broker.offsets_for_times({ORDERS: 0}) == {ORDERS: 800}


async def test_what_was_deleted_is_out_of_range(broker: MemoryBroker) -> None:
    await broker.create_topic("orders", config={"retention.messages": "3"})
    await fill(broker, 5)
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 1})
    with pytest.raises(OffsetOutOfRange, match="2 to 5"):
        await reader.fetch(0)


@pytest.mark.parametrize("config", [{"retention.bytes": "much"}, {"retention.messages": ""}])
async def test_a_limit_that_is_no_number_is_refused(broker: MemoryBroker, config: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="whole number"):
        await broker.create_topic("orders", config=config)


async def test_a_topic_without_partitions_is_refused(broker: MemoryBroker) -> None:
    with pytest.raises(InvalidValue, match="1 or more"):
        await broker.create_topic("orders", partitions=0)


async def test_a_fetch_hands_out_slices_up_to_the_bounds(broker: MemoryBroker) -> None:
    await fill(broker, BATCH_RECORDS * (FETCH_BATCHES + 2))
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 0})
    batches = await reader.fetch(0)
    assert [len(list(batch.records)) for batch in batches] == [BATCH_RECORDS] * FETCH_BATCHES
    assert {batch.size_bytes for batch in batches} == {BATCH_RECORDS}
    assert [b.first_offset for b in batches] == list(range(0, BATCH_RECORDS * FETCH_BATCHES, BATCH_RECORDS))
    assert reader.position(ORDERS) == BATCH_RECORDS * FETCH_BATCHES


async def test_large_records_make_small_batches(broker: MemoryBroker) -> None:
    await fill(broker, 20, value=b"x" * (BATCH_BYTES // 2))
    await fill(broker, 1, value=b"x" * (BATCH_BYTES * 3))
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 0})
    batches = await reader.fetch(0)
    assert [len(list(batch.records)) for batch in batches] == [2] * (FETCH_BYTES // BATCH_BYTES)
    rest = [batch for _ in range(3) for batch in await reader.fetch(0)]
    assert rest[-1].size_bytes == BATCH_BYTES * 3
    assert reader.position(ORDERS) == 21


async def test_partitions_are_read_in_their_order_however_they_are_told(broker: MemoryBroker) -> None:
    tps = [TP("orders", number) for number in range(3)]
    await broker.create_topic("orders", partitions=3)
    reader = broker.reader(ReaderOptions())
    reader.assign({tps[2]: 0, tps[0]: 0})
    reader.assign({tps[1]: 0})
    for tp in reversed(tps):
        await fill(broker, 1, partition=tp.partition)
    assert [batch.tp for batch in await reader.fetch(0)] == tps


async def test_partitions_get_their_turn_while_one_is_long(broker: MemoryBroker) -> None:
    await broker.create_topic("orders", partitions=2)
    await fill(broker, BATCH_RECORDS * FETCH_BATCHES, partition=0)
    await fill(broker, 1, partition=1)
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 0, TP("orders", 1): 0})
    assert 1 in {batch.tp.partition for batch in await reader.fetch(0)}


async def test_an_append_from_another_thread_wakes_a_fetch(broker: MemoryBroker) -> None:
    await broker.create_topic("orders")
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 0})
    fetching = asyncio.create_task(reader.fetch(30))
    await asyncio.sleep(0)
    thread = threading.Thread(target=lambda: asyncio.run(fill(broker, 1)))
    thread.start()
    assert len(await asyncio.wait_for(fetching, 5)) == 1
    thread.join()


async def test_an_append_elsewhere_wakes_nobody(broker: MemoryBroker) -> None:
    await broker.create_topic("orders")
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 0})
    fetching = asyncio.create_task(reader.fetch(30))
    await asyncio.sleep(0)
    await broker.send("clicks", key=None, value=b"x")
    assert not reader._appended.is_set()
    fetching.cancel()
    await asyncio.wait({fetching})
    assert not broker._cluster.waiting


async def test_a_reader_whose_loop_is_closed_is_not_woken(broker: MemoryBroker) -> None:
    reader = broker.reader(ReaderOptions())
    await asyncio.to_thread(asyncio.run, reader.fetch(0))
    reader.wake()


async def test_the_memory_always_answers(broker: MemoryBroker) -> None:
    assert broker.reader(ReaderOptions()).last_answer == pytest.approx(time.monotonic(), abs=1)


async def test_a_listener_that_fails_fails_its_own_reader_and_no_other(broker: MemoryBroker) -> None:
    await broker.create_topic("orders", partitions=2)

    async def fail(*_: object) -> None:
        raise LookupError("the listener's")

    bad = broker.reader(ReaderOptions(group="g", topics=("orders",), listener=GroupListener(fail, fail)))
    good = broker.reader(ReaderOptions(group="g", topics=("orders",)))
    await bad.start()
    await good.start()
    with pytest.raises(LookupError, match="the listener's"):
        await bad.fetch(0)
    assert await good.fetch(0) == []
    assert good.position(TP("orders", 1)) == 0
    await bad.stop()
    assert good.position(TP("orders", 0)) == 0


async def test_nothing_is_fetched_while_partitions_are_given_up(broker: MemoryBroker) -> None:
    await broker.create_topic("orders")
    fetched: list[list[RecordBatch]] = []

    async def revoked(_: frozenset[TP]) -> None:
        await fill(broker, 1)
        fetched.append(await first.fetch(0))

    async def assigned(_: frozenset[TP], __: int) -> None:
        pass

    first = broker.reader(ReaderOptions(group="g", topics=("orders",), listener=GroupListener(revoked, assigned)))
    second = broker.reader(ReaderOptions(group="g", topics=("orders",)))
    await first.start()
    await second.start()
    assert fetched == [[]]
    assert len(await first.fetch(0)) == 1


async def test_a_member_that_leaves_during_a_rebalance_gets_nothing(broker: MemoryBroker) -> None:
    await broker.create_topic("orders")
    leaving: list[asyncio.Task[None]] = []

    async def revoked(_: frozenset[TP]) -> None:
        leaving.append(asyncio.create_task(second.stop()))
        await asyncio.sleep(0)

    async def assigned(_: frozenset[TP], __: int) -> None:
        pass

    first = broker.reader(ReaderOptions(group="g", topics=("orders",), listener=GroupListener(revoked, assigned)))
    second = broker.reader(ReaderOptions(group="g", topics=("orders",)))
    await first.start()
    await second.start()
    await leaving[0]
    assert (first.position(ORDERS), second.position(ORDERS)) == (0, None)


async def test_a_deleted_topic_takes_the_commits_with_it(broker: MemoryBroker) -> None:
    await broker.create_topic("orders")
    reader = broker.reader(ReaderOptions(group="g", topics=("orders",)))
    await reader.start()
    await reader.commit({ORDERS: 7})
    await broker.delete_topic("orders")
    assert await broker.committed("g", [ORDERS]) == {ORDERS: None}
    with pytest.raises(TopicNotFound):
        await reader.fetch(0)
    await reader.stop()
    assert await broker.groups() == ()


async def test_an_observer_commits_nothing(broker: MemoryBroker) -> None:
    await fill(broker, 1)
    reader = broker.reader(ReaderOptions())
    reader.assign({ORDERS: 0})
    await reader.commit({ORDERS: 1})
    assert await broker.groups() == ()


async def test_a_seek_in_a_partition_that_is_not_ours_does_nothing(broker: MemoryBroker) -> None:
    reader = broker.reader(ReaderOptions())
    reader.seek(ORDERS, 5)
    assert reader.position(ORDERS) is None


def test_ranges_go_by_topic_and_the_first_members_get_the_rest() -> None:
    counts = {"a": 5, "b": 1}
    shares = range_assignment([("a", "b"), ("a",), ("gone",)], lambda topic: counts.get(topic, 0))
    assert shares == [
        frozenset({TP("a", 0), TP("a", 1), TP("a", 2), TP("b", 0)}),
        frozenset({TP("a", 3), TP("a", 4)}),
        frozenset(),
    ]
