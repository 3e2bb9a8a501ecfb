"""Apache Kafka, through aiokafka."""

from __future__ import annotations

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
from streamlab.broker.kafka_admin import Admin
from streamlab.broker.kafka_lookup import Lookup
from streamlab.broker.kafka_probe import Address
from streamlab.broker.kafka_producer import Producer
from streamlab.broker.kafka_reader import KafkaReader
from streamlab.broker.security import Security
from streamlab.events import TP, RecordMetadata

__all__ = ["KafkaBroker"]


class KafkaBroker:
    """A Kafka cluster. Nothing is connected before it is needed; nothing is created but by ``create_topic`` and ``send``.

    Parameters
    ----------
    addresses : tuple of (str, int)
        Hosts and ports of some of its brokers.
    security : Security
        How to talk to them.
    """

    def __init__(self, addresses: tuple[Address, ...], security: Security | None = None) -> None:
        names = ",".join(f"{host}:{port}" for host, port in addresses)
        self._url = f"kafka://{names}"
        self._lookup = Lookup(addresses, security or Security(), names)
        self._admin = Admin(self._lookup)
        self._producer = Producer(self._lookup, self._admin)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._url}>"

    @property
    def url(self) -> str:
        """Without secrets."""
        return self._url

    async def cluster(self) -> ClusterInfo:
        """Ask who is there."""
        answer = await self._lookup.metadata([])
        brokers = {node: f"{host}:{port}" for node, host, port, *_ in answer.brokers}
        return ClusterInfo(
            cluster_id=getattr(answer, "cluster_id", None) or "",
            brokers=tuple(brokers[node] for node in sorted(brokers)),
            controller=brokers.get(answer.controller_id),
        )

    async def check(self, topic: str | None = None, timeout_s: float = 3.0) -> None:
        """Return when the cluster answers (and has the topic, with leaders that answer), else raise why not."""
        await self._lookup.probe(topic, timeout_s)

    async def topics(self) -> dict[str, TopicInfo]:
        """Describe all topics, by name."""
        return await self._lookup.topics()

    async def partitions(self, topic: str) -> tuple[int, ...]:
        """Raises TopicNotFound; never creates."""
        return tuple(sorted(await self._lookup.partitions(topic)))

    async def watermarks(self, tps: Iterable[TP], isolation: Isolation = "read_uncommitted") -> dict[TP, Watermarks]:
        """First offsets and ends."""
        return await self._lookup.watermarks(tps, isolation)

    async def offsets_for_times(self, times_ms: Mapping[TP, int]) -> dict[TP, int | None]:
        """First offset whose timestamp is at or after the time; None when there is none.

        Kafka does not answer for times before 1970: there it is the first offset, if there is any record.
        """
        answered = await self._lookup.offsets({tp: time for tp, time in times_ms.items() if time >= 0}, "read_uncommitted")
        early = await self._lookup.watermarks([tp for tp, time in times_ms.items() if time < 0], "read_uncommitted")
        return {
            tp: answered[tp] if tp in answered else (early[tp].low if early[tp].low < early[tp].high else None) for tp in times_ms
        }

    async def create_topic(
        self, name: str, *, partitions: int = 1, replication: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """Raises TopicExists. Returns when the topic can be used."""
        await self._admin.create_topic(name, partitions, replication, config or {})

    async def delete_topic(self, name: str) -> None:
        """Raises TopicNotFound. Returns when the topic is gone."""
        await self._admin.delete_topic(name)

    async def topic_config(self, name: str) -> dict[str, str]:
        """All settings of a topic, defaults too."""
        return await self._admin.topic_config(name)

    async def add_partitions(self, name: str, total: int) -> None:
        """Grow a topic to that many partitions."""
        await self._admin.add_partitions(name, total)

    async def groups(self) -> tuple[str, ...]:
        """Names of the consumer groups."""
        return await self._lookup.groups()

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """What a group has committed; None where nothing."""
        return await self._lookup.committed(group, tps)

    async def send_many(self, topic: str, records: Sequence[NewRecord], answered: Callable[[int, Outcome], object]) -> None:
        """Write records; a topic that is not there is created with the cluster's defaults."""
        await self._producer.send_many(topic, records, answered)

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
        """Write one record; a topic that is not there is created with the cluster's defaults."""
        return await send_one(self, topic, NewRecord(key, value, partition, timestamp_ms, headers))

    def reader(self, options: ReaderOptions) -> KafkaReader:
        """Make a reader; it connects at its start."""
        return KafkaReader(self._lookup, options)

    async def close(self) -> None:
        """Flush what was sent and close the connections; readers are closed by those who made them."""
        await self._producer.close()
        await self._lookup.close()
