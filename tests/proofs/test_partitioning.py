"""group_by and through write where a Java client would: librdkafka's murmur2_random is Java's partitioner."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlab as sl
from tests.kafka import client
from tests.kafka.client import Rec
from tests.proofs.support import Stored, app_on, first, plainly, stored

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

PARTITIONS = 7
COUNT = 500
# Not long ago, or retention would take the records away.
BEGAN_MS = time.time_ns() // 1_000_000 - 3_600_000


class Order(sl.Record):
    """What is repartitioned."""

    account_id: str
    number: int


def account(number: int) -> str:
    return f"account {number * 37 % 101} é"


async def write_orders(kafka: KafkaCluster, topic: str) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic, 3)
    records = [
        Rec(
            f'{{"account_id":"{account(n)}","number":{n}}}',
            key=f"key {n}",
            timestamp_ms=BEGAN_MS + n,
            headers=[("n", str(n).encode()), ("n", b"again")],
        )
        for n in range(COUNT)
    ]
    await plainly(client.produce, kafka.bootstrap, topic, records)


async def places_of(kafka: KafkaCluster, name: str, keys: set[bytes]) -> dict[bytes | None, int]:
    """Return where another client puts these keys in a topic of as many partitions."""
    await plainly(client.create_topic, kafka.bootstrap, name, PARTITIONS)
    await plainly(client.produce, kafka.bootstrap, name, [Rec("", key=key) for key in keys])
    return {record.key: record.partition for record in await plainly(stored, kafka.bootstrap, name)}


async def check(kafka: KafkaCluster, written: list[Stored], reference: str) -> None:
    places = await places_of(kafka, reference, {record.key or b"" for record in written})
    assert {record.partition for record in written} == set(range(PARTITIONS))
    assert [record.partition for record in written] == [places[record.key] for record in written]
    assert len(written) == COUNT
    numbers = sorted(int(record.headers[0][1]) for record in written)
    assert numbers == list(range(COUNT))
    for record in written:
        number = int(record.headers[0][1])
        assert record.headers == [("n", str(number).encode()), ("n", b"again")]
        assert record.timestamp_ms == BEGAN_MS + number


async def test_group_by_repartitions_by_the_new_key(kafka: KafkaCluster, topic_name: str) -> None:
    await write_orders(kafka, topic_name)
    async with app_on(kafka.url) as app:
        orders = app.topic(topic_name, value_type=Order).stream(start="earliest")
        grouped = orders.group_by(Order.account_id, partitions=PARTITIONS)
        seen: list[tuple[str, Order, int]] = []
        async for event in grouped.events():
            seen.append((event.key, event.value, event.message.partition))
            if len(seen) == COUNT:
                break
        name = grouped.channel.get_topic_name()
    assert name == f"{topic_name}-Order.account_id-repartition"
    assert all(key == order.account_id == account(order.number) for key, order, _ in seen)
    homes: dict[str, set[int]] = {}
    for key, _, partition in seen:
        homes.setdefault(key, set()).add(partition)
    assert all(len(partitions) == 1 for partitions in homes.values())
    written = await plainly(stored, kafka.bootstrap, name)
    assert {record.key for record in written} == {account(n).encode() for n in range(COUNT)}
    await check(kafka, written, f"{topic_name}-reference")


async def test_through_keeps_the_keys(kafka: KafkaCluster, topic_name: str) -> None:
    await write_orders(kafka, topic_name)
    target = f"{topic_name}-through"
    async with app_on(kafka.url) as app:
        orders = app.topic(topic_name, value_type=Order).stream(start="earliest")
        result = orders.through(app.topic(target, value_type=Order, partitions=PARTITIONS))
        values = await first(COUNT, result)
    assert sorted(order.number for order in values) == list(range(COUNT))
    written = await plainly(stored, kafka.bootstrap, target)
    assert {record.key for record in written} == {f"key {n}".encode() for n in range(COUNT)}
    assert all(record.key == b"key " + record.headers[0][1] for record in written)
    await check(kafka, written, f"{topic_name}-reference")
