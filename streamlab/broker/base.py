"""The one seam to a broker.

A ``Broker`` answers questions and takes records; a ``Reader`` is one consumer. Both live on the I/O
thread: every coroutine here is awaited on that thread's loop and nowhere else. Errors are those of
``streamlab.errors``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from streamlab.events import TP, RecordMetadata

Isolation = Literal["read_uncommitted", "read_committed"]
Headers = Sequence[tuple[str, bytes | None]]


class BrokerRecord(Protocol):
    """One undecoded record, as the log has it."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970, negative ones before; -1 when the record has none."""

    @property
    def timestamp_type(self) -> int | None:
        """0: set by the producer; 1: by the broker."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class NewRecord(NamedTuple):
    """An encoded record that is to be written."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None
    """Chosen by the key when None: by murmur2, as the Java client does; without a key it is the partitions' turn."""
    timestamp_ms: int | None = None
    """Now when None."""
    headers: Headers = ()


Outcome = RecordMetadata | Exception
"""What became of a record: where it is, or why it is not there."""


@dataclass(slots=True)
class RecordBatch:
    """Consecutive undecoded records of one partition.

    ``records`` is walked once, in the reader's thread. It may begin before ``first_offset`` and reach beyond
    ``next_offset`` (a compressed batch is fetched whole): only offsets in [first_offset, next_offset) are meant.
    ``exact`` is True when none lies outside.
    """

    tp: TP
    records: Iterable[BrokerRecord]
    first_offset: int
    next_offset: int
    size_bytes: int
    generation: int = 0
    exact: bool = True


class TopicInfo(NamedTuple):
    """A topic as the cluster describes it."""

    name: str
    partitions: tuple[int, ...]
    internal: bool


class Watermarks(NamedTuple):
    """First offset that is there, and the offset after the last (the last stable one under read_committed)."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """What a cell shows of a cluster: nothing secret."""

    cluster_id: str
    brokers: tuple[str, ...]
    controller: str | None = None


class Commit(int):
    """An offset that a group commits, or has committed, with a note of whoever did."""

    note: str = ""

    @classmethod
    def noted(cls, offset: int, note: str) -> Commit:
        """Return an offset with a note."""
        commit = cls(offset)
        commit.note = note
        return commit


@dataclass(slots=True)
class GroupListener:
    """Called on the I/O loop around a rebalance; ``on_revoked`` is awaited before partitions go."""

    on_revoked: Callable[[frozenset[TP]], Awaitable[None]]
    on_assigned: Callable[[frozenset[TP], int], Awaitable[None]]
    """Gets the partitions and the generation."""


@dataclass(slots=True)
class ReaderOptions:
    """How a reader reads."""

    isolation: Isolation = "read_uncommitted"
    group: str | None = None
    topics: tuple[str, ...] = ()
    """Group mode only: what to subscribe to."""
    together: str = ""
    """Group mode only: members that say the same here get the same partition numbers of their topics, as a join needs it."""
    listener: GroupListener | None = None


class Reader(Protocol):
    """One consumer; observe mode when ``options.group`` is None, and then it never commits or creates anything."""

    @property
    def last_answer(self) -> float:
        """``time.monotonic()`` of the latest sign of life from the brokers that it reads from."""

    async def start(self) -> None: ...

    def assign(self, positions: Mapping[TP, int]) -> None:
        """Observe mode: add partitions, each sought to its offset. Already assigned ones keep their position."""

    def seek(self, tp: TP, offset: int) -> None: ...

    async def fetch(self, timeout_s: float) -> list[RecordBatch]:
        """Return what is there, at most 32 batches; [] after ``timeout_s`` without any. Raises OffsetOutOfRange, TopicNotFound, AuthorizationFailed."""

    def position(self, tp: TP) -> int | None:
        """Offset wanted next, past markers and holes that were read; None when not assigned."""

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Group mode; offsets may be a ``Commit``. Partitions that are no longer ours are dropped silently."""

    async def stop(self) -> None:
        """Idempotent, at most a few seconds even with a hung broker, leaves no task and no socket."""


class Broker(Protocol):
    """A cluster. Constructing one does no I/O."""

    @property
    def url(self) -> str:
        """Without secrets."""

    async def cluster(self) -> ClusterInfo: ...

    async def check(self, topic: str | None = None, timeout_s: float = 3.0) -> None:
        """Return when the cluster answers (and has the topic), else raise the error that says why not. Never creates anything."""

    async def topics(self) -> dict[str, TopicInfo]: ...

    async def partitions(self, topic: str) -> tuple[int, ...]:
        """Raises TopicNotFound; never creates."""

    async def watermarks(self, tps: Iterable[TP], isolation: Isolation = "read_uncommitted") -> dict[TP, Watermarks]: ...

    async def offsets_for_times(self, times_ms: Mapping[TP, int]) -> dict[TP, int | None]:
        """First offset whose timestamp is at or after the time; None when there is none. Negative times are answered too."""

    async def create_topic(
        self, name: str, *, partitions: int = 1, replication: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """Raises TopicExists."""

    async def delete_topic(self, name: str) -> None: ...

    async def topic_config(self, name: str) -> dict[str, str]: ...

    async def add_partitions(self, name: str, total: int) -> None: ...

    async def groups(self) -> tuple[str, ...]: ...

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """Return what a group has committed, a ``Commit`` where there is a note; None where nothing."""

    async def send_many(self, topic: str, records: Sequence[NewRecord], answered: Callable[[int, Outcome], object]) -> None:
        """Write records to a topic, creating it if it is not there; returns when all are answered for.

        ``answered`` is called once for each record, with its place in the sequence and what became of it, as soon
        as that is known. One that fails holds up no other. Within a partition, records are written in the order
        of the sequence, and after those of earlier calls.
        """

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> RecordMetadata:
        """Write one record by ``send_many``; return when it is acknowledged."""

    def reader(self, options: ReaderOptions) -> Reader: ...

    async def close(self) -> None:
        """Idempotent; flushes what was sent."""


async def send_one(broker: Broker, topic: str, record: NewRecord) -> RecordMetadata:
    """Write one record, and return where it is, or raise why it is not there: what every ``Broker.send`` does."""
    outcomes: list[Outcome] = []
    await broker.send_many(topic, (record,), lambda _, outcome: outcomes.append(outcome))
    (outcome,) = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
