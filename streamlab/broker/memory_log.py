"""Topics in memory: what is stored, and how long."""

from __future__ import annotations

import sys
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from streamlab.broker.base import Headers, Watermarks
from streamlab.broker.partitioner import partition_for
from streamlab.errors import InvalidValue, MessageTooLarge, TopicNotFound

__all__ = ["MemoryRecord", "MemoryTopic", "PartitionLog"]

DEFAULTS = {
    "cleanup.policy": "delete",
    "max.message.bytes": "-1",
    "message.timestamp.type": "CreateTime",
    "retention.bytes": str(512 << 20),  # a partition; the memory is the notebook's
    "retention.messages": "-1",
}
MIN_DROP = 64


@dataclass(slots=True)
class MemoryRecord:
    """One record, as ``BrokerRecord`` describes it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class PartitionLog:
    """The records of one partition, offsets without holes.

    Deleting the head only moves the low watermark; the lists are cut when an eighth of them is dead, so that an append
    costs the same however much is retained.
    """

    def __init__(self) -> None:
        self._records: list[MemoryRecord] = []
        self._ends: list[int] = []  # bytes ever appended, up to and with each record
        self._base = 0  # offset of _records[0]
        self._base_bytes = 0  # bytes before _records[0]
        self._dead = 0

    @property
    def watermarks(self) -> Watermarks:
        """First offset that is there, and the one after the last."""
        return Watermarks(self._base + self._dead, self._base + len(self._records))

    def append(self, record: MemoryRecord, size: int) -> int:
        """Store the record under the next offset, which is returned."""
        record.offset = self._base + len(self._records)
        self._records.append(record)
        self._ends.append(self._bytes_before(len(self._ends)) + size)
        return record.offset

    def read(self, offset: int, max_records: int, max_bytes: int) -> tuple[list[MemoryRecord], int]:
        """Return the records from an offset on, at least one if there is one, and their bytes."""
        first = offset - self._base
        before = self._bytes_before(first)
        last = bisect_right(self._ends, before + max_bytes, first, min(first + max_records, len(self._ends)))
        last = max(last, min(first + 1, len(self._ends)))
        return self._records[first:last], self._bytes_before(last) - before

    def offset_for_time(self, time_ms: int) -> int | None:
        """Return the first offset whose timestamp is at or after the time."""
        for i in range(self._dead, len(self._records)):
            if self._records[i].timestamp >= time_ms:
                return self._base + i
        return None

    def retain(self, max_bytes: int, max_records: int) -> None:
        """Delete from the head what is over these bounds; the last record always stays."""
        total, count = self._bytes_before(len(self._ends)), len(self._records)
        while self._dead < count - 1 and (count - self._dead > max_records or total - self._bytes_before(self._dead) > max_bytes):
            self._dead += 1
        if self._dead >= MIN_DROP and self._dead * 8 >= count:
            self._base_bytes = self._bytes_before(self._dead)
            del self._records[: self._dead]
            del self._ends[: self._dead]
            self._base += self._dead
            self._dead = 0

    def _bytes_before(self, i: int) -> int:
        return self._ends[i - 1] if i else self._base_bytes


class MemoryTopic:
    """A topic: its partitions and its configuration."""

    def __init__(self, name: str, partitions: int, config: Mapping[str, str]) -> None:
        self.name = name
        self.config = {**DEFAULTS, **config}
        self.logs = [PartitionLog() for _ in range(partitions)]
        self._retention_bytes = self._limit("retention.bytes")
        self._retention_messages = self._limit("retention.messages")
        self._max_message_bytes = self._limit("max.message.bytes")
        self._turn = 0

    def _limit(self, key: str) -> int:
        try:
            limit = int(self.config[key])
        except ValueError:
            raise InvalidValue(f"{key}={self.config[key]!r} of topic {self.name}: give a whole number, -1 for no limit") from None
        return limit if limit >= 0 else sys.maxsize

    def log(self, partition: int) -> PartitionLog:
        """Return a partition; TopicNotFound when there is none of that number."""
        if not 0 <= partition < len(self.logs):
            raise TopicNotFound(
                f"topic {self.name} has no partition {partition}: it has 0 to {len(self.logs) - 1}",
                topic=self.name,
                partition=partition,
            )
        return self.logs[partition]

    def grow(self, total: int) -> None:
        """Add partitions until there are so many."""
        if total <= len(self.logs):
            raise InvalidValue(f"topic {self.name} has {len(self.logs)} partitions and can only get more, not {total}")
        self.logs += [PartitionLog() for _ in range(total - len(self.logs))]

    def append(self, record: MemoryRecord, partition: int | None) -> int:
        """Store a record where its key belongs, or in the partition given; returns the partition."""
        if partition is None:
            partition = self._choose(record.key)
        elif not 0 <= partition < len(self.logs):
            raise InvalidValue(f"cannot send to partition {partition} of {self.name}: it has 0 to {len(self.logs) - 1}")
        size = _size(record)
        if size > self._max_message_bytes:
            limit = f"its max.message.bytes is {self._max_message_bytes}"
            raise MessageTooLarge(f"a record of {size} bytes is too large for {self.name}: {limit}", topic=self.name)
        if self.config["message.timestamp.type"] == "LogAppendTime":
            record.timestamp, record.timestamp_type = time.time_ns() // 1_000_000, 1
        log = self.logs[partition]
        log.append(record, size)
        log.retain(self._retention_bytes, self._retention_messages)
        return partition

    def _choose(self, key: bytes | None) -> int:
        if key is not None:
            return partition_for(key, len(self.logs))
        self._turn = (self._turn + 1) % len(self.logs)
        return self._turn


def _size(record: MemoryRecord) -> int:
    size = len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) + len(value or b"")
    return size
