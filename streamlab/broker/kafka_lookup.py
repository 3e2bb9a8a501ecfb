"""Questions and administration: one shared connection to the cluster for each Broker, made when first needed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from aiokafka import errors as kafka
from aiokafka.client import CoordinationType
from aiokafka.protocol.admin import ListGroupsRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest

from streamlab.broker.base import Commit, Isolation, TopicInfo, Watermarks
from streamlab.broker.kafka_client import CLIENT_ID, QuietClient, close_client, connect_options
from streamlab.broker.kafka_errors import code_error, topic_error, translate
from streamlab.broker.kafka_probe import Address, probe_any
from streamlab.broker.security import Security
from streamlab.errors import BrokerUnavailable, TopicNotFound
from streamlab.events import TP

__all__ = ["Lookup"]

LOOKUP_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_MS = 30_000
ATTEMPTS = 20
AGAIN_S = 0.1
EARLIEST, LATEST = -2, -1
NO_ERROR, NO_TOPIC = 0, 3
ISOLATION = {"read_uncommitted": 0, "read_committed": 1}
SILENT_HINT = "It may be overloaded or frozen: try again, and look at the broker if it stays like this."

T = TypeVar("T")


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
        self._connecting = asyncio.Lock()

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
        async with self._connecting:
            if self._client is None:
                await self.probe()
                client = QuietClient(
                    bootstrap_servers=await self.bootstrap(),
                    client_id=CLIENT_ID,
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                    **connect_options(self.security),
                )
                try:
                    await client.bootstrap()
                except Exception as error:
                    await close_client(client)
                    raise translate(error, f"Cannot connect to {self.where}") from error
                self._client = client
            return self._client

    async def ask(
        self, request: Any, node: int | None = None, *, what: str, timeout_s: float = LOOKUP_TIMEOUT_S, again: bool = True
    ) -> Any:
        """Send a request to a node, or any, and return the answer; when none comes, find out why.

        ``again`` says that a request whose answer was lost may be sent twice.
        """
        try:
            async with asyncio.timeout(timeout_s):
                client = await self.client()
                return await client.send(client.get_random_node() if node is None else node, request)
        except TimeoutError as error:
            await self.drop()
            raise BrokerUnavailable(f"{what}: {self.where} gave no answer in {timeout_s:g} s. {SILENT_HINT}") from error
        except (kafka.KafkaConnectionError, kafka.NodeNotReadyError, kafka.RequestTimedOutError) as error:
            await self.drop()
            await self.probe()
            if not again:
                raise translate(error, what) from error
        except kafka.KafkaError as error:
            raise translate(error, what) from error
        return await self.ask(request, node, what=what, timeout_s=timeout_s, again=False)

    async def drop(self) -> None:
        """Forget the connection; the next question makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            await close_client(client)

    async def close(self) -> None:
        """Close the connection, waiting for one that is being made."""
        async with self._connecting:
            await self.drop()

    async def metadata(self, topics: list[str] | None) -> Any:
        """Describe topics, all of them for None, creating none."""
        what = f"Cannot describe {', '.join(topics)}" if topics else "Cannot describe the cluster"
        return await self.ask(MetadataRequest(topics, allow_auto_topic_creation=False), what=what)

    async def topics(self) -> dict[str, TopicInfo]:
        """Describe all topics that may be seen."""
        answer = await self.metadata(None)
        return {
            name: TopicInfo(name, tuple(sorted(p[1] for p in partitions)), bool(internal))
            for code, name, internal, partitions in sorted(answer.topics, key=lambda t: str(t[1]))
            if code == NO_ERROR
        }

    async def partitions(self, topic: str) -> dict[int, int]:
        """Return the leader of each partition, -1 for none; a topic that is just being made is waited for."""
        return await _settled(lambda: self._partitions(topic))

    async def _partitions(self, topic: str) -> dict[int, int]:
        code, _, _, partitions = (await self.metadata([topic])).topics[0]
        if code or not partitions:
            raise topic_error(code, topic)
        return {partition: leader for _, partition, leader, *_ in partitions}

    async def watermarks(self, tps: Iterable[TP], isolation: Isolation) -> dict[TP, Watermarks]:
        """First offsets, and the ends as the isolation sees them."""
        wanted = list(tps)
        low = await self.offsets(dict.fromkeys(wanted, EARLIEST), "read_uncommitted")
        high = await self.offsets(dict.fromkeys(wanted, LATEST), isolation)
        return {tp: Watermarks(low[tp] or 0, high[tp] or 0) for tp in wanted}

    async def offsets(self, times: Mapping[TP, int], isolation: Isolation) -> dict[TP, int | None]:
        """Offsets for times, -1 and -2 being the end and the beginning; from the leaders, whoever they are by then."""
        return await _settled(lambda: self._offsets(times, ISOLATION[isolation]))

    async def _offsets(self, times: Mapping[TP, int], isolation: int) -> dict[TP, int | None]:
        leaders = {topic: await self._partitions(topic) for topic in {tp.topic for tp in times}}
        by_node: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for tp, time in times.items():
            by_node[_leader(leaders[tp.topic], tp)][tp.topic].append((tp.partition, time))
        found: dict[TP, int | None] = {}
        for node, topics in by_node.items():
            what = f"Cannot ask for offsets of {', '.join(topics)}"
            answer = await self.ask(OffsetRequest(-1, isolation, list(topics.items())), node, what=what)
            found |= _read_offsets(answer, what)
        return found

    async def groups(self) -> tuple[str, ...]:
        """Names of all groups, from all brokers."""
        answer = await self.metadata([])
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
        return await _settled(lambda: self._committed(group, wanted))

    async def _committed(self, group: str, tps: list[TP]) -> dict[TP, int | None]:
        what = f"Cannot read what group {group} has committed"
        by_topic: dict[str, list[int]] = defaultdict(list)
        for tp in tps:
            by_topic[tp.topic].append(tp.partition)
        place = await self.ask(FindCoordinatorRequest(group, CoordinationType.GROUP), what=what)
        if place.error_code:
            raise code_error(place.error_code, what)
        answer = await self.ask(OffsetFetchRequest(group, list(by_topic.items())), place.coordinator_id, what=what)
        if getattr(answer, "error_code", NO_ERROR):
            raise code_error(answer.error_code, what)
        found: dict[TP, int | None] = dict.fromkeys(tps)
        for topic, partitions in answer.topics:
            for partition, offset, note, code in partitions:
                if code not in (NO_ERROR, NO_TOPIC):
                    raise code_error(code, what, topic=topic)
                found[TP(topic, partition)] = Commit.noted(offset, note or "") if offset >= 0 else None
        return found


async def _settled(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again for a while when the cluster answers that it is just electing a leader or loading a group."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await ask()
        except BrokerUnavailable as error:
            if not isinstance(error.__cause__, kafka.BrokerResponseError):
                raise
        await asyncio.sleep(AGAIN_S)
    return await ask()


def _leader(leaders: dict[int, int], tp: TP) -> int:
    if tp.partition not in leaders:
        raise TopicNotFound(
            f"{tp.topic} has no partition {tp.partition}: it has {len(leaders)}, counted from 0.",
            topic=tp.topic,
            partition=tp.partition,
        )
    if leaders[tp.partition] < 0:
        raise code_error(
            kafka.LeaderNotAvailableError.errno, f"Partition {tp.partition} of {tp.topic} has no leader", topic=tp.topic
        )
    return leaders[tp.partition]


def _read_offsets(answer: Any, what: str) -> dict[TP, int | None]:
    found: dict[TP, int | None] = {}
    for topic, partitions in answer.topics:
        for partition, code, *place in partitions:
            if code:
                raise code_error(code, f"{what} partition {partition}", topic=topic)
            found[TP(topic, partition)] = place[-1] if place[-1] >= 0 else None
    return found
