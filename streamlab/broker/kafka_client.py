"""The client under every connection of ours: it never creates a topic and never storms the broker for metadata.

With ``auto.create.topics.enable=true``, which is Kafka's default, a plain metadata request creates the topics that it
names; so does everything that asks for metadata behind one's back (assign, end_offsets, partitions_for). And a topic
that was deleted costs thousands of metadata requests a second. Hence one class of client for all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.protocol.metadata import MetadataRequest

from streamlab.broker.kafka_log import hush, hush_loop
from streamlab.broker.security import Security

__all__ = ["QuietClient", "close_consumer", "connect_options", "end_tasks", "quiet"]

METADATA_INTERVAL_S = 0.25
LEAVE_S = 0.5
CLIENT_ID = "streamlab"
FIRST_ANSWER_S = 0.5


class QuietConnection(AIOKafkaConnection):  # type: ignore[misc] # aiokafka is untyped
    """A connection on which no metadata request creates a topic."""

    def send(self, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - aiokafka's signature
        """Send as aiokafka does."""
        if type(request) is MetadataRequest:
            request._allow_auto_topic_creation = False
        return super().send(request, expect_response)


class _NoTopics(tuple[str, ...]):
    """Empty, yet true: for an empty list aiokafka asks for all topics of the cluster."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


NO_TOPICS = _NoTopics()


class QuietClient(AIOKafkaClient):  # type: ignore[misc] # aiokafka is untyped
    """aiokafka's client, at most four metadata requests a second, none of them creating anything."""

    _last_metadata_s = 0.0
    _answered: dict[int, float] | None = None

    async def bootstrap(self) -> None:
        """Connect as aiokafka does, which leaves open what it opened when it is cancelled: so it gets a moment, and is closed."""
        hush_loop(asyncio.get_running_loop())
        running = asyncio.create_task(super().bootstrap())
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running}, timeout=FIRST_ANSWER_S)
            await end_tasks([running])
            await close_client(self)
            raise

    async def _metadata_update(self, cluster: Any, topics: Any) -> Any:
        await asyncio.sleep(max(0.0, self._last_metadata_s + METADATA_INTERVAL_S - time.monotonic()))
        self._last_metadata_s = time.monotonic()
        return await super()._metadata_update(cluster, topics or NO_TOPICS)

    async def _get_conn(self, node_id: Any, **options: Any) -> Any:
        self._remember(node_id)
        connection = await super()._get_conn(node_id, **options)
        if connection is not None:
            connection.__class__ = QuietConnection
        return connection

    def _remember(self, node_id: Any) -> None:
        """Keep the time of the latest answer of a connection that may be about to be replaced."""
        if self._answered is None:
            self._answered = {}
        connection = self._conns.get((node_id, ConnectionGroup.DEFAULT))
        if connection is not None:
            self._answered[node_id] = connection._last_action

    def last_answer(self, nodes: Iterable[int]) -> float | None:
        """``time.monotonic()`` of the latest answer of the node that has been silent for longest; None when no node ever answered."""
        times = []
        for node in nodes:
            self._remember(node)
            times.append((self._answered or {}).get(node))
        known = [t for t in times if t is not None]
        return min(known) if known else None


def quiet(owner: Any, attribute: str = "_client") -> Any:
    """Make the client of a fresh consumer or producer a quiet one; to be called before its start."""
    getattr(owner, attribute).__class__ = QuietClient
    return owner


class _Token(AbstractTokenProvider):  # type: ignore[misc] # aiokafka is untyped
    """What aiokafka asks for OAUTHBEARER tokens, over a plain function or coroutine function."""

    def __init__(self, provider: Callable[[], str | Awaitable[str]]) -> None:
        self.provider = provider

    async def token(self) -> str:
        """Return the token; a plain function runs in a thread, since it may ask a server."""
        if inspect.iscoroutinefunction(self.provider):
            answer = await self.provider()
        else:
            answer = await asyncio.to_thread(self.provider)
            if inspect.isawaitable(answer):
                answer = await answer
        return answer[0] if isinstance(answer, tuple) else str(answer)


def connect_options(security: Security) -> dict[str, Any]:
    """Keyword arguments for aiokafka's clients and connections."""
    hush()
    options = security.options()
    provider = options.get("sasl_oauth_token_provider")
    if provider is not None:
        options["sasl_oauth_token_provider"] = _Token(getattr(provider, "token", provider))
    return options


async def end_tasks(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel what still runs and wait for it; their results are of no interest any more."""
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=1.0)


async def close_client(client: AIOKafkaClient, timeout_s: float = 1.0) -> None:
    """Close a client's connections; abort those that would rather say goodbye to a broker that hangs."""
    transports = [connection._writer.transport for connection in client._conns.values() if connection._writer is not None]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await client.close()
    for transport in transports:
        transport.abort()


async def close_consumer(consumer: AIOKafkaConsumer, timeout_s: float) -> None:
    """Stop a consumer within a few seconds, whatever its broker does, leaving no task and no socket.

    aiokafka's own stop waits for the broker's answers (and for the end of a rebalance), leaks two tasks right after a
    start, and nothing ends what it gave up on.
    """
    await asyncio.sleep(0)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_s):
            await consumer.stop()
            return
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    await end_tasks(getattr(coordinator, name, None) for name in names)
    if fetcher is not None:
        await end_tasks([fetcher._fetch_task, *fetcher._pending_tasks])
    if getattr(coordinator, "member_id", ""):
        await _leave_group(consumer._client, coordinator)
    await close_client(consumer._client)


async def _leave_group(client: AIOKafkaClient, coordinator: Any) -> None:
    """Take back a membership, so that the others need not wait for the session's end.

    Not over the coordinator's own connection: there the broker answers nothing before the join that it is holding back.
    """
    request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(LEAVE_S):
            await client.send(coordinator.coordinator_id, request)
