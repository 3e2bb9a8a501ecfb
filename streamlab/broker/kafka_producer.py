"""Writing records: one producer for each Broker, made at the first send."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka

from streamlab.broker.base import NewRecord, Outcome
from streamlab.broker.kafka_admin import Admin
from streamlab.broker.kafka_client import CLIENT_ID, close_client, connect_options, end_tasks, quiet
from streamlab.broker.kafka_errors import translate
from streamlab.broker.kafka_lookup import Lookup
from streamlab.broker.kafka_shipment import ACKNOWLEDGED_S, MAX_REQUEST_BYTES, Places, Shipment
from streamlab.errors import BrokerUnavailable, TopicExists, TopicNotFound

__all__ = ["Producer"]

LINGER_MS = 0  # a send that is awaited should not wait; what comes while a request is on its way shares the next one
REQUEST_TIMEOUT_MS = 30_000
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

    async def send_many(self, topic: str, records: Sequence[NewRecord], answered: Callable[[int, Outcome], object]) -> None:
        """See ``Broker.send_many``; records of one topic go in the order in which they were sent."""
        shipment = Shipment(topic, records, answered, self._lookup.where)
        try:
            async with self._turns[topic]:
                producer = await self._started()
                await self._known(producer, topic)
                await shipment.load(producer._message_accumulator, Places(producer.client, topic, self._keyless))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who sent the records
            shipment.fail(error)
        await shipment.arrived()

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
