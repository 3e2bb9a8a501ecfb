"""A broker on the shared Kafka, and one that may be frozen, for the tests of what lies behind it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psutil
import pytest

from streamlab.broker.kafka import KafkaBroker
from tests.kafka import harness
from tests.kafka.harness import KafkaCluster


def addresses(bootstrap: str) -> tuple[tuple[str, int], ...]:
    return tuple((host, int(port)) for host, port in (part.rsplit(":", 1) for part in bootstrap.split(",")))


@pytest.fixture
async def kafka_broker(no_leaks: None, kafka: KafkaCluster) -> AsyncIterator[KafkaBroker]:
    broker = KafkaBroker(addresses(kafka.bootstrap))
    yield broker
    await broker.close()


@pytest.fixture(scope="session")
def fragile(kafka: KafkaCluster) -> Iterator[KafkaCluster]:
    """One node for all tests that freeze or kill it and bring it back; ``kafka`` is asked for so that it is skipped alike."""
    with harness.running() as cluster:
        yield cluster


@contextmanager
def frozen(cluster: KafkaCluster, node: int = 1) -> Iterator[None]:
    """Freeze a node for the body of a ``with``, in which it really stands still."""
    cluster.freeze(node)
    process = psutil.Process(cluster._processes[node].pid)
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    try:
        yield
    finally:
        cluster.thaw(node)
