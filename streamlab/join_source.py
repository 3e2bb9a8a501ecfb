"""What a joined stream reads: its nodes' values in the order of their timestamps, joined."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival, Output
from streamlab.assignment import Assignment
from streamlab.channel_source import ChannelSource
from streamlab.copartitioning import check
from streamlab.describing import inputs
from streamlab.events import Event
from streamlab.merged import StreamsSource
from streamlab.outcomes import not_taken
from streamlab.unfinished import Unfinished

if TYPE_CHECKING:
    from streamlab.events import TP
    from streamlab.joined import Joined
    from streamlab.joining import JoinEngine
    from streamlab.joins import Join
    from streamlab.runtime.acks import AckStore
    from streamlab.runtime.feed import Feed
    from streamlab.streams import Stream

__all__ = ["JoinSource"]

LOOK_S = 0.02
"""So often it is looked whether all sides are assigned."""
LOOK_AGAIN_S = 1.0
"""So often it is looked for the partitions of topics that are not there yet."""
NOTE = "joined up to"
"""The name of the note that is committed with the offsets."""
NAME = "join"
"""How errors of functions that give keys are told."""


class JoinSource(StreamsSource):
    """Joins what its nodes give.

    Parameters
    ----------
    join : Join
    """

    def __init__(self, join: Join) -> None:
        super().__init__(idle_s=join.idle_s)
        self.join = join
        self._engine: JoinEngine | None = None
        self._unfinished = Unfinished()
        self._handed_out: set[int] = set()
        self._assignment = Assignment()
        self._held_back: list[Arrival] = []
        self._acks = True
        self._reader: Stream[Any] | None = None
        self._together = uuid.uuid4().hex
        self._looked = -LOOK_AGAIN_S
        self._is_checked = self._is_stopped = False
        self._in_memory = False
        """Whether a node reads a channel that is no topic."""

    def arrived(self, arrivals: list[Arrival]) -> Iterable[Arrival]:
        """Return the rows that came of what arrived, unless its partners are just being assigned."""
        if self._held_back or not self._assignment.is_settled():
            self._held_back += arrivals
            return ()
        return self._joined(arrivals)

    def _joined(self, arrivals: list[Arrival]) -> Iterable[Arrival]:
        if self.stores:
            if self.stores != self._assignment.stores:
                self._assignment.meet(set(self.stores), self.engine.done_before)
            arrivals = self._assignment.with_partners(arrivals)
        engine = self.engine
        if self._in_memory and self._acks and not engine.keeps_closed:
            engine.keeps_closed = not _done_with(arrivals)
        return self._rows(engine.add(arrivals))

    def idled(self) -> Iterable[Arrival]:
        """Return what is unmatched: nothing is waited for any longer."""
        return self._rows(self.engine.flush())

    def ended(self) -> Iterable[Arrival]:
        """Return what is unmatched: nothing comes any more. What a group's member was stopped at is read again."""
        if self._is_in_group and any(node._halted for node in self.nodes):
            return ()
        return self._rows(self.engine.flush())

    @property
    def engine(self) -> JoinEngine:
        """What joins."""
        if self._engine is None:
            self._engine = self.join.engine(len(self.nodes))
            self._engine.keeps_closed = any(map(_is_acked, self.nodes)) or (self._in_memory and not self._acks)
        return self._engine

    def _rows(self, joined: list[Joined]) -> Iterable[Arrival]:
        engine = self.engine
        for arrival, error in engine.failures:
            self._tell(arrival, error)
        engine.failures.clear()
        closed, engine.closed = engine.closed, []
        if engine.keeps_closed and self._acks:
            return self._unfinished.add(joined, closed)
        if engine.keeps_closed:
            self._leave_to_caller(joined, closed)
        return [Output.of(one, one._made[0]) for one in joined]

    def _leave_to_caller(self, joined: list[Joined], closed: list[tuple[int, Arrival, float]]) -> None:
        """Ack what is in no row; the rest is the caller's."""
        self._handed_out.update(id(record) for one in joined for record in one._made[1:])
        for _, arrival, _ in closed:
            if id(arrival) in self._handed_out:
                self._handed_out.remove(id(arrival))
            else:
                arrival.ack()

    def _tell(self, arrival: Arrival, error: Exception) -> None:
        if self._reader is not None:
            self._reader.errors.add(not_taken(arrival, NAME, error))

    def counters(self) -> dict[str, int]:
        """Return what is counted, by name; see ``JoinEngine``."""
        names = ("buffered", "matched", "unmatched", "late", "dropped", "empty", "failed")
        return {name: 0 if self._engine is None else getattr(self._engine, name) for name in names}

    def begin(self, stream: Stream[Any], *, keep_going: bool) -> None:
        """Know that a loop begins."""
        super().begin(stream, keep_going=keep_going)
        self._reader, self._acks = stream, stream._enable_acks
        self._in_memory = any(isinstance(node._source, ChannelSource) and node.feed is None for node in self.nodes)
        self._assignment.begin(self.feeds, self._named(NOTE))
        together = next((feed.together for feed in self.feeds if feed.together), self._together)
        for feed in self.feeds:
            feed.together = together
            if feed.group is not None and self.join.keeps_any:
                feed.notes_of[self._named(NOTE)] = partial(self._note, feed)
        if self._engine is not None and any(store.closed for store in self._assignment.stores):
            self._forget(lambda arrival: arrival.revoked)

    def _note(self, feed: Feed, tp: TP) -> str:
        return self._assignment.note(feed, tp, self._unfinished.done_at)

    @property
    def _is_in_group(self) -> bool:
        return any(feed.group is not None for feed in self.feeds)

    def revoked(self, stores: set[AckStore]) -> None:
        """Forget what is held of partitions that are another consumer's now, which reads it again."""
        self._forget(lambda arrival: arrival.store in stores)

    def _forget(self, gone: Callable[[Arrival], bool]) -> None:
        self._assignment.leave(self._unfinished.done_at)
        self._held_back = [arrival for arrival in self._held_back if not gone(arrival)]
        self.engine.drop(gone)
        self._unfinished.forget(gone)

    def close(self) -> None:
        """Know that the stream was stopped."""
        self._is_stopped = True

    def reopen(self) -> None:
        """Begin anew after a stop."""
        super().reopen()
        if self._is_stopped:
            self._engine, self._unfinished, self._handed_out, self._held_back = None, Unfinished(), set(), []
            self._set_aside.clear()
            self.run = (iter(()), None)
        self._is_stopped = False

    def stopped(self) -> Iterable[Arrival] | None:
        """Return what is unmatched, unless a group reads it again."""
        if self._is_in_group:
            return None
        return self._rows([] if self._engine is None else self.engine.flush())

    async def fill(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        """Get the next run."""
        if not self._concludes and not self._is_checked and time.monotonic() - self._looked > LOOK_AGAIN_S:
            self._is_checked = await check(self.join, len(self.nodes), inputs(self._reader) if self._reader is not None else [])
            self._looked = time.monotonic()
            return True
        if self._held_back:
            if self._assignment.is_settled():
                arrivals, self._held_back = self._held_back, []
                self._hand_out(self._joined([arrival for arrival in arrivals if not arrival.revoked]))
                return True
            timeout_s = LOOK_S if timeout_s is None else min(timeout_s, LOOK_S)
        return await super().fill(wanted, timeout_s)


def _is_acked(node: Stream[Any]) -> bool:
    """Tell whether what comes from a node is to be acked when it is done."""
    source = node._source
    if isinstance(source, ChannelSource):
        return source.feed is not None and source.feed.group is not None
    return isinstance(source, StreamsSource)


def _done_with(arrivals: list[Arrival]) -> bool:
    """Ack the events of channels at once: they are in no log, and nothing reads them again. False when somebody waits for an ack."""
    messages = [item.message for arrival in arrivals if isinstance(item := arrival.item, Event)]
    if {message.on_final_ack for message in messages} > {None}:
        return False
    for message in messages:
        message.ack()
    return True
