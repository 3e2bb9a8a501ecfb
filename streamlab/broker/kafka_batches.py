"""Record batches straight from aiokafka's fetcher: the one module that reaches into it.

aiokafka turns every record into a ConsumerRecord on the I/O thread, which is most of the cost of a read. Here its
fetcher gives the batches out as they came; they are C code that can be walked on any thread. Only the consumer that
is asked for is changed. Whether this still fits the installed aiokafka is tried once, on a batch made up in memory;
if not, ConsumerRecords are read, which is slower and right.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, errors
from aiokafka.consumer import fetcher as fetching
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streamlab.broker.base import BrokerRecord, RecordBatch
from streamlab.broker.kafka_errors import translate
from streamlab.events import TP

__all__ = ["MAX_BATCHES", "MAX_RECORDS", "give_batches", "record_lists"]

MAX_BATCHES = 32
MAX_RECORDS = 500
SMALL_BYTES = 1 << 17
RECORD_OVERHEAD = 70  # what a record without key and value takes, for the size of plain records


class BatchRecords(fetching.PartitionRecords):  # type: ignore[misc] # aiokafka is untyped
    """The checks of the original (checksum, aborted transactions, markers), giving whole batches."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[RecordBatch]:
        total, batches = self._records.size_in_bytes(), deque(_slices(self._records))
        size = total // max(len(batches), 1)
        while batches:
            # Many small batches go as one: what is paid for each would cost more than its records.
            start, together = self.next_fetch_offset, self._take(batches, max(SMALL_BYTES // size, 1))
            if together:
                yield _record_batch(TP(*self._tp), together, start, self.next_fetch_offset, size * len(together))

    def _take(self, batches: deque[Any], most: int) -> list[Any]:
        """Take batches from the left, at most so many that are to be read, past those that are not."""
        taken: list[Any] = []
        while batches and len(taken) < most:
            batch = batches[0]
            if self._check_crcs and not batch.validate_crc():
                if taken:
                    break
                raise errors.CorruptRecordException(f"Invalid CRC - {self._tp}")
            batches.popleft()
            wanted = not self._is_aborted(batch) and not batch.is_control_batch and batch.next_offset > self.next_fetch_offset
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
            if wanted:
                taken.append(batch)
        return taken

    def _is_aborted(self, batch: Any) -> bool:
        if self._isolation_level != fetching.READ_COMMITTED or batch.producer_id is None:
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)


class BatchFetcher(fetching.Fetcher):  # type: ignore[misc] # aiokafka is untyped
    """aiokafka's fetcher, except for what it makes of an answer."""

    async def _proc_fetch_request(self, *args: Any) -> Any:
        got = await super()._proc_fetch_request(*args)
        for result in self._records.values():
            if isinstance(result, fetching.FetchResult):
                _convert(result._partition_records)
        return got


def _slices(records: Any) -> Iterator[Any]:
    while records.has_next():
        yield records.next_batch()


class _Compressed:
    """Records of a batch that is unpacked when it is walked, with errors of ours."""

    __slots__ = ("batch", "tp")

    def __init__(self, tp: TP, batch: Any) -> None:
        self.tp = tp
        self.batch = batch

    def __iter__(self) -> Iterator[BrokerRecord]:
        try:
            return iter(self.batch)
        except Exception as error:
            what = f"Cannot unpack a batch of {self.tp.topic} partition {self.tp.partition} that ends at offset {self.batch.next_offset - 1}"
            raise translate(error, what, topic=self.tp.topic, partition=self.tp.partition) from error


def _record_batch(tp: TP, batches: list[Any], start: int, end: int, size: int) -> RecordBatch:
    walks = [_Compressed(tp, batch) if _is_packed(batch) else batch for batch in batches]
    return RecordBatch(
        tp=tp,
        records=walks[0] if len(walks) == 1 else chain.from_iterable(walks),
        first_offset=start,
        next_offset=end,
        size_bytes=size,
        exact=getattr(batches[0], "base_offset", -1) >= start,
    )


def _is_packed(batch: Any) -> bool:
    """Whether it is compressed; what Kafka before 0.11 wrote does not say, nor where it begins."""
    return bool(getattr(batch, "compression_type", 1))


def _convert(records: Any) -> None:
    """Turn a PartitionRecords that nobody has read from into one that gives batches."""
    if type(records) is fetching.PartitionRecords:
        records.__class__ = BatchRecords
        records._records_iterator = records._unpack_records()


def give_batches(consumer: AIOKafkaConsumer) -> bool:
    """Make a started consumer's ``getmany`` give RecordBatch objects; False when this aiokafka is not fit for it."""
    if not _fits():
        return False
    consumer._fetcher.__class__ = BatchFetcher
    return True


@functools.cache
def _fits() -> bool:
    """Try it on two made-up batches, begun in the middle of the first."""
    try:
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 16)
        for offset in range(3):
            builder.append(offset, 1000 + offset, b"k", b"v", [("h", None)])
        data, check_crcs = MemoryRecords(bytes(builder.build())), True
        records = fetching.PartitionRecords(("t", 0), data, [], 1, None, None, check_crcs, fetching.READ_UNCOMMITTED)
        _convert(records)
        [batch] = list(records)
        seen = [(r.offset, r.timestamp, r.timestamp_type, r.key, r.value, list(r.headers)) for r in batch.records]
        expected = [(n, 1000 + n, 0, b"k", b"v", [("h", None)]) for n in range(3)]
        places = (batch.first_offset, batch.next_offset, batch.exact, records.next_fetch_offset)
        return seen == expected and places == (1, 3, False, 3) and hasattr(fetching.Fetcher, "_proc_fetch_request")
    except Exception:  # noqa: BLE001 - whatever does not fit, the answer is no
        return False


def record_lists(got: dict[Any, list[Any]]) -> list[RecordBatch]:
    """Make batches of plain ConsumerRecords, as getmany gives them by itself."""
    return [
        RecordBatch(
            tp=TP(*tp),
            records=records,
            first_offset=records[0].offset,
            next_offset=records[-1].offset + 1,
            size_bytes=sum(len(r.key or b"") + len(r.value or b"") + RECORD_OVERHEAD for r in records),
        )
        for tp, records in got.items()
        if records
    ]
