"""Topics as only real producers make them: compressed, transactional, with markers and holes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from streamlab.broker.base import BrokerRecord, ReaderOptions, RecordBatch
from streamlab.broker.kafka import KafkaBroker
from streamlab.broker.kafka_reader import KafkaReader
from streamlab.events import TP


@asynccontextmanager
async def producer(bootstrap: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1 << 20, **options)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def write_batch(made: AIOKafkaProducer, tp: TP, values: Iterable[bytes]) -> None:
    """Write all values in one batch."""
    batch = made.create_batch()
    for value in values:
        assert batch.append(key=None, value=value, timestamp=1000) is not None
    await (await made.send_batch(batch, tp.topic, partition=tp.partition))


@asynccontextmanager
async def reading(broker: KafkaBroker, **options: Any) -> AsyncIterator[KafkaReader]:
    reader = broker.reader(ReaderOptions(**options))
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def batches_of(reader: KafkaReader, tp: TP, end: int) -> list[RecordBatch]:
    found: list[RecordBatch] = []
    while (reader.position(tp) or 0) < end:
        found += await reader.fetch(0.2)
    return found


async def fetch_until_error(reader: KafkaReader) -> None:
    while True:
        await reader.fetch(0.2)


def records_of(batches: Iterable[RecordBatch]) -> list[BrokerRecord]:
    return [r for batch in batches for r in batch.records if batch.first_offset <= r.offset < batch.next_offset]
