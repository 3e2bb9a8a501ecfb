"""Batches of records on their way to a partition; each record is answered for when its batch is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import errors as kafka
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.transaction_manager import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, PidAndEpoch
from aiokafka.util import create_future

from streamlab.events import TP, RecordMetadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka.producer.message_accumulator import MessageAccumulator
    from aiokafka.structs import TopicPartition

    from streamlab.broker.base import NewRecord

__all__ = ["Entry", "OutgoingBatch", "entered"]

QUEUED_BATCHES = 8
"""So many full batches of a partition may wait for the one that is on its way."""


class Entry(NamedTuple):
    """A record in a batch."""

    record: NewRecord
    stamp_ms: int
    number: int
    answered: Callable[[int, RecordMetadata | Exception], object]
    """Gets the number with the record's place, or with aiokafka's error."""


class OutgoingBatch(MessageBatch):  # type: ignore[misc] # aiokafka has no types
    """A batch that answers for its records by itself: a future for each, as in aiokafka, takes most of the time."""

    def __init__(self, accumulator: MessageAccumulator, tp: TopicPartition) -> None:
        super().__init__(tp, accumulator.create_builder(), accumulator._batch_ttl, accumulator._linger_time)
        self._accumulator = accumulator
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> bool:
        """Add a record; False when the batch is full. The first one always fits."""
        record = entry.record
        place = self._builder.append(timestamp=entry.stamp_ms, key=record.key, value=record.value, headers=list(record.headers))
        if place is None:
            return False
        self._entries.append(entry)
        return True

    def done(self, base_offset: int, timestamp: int | None = None, log_start_offset: int | None = None) -> None:
        """Answer with the places."""
        super().done(base_offset, timestamp, log_start_offset)
        by_broker = timestamp is not None and timestamp != -1
        tp, kind = TP(self.tp.topic, self.tp.partition), int(by_broker)
        entries, self._entries = self._entries, []
        for offset, entry in enumerate(entries, base_offset):
            stamp_s = (timestamp if by_broker else entry.stamp_ms) / 1000  # type: ignore[operator] # not None
            entry.answered(entry.number, RecordMetadata(tp.topic, tp.partition, tp, offset, stamp_s, kind))

    def failure(self, exception: Any) -> None:
        """Answer with the error, unless it is the batch that is too large: then each record gets a batch of its own."""
        _renew_producer_id(self._accumulator)
        entries, self._entries = self._entries, []
        if isinstance(exception, kafka.MessageSizeTooLargeError) and len(entries) > 1:
            self._split(entries)
            return
        super().failure(exception)
        self.future.exception()  # or it would be reported as never retrieved
        for entry in entries:
            entry.answered(entry.number, exception)

    def _split(self, entries: list[Entry]) -> None:
        pending = self._accumulator._batches[self.tp]
        for entry in reversed(entries):
            alone = OutgoingBatch(self._accumulator, self.tp)
            alone.add(entry)
            alone._builder.close()
            pending.appendleft(alone)
        self.done_noack()


def entered(accumulator: MessageAccumulator, tp: TopicPartition, entry: Entry) -> bool:
    """Put a record into the partition's last batch, or into a new one; False when too many are full.

    Raises
    ------
    aiokafka.errors.KafkaError
        The producer was closed, or can send no more.
    """
    pending = accumulator._batches.get(tp)
    if pending and pending[-1].add(entry):
        return True
    if pending and len(pending) >= QUEUED_BATCHES:
        return False
    if accumulator._closed:
        raise kafka.ProducerClosed
    if accumulator._exception is not None:
        raise accumulator._exception
    batch = OutgoingBatch(accumulator, tp)
    batch.add(entry)
    accumulator._batches[tp].append(batch)
    if not accumulator._waiter_future.done():  # the sender waits for it
        accumulator._waiter_future.set_result(None)
    return True


def _renew_producer_id(accumulator: MessageAccumulator) -> None:
    """Have the sequence numbers begin again, under another id of the producer.

    What failed has used up some: with the old id, the broker would refuse all that is sent to the partition from now on.
    Batches that are tried again keep the id and the numbers that they have.
    """
    manager = accumulator._txn_manager
    if manager.has_pid():
        manager._pid_and_epoch = PidAndEpoch(NO_PRODUCER_ID, NO_PRODUCER_EPOCH)
        manager._pid_waiter = create_future()
        manager._sequence_numbers.clear()
