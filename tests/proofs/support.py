"""What the proofs share: reading a stream by hand, waiting, and what a topic really holds."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

import streamlab as sl
from tests.kafka import client
from tests.kafka.harness import KafkaCluster

HERE = Path(__file__).parent
LIMIT_S = 20.0


@asynccontextmanager
async def app_on(url: str, **options: Any) -> AsyncIterator[sl.App]:
    """An app of the test's own, closed at the end."""
    async with sl.App(f"proof-{uuid.uuid4().hex[:12]}", broker=url, **options) as app:
        yield app


async def first(n: int, source: Any, limit_s: float = LIMIT_S) -> list[Any]:
    """Return the first ``n`` values; the loop is left then."""
    values: list[Any] = []
    async with asyncio.timeout(limit_s), aclosing(aiter(source)) as running:
        async for value in running:
            values.append(value)
            if len(values) == n:
                return values
    raise AssertionError(f"it ended after {len(values)} of {n} values")


async def rest(source: Any, limit_s: float = LIMIT_S) -> list[Any]:
    """Return all values of what ends."""
    async with asyncio.timeout(limit_s):
        return [value async for value in source]


async def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


async def plainly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a plain call in a thread, so that the loop of the test goes on."""
    return await asyncio.to_thread(function, *arguments)


class Stored(NamedTuple):
    """A record as the broker has it."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: list[tuple[str, bytes]]


def stored(bootstrap: str, topic: str) -> list[Stored]:
    """Return all that a topic holds, read by another client, partition by partition."""
    config = {
        "bootstrap.servers": bootstrap,
        "group.id": uuid.uuid4().hex,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 10,
        "log_level": 0,
    }
    consumer = Consumer(config)
    try:
        return [record for p in range(client.topics(bootstrap)[topic]) for record in _stored(consumer, topic, p)]
    finally:
        consumer.close()


def _stored(consumer: Consumer, topic: str, partition: int) -> Iterator[Stored]:
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    while True:
        message = consumer.poll(10)
        assert message is not None, f"{topic} partition {partition} neither goes on nor ends"
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            return
        headers: Any = message.headers() or []
        key: Any = message.key()
        yield Stored(partition, key, message.value(), message.timestamp()[1], headers)


class Traces(NamedTuple):
    """What looking at a cluster must not change."""

    topics: dict[str, int]
    groups: set[str]
    committed: dict[str, dict[tuple[str, int], int]]


def traces(cluster: KafkaCluster) -> Traces:
    """Return what is on the cluster now."""
    bootstrap = cluster.bootstrap
    return Traces(client.topics(bootstrap), client.groups(bootstrap), client.all_committed(bootstrap))


class Script:
    """A Python program of this folder, in a process of its own, writing lines."""

    def __init__(self, name: str, *arguments: object) -> None:
        command = [sys.executable, "-u", "-W", "error", str(HERE / name), *map(str, arguments)]
        root = HERE.parent.parent
        self._process = subprocess.Popen(
            command,
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def lines(self) -> Iterator[str]:
        """Yield what it writes; ends when it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.rstrip("\n")

    def wait_for(self, text: str) -> None:
        """Return when it writes this line."""
        seen = []
        for line in self.lines():
            seen.append(line)
            if line == text:
                return
        raise AssertionError(f"it ended without writing {text!r}: {seen[-40:]}")

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Crash it (SIGKILL)."""
        self._process.kill()
        self._close()

    def terminate(self, signal: int) -> int:
        """Send it a signal and return its exit code."""
        self._process.send_signal(signal)
        return self.wait()

    def wait(self, limit_s: float = 30.0) -> int:
        """Return its exit code when it has ended."""
        code = self._process.wait(limit_s)
        self._close()
        return code

    def _close(self) -> None:
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def script(name: str, *arguments: object) -> Iterator[Script]:
    """Run a program of this folder for the body of a ``with``."""
    started = Script(name, *arguments)
    try:
        yield started
    finally:
        started.kill()
