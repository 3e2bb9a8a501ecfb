"""What one loop over a stream remembers and counts, so that an item costs it next to nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.events import Event
    from streamlab.processors import Processor, Processors

__all__ = ["FOREVER", "Loop"]

BRISK_S = 4e-6
"""A loop that takes less for an item is brisk: nobody starts a task in its body."""
WINDOW = 256
"""Over how many items that is averaged."""
BRISK_WINDOWS = 16
"""How often in a row it has to be so before it is believed."""


class Loop:
    """One running loop.

    Attributes
    ----------
    alive : bool
        False when the loop is over: whoever still holds one of its cells sees no event any more.
    attention : bool
        Set by whoever stopped the stream, threw an error in or changed processors: the loop looks before its next item.
    done, dropped : int
        Items dealt with, and those among them of which nothing was handed out.
    active : tuple of Processor
        What items go through; they count for these until ``attend`` changes them.
    cell
        What it works on; kept while it is brisk only, when the loop itself stands in for its cells.
    event_cell, event
        The cell whose event was asked for last, and that event.
    """

    __slots__ = (
        "_counted",
        "_exact",
        "_items",
        "_live",
        "_seconds",
        "_task",
        "_windows",
        "active",
        "alive",
        "attention",
        "cell",
        "done",
        "dropped",
        "event",
        "event_cell",
    )

    def __init__(self, live: Processors | None = None) -> None:
        self.alive = self.attention = True
        self.done = self.dropped = self._counted = 0
        self._seconds, self._items, self._windows = 0.0, 0, 0
        self.active: tuple[Processor, ...] = ()
        self.cell: Any = None
        self.event_cell: Any = None
        self.event: Event | None = None
        self._exact = False
        self._task: asyncio.Task[Any] | None = None
        self._live = live
        if live is not None:
            live.loops = (*live.loops, self)

    @property
    def uncounted(self) -> int:
        """Items that went through ``active`` and were not added to their counters yet."""
        return self.done - self._counted

    def attend(self, active: tuple[Processor, ...]) -> None:
        """Go on with these processors."""
        self.attention = False
        self._count()
        self.active = active

    def fell_out(self, processor: Processor | None) -> None:
        """Say that the item that is done did not come out of this processor; None: of the last one."""
        self.dropped += 1
        if processor is not None:
            for later in self.active[self.active.index(processor) :]:
                later.add_passed(-1)

    def brisk(self, seconds: float, items: int) -> bool:
        """Tell whether it goes so fast that the loop can stand in for its cells, which saves telling the context of each.

        Then the event is known to the task that iterates. Another task that asks gets None, which is what it gets in Faust
        for an event that is gone; from then on every cell is told, so that a task sees the event that it was started for.
        """
        self._seconds += seconds
        self._items += items
        if self._items >= WINDOW:
            self._windows = self._windows + 1 if self._seconds < BRISK_S * self._items else 0
            self._seconds, self._items = 0.0, 0
            self._task = asyncio.current_task()
        return self._windows >= BRISK_WINDOWS and not self._exact

    def cell_for_current_task(self) -> Any:
        """Return the cell that it works on, if it is the running task that iterates."""
        if asyncio.current_task() is self._task:
            return self.cell
        self._exact = True
        return None

    def _count(self) -> None:
        passed, self._counted = self.uncounted, self.done
        for processor in self.active:
            processor.add_passed(passed)

    def end(self) -> None:
        """Be over."""
        self.alive = False
        self._count()
        if self._live is not None:
            self._live.retire(self)


FOREVER = Loop()
"""The loop of cells that are nobody's."""
