"""What a stream reads that is made of other streams: the values of all of them, or what is made of those."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from streamlab.arrivals import Arrival
from streamlab.describing import inputs
from streamlab.events import Carrier
from streamlab.merging import Merge, inputs_of
from streamlab.sides import READ
from streamlab.sources import ReceivingSource, Source

if TYPE_CHECKING:
    from streamlab.events import TP
    from streamlab.failures import ErrorLog
    from streamlab.opened import OpenedBatch
    from streamlab.runtime.acks import AckStore
    from streamlab.runtime.feed import Feed
    from streamlab.streams import Stream

__all__ = ["MergeSource", "StreamsSource"]

SHARE = READ
"""So many values of each input are put in order together, at most."""


class StreamsSource(ReceivingSource):
    """Reads nodes as one, while a loop runs over its stream; subclasses say what is handed out.

    Parameters
    ----------
    max_idle : float
        See ``Merge``.
    idle_s : float, optional
        ``idled`` is asked when no node had anything for so long, in seconds.
    """

    def __init__(self, *, max_idle: float = 0.0, idle_s: float | None = None) -> None:
        super().__init__()
        self.max_idle = max_idle
        self.idle_s = idle_s
        self._merge: Merge | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keep_going = False
        self._errors: ErrorLog | None = None
        self._latest = 0.0
        self._flushed = self._concludes = self._is_over = self._begins = False
        self.feeds: list[Feed] = []
        """All that is read, by its nodes and theirs."""
        self._depth = 1

    def _named(self, what: str) -> str:
        """Return under which name notes are committed: others above and below may tell the same of themselves."""
        return what if self._depth == 1 else f"{self._depth}: {what}"

    # What subclasses say

    def arrived(self, arrivals: list[Arrival]) -> Iterable[Carrier]:
        """Return what is handed out because of these."""
        return arrivals

    def revoked(self, stores: set[AckStore]) -> None:
        """Forget what is held of partitions that are another consumer's now."""

    def idled(self) -> Iterable[Carrier]:
        """Return what is handed out because nothing came for ``idle_s``."""
        return ()

    def ended(self) -> Iterable[Carrier]:
        """Return what is handed out when all nodes are over."""
        return ()

    def stopped(self) -> Iterable[Carrier] | None:
        """Return what a loop hands out still when its stream was stopped; None for nothing."""
        return None

    def at_rest(self) -> None:
        """Know that the last loop is over; the nodes are read still."""

    # The life of the reading

    def begin(self, stream: Stream[Any], *, keep_going: bool) -> None:
        """Know that a loop begins."""
        self.nodes = inputs_of(stream)
        self.feeds = list(dict.fromkeys(one.feed for one in inputs(stream) if one.feed is not None))
        self._depth = depth_of(stream)
        self._begins = self._merge is None
        self._keep_going = keep_going
        self._errors = stream.errors

    async def rest(self) -> None:
        """End the reading; what was read ahead goes back to the nodes."""
        merge, self._merge = self._merge, None
        self._begins = False
        if merge is not None:
            self.at_rest()
            left = self._left_over()
            await merge.aclose()
            merge.give_back(left)  # it was ahead of the rest

    def _left_over(self) -> list[Arrival]:
        """Return what no loop came to, if that is to go back to the nodes: the rest is the next loop's."""
        return []

    def take_after(self, other: Source) -> None:
        """Hold the others back at least as long as another one does: that of a clone, or of a node of which the nodes are read."""
        if isinstance(other, StreamsSource):
            self.max_idle = max(self.max_idle, other.max_idle)

    def last_words(self, stream: Stream[Any]) -> bool:
        """Tell whether a loop that was stopped is to go on a little."""
        if not stream._halted or stream._paused or self._is_over:
            return False
        if not self._concludes:
            left = self.stopped()
            if left is None:
                return False
            self._concludes = True
            self._set_aside.clear()
            self.run = (iter(left), None)
        return True

    def reopen(self) -> None:
        """Read again what had ended."""
        self._flushed = self._concludes = self._is_over = False

    def behind(self) -> set[TP | None]:
        """Return a set that is empty when nothing more is known to come, which it is not before the nodes are read."""
        more = self._begins or self._inbox or (self._merge is not None and self._merge.is_behind)
        return {None} if more else set()

    async def fill(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        """Get the next run."""
        if self._concludes:
            self._is_over = not self.take_up()
            return not self._is_over
        if self.take_what_is_here():
            return True
        merge = self._reading()
        if merge is None:  # a loop on another thread reads for all
            await self.bell.wait(lambda: not wanted() or self._has_something(), timeout_s=timeout_s)
            return True
        more = self._next(merge)
        if more is None:
            timeouts = [seconds for seconds in (timeout_s, self._idle_left()) if seconds is not None]
            await merge.wait(lambda: wanted() and not self._has_something(), min(timeouts, default=None))
        return more is not False

    def _next(self, merge: Merge) -> bool | None:
        """Make what comes next the run; None when there is nothing now, False at the end."""
        arrivals = merge.take(SHARE)
        if stores := merge.take_revoked():
            self.revoked(stores)
        if arrivals is None:
            return self._flush()
        if arrivals:
            self._latest = time.monotonic()
            self._hand_out(self.arrived(arrivals))
            return True
        idle_s = self._idle_left()
        if idle_s is None or idle_s > 0:
            return None
        self._latest = time.monotonic()
        self._hand_out(self.idled())
        return True

    def _reading(self) -> Merge | None:
        loop = asyncio.get_running_loop()
        if self._merge is None:
            self._loop = loop
            self._latest = time.monotonic()
            self._merge = Merge(self.nodes, self.bell, max_idle=self.max_idle, keep_going=self._keep_going, errors=self._errors)
            self._begins = False
            self.stores = self._merge.stores
        return self._merge if self._loop is loop else None

    def _has_something(self) -> bool:
        return bool(self.errors or self._set_aside or self._inbox)

    def _idle_left(self) -> float | None:
        return None if self.idle_s is None else self._latest + self.idle_s - time.monotonic()

    def _flush(self) -> bool:
        if self._flushed:
            return False
        self._flushed = True
        self._hand_out(self.ended())
        return True

    def _hand_out(self, carriers: Iterable[Carrier]) -> None:
        self.run = (_ours(carriers) if self.stores else iter(carriers), None)


def depth_of(stream: Stream[Any]) -> int:
    """Return through how many sources that read streams its values go."""
    return 1 + max(map(depth_of, inputs_of(stream)), default=0) if stream.combined else 0


class MergeSource(StreamsSource):
    """The values of all nodes."""

    is_merge = True
    made_by = "combine"

    def __init__(self, *, max_idle: float = 0.0, idle_s: float | None = None) -> None:
        super().__init__(max_idle=max_idle, idle_s=idle_s)
        self._rests = True

    def begin(self, stream: Stream[Any], *, keep_going: bool) -> None:
        """Know that a loop begins."""
        super().begin(stream, keep_going=keep_going)
        self._rests = False

    async def rest(self) -> None:
        """End the reading; what was read ahead, and what is given back later, goes back to the nodes."""
        self._rests = True
        await super().rest()

    def _left_over(self) -> list[Arrival]:
        items = [item for some, _ in (self.run, *self._set_aside) for item in some]
        self._set_aside.clear()
        self.run = (iter([item for item in items if not isinstance(item, Arrival)]), None)
        return [item for item in items if isinstance(item, Arrival)]

    def give_back(self, item: Any, opened: OpenedBatch | None) -> None:
        """Put an item back; when no loop runs, to the node that it comes from."""
        if self._rests and isinstance(item, Arrival):
            item.give_back_to(self.nodes[item.side]._source)
        else:
            super().give_back(item, opened)

    def give_back_all(self, items: Sequence[Any], opened: OpenedBatch | None) -> None:
        """Put several items back; when no loop runs, to the nodes that they come from."""
        if not self._rests:
            super().give_back_all(items, opened)
            return
        for item in reversed(items):
            self.give_back(item, opened)


def _ours(carriers: Iterable[Carrier]) -> Iterator[Carrier]:
    """Yield them, except for those whose partition was revoked meanwhile."""
    for carrier in carriers:
        if not carrier.is_lost():
            yield carrier
