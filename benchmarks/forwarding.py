"""Records forwarded from one topic to another: read, processed, written, and acknowledged by the broker.

The clock runs from the first records that are in the target to the last.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from measure import Comparison, Setting, Side
from topics import PARTITIONS, TOPIC

WINDOW = 5_000
"""So many records of the loop by hand are on their way before it waits for the older half of them."""
LOOK_S = 0.005
ACCOUNT = "account_id"


def comparisons(setting: Setting) -> list[Comparison]:
    part = {"bootstrap": setting.bootstrap, "topic": TOPIC, "messages": setting.forwarded_messages}
    by_hand = "aiokafka getmany(500), msgspec and send by hand"
    return [
        Comparison(
            f"Kafka, {how}",
            Side("streamlab", "forwarding:streamlab", {**part, "how": how}),
            [Side(by_hand, "forwarding:by_hand", {**part, "how": how}, at_least=0.5)],
        )
        for how in ("through", "group_by")
    ]


def enriched(order: dict[str, Any]) -> dict[str, Any]:
    """Make what goes through: another value, which is encoded again."""
    return {**order, "total": order["quantity"] * order["price"]}


def streamlab(bootstrap: str, topic: str, messages: int, how: str) -> float:
    return asyncio.run(_streamlab(bootstrap, topic, messages, how))


async def _streamlab(bootstrap: str, topic: str, messages: int, how: str) -> float:
    import streamlab
    from streamlab.runtime.io import on_io

    async with streamlab.App("bench", broker=f"kafka://{bootstrap}", topic_partitions=PARTITIONS) as app:
        target = app.topic(f"forwarded-{uuid.uuid4().hex}", partitions=PARTITIONS)
        await target.declare()
        (name,) = target.topics
        tps = [streamlab.TP(name, partition) for partition in range(PARTITIONS)]
        orders = app.topic(topic).stream(start="earliest", stop=messages // PARTITIONS)
        if how == "through":
            orders.add_processor(enriched)
            orders.through(target)
        else:
            orders.group_by(lambda order: order[ACCOUNT], name=ACCOUNT, topic=target)

        async def arrived() -> int:
            return sum(mark.high for mark in (await on_io(app.client.watermarks(tps))).values())

        return await _rate(arrived, messages)


async def _rate(arrived: Callable[[], Awaitable[int]], messages: int) -> float:
    """Return how many records a second arrive, from the first on."""
    before = count = 0
    began = perf_counter()
    while count < messages:
        await asyncio.sleep(LOOK_S)
        count = await arrived()
        if not before:
            before, began = count, perf_counter()
    took = perf_counter() - began
    assert count == messages, f"{count} records arrived instead of {messages}"
    return (messages - before) / took


def by_hand(bootstrap: str, topic: str, messages: int, how: str) -> float:
    return asyncio.run(_by_hand(bootstrap, topic, messages, how))


async def _by_hand(bootstrap: str, topic: str, messages: int, how: str) -> float:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    target = f"forwarded-{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    for client in (admin, consumer, producer):
        await client.start()
    try:
        await admin.create_topics([NewTopic(target, PARTITIONS, 1)])
        tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(tps)
        for tp in tps:
            consumer.seek(tp, 0)
        targets = [TopicPartition(target, partition) for partition in range(PARTITIONS)]

        async def arrived() -> int:
            return sum((await consumer.end_offsets(targets)).values())

        forwarding = asyncio.create_task(_forward(consumer, producer, target, messages, how))
        rate = await _rate(arrived, messages)
        await forwarding
        return rate
    finally:
        for client in (admin, consumer, producer):
            await (client.close() if client is admin else client.stop())


async def _forward(consumer: Any, producer: Any, target: str, messages: int, how: str) -> None:
    import msgspec

    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    ends, sent = messages // PARTITIONS, []
    while messages:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=500)).values():
            for record in records:
                if record.offset >= ends:
                    continue
                order = decode(record.value)
                if how == "through":
                    key, value = record.key, encode(enriched(order))
                else:
                    key, value = order[ACCOUNT].encode(), record.value
                sent.append(await producer.send(target, value, key, timestamp_ms=record.timestamp, headers=list(record.headers)))
                messages -= 1
        if len(sent) >= WINDOW:
            await asyncio.gather(*sent[: WINDOW // 2])
            del sent[: WINDOW // 2]
    await asyncio.gather(*sent)
