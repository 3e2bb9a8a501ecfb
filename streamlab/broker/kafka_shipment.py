"""Records that are sent together: put into the producer's batches, each answered for when its batch is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import errors as kafka
from aiokafka.structs import TopicPartition

from streamlab.broker.base import NewRecord, Outcome
from streamlab.broker.kafka_errors import translate
from streamlab.broker.partitioner import partition_for
from streamlab.errors import BrokerUnavailable, InvalidValue
from streamlab.events import TP, RecordMetadata

if TYPE_CHECKING:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch

__all__ = ["ACKNOWLEDGED_S", "MAX_REQUEST_BYTES", "Places", "Shipment"]

ACKNOWLEDGED_S = 30.0
MAX_REQUEST_BYTES = 100_000_000  # below what brokers read in one request (socket.request.max.bytes)
QUEUED_BATCHES = 8
"""So many full batches of a partition may wait for the one that is on its way."""


class Places:
    """Chooses partitions of a topic, which is looked up once for many records."""

    def __init__(self, client: AIOKafkaClient, topic: str, turns: Iterator[int]) -> None:
        self._client = client
        self._topic = topic
        self._turns = turns
        self._look()

    def _look(self) -> None:
        cluster = self._client.cluster
        self._partitions = sorted(cluster.partitions_for_topic(self._topic) or ())
        self._available = sorted(cluster.available_partitions_for_topic(self._topic) or self._partitions)

    def of(self, record: NewRecord) -> int | None:
        """Return the record's partition; None when it names one that the topic has not, as far as is known."""
        if record.partition is not None:
            return record.partition if record.partition in self._partitions else None
        if record.key is None:
            return int(self._available[next(self._turns) % len(self._available)])
        return partition_for(record.key, len(self._partitions))

    async def added(self, record: NewRecord) -> int:
        """Ask whether the partition that the record names was added meanwhile; InvalidValue when it was not."""
        await self._client.force_metadata_update()
        self._look()
        partition = self.of(record)
        if partition is None:
            count = len(self._partitions)
            raise InvalidValue(f"{self._topic} has no partition {record.partition}: it has {count}, counted from 0.")
        return partition


class Shipment:
    """Records of one call, each of which is answered for once.

    Not aiokafka's ``send``: it makes a future for every record, and refuses those that have neither key nor value, which
    Kafka takes.
    """

    def __init__(self, topic: str, records: Sequence[NewRecord], answered: Callable[[int, Outcome], object], where: str) -> None:
        self._topic = topic
        self._records = records
        self._answered = answered
        self._where = where
        self._loaded = 0
        self._aboard: dict[MessageBatch, list[tuple[int, int, int]]] = {}
        """Of each batch that has no answer yet: place in the shipment, place in the batch, time in ms."""

    async def load(self, accumulator: MessageAccumulator, places: Places) -> None:
        """Put every record into a batch of its partition; waits while too many batches are full."""
        now_ms = int(time.time() * 1000)
        for number, record in enumerate(self._records):
            try:
                _check_size(record, self._topic)
                partition = places.of(record)
                tp = TopicPartition(self._topic, await places.added(record) if partition is None else partition)
                stamp_ms = now_ms if record.timestamp_ms is None else record.timestamp_ms
                while (placed := _placed(accumulator, tp, record, stamp_ms)) is None:
                    await _room(accumulator, tp)
            except (kafka.KafkaError, TimeoutError):
                raise
            except Exception as error:  # noqa: BLE001 - the record's own fault: the others go on
                self._answered(number, error)
            else:
                self._expect(number, *placed, stamp_ms)
            self._loaded = number + 1

    def fail_rest(self, error: Exception) -> None:
        """Answer for the records that are in no batch, since there was an error before it was their turn."""
        if isinstance(error, TimeoutError | kafka.KafkaError):
            error = self._translated(error)
        for number in range(self._loaded, len(self._records)):
            self._answered(number, error)

    async def arrived(self) -> None:
        """Wait until the brokers have answered, or had enough time to."""
        if self._aboard:
            await asyncio.wait([batch.future for batch in self._aboard], timeout=ACKNOWLEDGED_S)
        for batch in list(self._aboard):
            self._answer(batch, self._translated(TimeoutError()))

    def _expect(self, number: int, batch: MessageBatch, offset: int, stamp_ms: int) -> None:
        aboard = self._aboard.get(batch)
        if aboard is None:
            aboard = self._aboard[batch] = []
            batch.future.add_done_callback(lambda future: self._settle(batch, future))
        aboard.append((number, offset, stamp_ms))

    def _settle(self, batch: MessageBatch, future: asyncio.Future[Any]) -> None:
        error = future.exception()
        self._answer(batch, future.result() if error is None else self._translated(error, batch.tp.partition))

    def _answer(self, batch: MessageBatch, answer: Any) -> None:
        """Answer for the records of a batch that were not answered for before, with an error or with their places."""
        aboard = self._aboard.pop(batch, ())
        if isinstance(answer, Exception):
            for number, _, _ in aboard:
                self._answered(number, answer)
            return
        tp, kind = TP(*batch.tp), answer.timestamp_type
        for number, offset, stamp_ms in aboard:
            stamp_s = (answer.timestamp if kind else stamp_ms) / 1000
            self._answered(number, RecordMetadata(tp.topic, tp.partition, tp, answer.offset + offset, stamp_s, kind))

    def _translated(self, error: BaseException, partition: int | None = None) -> Exception:
        what = f"Cannot send to {self._topic!r}"
        if not isinstance(error, TimeoutError):
            found = translate(error, what, topic=self._topic, partition=partition)
        else:
            found = BrokerUnavailable(
                f"{what}: {self._where} has not acknowledged the record in {ACKNOWLEDGED_S:g} s. It may have been written, "
                "or be written when the broker is back.",
                topic=self._topic,
            )
        found.__cause__ = error
        return found


def _placed(accumulator: MessageAccumulator, tp: TopicPartition, record: NewRecord, stamp_ms: int) -> tuple[Any, int] | None:
    """Put a record into the partition's last batch, or a new one; returns the batch and the place in it, None without room."""
    fields = {"timestamp": stamp_ms, "key": record.key, "value": record.value, "headers": list(record.headers)}
    pending = accumulator._batches.get(tp)
    if pending:
        batch = pending[-1]
        place = batch._builder.append(**fields)
        if place is not None:
            return batch, place.offset
        if len(pending) >= QUEUED_BATCHES:
            return None
    if accumulator._closed:
        raise kafka.ProducerClosed
    if accumulator._exception is not None:
        raise accumulator._exception
    batch = accumulator._append_batch(accumulator.create_builder(), tp)
    return batch, batch._builder.append(**fields).offset


async def _room(accumulator: MessageAccumulator, tp: TopicPartition) -> None:
    """Wait until one more of a partition's batches is on its way."""
    async with asyncio.timeout(ACKNOWLEDGED_S):
        await accumulator._batches[tp][0].wait_drain()


def _check_size(record: NewRecord, topic: str) -> None:
    size = len(record.key or b"") + len(record.value or b"")
    if size > MAX_REQUEST_BYTES:
        error = kafka.MessageSizeTooLargeError(f"{size:,} bytes are more than a broker reads in one request")
        raise translate(error, f"Cannot send to {topic!r}", topic=topic) from error
