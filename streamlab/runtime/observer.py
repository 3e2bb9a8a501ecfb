"""Reading without a group: every partition at a position of its own, nothing committed, nothing created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlab.broker.base import Reader, ReaderOptions, RecordBatch
from streamlab.broker.positions import Earliest, End, PerPartition, Position
from streamlab.broker.resolving import resolve
from streamlab.errors import InvalidPosition, TopicNotFound
from streamlab.events import TP
from streamlab.runtime import discovery
from streamlab.runtime.pump import Pump, first_of

if TYPE_CHECKING:
    from streamlab.runtime.feed import Feed

__all__ = ["Observer"]


class Observer(Pump):
    """Reads from start to stop; see ``streamlab.runtime.feed.Feed``."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self._next: dict[TP, int] = {}

    def assigned(self) -> frozenset[TP]:
        """Return the partitions that are read now."""
        return frozenset(self._next)

    async def run(self) -> None:
        """Find the partitions and their offsets, then read."""
        tps = await self.outages.first(lambda: discovery.find(self.feed))
        self._next = await self.outages.insist(lambda: self._starts(tps))
        self.feed.start_offsets = dict(self._next)
        self.feed.placed = True
        self.limits.set_times(self._next, self.start, self.stop)
        stop = self.stop
        if stop is not None and not self.stops_later:
            await self.outages.insist(lambda: self.fix_ends(stop))
        while not await self._read():
            pass

    async def _starts(self, tps: frozenset[TP]) -> dict[TP, int]:
        known = self.feed.resume_from or await self.feed.fixed_start()
        if known is None:
            return await resolve(self.start, self.feed.broker, tps, self.feed.isolation, self.now_ms)
        added = () if isinstance(self.start, PerPartition) else tps - known.keys()
        fresh = await resolve(Earliest(), self.feed.broker, added, self.feed.isolation, self.now_ms)
        return {tp: offset for tp, offset in known.items() if tp in tps} | fresh

    async def fix_ends(self, stop: Position) -> None:
        """Find out at which offsets to stop."""
        starts = self.feed.start_offsets
        ends = await resolve(stop, self.feed.broker, self._next, self.feed.isolation, self.now_ms, end=True)
        if self.feed.bounded:
            marks = await self.feed.broker.watermarks(ends, self.feed.isolation)
            ends = {tp: min(end, marks[tp].high) for tp, end in ends.items()}
        behind = [tp for tp, end in ends.items() if starts[tp] > end]
        if behind and len(behind) == len(ends) and not (isinstance(self.start, Earliest) or self.feed.resume_from):
            tp = min(behind)
            raise InvalidPosition(
                f"start lies after stop: {tp.topic} partition {tp.partition} would be read from offset "
                f"{starts[tp]} to {ends[tp]}; give a later stop or an earlier start"
            )
        if isinstance(stop, End):
            self.feed.ends_known = ends  # all may be read before anybody asks again
        self.limits.ends = self.feed.end_offsets = ends

    async def _read(self) -> bool:
        """Read until the end; False when a topic of a pattern went away and a new reader has to go on without it."""
        reader = await self.outages.insist(self._open)
        self.feed.reading = True
        self.feed.set_state("reading")
        try:
            await first_of(
                self.pump(reader),
                self.outages.watch(reader),
                discovery.watch(self.feed, self._found),
                self.refresh_watermarks(),
                self.wait_for_stop_time(),
            )
        except TopicNotFound as error:
            if not self.feed.is_pattern or error.topic not in {tp.topic for tp in self._next}:
                raise
            self._drop(error.topic)
            await self.close()
            return False
        return True

    async def _open(self) -> Reader:
        await self.close()
        reader = self.reader = self.feed.broker.reader(ReaderOptions(isolation=self.feed.isolation))
        await reader.start()
        reader.assign(self._next)
        return reader

    def select(self, batches: list[RecordBatch]) -> list[RecordBatch]:
        """Return the batches within start and stop."""
        for batch in batches:
            self._next[batch.tp] = batch.next_offset
        return self.limits.cut(batches)

    async def _found(self, tps: frozenset[TP]) -> None:
        gone = {tp.topic for tp in self._next} - {tp.topic for tp in tps}
        if gone:
            raise TopicNotFound(f"topic {min(gone)!r} was deleted while it was read", topic=min(gone))
        added = tps - self._next.keys()
        if added and self.limits.ends is None and not isinstance(self.start, PerPartition):
            await self._add(added)

    async def _add(self, tps: frozenset[TP]) -> None:
        starts = await resolve(Earliest(), self.feed.broker, tps, self.feed.isolation, self.now_ms)
        self.limits.set_times(tps, self.start, self.stop)
        self.feed.start_offsets = {**self.feed.start_offsets, **starts}
        self._next.update(starts)
        if self.reader is not None:
            self.reader.assign(starts)
        added = ", ".join(f"{tp.topic} [{tp.partition}]" for tp in sorted(tps))
        news = f"Partitions were added, and are read from their beginning: {added}."
        for tp in sorted(tps):
            self.feed.notice(f"{tp.topic} has a new partition: {tp.partition}", news=news)

    def _drop(self, topic: str) -> None:
        feed, gone = self.feed, {tp for tp in self._next if tp.topic == topic}
        self._next = {tp: offset for tp, offset in self._next.items() if tp not in gone}
        feed.start_offsets = {tp: offset for tp, offset in feed.start_offsets.items() if tp not in gone}
        for tp in gone:  # one that is made anew begins at its beginning
            feed.handover.taken.pop(tp, None)
        feed.notice(f"topic {topic} was deleted", news=f"Topic {topic} was deleted.")
