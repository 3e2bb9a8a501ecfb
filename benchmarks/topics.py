"""The topics that are read: JSON orders of about 150 bytes with a key, in four partitions."""

from __future__ import annotations

import json
import random

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # not in its __all__

TOPIC = "orders"
SINGLE_TOPIC = "orders-one-by-one"
PARTITIONS = 4
LIMIT_S = 120.0
BATCHES = {"linger.ms": 20, "batch.size": 16384}  # 16384: the default of the Java client
ONE_BY_ONE = {"linger.ms": 0, "batch.num.messages": 1}


def fill(bootstrap: str, messages: int, single_messages: int) -> None:
    """Make both topics and write the messages, spread evenly over the partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in (TOPIC, SINGLE_TOPIC)]).values():
        made.result(LIMIT_S)
    _write(bootstrap, TOPIC, messages, BATCHES)
    _write(bootstrap, SINGLE_TOPIC, single_messages, ONE_BY_ONE)


def order(number: int, chance: random.Random) -> bytes:
    return json.dumps(
        {
            "order_id": number,
            "account_id": f"acc-{chance.randrange(5000)}",
            "item": f"item-{chance.randrange(1000):04}",
            "quantity": chance.randrange(1, 9),
            "price": round(chance.uniform(1, 99), 2),
            "currency": "EUR",
            "note": "x" * 30,
        }
    ).encode()


def _write(bootstrap: str, topic: str, messages: int, how: dict[str, int]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 100_000, **how})
    chance = random.Random(4)
    for number in range(messages):
        while True:
            try:
                producer.produce(topic, order(number, chance), key=str(number), partition=number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(LIMIT_S) == 0, f"{topic} could not be filled"
