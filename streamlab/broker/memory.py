"""The embedded broker, ``memory://``: a small cluster inside this process.

It keeps to the same contract as Kafka: partitions, keys, headers, timestamps, offsets, watermarks, groups with
commits and rebalances, retention. What it has not: transactions, compaction, persistence, other processes.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from streamlab.broker.base import (
    ClusterInfo,
    Headers,
    Isolation,
    NewRecord,
    Outcome,
    ReaderOptions,
    TopicInfo,
    Watermarks,
    send_one,
)
from streamlab.broker.memory_groups import MemoryGroup
from streamlab.broker.memory_log import MemoryRecord, MemoryTopic
from streamlab.broker.memory_reader import MemoryReader
from streamlab.errors import InvalidValue, StreamlabError, TopicExists, TopicNotFound
from streamlab.events import TP, RecordMetadata

__all__ = ["MemoryBroker", "MemoryCluster", "cluster"]

NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


class MemoryCluster:
    """What the brokers of one name share. Its methods may be called on any thread; groups live on the I/O loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.topics: dict[str, MemoryTopic] = {}
        self.groups: dict[str, MemoryGroup] = {}
        self.waiting: set[MemoryReader] = set()

    def topic(self, name: str) -> MemoryTopic:
        """Return a topic; TopicNotFound when there is none."""
        try:
            return self.topics[name]
        except KeyError:
            raise TopicNotFound(
                f"topic {name!r} does not exist on memory://{self.name}; send something to it, or create it", topic=name
            ) from None

    def create(self, name: str, partitions: int, config: Mapping[str, str]) -> MemoryTopic:
        """Add a topic; TopicExists when there is one."""
        if not NAME.fullmatch(name) or name in {".", ".."}:
            raise InvalidValue(f"{name!r} is no topic name: use up to 249 letters, digits, '.', '_' and '-'")
        if partitions < 1:
            raise InvalidValue(f"topic {name!r} cannot have {partitions} partitions: give 1 or more")
        with self.lock:
            if name in self.topics:
                raise TopicExists(f"topic {name!r} exists already on memory://{self.name}", topic=name)
            topic = self.topics[name] = MemoryTopic(name, partitions, config)
        return topic

    def append(self, name: str, records: Iterable[NewRecord]) -> list[Outcome]:
        """Store records, making the topic if need be; returns what became of each."""
        with self.lock:
            topic = self.topics.get(name) or self.create(name, 1, {})
            outcomes = [_stored(topic, record) for record in records]
        self.wake_readers_of(name)
        return outcomes

    def wake_readers_of(self, topic: str) -> None:
        """Let the readers that wait for the topic look again."""
        for reader in tuple(self.waiting):
            if reader.wants(topic):
                reader.wake()

    def group(self, name: str) -> MemoryGroup:
        """Return a group, made at first use."""
        with self.lock:
            if name not in self.groups:
                self.groups[name] = MemoryGroup(self._partition_count, self._low)
            return self.groups[name]

    def _partition_count(self, topic: str) -> int:
        return len(self.topics[topic].logs) if topic in self.topics else 0

    def _low(self, tp: TP) -> int:
        return self.topics[tp.topic].log(tp.partition).watermarks.low if tp.topic in self.topics else 0

    async def rebalance_groups_of(self, topic: str) -> None:
        """After its partitions changed: share them out anew among those who subscribed to it."""
        for group in tuple(self.groups.values()):
            if any(topic in member.topics for member in group.members):
                await group.rebalance()


def _stored(topic: MemoryTopic, new: NewRecord) -> Outcome:
    timestamp_ms = time.time_ns() // 1_000_000 if new.timestamp_ms is None else new.timestamp_ms
    record = MemoryRecord(-1, timestamp_ms, 0, new.key, new.value, tuple(new.headers))
    try:
        tp = TP(topic.name, topic.append(record, new.partition))
    except StreamlabError as error:
        return error
    return RecordMetadata(topic.name, tp.partition, tp, record.offset, record.timestamp / 1000, record.timestamp_type)


_clusters: dict[str, MemoryCluster] = {}
_clusters_lock = threading.Lock()


def cluster(name: str = "") -> MemoryCluster:
    """Return this process's cluster of that name, made at first use."""
    with _clusters_lock:
        if name not in _clusters:
            _clusters[name] = MemoryCluster(name)
        return _clusters[name]


class MemoryBroker:
    """The embedded broker. Those of one name in one process are one cluster, which lives as long as the process.

    Topics are made by the first send to them, with one partition, never by reading. Per topic, ``retention.bytes``
    (512 MiB a partition unless given) and ``retention.messages`` bound what is kept, at each append.

    Parameters
    ----------
    name : str
        The cluster's, as in ``memory://name``.

    Examples
    --------
    >>> import asyncio
    >>> broker = MemoryBroker("docs")
    >>> asyncio.run(broker.send("orders", key=b"7", value=b"{}")).offset
    0
    """

    def __init__(self, name: str = "") -> None:
        self.url = f"memory://{name}"
        self._cluster = cluster(name)

    async def cluster(self) -> ClusterInfo:
        """Describe the cluster: one broker, this process."""
        return ClusterInfo(f"memory-{self._cluster.name}", (self.url,), self.url)

    async def check(self, topic: str | None = None, timeout_s: float = 3.0) -> None:
        """Raise TopicNotFound when there is no such topic."""
        if topic is not None:
            self._cluster.topic(topic)

    async def topics(self) -> dict[str, TopicInfo]:
        """Return all topics by name."""
        with self._cluster.lock:
            return {
                name: TopicInfo(name, tuple(range(len(topic.logs))), name.startswith("__"))
                for name, topic in sorted(self._cluster.topics.items())
            }

    async def partitions(self, topic: str) -> tuple[int, ...]:
        """Return the partitions' numbers; TopicNotFound when there is no such topic."""
        return tuple(range(len(self._cluster.topic(topic).logs)))

    async def watermarks(
        self,
        tps: Iterable[TP],
        isolation: Isolation = "read_uncommitted",
    ) -> dict[TP, Watermarks]:
        """Return the first offset and the one after the last, of each partition."""
        return {tp: self._cluster.topic(tp.topic).log(tp.partition).watermarks for tp in tps}

    async def offsets_for_times(self, times_ms: Mapping[TP, int]) -> dict[TP, int | None]:
        """Return the first offset at or after each time; None when there is none."""
        with self._cluster.lock:
            return {
                tp: self._cluster.topic(tp.topic).log(tp.partition).offset_for_time(time_ms) for tp, time_ms in times_ms.items()
            }

    async def create_topic(
        self,
        name: str,
        *,
        partitions: int = 1,
        replication: int = 1,
        config: Mapping[str, str] | None = None,
    ) -> None:
        """Make a topic; TopicExists when there is one."""
        self._cluster.create(name, partitions, config or {})
        await self._cluster.rebalance_groups_of(name)

    async def delete_topic(self, name: str) -> None:
        """Delete a topic, its records and what groups have committed of it."""
        with self._cluster.lock:
            self._cluster.topic(name)
            del self._cluster.topics[name]
            for group in self._cluster.groups.values():
                group.forget(name)
        self._cluster.wake_readers_of(name)

    async def topic_config(self, name: str) -> dict[str, str]:
        """Return the configuration, defaults included."""
        return dict(self._cluster.topic(name).config)

    async def add_partitions(self, name: str, total: int) -> None:
        """Grow a topic to so many partitions."""
        with self._cluster.lock:
            self._cluster.topic(name).grow(total)
        await self._cluster.rebalance_groups_of(name)

    async def groups(self) -> tuple[str, ...]:
        """Return the groups that have a member or a commit."""
        groups = self._cluster.groups
        return tuple(sorted(name for name, group in groups.items() if group.members or group.committed))

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """Return what the group has committed; None where nothing."""
        known = self._cluster.groups.get(group)
        return {tp: known.committed.get(tp) if known is not None else None for tp in tps}

    async def send_many(self, topic: str, records: Sequence[NewRecord], answered: Callable[[int, Outcome], object]) -> None:
        """Write records, making the topic if need be."""
        try:
            outcomes = self._cluster.append(topic, records)
        except StreamlabError as error:
            outcomes = [error] * len(records)
        for number, outcome in enumerate(outcomes):
            answered(number, outcome)

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> RecordMetadata:
        """Write one record, making the topic if need be."""
        return await send_one(self, topic, NewRecord(key, value, partition, timestamp_ms, headers))

    def reader(self, options: ReaderOptions) -> MemoryReader:
        """Return a consumer, not started."""
        return MemoryReader(self._cluster, options)

    async def close(self) -> None:
        """Nothing to close: the cluster lives as long as the process."""
