"""A topic read from its beginning to its end: JSON decoded, one processor, every message counted.

The clock of every side starts when the first messages are there, so that joining a group does not count.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from measure import Comparison, Setting, Side
from topics import PARTITIONS, SINGLE_TOPIC, TOPIC

WARM_UP = 2_000


def comparisons(setting: Setting) -> list[Comparison]:
    whole = {"bootstrap": setting.bootstrap, "topic": TOPIC, "messages": setting.messages}
    part = {**whole, "messages": setting.slow_messages}
    single = {**whole, "topic": SINGLE_TOPIC, "messages": setting.single_messages}
    return [
        Comparison(
            "Kafka, async for",
            Side("streamlab", "kafka_loop:streamlab", whole),
            [
                Side("aiokafka getmany(500) and msgspec by hand", "kafka_loop:by_hand", whole, at_least=1),
                Side("faust-streaming agent", "kafka_peers:faust", part, at_least=30),
                Side("quixstreams", "kafka_peers:quixstreams", part, at_least=4),
                Side("confluent-kafka consume(500) and msgspec by hand", "kafka_peers:confluent", whole),
            ],
        ),
        Comparison(
            "Kafka, async for, batches of one record",
            Side("streamlab", "kafka_loop:streamlab", single),
            [Side("aiokafka getmany(500) and msgspec by hand", "kafka_loop:by_hand", single, at_least=0.5)],
        ),
    ]


def enrich(order: dict[str, Any]) -> dict[str, Any]:
    """What every side does to every message."""
    order["total"] = order["quantity"] * order["price"]
    return order


def streamlab(bootstrap: str, topic: str, messages: int) -> float:
    return asyncio.run(_streamlab(bootstrap, topic, messages))


async def _streamlab(bootstrap: str, topic: str, messages: int) -> float:
    import streamlab

    took = 0.0
    async with streamlab.App("bench", broker=f"kafka://{bootstrap}") as app:
        for stop, expected in ((WARM_UP // PARTITIONS, WARM_UP), ("end", messages)):
            stream = app.topic(topic).stream(start="earliest", stop=stop)
            stream.add_processor(enrich)
            seen, began = 0, 0.0
            async for _order in stream:
                if not seen:
                    began = perf_counter()
                seen += 1
            took = perf_counter() - began
            assert seen == expected, f"streamlab saw {seen} of {expected} messages"
    return messages / took


def by_hand(bootstrap: str, topic: str, messages: int) -> float:
    return asyncio.run(_by_hand(bootstrap, topic, messages))


async def _by_hand(bootstrap: str, topic: str, messages: int) -> float:
    import msgspec
    from aiokafka import AIOKafkaConsumer, TopicPartition

    decode = msgspec.json.Decoder().decode
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(tps)
        seen, began = 0, 0.0
        for expected in (WARM_UP, messages):
            for tp in tps:
                consumer.seek(tp, 0)
            seen = 0
            while seen < expected:
                batches = await consumer.getmany(timeout_ms=1000, max_records=500)
                if not seen:
                    began = perf_counter()
                for records in batches.values():
                    for record in records:
                        enrich(decode(record.value))
                        seen += 1
        took = perf_counter() - began
    finally:
        await consumer.stop()
    assert seen == messages, f"the loop by hand saw {seen} of {messages} messages"
    return messages / took
