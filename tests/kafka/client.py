"""What tests do to a cluster behind streamlab's back, with librdkafka: plain calls that return when it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined] # not in its __all__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LIMIT_S = 30.0
# A cluster's first group makes it load them all.
COORDINATOR_IS_COMING = (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE)
# Java's partitioner; librdkafka's own puts keys elsewhere.
PRODUCER = {"partitioner": "murmur2_random", "linger.ms": 5, "message.max.bytes": 20_000_000, "log_level": 0}


class Rec(NamedTuple):
    """A record to write."""

    value: bytes | str | None
    key: bytes | str | None = None
    partition: int | None = None
    timestamp_ms: int | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Written(NamedTuple):
    """Where a record went."""

    partition: int
    offset: int


def produce(bootstrap: str, topic: str, records: Iterable[Rec | bytes | str | None], **config: str | float) -> list[Written]:
    """Write the records, acknowledged by all replicas; return their places in the order given."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER, **config})
    places: dict[int, Written] = {}
    for number, record in enumerate(records):
        _put(producer, topic, record if isinstance(record, Rec) else Rec(record), number, places)
    _flush(producer)
    return [places[number] for number in range(len(places))]


def transaction(
    bootstrap: str, topic: str, records: Iterable[Rec | bytes | str | None], *, abort: bool = False, name: str = "test"
) -> list[Written]:
    """Write the records in one transaction, which is committed or aborted."""
    producer = begin_transaction(bootstrap, topic, records, name=name)
    if abort:
        producer.abort_transaction(LIMIT_S)
    else:
        producer.commit_transaction(LIMIT_S)
    return []


def begin_transaction(bootstrap: str, topic: str, records: Iterable[Rec | bytes | str | None], *, name: str = "test") -> Producer:
    """Write the records in a transaction that stays open; end it on the producer that comes back."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER, "transactional.id": name})
    producer.init_transactions(LIMIT_S)
    producer.begin_transaction()
    for record in records:
        _put(producer, topic, record if isinstance(record, Rec) else Rec(record), 0, {})
    _flush(producer)
    return producer


def _put(producer: Producer, topic: str, record: Rec, number: int, places: dict[int, Written]) -> None:
    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise RuntimeError(f"record {number} was not written: {error}")
        places[number] = Written(message.partition() or 0, message.offset() or 0)

    while True:
        try:
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                partition=-1 if record.partition is None else record.partition,
                timestamp=record.timestamp_ms or 0,
                headers=list(record.headers),
                on_delivery=delivered,
            )
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _flush(producer: Producer) -> None:
    if left := producer.flush(LIMIT_S):
        raise RuntimeError(f"{left} records were not written within {LIMIT_S:.0f} s")


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def create_topic(
    bootstrap: str, name: str, partitions: int = 1, config: Mapping[str, str] | None = None, replication: int = 1
) -> None:
    """Create a topic and return when its partitions have leaders."""
    admin = _admin(bootstrap)
    new = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=dict(config or {}))
    admin.create_topics([new])[name].result(LIMIT_S)
    _wait_for_partitions(admin, name, partitions)


def add_partitions(bootstrap: str, name: str, total: int) -> None:
    """Let a topic have ``total`` partitions, and return when the new ones have leaders."""
    admin = _admin(bootstrap)
    admin.create_partitions([NewPartitions(name, total)])[name].result(LIMIT_S)
    _wait_for_partitions(admin, name, total)


def _wait_for_partitions(admin: AdminClient, name: str, count: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        # Without a name: asking for one would create it.
        topic = admin.list_topics(timeout=5).topics.get(name)
        if topic and len(topic.partitions) == count and all(p.leader >= 0 for p in topic.partitions.values()):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{name} has no {count} partitions after {LIMIT_S:.0f} s")


def delete_topic(bootstrap: str, name: str) -> None:
    """Delete a topic and return when the cluster does not list it any more."""
    admin = _admin(bootstrap)
    admin.delete_topics([name])[name].result(LIMIT_S)
    while name in admin.list_topics(timeout=5).topics:
        time.sleep(0.05)


def delete_records(bootstrap: str, topic: str, before: int, partition: int = 0) -> None:
    """Remove the records below an offset, as retention would."""
    admin = _admin(bootstrap)  # kept: what a client was asked is forgotten with it
    for result in admin.delete_records([TopicPartition(topic, partition, before)]).values():
        result.result(LIMIT_S)


def topics(bootstrap: str) -> dict[str, int]:
    """Return all topics but Kafka's own, with their number of partitions."""
    listed = _admin(bootstrap).list_topics(timeout=LIMIT_S).topics
    return {name: len(topic.partitions) for name, topic in listed.items() if not name.startswith("__")}


def groups(bootstrap: str) -> set[str]:
    """Return the names of all consumer groups."""
    admin = _admin(bootstrap)
    return {group.group_id for group in admin.list_consumer_groups().result(LIMIT_S).valid}


def members(bootstrap: str, group: str) -> int:
    """Return how many members a group has."""
    admin = _admin(bootstrap)
    return len(admin.describe_consumer_groups([group])[group].result(LIMIT_S).members)


def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """Return the offsets that a group has committed, by topic and partition."""
    admin = _admin(bootstrap)
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            answer = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(LIMIT_S)
        except KafkaException as error:
            if error.args[0].code() not in COORDINATOR_IS_COMING or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return {(tp.topic, tp.partition): tp.offset for tp in answer.topic_partitions if tp.offset >= 0}


def all_committed(bootstrap: str) -> dict[str, dict[tuple[str, int], int]]:
    """Return what every group has committed; groups without commits are left out."""
    found = {group: committed(bootstrap, group) for group in groups(bootstrap)}
    return {group: offsets for group, offsets in found.items() if offsets}
