"""A topic read to its end in DataFrames of 1,000 rows; the clock starts when the first of them is there."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from measure import Comparison, Setting, Side
from topics import PARTITIONS, TOPIC

ROWS = 1_000


def comparisons(setting: Setting) -> list[Comparison]:
    whole = {"bootstrap": setting.bootstrap, "topic": TOPIC, "messages": setting.messages}
    return [
        Comparison(
            "Kafka, take(1000) to DataFrame",
            Side("streamlab", "frames:streamlab", whole),
            [
                Side("getmany, msgspec, pd.DataFrame by hand", "frames:by_hand", {**whole, "full": False}, at_least=1),
                Side("the same with index, timestamp and key", "frames:by_hand", {**whole, "full": True}),
            ],
        )
    ]


def streamlab(bootstrap: str, topic: str, messages: int) -> float:
    return asyncio.run(_streamlab(bootstrap, topic, messages))


async def _streamlab(bootstrap: str, topic: str, messages: int) -> float:
    import streamlab

    seen, began = 0, 0.0
    async with streamlab.App("bench", broker=f"kafka://{bootstrap}") as app:
        async for batch in app.topic(topic).stream(start="earliest", stop="end").take(ROWS):
            frame = batch.to_frame()
            assert frame.index.names == ["partition", "offset"]
            if not seen:
                began = perf_counter()
            seen += len(frame)
        took = perf_counter() - began
    assert seen == messages, f"streamlab saw {seen} of {messages} messages"
    return (messages - ROWS) / took


def by_hand(bootstrap: str, topic: str, messages: int, *, full: bool) -> float:
    return asyncio.run(_by_hand(bootstrap, topic, messages, full=full))


async def _by_hand(bootstrap: str, topic: str, messages: int, *, full: bool) -> float:
    import msgspec
    import pandas as pd
    from aiokafka import AIOKafkaConsumer, TopicPartition

    decode = msgspec.json.Decoder().decode
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(tps)
        for tp in tps:
            consumer.seek(tp, 0)
        seen, began = 0, 0.0
        records: list[Any] = []
        while seen < messages:
            for some in (await consumer.getmany(timeout_ms=1000, max_records=ROWS - len(records))).values():
                records += some
            if len(records) < ROWS:
                continue
            values = [decode(record.value) for record in records]
            frame = _full_frame(records, values) if full else pd.DataFrame(values)
            records = []
            if not seen:
                began = perf_counter()
            seen += len(frame)
        took = perf_counter() - began
    finally:
        await consumer.stop()
    assert seen == messages, f"the loop by hand saw {seen} of {messages} messages"
    return (messages - ROWS) / took


def _full_frame(records: list[Any], values: list[Any]) -> Any:
    import pandas as pd

    index = pd.MultiIndex.from_arrays(
        [[record.partition for record in records], [record.offset for record in records]], names=["partition", "offset"]
    )
    frame = pd.DataFrame(values, index=index)
    frame.insert(0, "timestamp", pd.to_datetime([record.timestamp for record in records], unit="ms", utc=True))
    frame.insert(1, "key", [record.key.decode() for record in records])
    return frame
