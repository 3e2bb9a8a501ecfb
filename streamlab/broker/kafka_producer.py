"""Writing records: one producer for each Broker, made at the first send."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka
from aiokafka.structs import TopicPartition

from streamlab.broker.base import Headers
from streamlab.broker.kafka_admin import Admin
from streamlab.broker.kafka_client import CLIENT_ID, close_client, connect_options, end_tasks, quiet
from streamlab.broker.kafka_errors import translate
from streamlab.broker.kafka_lookup import Lookup
from streamlab.broker.partitioner import partition_for
from streamlab.errors import BrokerUnavailable, InvalidValue, TopicExists, TopicNotFound
from streamlab.events import TP, RecordMetadata

__all__ = ["Producer"]

LINGER_MS = 0  # a send that is awaited should not wait; what comes while a request is on its way shares the next one
REQUEST_TIMEOUT_MS = 30_000
ACKNOWLEDGED_S = 30.0
MAX_REQUEST_BYTES = 100_000_000  # below what brokers read in one request (socket.request.max.bytes)
FLUSH_S = 3.0


class Producer:
    """Sends records, idempotent and acknowledged by all replicas; connects at the first one.

    A topic that is not there is created by the first record sent to it, with the partitions that the brokers give by default:
    sending is an explicit write.
    """

    def __init__(self, lookup: Lookup, admin: Admin) -> None:
        self._lookup = lookup
        self._admin = admin
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._keyless = itertools.count()
        self._closed = False

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None,
        timestamp_ms: int | None,
        headers: Headers,
    ) -> RecordMetadata:
        """Write one record and wait for the acknowledgement; records of one topic go in the order in which they were sent."""
        what = f"Cannot send to {topic!r}"
        sent_ms = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        _check_size(key, value, topic)
        try:
            async with self._turns[topic]:
                producer = await self._started()
                await self._known(producer, topic)
                chosen = await self._partition(producer, topic, key, partition)
                add: Callable[..., Awaitable[asyncio.Future[Any]]] = producer._message_accumulator.add_message
                # Not producer.send: it refuses records that have neither key nor value, which Kafka takes.
                future = await add(
                    TopicPartition(topic, chosen), key, value, ACKNOWLEDGED_S, timestamp_ms=sent_ms, headers=list(headers)
                )
            async with asyncio.timeout(ACKNOWLEDGED_S):
                answer = await future
        except TimeoutError as error:
            raise BrokerUnavailable(
                f"{what}: {self._lookup.where} has not acknowledged the record in {ACKNOWLEDGED_S:g} s. It may have been written, "
                "or be written when the broker is back.",
                topic=topic,
            ) from error
        except kafka.KafkaError as error:
            raise translate(error, what, topic=topic, partition=partition) from error
        stamp_ms = answer.timestamp if answer.timestamp_type else sent_ms
        return RecordMetadata(topic, chosen, TP(topic, chosen), answer.offset, stamp_ms / 1000, answer.timestamp_type)

    async def close(self) -> None:
        """Wait a few seconds for what was sent, then close; what a broker has not taken by then fails."""
        self._closed = True
        async with self._starting:
            producer, self._producer = self._producer, None
            if producer is None:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await producer.flush()
            await _stop(producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._closed:
                raise BrokerUnavailable(f"The connection to {self._lookup.where} was closed. Make a new App.")
            if self._producer is None:
                producer = await self._make()
                try:
                    async with asyncio.timeout(ACKNOWLEDGED_S):
                        await producer.start()
                except Exception as error:
                    await _stop(producer)
                    raise translate(error, f"Cannot send to {self._lookup.where}") from error
                self._producer = producer
            return self._producer

    async def _make(self) -> AIOKafkaProducer:
        await self._lookup.client()
        producer = AIOKafkaProducer(
            bootstrap_servers=await self._lookup.bootstrap(),
            client_id=CLIENT_ID,
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            **connect_options(self._lookup.security),
        )
        return quiet(producer, "client")

    async def _known(self, producer: AIOKafkaProducer, topic: str) -> None:
        """See to it that the producer knows the topic, creating it if it is not there."""
        if producer.client.cluster.partitions_for_topic(topic) is not None:
            return
        try:
            await self._lookup.partitions(topic)
        except TopicNotFound:
            with contextlib.suppress(TopicExists):
                await self._admin.create_with_defaults(topic)
        async with asyncio.timeout(ACKNOWLEDGED_S):
            await producer.client._wait_on_metadata(topic)

    async def _partition(self, producer: AIOKafkaProducer, topic: str, key: bytes | None, partition: int | None) -> int:
        cluster = producer.client.cluster
        partitions = sorted(cluster.partitions_for_topic(topic) or ())
        if partition is not None:
            if partition not in partitions:
                await producer.client.force_metadata_update()
                partitions = sorted(cluster.partitions_for_topic(topic) or ())
            if partition not in partitions:
                raise InvalidValue(f"{topic} has no partition {partition!r}: it has {len(partitions)}, counted from 0.")
            return partition
        if key is None:
            available = sorted(cluster.available_partitions_for_topic(topic) or partitions)
            return int(available[next(self._keyless) % len(available)])
        return partition_for(key, len(partitions))


def _check_size(key: bytes | None, value: bytes | None, topic: str) -> None:
    size = len(key or b"") + len(value or b"")
    if size > MAX_REQUEST_BYTES:
        error = kafka.MessageSizeTooLargeError(f"{size:,} bytes are more than a broker reads in one request")
        raise translate(error, f"Cannot send to {topic!r}", topic=topic) from error


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop a producer at once: what is unsent by now fails."""
    producer._message_accumulator.fail_all(kafka.ProducerClosed())
    sender = producer._sender
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1.0):
            await producer.stop()
            return
    await end_tasks([sender.sender_task])
    await close_client(producer.client)
