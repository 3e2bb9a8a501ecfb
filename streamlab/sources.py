"""Where a stream's items come from: a channel's queue, a topic's feed, or any iterable.

A source hands out *runs*: an iterator of items that all its readers share, so that every item goes to exactly one of
them and a loop that was left is taken up where it stood, and what is needed to open its items (None for items
that are events or plain values already).
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from streamlab.events import TP
from streamlab.opened import OpenedBatch
from streamlab.queues import Bell

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from streamlab.runtime.acks import AckStore
    from streamlab.streams import Stream

__all__ = ["NOTHING", "ReceivingSource", "Run", "Source", "drained"]

Run = tuple[Iterator[Any], OpenedBatch | None]
NOTHING: Run = (iter(()), None)


class Source:
    """Shared by the readers of one channel iterator: the run they are in, and how to get the next one."""

    in_hand = False
    """Whether what its runs give that is no record was there before the run: no user's code makes it."""
    is_merge = False
    """Whether it hands out values of other streams as they are."""
    made_by = ""
    """What makes one stream of others, for people."""
    nodes: Sequence[Stream[Any]] = ()
    """The streams that it reads, if it reads streams."""
    stores: AbstractSet[AckStore] = frozenset()
    """Where carriers in its runs are acked, that come of groups."""

    def __init__(self) -> None:
        self.run: Run = NOTHING
        self.users: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()
        """The streams that read it."""
        self.bell = Bell()
        self.errors: deque[BaseException] = deque()
        """What was thrown in: raised to one reader, ahead of the items."""
        self.bytes_total = 0
        self._set_aside: deque[Run] = deque()

    def give_back(self, item: Any, opened: OpenedBatch | None) -> None:
        """Put an item back: it is the next one that any reader gets."""
        self._set_aside.appendleft(self.run)
        self.run = (iter((item,)), opened)
        self.bell.ring()

    def give_back_all(self, items: Sequence[Any], opened: OpenedBatch | None) -> None:
        """Put several items back: the first of them is the next one that any reader gets."""
        self._set_aside.appendleft(self.run)
        self.run = (iter(items), opened)
        self.bell.ring()

    def abandon(self, run: Run) -> None:
        """Drop the rest of a run: its records are somebody else's now."""
        if self.run is run:
            self.run = NOTHING

    def throw(self, error: BaseException) -> None:
        """Have one reader raise this before its next item."""
        self.errors.append(error)
        self.interrupt()
        self.bell.ring()

    def interrupt(self) -> None:
        """Have the running loops look up before their next item."""
        for stream in list(self.users):
            stream.processors.call_attention()

    def raise_thrown(self) -> None:
        """Raise what was thrown in, if another reader did not get it first."""
        try:
            error = self.errors.popleft()
        except IndexError:
            return
        raise error

    def take_up(self) -> bool:
        """Go back to a run that was set aside by ``give_back``."""
        if not self._set_aside:
            return False
        self.run = self._set_aside.popleft()
        return True

    async def fill(self, wanted: Callable[[], bool], timeout_s: float | None) -> bool:
        """Get the next run, waiting for one while it is wanted, at most ``timeout_s``.

        Returns False at the end of the source; True otherwise, also when there is no run yet. Raises what was thrown in.
        """
        raise NotImplementedError

    def begin(self, stream: Stream[Any], *, keep_going: bool) -> None:
        """Know that a loop over a stream begins, and whether that goes on when something fails."""

    async def rest(self) -> None:
        """Know that the last loop over a stream is over."""

    def last_words(self, stream: Stream[Any]) -> bool:
        """Tell whether a loop over a stream that was stopped has something to hand out still."""
        return False

    def counters(self) -> dict[str, int]:
        """Return what is counted beside events, by name."""
        return {}

    def behind(self) -> set[TP | None]:
        """Return the partitions of which more is known to come than is at hand; None in it stands for something else."""
        return set()

    def waiting(self) -> dict[TP, int]:
        """Return the offsets of the first records that no reader has come to, in partitions of which such batches are here."""
        return {}

    def close(self) -> None:
        """Give up what it holds; it can be opened again."""

    async def closed(self) -> None:
        """Wait until what ``close`` began is done."""

    def reopen(self) -> None:
        """Undo ``close``."""


class ReceivingSource(Source):
    """A source that values can be sent to, beside what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self._inbox: deque[Any] = deque()

    async def send(self, value: Any) -> None:
        """Put a value in: the next one that a reader of this source gets."""
        self._inbox.append(value)
        self.bell.ring()

    def take_what_is_here(self) -> bool:
        """Go on with what was given back or sent in, if there is any; what was thrown in is raised first."""
        self.raise_thrown()
        if self.take_up():
            return True
        if self._inbox:
            self.run = (drained(self._inbox), None)
            return True
        return False


def drained(items: deque[Any]) -> Iterator[Any]:
    """Yield what is in it, and what is put in meanwhile."""
    while items:
        yield items.popleft()
