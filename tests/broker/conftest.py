"""A broker on the shared Kafka, for the tests of what lies behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streamlab.broker.kafka import KafkaBroker
from tests.kafka.harness import KafkaCluster


def addresses(bootstrap: str) -> tuple[tuple[str, int], ...]:
    return tuple((host, int(port)) for host, port in (part.rsplit(":", 1) for part in bootstrap.split(",")))


@pytest.fixture
async def kafka_broker(no_leaks: None, kafka: KafkaCluster) -> AsyncIterator[KafkaBroker]:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    yield broker
    await broker.close()
