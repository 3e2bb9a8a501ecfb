from __future__ import annotations

import random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, errors
from aiokafka import TopicPartition as KafkaTP
from aiokafka.consumer import fetcher as fetching
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streamlab.broker import kafka_batches
from streamlab.broker.base import Isolation, RecordBatch
from streamlab.broker.kafka import KafkaBroker
from streamlab.errors import BrokerError
from streamlab.events import TP
from tests.broker.kafka_data import batches_of, producer, reading, records_of, write_batch
from tests.kafka.harness import KafkaCluster

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture
async def tp(kafka_broker: KafkaBroker, topic_name: str) -> TP:
    await kafka_broker.create_topic(topic_name)
    return TP(topic_name, 0)


async def by_plain_consumer(kafka: KafkaCluster, tp: TP, isolation: Isolation, end: int) -> list[tuple[int, bytes]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level=isolation)
    await consumer.start()
    place = KafkaTP(*tp)
    consumer.assign([place])
    consumer.seek(place, 0)
    found = []
    while await consumer.position(place) < end:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += [(record.offset, record.value) for record in records]
    await consumer.stop()
    return found


@pytest.mark.parametrize("codec", CODECS)
async def test_a_compressed_topic_is_read(kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP, codec: str | None) -> None:
    values = [b"value-%d" % i * 20 for i in range(100)]
    async with producer(kafka.bootstrap, compression_type=codec) as made:
        await write_batch(made, tp, values)
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        [batch] = await batches_of(reader, tp, 100)
    assert [record.value for record in batch.records] == values
    assert (batch.first_offset, batch.next_offset, batch.exact, batch.tp) == (0, 100, True, tp)
    assert (batch.size_bytes > 10_000) is (codec is None)


@pytest.mark.parametrize("codec", CODECS)
async def test_a_batch_that_begins_before_the_position_says_so(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP, codec: str | None
) -> None:
    async with producer(kafka.bootstrap, compression_type=codec) as made:
        await write_batch(made, tp, [b"%d" % i for i in range(10)])
        await write_batch(made, tp, [b"%d" % i for i in range(10, 20)])
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 7})
        batches = await batches_of(reader, tp, 20)
    assert (batches[0].first_offset, batches[0].exact, batches[-1].next_offset) == (7, False, 20)
    assert [record.value for record in records_of(batches)] == [b"%d" % i for i in range(7, 20)]


async def test_small_batches_come_as_one(kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP) -> None:
    async with producer(kafka.bootstrap) as made:
        for i in range(100):
            await write_batch(made, tp, [b"%d" % i])
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        batches = await batches_of(reader, tp, 100)
    assert len(batches) < 10
    assert [record.value for record in records_of(batches)] == [b"%d" % i for i in range(100)]


async def test_large_batches_come_alone(kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP) -> None:
    async with producer(kafka.bootstrap) as made:
        for letter in (b"a", b"b"):
            await write_batch(made, tp, [letter * 50_000] * 3)
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        batches = await batches_of(reader, tp, 6)
    assert [(b.first_offset, b.next_offset, b.exact) for b in batches] == [(0, 3, True), (3, 6, True)]


async def test_sizes_add_up_to_what_was_fetched(kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP) -> None:
    async with producer(kafka.bootstrap) as made:
        for _ in range(10):
            await write_batch(made, tp, [b"x" * 1000])
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        assert sum(batch.size_bytes for batch in await batches_of(reader, tp, 10)) in range(10_000, 12_000)


async def test_at_most_32_batches_come_at_once(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_batches, "SMALL_BYTES", 1)
    async with producer(kafka.bootstrap) as made:
        for i in range(150):
            await write_batch(made, tp, [b"%d" % i])
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 0})
        sizes, position = [], 0
        while position < 150:
            sizes.append(len(await reader.fetch(0.2)))
            position = reader.position(tp) or 0
            assert position == sum(sizes)
    assert max(sizes) == 32


@pytest.mark.parametrize("isolation", ["read_uncommitted", "read_committed"])
async def test_transactions_are_read_as_by_a_plain_consumer(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP, isolation: Isolation
) -> None:
    rng = random.Random(7)
    async with (
        producer(kafka.bootstrap, transactional_id=f"{tp.topic}-a") as one,
        producer(kafka.bootstrap, transactional_id=f"{tp.topic}-b") as two,
    ):
        for turn in range(8):
            await one.begin_transaction()
            await two.begin_transaction()
            for i in range(6):
                await rng.choice((one, two)).send_and_wait(tp.topic, b"%d-%d" % (turn, i), partition=0)
            for made in (one, two):
                await (made.commit_transaction() if rng.random() < 0.5 else made.abort_transaction())
    end = (await kafka_broker.watermarks([tp], isolation))[tp].high
    async with reading(kafka_broker, isolation=isolation) as reader:
        reader.assign({tp: 0})
        found = [(record.offset, record.value) for record in records_of(await batches_of(reader, tp, end))]
        assert reader.position(tp) == end
    assert found == await by_plain_consumer(kafka, tp, isolation, end)
    assert (len(found) == 48) is (isolation == "read_uncommitted")


async def test_an_open_transaction_ends_the_committed_reading_before_it(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP
) -> None:
    await kafka_broker.send(tp.topic, key=None, value=b"before")
    async with producer(kafka.bootstrap, transactional_id=tp.topic) as made:
        await made.begin_transaction()
        await made.send_and_wait(tp.topic, b"open", partition=0)
        assert (await kafka_broker.watermarks([tp], "read_committed"))[tp].high == 1
        assert (await kafka_broker.watermarks([tp]))[tp].high == 2
        async with reading(kafka_broker, isolation="read_committed") as reader:
            reader.assign({tp: 0})
            assert [record.value for record in records_of(await batches_of(reader, tp, 1))] == [b"before"]
            assert await reader.fetch(0.1) == []
            assert reader.position(tp) == 1
        await made.abort_transaction()


async def test_without_the_reach_into_the_fetcher_plain_records_are_read(
    kafka: KafkaCluster, kafka_broker: KafkaBroker, tp: TP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_batches, "_fits", lambda: False)
    async with producer(kafka.bootstrap, compression_type="gzip") as made:
        await write_batch(made, tp, [b"%d" % i for i in range(1200)])
    async with reading(kafka_broker) as reader:
        reader.assign({tp: 700})
        batches = await batches_of(reader, tp, 1200)
    assert [record.value for batch in batches for record in batch.records] == [b"%d" % i for i in range(700, 1200)]
    assert [(b.first_offset, b.next_offset, b.exact, b.tp) for b in batches] == [(700, 1200, True, tp)]
    assert batches[0].size_bytes > 1000


@pytest.fixture
def _untried() -> Any:
    kafka_batches._fits.cache_clear()
    yield
    kafka_batches._fits.cache_clear()


@pytest.mark.usefixtures("_untried")
def test_the_installed_aiokafka_is_fit_for_batches() -> None:
    assert kafka_batches._fits()


@pytest.mark.usefixtures("_untried")
def test_an_aiokafka_that_works_otherwise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fetching.PartitionRecords, "_consume_aborted_up_to")
    monkeypatch.setattr(fetching.PartitionRecords, "__init__", lambda *_: None)
    assert not kafka_batches._fits()


@pytest.mark.usefixtures("_untried")
def test_batches_that_come_out_wrong_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_batches, "_record_batch", lambda tp, batches, start, end, size: RecordBatch(tp, [], 0, 0, 0))
    assert not kafka_batches._fits()


def made_up(codec: int = 0, values: int = 3) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 16)
    for offset in range(values):
        builder.append(offset, 1000, None, b"v" * 10, [])
    return bytes(builder.build())


def give(data: bytes, offset: int = 0) -> Any:
    crcs = True
    records = fetching.PartitionRecords(KafkaTP("t", 0), MemoryRecords(data), [], offset, None, None, crcs, 0)
    kafka_batches._convert(records)
    return records


def test_a_broken_checksum_is_an_error_and_what_came_before_is_not_lost() -> None:
    whole = made_up()
    records = give(whole + whole[:-3] + b"abc")
    assert next(records).next_offset == 3
    with pytest.raises(errors.CorruptRecordException):
        next(records)


def test_a_batch_that_cannot_be_unpacked_names_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        next_offset = 41

        def __iter__(self) -> Any:
            raise ValueError("no such codec")

    with pytest.raises(BrokerError, match=r"orders partition 2 that ends at offset 40.*no such codec"):
        list(kafka_batches._Compressed(TP("orders", 2), Broken()))


def test_a_batch_before_the_position_is_passed_over() -> None:
    assert [batch.first_offset for batch in give(made_up(values=3) + made_up(values=6), offset=3)] == [3]
