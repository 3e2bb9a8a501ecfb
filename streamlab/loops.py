"""What one loop over a stream remembers and counts, so that an item costs it next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.events import Event
    from streamlab.interrupting import Wait
    from streamlab.processors import Processor, Processors

__all__ = ["FOREVER", "Loop"]


class Loop:
    """One running loop over the values that go through these lists of processors.

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
    event_cell, event
        The cell whose event was asked for last, and that event.
    """

    __slots__ = (
        "_counted",
        "_lists",
        "active",
        "alive",
        "attention",
        "done",
        "dropped",
        "event",
        "event_cell",
        "wait",
    )

    def __init__(self, *lists: Processors) -> None:
        self.alive = self.attention = True
        self.done = self.dropped = self._counted = 0
        self.active: tuple[Processor, ...] = ()
        self.event_cell: Any = None
        self.event: Event | None = None
        self.wait: Wait | None = None
        """That for what an asynchronous processor does now."""
        self._lists = lists
        for live in lists:
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

    def _count(self) -> None:
        passed, self._counted = self.uncounted, self.done
        for processor in self.active:
            processor.add_passed(passed)

    def end(self) -> None:
        """Be over."""
        self.alive = False
        self._count()
        for live in self._lists:
            live.retire(self)


FOREVER = Loop()
"""The loop of cells that are nobody's."""
