"""Questions and administration: one shared connection to the cluster for each Broker, made when first needed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import errors as kafka
from aiokafka.client import CoordinationType
from aiokafka.protocol.admin import ListGroupsRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest

from streamlab.broker.base import Isolation, TopicInfo, Watermarks
from streamlab.broker.kafka_client import CLIENT_ID, QuietClient, close_client, connect_options
from streamlab.broker.kafka_errors import code_error, topic_error, translate
from streamlab.broker.kafka_probe import Address, probe_any
from streamlab.broker.security import Security
from streamlab.errors import BrokerUnavailable, StreamlabError, TopicNotFound
from streamlab.events import TP

__all__ = ["Lookup"]

LOOKUP_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_MS = 30_000
RETRIES = 20
RETRY_S = 0.1
EARLIEST, LATEST, LATEST_TIMESTAMP = -2, -1, -1
NO_ERROR, NO_TOPIC = 0, 3
ISOLATION = {"read_uncommitted": 0, "read_committed": 1}


class Lookup:
    """Asks a cluster; connects when first asked, and again after an outage.

    Parameters
    ----------
    addresses
        Where the cluster may be reached.
    security
        How.
    where : str
        The cluster's name in messages.
    """

    def __init__(self, addresses: tuple[Address, ...], security: Security, where: str) -> None:
        self.addresses = addresses
        self.security = security
        self.where = where
        self.answered: Address | None = None
        self._client: QuietClient | None = None
        self._connecting: asyncio.Lock | None = None

    async def probe(self, topic: str | None = None, timeout_s: float = 3.0) -> Address:
        """Return an address that answers, or raise what is the matter with all of them."""
        self.answered = await probe_any(self.addresses, self.security, topic, timeout_s)
        return self.answered

    async def bootstrap(self) -> str:
        """Return the ``host:port`` that answered last, asking again when none did yet."""
        host, port = self.answered or await self.probe()
        return f"{host}:{port}"

    async def client(self) -> QuietClient:
        """Return the connected client."""
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._client is None:
                await self.probe()
                client = QuietClient(
                    bootstrap_servers=await self.bootstrap(),
                    client_id=CLIENT_ID,
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                    **connect_options(self.security),
                )
                client.set_topics([CLIENT_ID])
                try:
                    await client.bootstrap()
                except Exception as error:
                    await close_client(client)
                    raise translate(error, f"Cannot connect to {self.where}") from error
                self._client = client
            return self._client

    async def ask(self, request: Any, node: int | None = None, *, what: str, timeout_s: float = LOOKUP_TIMEOUT_S) -> Any:
        """Send a request to a node, or any, and return the answer; find out what is wrong when there is none."""
        try:
            async with asyncio.timeout(timeout_s):
                client = await self.client()
                return await client.send(client.get_random_node() if node is None else node, request)
        except (kafka.KafkaConnectionError, kafka.NodeNotReadyError, kafka.RequestTimedOutError, TimeoutError) as error:
            await self.drop()
            if isinstance(error, TimeoutError):
                raise BrokerUnavailable(f"{what}: {self.where} gave no answer in {timeout_s:g} s. {STATE_HINT}") from error
            await self.probe()
            raise translate(error, what) from error
        except kafka.KafkaError as error:
            raise translate(error, what) from error

    async def drop(self) -> None:
        """Forget the connection; the next question makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            await close_client(client)

    async def close(self) -> None:
        """Close the connection, waiting for one that is being made."""
        if self._connecting is not None:
            async with self._connecting:
                await self.drop()

    async def metadata(self, topics: list[str] | None) -> Any:
        """Describe topics, all of them for None, creating none; an answer to a request that was lost is asked for again."""
        request = MetadataRequest(topics, allow_auto_topic_creation=False)
        what = f"Cannot describe {', '.join(topics)}" if topics else "Cannot describe the cluster"
        try:
            return await self.ask(request, what=what)
        except BrokerUnavailable as error:
            if isinstance(error.__cause__, TimeoutError) or not isinstance(error.__cause__, kafka.KafkaError):
                raise
            return await self.ask(request, what=what)

    async def topics(self) -> dict[str, TopicInfo]:
        """Describe all topics that may be seen."""
        answer = await self.metadata(None)
        return {
            name: TopicInfo(name, tuple(sorted(p[1] for p in partitions)), bool(internal))
            for code, name, internal, partitions in sorted(answer.topics, key=lambda t: str(t[1]))
            if code == NO_ERROR
        }

    async def partitions(self, topic: str) -> dict[int, int]:
        """Return the leader of each partition; a topic that is just being made is waited for."""
        error: StreamlabError | None = None
        for _ in range(RETRIES):
            code, _, _, partitions = (await self.metadata([topic])).topics[0]
            if code == NO_ERROR and partitions:
                return {partition: leader for _, partition, leader, *_ in partitions}
            error = topic_error(code, topic)
            if not isinstance(error, BrokerUnavailable):
                break
            await asyncio.sleep(RETRY_S)
        assert error is not None  # noqa: S101 - the loop ran
        raise error

    async def watermarks(self, tps: Iterable[TP], isolation: Isolation) -> dict[TP, Watermarks]:
        """First offsets, and the ends as the isolation sees them."""
        wanted = list(tps)
        low = await self.offsets(dict.fromkeys(wanted, EARLIEST), "read_uncommitted")
        high = await self.offsets(dict.fromkeys(wanted, LATEST), isolation)
        return {tp: Watermarks(low[tp] or 0, high[tp] or 0) for tp in wanted}

    async def offsets(self, times: Mapping[TP, int], isolation: Isolation) -> dict[TP, int | None]:
        """Offsets for times, -1 and -2 being the end and the beginning; from the leaders, whoever they are by then."""
        found: dict[TP, int | None] = {}
        error: StreamlabError | None = None
        for attempt in range(RETRIES):
            missing = {tp: time for tp, time in times.items() if tp not in found}
            if not missing:
                return found
            if attempt:
                await asyncio.sleep(RETRY_S)
            error = await self._offsets_once(missing, ISOLATION[isolation], found)
        if error is not None and len(found) < len(times):
            raise error
        return found

    async def _offsets_once(self, times: Mapping[TP, int], isolation: int, found: dict[TP, int | None]) -> StreamlabError | None:
        by_node: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        leaders = {topic: await self.partitions(topic) for topic in {tp.topic for tp in times}}
        for tp, time in times.items():
            if tp.partition not in leaders[tp.topic]:
                raise TopicNotFound(
                    f"{tp.topic} has no partition {tp.partition}, but {_range(leaders[tp.topic])}.",
                    topic=tp.topic,
                    partition=tp.partition,
                )
            by_node[leaders[tp.topic][tp.partition]][tp.topic].append((tp.partition, time))
        error: StreamlabError | None = None
        for node, topics in by_node.items():
            request = OffsetRequest(-1, isolation, [(topic, parts) for topic, parts in topics.items()])
            what = f"Cannot ask for offsets of {', '.join(topics)}"
            if node < 0:
                error = BrokerUnavailable(f"{what}: a partition has no leader. Are the brokers that hold it running?")
                continue
            error = _read_offsets(await self.ask(request, node, what=what), found) or error
        return error

    async def groups(self) -> tuple[str, ...]:
        """Names of all groups, from all brokers."""
        answer = await self.metadata([CLIENT_ID])
        names: set[str] = set()
        for node, *_ in answer.brokers:
            reply = await self.ask(ListGroupsRequest(), node, what="Cannot list the groups")
            if reply.error_code:
                raise code_error(reply.error_code, "Cannot list the groups")
            names.update(name for name, *_ in reply.groups)
        return tuple(sorted(names))

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """What a group has committed, None where nothing."""
        wanted = list(tps)
        what = f"Cannot read what group {group} has committed"
        by_topic: dict[str, list[int]] = defaultdict(list)
        for tp in wanted:
            by_topic[tp.topic].append(tp.partition)
        node = await self._coordinator(group, what)
        reply = await self.ask(OffsetFetchRequest(group, list(by_topic.items())), node, what=what)
        if reply.API_VERSION >= 2 and reply.error_code:  # noqa: PLR2004 - the version that brought the field
            raise code_error(reply.error_code, what)
        found: dict[TP, int | None] = dict.fromkeys(wanted)
        for topic, partitions in reply.topics:
            for partition, offset, _, code in partitions:
                if code not in (NO_ERROR, NO_TOPIC):
                    raise code_error(code, what, topic=topic)
                found[TP(topic, partition)] = offset if offset >= 0 else None
        return found

    async def _coordinator(self, group: str, what: str) -> int:
        client = await self.client()
        for attempt in range(RETRIES):
            try:
                async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                    return int(await client.coordinator_lookup(CoordinationType.GROUP, group))
            except (kafka.KafkaError, TimeoutError) as error:
                if not getattr(error, "retriable", False) or attempt == RETRIES - 1:
                    raise translate(error, what) from error
            await asyncio.sleep(RETRY_S)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises


STATE_HINT = "It may be overloaded or frozen: try again, and look at the broker if it stays like this."


def _read_offsets(answer: Any, found: dict[TP, int | None]) -> StreamlabError | None:
    error = None
    for topic, partitions in answer.topics:
        for partition, code, *place in partitions:
            if code == NO_ERROR:
                offset = place[-1]
                found[TP(topic, partition)] = offset if offset >= 0 else None
                continue
            error = code_error(code, f"Cannot ask for offsets of {topic} partition {partition}", topic=topic)
            if not kafka.for_code(code).retriable or code == NO_TOPIC:
                raise error
    return error


def _range(partitions: Iterable[int]) -> str:
    known = sorted(partitions)
    return f"partitions {known[0]} to {known[-1]}" if len(known) > 1 else f"only partition {known[0]}"
