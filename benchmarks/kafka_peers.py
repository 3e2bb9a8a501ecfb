"""The peers' ways of doing what kafka_loop.py measures. Those that cannot do without join a new consumer group."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from time import perf_counter
from typing import Any

from kafka_loop import enrich
from topics import PARTITIONS


class Count:
    """Counts messages, and the time from the first to the last that is wanted."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.seen = 0
        self.began = self.ended = 0.0

    def one(self, _: Any = None) -> bool:
        """Count a message; True for the last."""
        if not self.seen:
            self.began = perf_counter()
        self.seen += 1
        if self.seen == self.wanted:
            self.ended = perf_counter()
            return True
        return False

    def rate(self) -> float:
        assert self.seen >= self.wanted, f"{self.seen} of {self.wanted} messages were seen"
        return self.wanted / (self.ended - self.began)


def faust(bootstrap: str, topic: str, messages: int) -> float:
    return asyncio.run(_faust(bootstrap, topic, messages))


async def _faust(bootstrap: str, topic: str, messages: int) -> float:
    import faust

    count, done = Count(messages), asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        app = faust.App(
            f"bench-{uuid.uuid4()}",
            broker=f"kafka://{bootstrap}",
            store="memory://",
            datadir=folder,
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
        )

        @app.agent(app.topic(topic, value_serializer="json"))
        async def read(stream: Any) -> None:
            stream.add_processor(enrich)
            async for _ in stream:
                if count.one():
                    done.set()

        await app.start()
        await done.wait()
        await app.stop()
    return count.rate()


def quixstreams(bootstrap: str, topic: str, messages: int) -> float:
    from quixstreams import Application

    count = Count(messages)
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=bootstrap,
            consumer_group=f"bench-{uuid.uuid4()}",
            auto_offset_reset="earliest",
            state_dir=folder,
            loglevel="ERROR",
        )
        app.dataframe(app.topic(topic, value_deserializer="json")).apply(enrich).update(count.one)
        app.run(count=messages)
    return count.rate()


def confluent(bootstrap: str, topic: str, messages: int) -> float:
    import msgspec
    from confluent_kafka import Consumer, TopicPartition

    decode = msgspec.json.Decoder().decode
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    seen, began = 0, 0.0
    while seen < messages:
        records = consumer.consume(500, 1.0)
        if not seen:
            began = perf_counter()
        for record in records:
            enrich(decode(record.value()))  # type: ignore[arg-type] # no tombstones here
            seen += 1
    took = perf_counter() - began
    consumer.close()
    assert seen == messages, f"confluent-kafka saw {seen} of {messages} messages"
    return messages / took
