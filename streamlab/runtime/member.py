"""Reading as a member of a consumer group: partitions come and go, acks are committed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from streamlab.broker.base import Commit, GroupListener, Reader, ReaderOptions, RecordBatch
from streamlab.broker.positions import Earliest, Position
from streamlab.broker.resolving import check_named, resolve, restricted
from streamlab.errors import BrokerError, BrokerUnavailable
from streamlab.events import TP
from streamlab.runtime import discovery
from streamlab.runtime.acks import AckStore
from streamlab.runtime.pump import Pump, first_of

if TYPE_CHECKING:
    from streamlab.runtime.feed import Feed

__all__ = ["Member"]

COMMIT_S = 0.1
SETTLE_S = 1.0
"""How long a revocation waits for what was handed out to be acked."""
LOOK_S = 0.005
LAST_COMMIT_S = 1.0
"""How long a revocation or a stop waits for the broker to take the last commit; what it does not take is read again."""


class Member(Pump):
    """Reads what the group assigns; see ``streamlab.runtime.feed.Feed``."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self._ends: dict[TP, int] = {}
        self._handed_over: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._failure: BrokerError | None = None
        self._all_read = False
        self._insists = feed.insists

    def assigned(self) -> frozenset[TP]:
        """Return the partitions that are read now."""
        return frozenset(self.feed.stores)

    async def run(self) -> None:
        """Join, read, commit; after the end, until all is acked."""
        tps = await self.outages.first(lambda: discovery.find(self.feed))
        check_named(self.start, tps)
        topics = tuple(sorted({tp.topic for tp in tps}))
        reader = await self.outages.insist(lambda: self._open(topics))
        self.feed.reading = True
        self.feed.set_state("reading")
        await first_of(
            self._pump_then_wait(reader),
            self.outages.watch(reader),
            discovery.watch(self.feed, self._found),
            self.refresh_watermarks(),
            self._commit_regularly(),
            self.wait_for_stop_time(),
        )

    async def _open(self, topics: tuple[str, ...]) -> Reader:
        await self.close()
        listener = GroupListener(self._revoked, self._assigned)
        feed = self.feed
        options = ReaderOptions(feed.isolation, feed.group, topics, feed.together, listener)
        reader = self.reader = self.feed.broker.reader(options)
        await reader.start()
        return reader

    async def close(self) -> None:
        """Commit what is acked, then leave the group."""
        if self.reader is not None:
            await self._commit_last(self.assigned())
            self._forget(self.assigned())
        await super().close()

    async def _pump_then_wait(self, reader: Reader) -> None:
        await self.pump(reader)
        self.feed.finish()
        self._all_read = True
        await asyncio.Event().wait()  # for the acks: committing ends the reading

    def _all_done(self) -> bool:
        stores = self.feed.stores
        return all(tp in stores and stores[tp].committable == end for tp, end in self._handed_over.items())

    def select(self, batches: list[RecordBatch]) -> list[RecordBatch]:
        """Return the batches of this generation within the stop."""
        if self._failure is not None:
            raise self._failure
        ours = [batch for batch in batches if self.feed.is_current(batch)]
        selected = self.limits.cut(ours)
        for batch in selected:
            self._handed_over[batch.tp] = batch.next_offset
        return selected

    async def _found(self, tps: frozenset[TP]) -> None:
        """Partitions that were added are assigned by the group."""

    async def _revoked(self, tps: frozenset[TP]) -> None:
        await self._let_finish([store for tp, store in self.feed.stores.items() if tp in tps])
        await self._commit_last(tps)
        self.limits.ends = None
        self._forget(tps)
        self.feed.leave(tps)
        self.feed.notice(f"rebalanced: gave up {_names(tps)}")

    async def _let_finish(self, stores: list[AckStore]) -> None:
        """Hand out nothing more, and give what was handed out some time to be acked: what is not will be read twice."""
        for store in stores:
            store.closed = True
        self.feed.handover.wake()  # whoever gathers a batch lets go of what is in it
        over = time.monotonic() + SETTLE_S
        while any(store.unacked for store in stores) and time.monotonic() < over:  # noqa: ASYNC110 - acks come from another thread, at no cost
            await asyncio.sleep(LOOK_S)

    def _forget(self, tps: Iterable[TP]) -> None:
        """Close the stores, so that late acks change nothing, and drop what nobody has taken yet."""
        tps = frozenset(tps)
        for tp in tps & self.feed.stores.keys():
            self.feed.stores.pop(tp).closed = True
            self._handed_over.pop(tp, None)
            self._committed.pop(tp, None)
        self.feed.handover.clear(tps)

    async def _assigned(self, tps: frozenset[TP], generation: int) -> None:
        self._forget(self.assigned())
        try:
            insists = self._insists
            await self._place(tps)
            await self._read_notes(frozenset() if insists else tps)
        except BrokerError as error:  # a listener has nobody to raise to: the pump does
            self._failure = error
        for tp in tps:
            self.feed.stores[tp] = AckStore(tp, generation)
        self.feed.generation = generation
        self.feed.placed = True
        self.feed.notice(f"rebalanced: reading {_names(tps)}")

    async def _read_notes(self, tps: frozenset[TP]) -> None:
        feed = self.feed
        if feed.notes_of and feed.group is not None:
            committed = await feed.broker.committed(feed.group, tps)
            feed.notes = {tp: at.note for tp, at in committed.items() if isinstance(at, Commit)}

    async def _place(self, tps: frozenset[TP]) -> None:
        """Seek where the group has no commit and a start was given, and find out where to stop."""
        fresh = await self._fresh(tps)
        if self.reader is not None:
            for tp, offset in fresh.items():
                self.reader.seek(tp, offset)
        self.limits.times.clear()
        self.limits.set_times(tps, None, self.stop)
        self.limits.set_times(fresh, self.start, self.stop)
        if self.stop is not None and not self.stops_later:
            await self._place_ends(tps, self.stop)

    async def _fresh(self, tps: frozenset[TP]) -> dict[TP, int]:
        """Return where to begin what does not begin at the group's commit."""
        feed = self.feed
        insists, self._insists = self._insists, self._insists and not tps  # later on, the commits are of this reading
        if feed.group is None or (isinstance(self.start, Earliest) and not (insists or feed.resume_from)):
            return {}
        committed = {} if insists else await feed.broker.committed(feed.group, tps)
        uncommitted = [tp for tp in tps if committed.get(tp) is None]
        fresh = await resolve(restricted(self.start, uncommitted), feed.broker, uncommitted, feed.isolation, self.now_ms)
        return fresh | {tp: offset for tp, offset in feed.resume_from.items() if tp in uncommitted}

    async def fix_ends(self, stop: Position) -> None:
        """Find out at which offsets to stop."""
        await self._place_ends(self.assigned(), stop)

    async def _place_ends(self, tps: frozenset[TP], stop: Position) -> None:
        unknown = tps - self._ends.keys()
        self._ends |= await resolve(stop, self.feed.broker, unknown, self.feed.isolation, self.now_ms, end=True)
        self.limits.ends = {tp: self._ends[tp] for tp in tps}

    async def _commit_regularly(self) -> None:
        while not (self._all_read and self._all_done()):
            await asyncio.sleep(COMMIT_S)
            with contextlib.suppress(BrokerUnavailable):  # the outage is shown; the next one commits it
                await self._commit(self.assigned())

    async def _commit_last(self, tps: Iterable[TP]) -> None:
        try:
            async with asyncio.timeout(LAST_COMMIT_S):
                await self._commit(tps)
        except (BrokerError, TimeoutError) as error:
            self.feed.notice(f"the last commit failed, its records will be read again: {type(error).__name__}: {error}")

    async def _commit(self, tps: Iterable[TP]) -> None:
        stores = self.feed.stores
        offsets = {tp: at for tp in tps if tp in stores and (at := stores[tp].committable) is not None}
        if self.feed.notes_of:  # after the offsets: it may know of more than they do, but not of less
            offsets = {tp: Commit.noted(at, self.feed.note(tp)) for tp, at in offsets.items()}
        changed = {tp: at for tp, at in offsets.items() if self._committed.get(tp) != at}
        if changed and self.reader is not None:
            await self.reader.commit(changed)
            self._committed |= changed


def _names(tps: Iterable[TP]) -> str:
    return ", ".join(f"{tp.topic}[{tp.partition}]" for tp in sorted(tps)) or "nothing"
