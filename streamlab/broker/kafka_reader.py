"""One consumer: what a stream on Kafka reads from."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import errors as kafka
from aiokafka.structs import TopicPartition

from streamlab.broker.base import ReaderOptions, RecordBatch
from streamlab.broker.kafka_assignor import assignor
from streamlab.broker.kafka_batches import MAX_BATCHES, MAX_RECORDS, give_batches, record_lists
from streamlab.broker.kafka_client import CLIENT_ID, close_consumer, connect_options, end_tasks, quiet
from streamlab.broker.kafka_errors import translate
from streamlab.broker.kafka_lookup import Lookup
from streamlab.errors import BrokerError, BrokerUnavailable, InvalidState, OffsetOutOfRange
from streamlab.events import TP

__all__ = ["KafkaReader"]

OBSERVE_REQUEST_TIMEOUT_MS = 15_000
SESSION_TIMEOUT_MS = 10_000
REBALANCE_TIMEOUT_MS = 60_000
GROUP_REQUEST_TIMEOUT_MS = REBALANCE_TIMEOUT_MS + 10_000
FETCH_WAIT_MS = 500
START_PROBE_S = 3.0
COMMIT_S = 5.0
STOP_S = 2.0
METADATA_AGE_MS = 5_000  # how soon a group hears of partitions that were added
NEVER_MS = 2**31 - 1


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Tells a reader of a rebalance; awaited by aiokafka's coordinator."""

    def __init__(self, reader: KafkaReader) -> None:
        self.reader = reader

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self.reader._tell(self.reader._revoked, revoked)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        await self.reader._tell(self.reader._assigned, assigned)


class KafkaReader:
    """A consumer of its own, with a connection of its own: a shared one would let long polls starve the others.

    Parameters
    ----------
    lookup
        The broker's shared connection, for questions that a consumer would answer by creating topics.
    options
        What to read and how; in a group when it names one.
    """

    def __init__(self, lookup: Lookup, options: ReaderOptions) -> None:
        self._lookup = lookup
        self._options = options
        self._consumer: Any = None
        self._starting: asyncio.Task[None] | None = None
        self._stopped: asyncio.Task[None] | None = None
        self._batches = False
        self._partitions: dict[str, int] = {}
        self._last_answer = time.monotonic()
        self._generation = 0
        self._topics: frozenset[str] = frozenset(options.topics)
        self._failure: Exception | None = None
        self._fetching = asyncio.Lock()  # held while partitions are placed: aiokafka would fetch meanwhile

    async def start(self) -> None:
        """Connect, and in group mode subscribe; topics are looked for first, and not made.

        Raises
        ------
        TopicNotFound, BrokerUnavailable, AuthenticationFailed, ...
            Within a few seconds.
        """
        for topic in self._options.topics:
            self._partitions[topic] = len(await self._lookup.partitions(topic))
        bootstrap = await self._lookup.bootstrap()
        try:
            await self._connect(bootstrap)
        except kafka.KafkaError as error:
            await self._lookup.probe()
            try:
                await self._connect(await self._lookup.bootstrap())
            except kafka.KafkaError:
                raise translate(error, f"Cannot read from {self._lookup.where}") from error

    async def _connect(self, bootstrap: str) -> None:
        """Start a consumer; nothing of it stays when that fails. A stop meanwhile ends it quietly."""
        if self._stopped is not None:
            return
        consumer = self._consumer = self._make(bootstrap)
        starting = self._starting = asyncio.create_task(consumer.start())
        try:
            while not (await asyncio.wait({starting}, timeout=START_PROBE_S))[0]:
                await self._lookup.probe()
            if self._stopped is not None:
                return
            starting.result()
        except Exception:
            await self._close()
            raise
        self._batches = give_batches(consumer)
        if self._options.group is not None:
            consumer.subscribe(list(self._options.topics), listener=_Listener(self))

    def _make(self, bootstrap: str) -> AIOKafkaConsumer:
        group = self._options.group
        settings: dict[str, Any] = {
            "bootstrap_servers": bootstrap,
            "client_id": CLIENT_ID,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": self._options.isolation,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "request_timeout_ms": OBSERVE_REQUEST_TIMEOUT_MS if group is None else GROUP_REQUEST_TIMEOUT_MS,
        }
        if group is not None:
            settings |= {
                "group_id": group,
                "session_timeout_ms": SESSION_TIMEOUT_MS,
                "heartbeat_interval_ms": SESSION_TIMEOUT_MS // 4,
                "max_poll_interval_ms": NEVER_MS,
                "metadata_max_age_ms": METADATA_AGE_MS,
                "rebalance_timeout_ms": REBALANCE_TIMEOUT_MS,
                "partition_assignment_strategy": [assignor(self._options.together, self._partitions)],
            }
        return quiet(AIOKafkaConsumer(**settings, **connect_options(self._lookup.security)))

    @property
    def last_answer(self) -> float:
        """``time.monotonic()`` of the latest answer from the brokers that it reads from; the most silent one counts."""
        consumer = self._consumer
        if consumer is not None:
            cluster = consumer._client.cluster
            leaders = {leader for tp in consumer.assignment() if (leader := cluster.leader_for_partition(tp)) not in (None, -1)}
            answer = consumer._client.last_answer(leaders or {node.nodeId for node in cluster.brokers()})
            self._last_answer = answer or self._last_answer
        return self._last_answer

    def assign(self, positions: Mapping[TP, int]) -> None:
        """Observe: add partitions, each sought to its offset; those that are assigned already keep their position."""
        if self._options.group is not None:
            raise InvalidState("A reader in a group is assigned its partitions by the group; assign() is for observing.")
        consumer = self._running()
        current = {TP(*tp): self.position(TP(*tp)) for tp in consumer.assignment()}
        wanted = {**positions, **{tp: offset for tp, offset in current.items() if offset is not None}}
        consumer.assign([TopicPartition(*tp) for tp in wanted])
        for tp, offset in wanted.items():
            consumer.seek(TopicPartition(*tp), offset)
        self._topics = frozenset(tp.topic for tp in wanted)

    def seek(self, tp: TP, offset: int) -> None:
        """Read on from this offset; what was prefetched is dropped."""
        self._running().seek(TopicPartition(*tp), offset)

    def position(self, tp: TP) -> int | None:
        """Offset wanted next, past markers and holes that were read."""
        assignment = self._assignment()
        state = None if assignment is None else assignment.state_value(tp)
        return state.position if state is not None and state.has_valid_position else None

    def _assignment(self) -> Any:
        subscription = None if self._consumer is None else self._consumer._subscription.subscription
        return None if subscription is None else subscription.assignment

    async def fetch(self, timeout_s: float) -> list[RecordBatch]:
        """Return up to 32 batches, [] after ``timeout_s`` without any and while no broker answers.

        Raises
        ------
        OffsetOutOfRange, TopicNotFound, AuthorizationFailed, ...
            What time does not heal.
        """
        self._running()
        with contextlib.suppress(BrokerUnavailable, kafka.ConsumerStoppedError):
            await self._look_for_deleted()
            async with self._fetching:
                return await self._fetch(timeout_s)
        return []

    async def _fetch(self, timeout_s: float) -> list[RecordBatch]:
        consumer = self._running()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        most = MAX_BATCHES if self._batches else MAX_RECORDS
        got: dict[Any, Any] = {}
        assignment = self._assignment()
        try:
            # getmany waits without an end for an assignment. Cancelled, it has taken nothing yet.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s + 0.05):
                    got = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=most)
        except kafka.NoOffsetForPartitionError as error:
            await self._to_beginning(error.args[0])
        except kafka.OffsetOutOfRangeError as error:
            raise await self._out_of_range(error) from error
        except kafka.InconsistentGroupProtocolError as error:
            raise BrokerError(
                f"Cannot join group {self._options.group}: its members share partitions out in another way than streamlab, or are of another "
                'kind of application. Read in a group of another name, or let them share out by "roundrobin" as well '
                "(partition.assignment.strategy)."
            ) from error
        except kafka.KafkaError as error:
            raise translate(error, f"Cannot read {', '.join(sorted(self._topics))}") from error
        batches = [batch for of_partition in got.values() for batch in of_partition] if self._batches else record_lists(got)
        if self._options.group is not None and self._assignment() is not assignment:
            self._put_back(batches)
            return []
        for batch in batches:
            batch.generation = self._generation
        return batches

    def _put_back(self, batches: list[RecordBatch]) -> None:
        """Have what came out of a new assignment, before it was placed, fetched again after that."""
        for batch in reversed(batches):
            if self.position(batch.tp) == batch.next_offset:
                self.seek(batch.tp, batch.first_offset)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Commit for the group; partitions that are no longer ours are dropped silently."""
        consumer = self._running()
        ours = {
            TopicPartition(*tp): (int(offset), getattr(offset, "note", ""))
            for tp, offset in offsets.items()
            if tp in consumer.assignment()
        }
        if not ours:
            return
        try:
            async with asyncio.timeout(COMMIT_S):
                await consumer.commit(ours)
        except (kafka.IllegalStateError, kafka.CommitFailedError):
            return
        except TimeoutError as error:
            raise BrokerUnavailable(
                f"Cannot commit for group {self._options.group}: {self._lookup.where} gave no answer in {COMMIT_S:g} s. "
                "What is uncommitted will be read again."
            ) from error
        except kafka.KafkaError as error:
            raise translate(error, f"Cannot commit for group {self._options.group}") from error

    async def stop(self) -> None:
        """Leave the group and close the connection: within a few seconds, also with a broker that hangs."""
        if self._stopped is None:
            self._stopped = asyncio.create_task(self._close())
        await asyncio.shield(self._stopped)

    async def _close(self) -> None:
        starting, consumer = self._starting, self._consumer
        self._starting = self._consumer = None
        if starting is not None:
            await asyncio.wait({starting}, timeout=1.0)
            await end_tasks([starting])
        if consumer is not None:
            await close_consumer(consumer, STOP_S)

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise InvalidState("This reader is not running: it was not started, or was stopped.")
        return self._consumer

    async def _tell(self, callback: Callable[[frozenset[TP]], Awaitable[None]], tps: Iterable[Any]) -> None:
        """Call back; a failure is raised by the next fetch, since aiokafka would only write it to its log."""
        try:
            await callback(frozenset(TP(*tp) for tp in tps))
        except Exception as error:  # noqa: BLE001 - raised by the next fetch
            self._failure = error

    async def _revoked(self, tps: frozenset[TP]) -> None:
        if tps and self._options.listener is not None:
            await self._options.listener.on_revoked(tps)

    async def _assigned(self, tps: frozenset[TP]) -> None:
        async with self._fetching:
            self._generation = self._running()._coordinator.generation
            if self._options.listener is not None:
                await self._options.listener.on_assigned(tps, self._generation)

    async def _to_beginning(self, tp: Any) -> None:
        """A group that has not committed begins at the first offset that there is."""
        place = TP(*tp)
        low = (await self._lookup.watermarks([place], "read_uncommitted"))[place].low
        if self.position(place) is None and place in self._running().assignment():
            self.seek(place, low)

    async def _out_of_range(self, error: kafka.OffsetOutOfRangeError) -> OffsetOutOfRange:
        [(tp, offset)] = error.args[0].items()
        place = TP(*tp)
        low, high = (await self._lookup.watermarks([place], self._options.isolation))[place]
        group = self._options.group
        advice = (
            'Start within the range, or with start="earliest".'
            if group is None
            else f"Group {group} stands there: move it (kafka-consumer-groups --reset-offsets), or read in another group."
        )
        return OffsetOutOfRange(
            f"{place.topic} partition {place.partition} has no offset {offset}: it holds {low} to {high} (the end). "
            f"{'The topic may have been deleted and made anew' if offset > high else 'Older records may have been deleted by retention'}. "
            f"{advice}",
            topic=place.topic,
            partition=place.partition,
            offset=offset,
        )

    async def _look_for_deleted(self) -> None:
        """A topic that has gone from the metadata was deleted, unless the cluster says otherwise; aiokafka is silent about it."""
        known = self._running()._client.cluster.topics(exclude_internal_topics=False)
        for topic in self._topics - known:
            await self._lookup.partitions(topic)
