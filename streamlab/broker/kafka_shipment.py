"""Records that are sent together: put into the producer's batches, each answered for when its batch is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from aiokafka import errors as kafka
from aiokafka.structs import TopicPartition

from streamlab.broker.base import NewRecord, Outcome
from streamlab.broker.kafka_errors import translate
from streamlab.broker.kafka_outgoing import Entry, entered
from streamlab.broker.partitioner import partition_for
from streamlab.errors import BrokerUnavailable, InvalidValue

if TYPE_CHECKING:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.producer.message_accumulator import MessageAccumulator

__all__ = ["ACKNOWLEDGED_S", "MAX_REQUEST_BYTES", "Places", "Shipment"]

ACKNOWLEDGED_S = 30.0
MAX_REQUEST_BYTES = 100_000_000  # below what brokers read in one request (socket.request.max.bytes)


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
            raise InvalidValue(f"{self._topic} has no partition {record.partition!r}: it has {count}, counted from 0.")
        return partition


class Shipment:
    """Records of one call, each of which is answered for once.

    Not sent by aiokafka's ``send``, which refuses records that have neither key nor value; Kafka takes them.
    """

    def __init__(self, topic: str, records: Sequence[NewRecord], answered: Callable[[int, Outcome], object], where: str) -> None:
        self._topic = topic
        self._records = records
        self._answered = answered
        self._where = where
        self._open = dict.fromkeys(range(len(records)))
        """The numbers of those that are not answered for."""
        self._closed = asyncio.Event()

    async def load(self, accumulator: MessageAccumulator, places: Places) -> None:
        """Put every record into a batch of its partition; waits while too many batches are full."""
        now_ms = int(time.time() * 1000)
        for number, record in enumerate(self._records):
            entry = Entry(record, now_ms if record.timestamp_ms is None else record.timestamp_ms, number, self._answer)
            try:
                _check_size(record, self._topic)
                partition = places.of(record)
                tp = TopicPartition(self._topic, await places.added(record) if partition is None else partition)
                while not entered(accumulator, tp, entry):
                    await _room(accumulator, tp)
            except (kafka.KafkaError, TimeoutError) as error:
                self._fail(range(number, len(self._records)), error)
                return
            except Exception as error:  # noqa: BLE001 - the record's own fault: the others go on
                self._answer(number, error)

    def fail(self, error: Exception) -> None:
        """Answer for all that is not answered for."""
        self._fail(list(self._open), error)

    def _fail(self, numbers: Iterable[int], error: Exception) -> None:
        ours = self._translated(error)
        for number in numbers:
            self._answer(number, ours)

    async def arrived(self) -> None:
        """Wait until the brokers have answered, or had enough time to."""
        try:
            async with asyncio.timeout(ACKNOWLEDGED_S):
                while self._open:
                    await self._closed.wait()
        except TimeoutError as error:
            self.fail(error)

    def _answer(self, number: int, outcome: Outcome) -> None:
        if number not in self._open:  # it came too late
            return
        del self._open[number]
        if isinstance(outcome, Exception):
            outcome = self._translated(outcome, self._records[number].partition)
        self._answered(number, outcome)
        if not self._open:
            self._closed.set()

    def _translated(self, error: Exception, partition: int | None = None) -> Exception:
        if not isinstance(error, kafka.KafkaError | TimeoutError):
            return error
        what = f"Cannot send to {self._topic!r}"
        ours: Exception = translate(error, what, topic=self._topic, partition=partition)
        if isinstance(error, TimeoutError):
            ours = BrokerUnavailable(
                f"{what}: {self._where} has not acknowledged the record in {ACKNOWLEDGED_S:g} s. It may have been written, "
                "or be written when the broker is back.",
                topic=self._topic,
            )
        ours.__cause__ = error
        return ours


async def _room(accumulator: MessageAccumulator, tp: TopicPartition) -> None:
    """Wait until one more of a partition's batches is on its way."""
    async with asyncio.timeout(ACKNOWLEDGED_S):
        await accumulator._batches[tp][0].wait_drain()


def _check_size(record: NewRecord, topic: str) -> None:
    size = len(record.key or b"") + len(record.value or b"")
    if size > MAX_REQUEST_BYTES:
        error = kafka.MessageSizeTooLargeError(f"{size:,} bytes are more than a broker reads in one request")
        raise translate(error, f"Cannot send to {topic!r}", topic=topic) from error
